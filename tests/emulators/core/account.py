"""What every vendor account has: a name, and a journal of who changed which contact."""

import collections
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from tests.emulators.core.clock import Clock
from tests.emulators.core.http import Call
from tests.emulators.core.settings import Behaviour
from tests.emulators.core.statistics import Statistics

B = TypeVar("B", bound=Behaviour)
JOURNAL_MAX = 200_000


class JournalLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One change to one contact, and who made it: `api`, `user` or `seed`."""

    number: int
    at: str
    who: str
    operation: str
    contact_id: str | int
    fields: tuple[str, ...]


class Written(Protocol):
    """What is kept of a contact's writers."""

    last_writer: str
    api_writes: int
    user_writes: int


class Opening(NamedTuple, Generic[B]):
    """What an account is opened with."""

    name: str
    number: int
    """Tells it from the emulator's other accounts."""
    clock: Clock
    statistics: Statistics
    behaviour: B


class Account(Generic[B]):
    """What one customer of a vendor has; a vendor adds its id and the contacts."""

    def __init__(self, opening: Opening[B], *, account_id: str) -> None:
        self.name = opening.name
        self.account_id = account_id
        self.clock = opening.clock
        self.behaviour = opening.behaviour
        self._statistics = opening.statistics
        self.journal: collections.deque[JournalLine] = collections.deque(
            maxlen=JOURNAL_MAX
        )
        self._journal_number = 0
        self.tell: Callable[[JournalLine], None] | None = None
        """Told of each change, where the vendor pushes them."""

    def note(
        self,
        contact: Written,
        *,
        contact_id: str | int,
        who: str,
        operation: str,
        fields: tuple[str, ...],
    ) -> None:
        """Write down who changed what."""
        contact.last_writer = who
        if who == "api":
            contact.api_writes += 1
            self._statistics.count_write(self.account_id)
        elif who == "user":
            contact.user_writes += 1
        self._journal_number += 1
        line = JournalLine(
            number=self._journal_number,
            at=self.clock.stamp(),
            who=who,
            operation=operation,
            contact_id=contact_id,
            fields=fields,
        )
        self.journal.append(line)
        if self.tell is not None:
            self.tell(line)


A = TypeVar("A", bound=Account[Any])


def account_of(call: Call, accounts: dict[str, A]) -> A:
    """Return the account whose token a call came with."""
    assert call.account_id is not None
    return accounts[call.account_id]
