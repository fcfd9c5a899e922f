"""One vendor account with its audiences."""

from typing import Final

from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.mailchimp.audience import Audience
from tests.emulators.mailchimp.settings import Behaviour
from tests.emulators.mailchimp.wire import hash_of

FIRST_AUDIENCE: Final = "Customers"
AUDIENCES_MAX: Final = 100


class Account(account.Account[Behaviour]):
    """What one customer of the vendor has."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        super().__init__(opening, account_id=hash_of(f"account {opening.number}")[:25])
        self.audiences: dict[str, Audience] = {}
        self._made = 0
        self.open_audience(FIRST_AUDIENCE)

    def open_audience(self, name: str, *, asks_twice: bool = False) -> Audience:
        """Make one more audience."""
        self._made += 1
        list_id = hash_of(f"{self.account_id} {self._made}")[:10]
        made = Audience(name, list_id=list_id, account=self, asks_twice=asks_twice)
        self.audiences[list_id] = made
        return made
