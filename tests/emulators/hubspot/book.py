"""One account's contacts, what a search knows of them, and who has an address.

A contact's properties are replaced as a whole when one changes, so that the search
index may go on holding what they were.
"""

import bisect
import collections
import datetime
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from tests.emulators.core.clock import Clock
from tests.emulators.hubspot.settings import Behaviour

FIRST_ID = 30_151
ID_STEP = 50
DEFAULT_SHOWN = ("email", "firstname", "lastname")
ALWAYS_SHOWN = ("createdate", "hs_object_id", "lastmodifieddate")


class Contact(Struct, kw_only=True, gc=False):
    """A contact, and what the vendor keeps about it without showing it."""

    number: int
    properties: dict[str, str]
    """What is not empty."""
    created_ms: int
    updated_ms: int
    archived_ms: int | None = None
    merged_into: int | None = None
    indexed: dict[str, str] | None = None
    """What a search finds it by and shows of it; None: it does not find it."""
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0

    @property
    def contact_id(self) -> str:
        """Return the id as it is shown."""
        return str(self.number)

    @property
    def is_live(self) -> bool:
        """Say whether it is neither archived nor merged away."""
        return self.archived_ms is None and self.merged_into is None


class ContactBook:
    """All contacts of one account, archived and merged ones too."""

    def __init__(self, clock: Clock, behaviour: Behaviour) -> None:
        self._clock = clock
        self._behaviour = behaviour
        self.by_id: dict[str, Contact] = {}
        self._in_order: list[Contact] = []
        """By id; ids only grow."""
        self._by_email: dict[str, Contact] = {}
        self._next_id = FIRST_ID
        self._unindexed: collections.deque[
            tuple[float, Contact, dict[str, str] | None]
        ] = collections.deque()

    def new_number(self) -> int:
        """Return an id that nobody had."""
        self._next_id += ID_STEP
        return self._next_id - ID_STEP

    def find(self, name: str, *, by_email: bool = False) -> Contact | None:
        """Return who has an id or an address; merged away ones lead to whoever is."""
        if by_email:
            return self._by_email.get(name.lower())
        found = self.by_id.get(name)
        while found is not None and found.merged_into is not None:
            if not self._behaviour.merged_ids_resolve:
                return None
            found = self.by_id[str(found.merged_into)]
        return found

    def living(self, *, after: int = 0) -> Iterator[Contact]:
        """Yield who is there, by id, behind an id."""
        return (one for one in self._behind(after) if one.is_live)

    def archived(self, *, after: int = 0) -> Iterator[Contact]:
        """Yield who was archived, by id, behind an id."""
        return (one for one in self._behind(after) if one.archived_ms is not None)

    def _behind(self, number: int) -> Iterator[Contact]:
        start = bisect.bisect_right(self._in_order, number, key=lambda one: one.number)
        return itertools.islice(self._in_order, start, None)

    def searchable(self) -> list[tuple[Contact, dict[str, str]]]:
        """Return what a search knows at this moment."""
        now = self._clock.now()
        while self._unindexed and self._unindexed[0][0] <= now:
            _, contact, shown = self._unindexed.popleft()
            contact.indexed = shown
        return [
            (one, one.indexed) for one in self.by_id.values() if one.indexed is not None
        ]

    def put(self, contact: Contact, *, email_before: str | None) -> None:
        """Take in a contact that is new or was changed."""
        if contact.contact_id not in self.by_id:
            self.by_id[contact.contact_id] = contact
            self._in_order.append(contact)
        if email_before and self._by_email.get(email_before.lower()) is contact:
            del self._by_email[email_before.lower()]
        if contact.is_live:
            for email in emails_of(contact.properties):
                self._by_email[email] = contact
        else:
            for email in emails_of(contact.properties):
                if self._by_email.get(email) is contact:
                    del self._by_email[email]
        shown = contact.properties if contact.is_live else None
        lag_s = self._behaviour.search_lag_s
        if lag_s:
            self._unindexed.append((self._clock.now() + lag_s, contact, shown))
        else:
            contact.indexed = shown


def emails_of(properties: dict[str, str]) -> list[str]:
    """Return the addresses of a contact, the first one's and additional ones."""
    texts = [properties.get("email", "")]
    texts += properties.get("hs_additional_emails", "").split(";")
    return [text.lower() for text in texts if text]


def stamp(at_ms: int) -> str:
    """Write a moment as the vendor does."""
    moment = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def view(
    contact: Contact,
    names: Sequence[str] | None,
    *,
    with_null: bool,
    properties: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return a contact as it is shown, with the properties that were asked for."""
    held = contact.properties if properties is None else properties
    asked = DEFAULT_SHOWN if names is None else names
    wanted = dict.fromkeys((*ALWAYS_SHOWN, *asked))
    shown = {name: held.get(name) for name in wanted}
    if not with_null:
        shown = {name: text for name, text in shown.items() if text is not None}
    found: dict[str, Any] = {
        "id": contact.contact_id,
        "properties": shown,
        "createdAt": stamp(contact.created_ms),
        "updatedAt": held.get("lastmodifieddate", stamp(contact.updated_ms)),
        "archived": contact.archived_ms is not None,
    }
    if contact.archived_ms is not None:
        found["archivedAt"] = stamp(contact.archived_ms)
    return found
