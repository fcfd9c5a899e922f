"""What people take back as soon as they see what Tandem makes of it.

Some do not want the records that it makes. Others say no, and yes again once the
other side has heard of it; or they go on editing what it has just written. And some
take a deletion back while it is being told there.
"""

from collections.abc import Callable, Mapping
from typing import Final

from proto.fields import Role
from proto.record import Consent
from tests.simulation.ledger import Act, Entry, Place, Status, Who
from tests.simulation.scenario import Scenario
from tests.simulation.users import Users
from tests.simulation.vendors.book import Book, EmailTaken, Holder

DISTRUST_S: Final = (0.0, 1.0)
REGRET_S: Final = (0.0, 10.0)
HASTE_S: Final = (0.0, 0.3)
"""About as long as our answer takes to come, and the call after it to arrive."""
TOLD_S: Final = (0.0, 1.0)
REMORSE_S: Final = (0.0, 60.0)
"""Until we are shown a deletion, and what is done about it is on its way."""

Later = Callable[[float, Callable[[], None]], object]
"""Has something done after so many seconds."""


class SecondThoughts:
    """The people of a scenario, as they watch us."""

    def __init__(
        self,
        scenario: Scenario,
        users: Users,
        books: Mapping[Place, Book],
        *,
        later: Later,
    ) -> None:
        self.is_over = False
        """Nobody does anything any more, whatever comes."""
        self._mood = scenario.mood
        self._users = users
        self._people = users.people
        self._books = books
        self._later = later
        self._source = scenario.source("second thoughts")
        self._remorse = scenario.source("remorse")

    def watch(self, entry: Entry) -> None:
        """See what happens, and undo it where somebody does not want it."""
        if self.is_over:
            return
        if entry.who is Who.USER and entry.act is Act.DELETE:
            book = self._books[entry.place]
            self._rue(book, book.holders[entry.record_id], within_s=REMORSE_S)
        if entry.who is not Who.TANDEM:
            return
        if entry.before is not None and entry.before.tags != entry.after.tags:
            for book, holder in self._records_elsewhere(entry, Status.DELETED):
                self._rue(book, holder, within_s=TOLD_S)
        self._hasten(entry)
        if entry.act is Act.CREATE:
            self._reject(entry)
        elif entry.before is not None and entry.before.consent != entry.after.consent:
            self._regret(entry)

    def _hasten(self, entry: Entry) -> None:
        """Edit a record that we have just written, where we have yet to read it."""
        book = self._books[entry.place]
        if book.ways.tells_writes or not self._is_in_mood(self._mood.haste):
            return
        roles = [role for role in book.ways.roles if role is not Role.EMAIL]
        written = [role for role in roles if book.ways.name_of(role) in entry.changed]
        role = self._source.choice(self._source.choice((written, roles)) or roles)

        def go_on() -> None:
            if book.holders[entry.record_id].now.is_live:
                self._users.edit_field(book, entry.record_id, role)

        self._later(self._source.uniform(*HASTE_S), go_on)

    def _reject(self, entry: Entry) -> None:
        """Delete a record that somebody does not want to have."""
        book = self._books[entry.place]

        def undo() -> None:
            if book.holders[entry.record_id].now.is_live:
                book.delete(entry.record_id)

        if self._is_in_mood(self._mood.distrust):
            self._later(self._source.uniform(*DISTRUST_S), undo)

    def _regret(self, entry: Entry) -> None:
        """Have who said no opt in again where they did."""
        for book, holder in self._records_elsewhere(entry, Status.LIVE):
            is_no = holder.now.consent is Consent.UNSUBSCRIBED
            if is_no and self._is_in_mood(self._mood.regret):
                undo = _opting_in(book, holder)
                self._later(self._source.uniform(*REGRET_S), undo)

    def _rue(
        self, book: Book, holder: Holder, *, within_s: tuple[float, float]
    ) -> None:
        """Bring back whom somebody has deleted."""
        gone = holder.now

        def undo() -> None:
            if holder.now is not gone or self.is_over:
                return
            try:
                self._users.restore(book, holder)
            except EmailTaken:
                return

        if self._remorse.random() < self._mood.remorse:
            self._later(self._remorse.uniform(*within_s), undo)

    def _is_in_mood(self, share: float) -> bool:
        return share > 0 and self._source.random() < share

    def _records_elsewhere(
        self, entry: Entry, status: Status
    ) -> list[tuple[Book, Holder]]:
        """Return the records of the same person at other vendors."""
        person_of = self._people.person_of
        person = person_of.get(entry.key)
        return [
            (book, holder)
            for place, book in self._books.items()
            for holder in book.holders.values()
            if holder.now.status is status
            if place != entry.place and person is not None
            if person_of.get((place, holder.record_id)) == person
        ]


def _opting_in(book: Book, holder: Holder) -> Callable[[], None]:
    def undo() -> None:
        if holder.now.is_live:
            book.edit(holder.record_id, consent=Consent.SUBSCRIBED)

    return undo
