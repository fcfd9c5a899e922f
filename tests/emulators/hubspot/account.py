"""One vendor account: its contacts, properties, and addresses that opted out."""

import random

from tests.emulators.core import account
from tests.emulators.core.clock import Clock
from tests.emulators.core.statistics import Statistics
from tests.emulators.hubspot import properties
from tests.emulators.hubspot.book import ContactBook
from tests.emulators.hubspot.properties import Property
from tests.emulators.hubspot.settings import Behaviour


class Account(account.Account):
    """Everything that one customer of the vendor has."""

    def __init__(
        self,
        name: str,
        *,
        number: int,
        clock: Clock,
        statistics: Statistics,
        behaviour: Behaviour,
    ) -> None:
        self.portal_id = random.Random(f"{number} {name}").randrange(10**6, 10**8)
        super().__init__(
            name, account_id=str(self.portal_id), clock=clock, statistics=statistics
        )
        self.behaviour = behaviour
        self.book = ContactBook(clock, behaviour)
        self.properties: dict[str, Property] = properties.of_every_account()
        self.opted_out: set[str] = set()
        """Addresses, whoever has them; deleting a contact does not take one out."""

    def now_ms(self) -> int:
        """Return the vendor's time."""
        return int(self.clock.now() * 1000)
