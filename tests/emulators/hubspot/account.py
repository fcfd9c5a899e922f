"""One vendor account: its contacts, properties, and addresses that opted out."""

import collections
import random

import msgspec

from tests.emulators.core.clock import Clock
from tests.emulators.core.statistics import Statistics
from tests.emulators.hubspot import properties
from tests.emulators.hubspot.book import Contact, ContactBook
from tests.emulators.hubspot.properties import Property
from tests.emulators.hubspot.settings import Behaviour

JOURNAL_MAX = 200_000


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One change to one contact, and who made it: `api`, `user` or `seed`."""

    number: int
    who: str
    operation: str
    contact_id: str
    fields: tuple[str, ...]


class Account:
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
        self.name = name
        self.clock = clock
        self.behaviour = behaviour
        self._statistics = statistics
        self.portal_id = random.Random(f"{number} {name}").randrange(10**6, 10**8)
        self.account_id = str(self.portal_id)
        self.book = ContactBook(clock, behaviour)
        self.properties: dict[str, Property] = properties.of_every_account()
        self.opted_out: set[str] = set()
        """Addresses, whoever has them; deleting a contact does not take one out."""
        self.journal: collections.deque[JournalLine] = collections.deque(
            maxlen=JOURNAL_MAX
        )
        self._journal_number = 0

    def now_ms(self) -> int:
        """Return the vendor's time."""
        return int(self.clock.now() * 1000)

    def record(
        self, contact: Contact, *, who: str, operation: str, fields: tuple[str, ...]
    ) -> None:
        """Write down who changed what."""
        contact.last_writer = who
        if who == "api":
            contact.api_writes += 1
            self._statistics.count_write(self.account_id)
        self._journal_number += 1
        self.journal.append(
            JournalLine(
                number=self._journal_number,
                who=who,
                operation=operation,
                contact_id=contact.contact_id,
                fields=fields,
            )
        )
