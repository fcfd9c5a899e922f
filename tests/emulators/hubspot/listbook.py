"""One account's lists of contacts, and since when who is on which."""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from msgspec import Struct, field

from tests.emulators.hubspot.book import Contact, ContactBook

ProcessingType = Literal["MANUAL", "SNAPSHOT", "DYNAMIC"]


class Stay(NamedTuple):
    """Since when somebody is on a list; ``first_ms`` of an earlier stay is kept."""

    first_ms: int
    last_ms: int


class ContactList(Struct, kw_only=True):
    """A list; whom the vendor's filters put on a dynamic one, acts say."""

    number: int
    name: str
    processing_type: ProcessingType
    created_ms: int
    stays: dict[str, Stay] = field(default_factory=dict)
    """By the ids of contacts, archived ones too."""
    was_there: dict[str, int] = field(default_factory=dict)
    """When who left was first put on it."""
    added_ms: int | None = None
    removed_ms: int | None = None

    @property
    def list_id(self) -> str:
        """Return the id as it is shown."""
        return str(self.number)


class Change(NamedTuple):
    """Who was put on a list, who was taken off, and who is no contact."""

    added: list[str]
    removed: list[str]
    missing: list[str]


class ListBook:
    """All lists of one account."""

    def __init__(self, book: ContactBook) -> None:
        self._book = book
        self.by_id: dict[str, ContactList] = {}

    def make(
        self, name: str, *, now_ms: int, processing_type: ProcessingType = "MANUAL"
    ) -> ContactList:
        """Make a list with nobody on it."""
        made = ContactList(
            number=len(self.by_id) + 1,
            name=name,
            processing_type=processing_type,
            created_ms=now_ms,
        )
        self.by_id[made.list_id] = made
        return made

    def move(
        self,
        one: ContactList,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        now_ms: int,
    ) -> Change:
        """Put contacts on a list and take some off; twice is once."""
        done = Change([], [], [])
        for contact_id in remove:
            if self._living(contact_id) is None:
                done.missing.append(contact_id)
            elif contact_id in one.stays:
                one.was_there[contact_id] = one.stays.pop(contact_id).first_ms
                one.removed_ms = now_ms
                done.removed.append(contact_id)
        for contact_id in add:
            if self._living(contact_id) is None:
                done.missing.append(contact_id)
            elif contact_id not in one.stays:
                first_ms = one.was_there.get(contact_id, now_ms)
                one.stays[contact_id] = Stay(first_ms, now_ms)
                one.added_ms = now_ms
                done.added.append(contact_id)
        return done

    def merge(self, parts: Iterable[Contact], winner: Contact, *, now_ms: int) -> None:
        """Put on every list of its parts what they are by now."""
        ids = {one.contact_id for one in parts}
        for one in self.by_id.values():
            if not ids.isdisjoint(one.stays):
                self.move(one, add=[winner.contact_id], now_ms=now_ms)

    def members(self, one: ContactList) -> list[tuple[int, Contact]]:
        """Return who is on a list and not archived, by when they were put on it."""
        found = [
            (stay.last_ms, contact)
            for contact_id, stay in one.stays.items()
            if (contact := self._living(contact_id)) is not None
        ]
        return sorted(found, key=lambda each: (each[0], each[1].number))

    def of(self, contact_id: str) -> Iterator[tuple[ContactList, Stay]]:
        """Yield the lists that a contact is on."""
        for one in self.by_id.values():
            if contact_id in one.stays:
                yield one, one.stays[contact_id]

    def _living(self, contact_id: str) -> Contact | None:
        contact = self._book.by_id.get(contact_id)
        return contact if contact is not None and contact.is_live else None
