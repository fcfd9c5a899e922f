"""One vendor account: its contacts, lists, properties, and addresses that opted out."""

import random

from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.hubspot import properties
from tests.emulators.hubspot.book import ContactBook
from tests.emulators.hubspot.listbook import ListBook
from tests.emulators.hubspot.properties import Property
from tests.emulators.hubspot.settings import Behaviour


class Account(account.Account[Behaviour]):
    """Everything that one customer of the vendor has."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        chance = random.Random(f"{opening.number} {opening.name}")
        self.portal_id = chance.randrange(10**6, 10**8)
        super().__init__(opening, account_id=str(self.portal_id))
        self.book = ContactBook(self.clock, self.behaviour)
        self.lists = ListBook(self.book)
        self.properties: dict[str, Property] = properties.of_every_account()
        self.opted_out: set[str] = set()
        """Addresses, whoever has them; deleting a contact does not take one out."""

    def now_ms(self) -> int:
        """Return the vendor's time."""
        return int(self.clock.now() * 1000)
