"""One vendor account: its contacts, lists, tags, custom fields, activities."""

import copy
import random
import uuid
from typing import Protocol

import msgspec

from tests.emulators.constant_contact.book import ContactBook, Entry
from tests.emulators.constant_contact.settings import Behaviour
from tests.emulators.constant_contact.wire import Contact
from tests.emulators.core import account
from tests.emulators.core.account import Opening

ACTIVITIES_MAX = 1_000
_CONTACT_FIELDS = Contact.__struct_fields__


class ContactList(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A list of contacts."""

    list_id: str
    name: str
    description: str | None = None
    favorite: bool | None = None
    created_at: str
    updated_at: str
    deleted_at: str | None = None
    membership_count: int | None = None


class Tag(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A tag."""

    tag_id: str
    name: str
    contacts_count: int | None = None
    created_at: str
    updated_at: str
    tag_source: str | None = None


class Choice(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One value that a select field offers."""

    custom_field_id: str
    choice_id: int
    choice_label: str
    display_order: int
    created_at: str
    updated_at: str


class CustomField(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A custom field."""

    custom_field_id: str
    label: str
    name: str
    type: str
    choices: list[Choice] | None = None
    version: int | None = None
    created_at: str
    updated_at: str


class ImportStatus(msgspec.Struct, kw_only=True):
    """What became of an import, in numbers alone."""

    items_total_count: int = 0
    """With one more for a header."""
    person_count: int = 0
    error_count: int = 0
    correctable_count: int = 0
    cannot_add_to_list_count: int = 0


class Activity(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Work that the vendor says it does later."""

    activity_id: str
    state: str
    started_at: str | None = None
    completed_at: str | None = None
    created_at: str
    updated_at: str
    percent_done: int
    activity_errors: list[str]
    status: ImportStatus | None = None
    links: dict[str, dict[str, str]] = msgspec.field(name="_links")


class Job(Protocol):
    """Work that really is done later."""

    is_over: bool

    def advance(self) -> None:
        """Do what is to be done by now."""


class Account(account.Account[Behaviour]):
    """Everything that one customer of the vendor has."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        self._random = random.Random(f"{opening.number} {opening.name}")
        letters = self._random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=13)
        super().__init__(opening, account_id=f"a{''.join(letters)}")
        self.has_confirmed_opt_in = False
        self.book = ContactBook()
        self.lists: dict[str, ContactList] = {}
        self.tags: dict[str, Tag] = {}
        self.custom_fields: dict[str, CustomField] = {}
        self.activities: dict[str, Activity] = {}
        self.jobs: list[Job] = []
        now = self.clock.stamp()
        # Every account of this vendor is born with a list.
        self.default_list = ContactList(
            list_id=self.new_id(),
            name="General Interest",
            created_at=now,
            updated_at=now,
        )
        self.lists[self.default_list.list_id] = self.default_list

    def new_id(self) -> str:
        """Return a fresh id, the same in every run."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def record(
        self, entry: Entry, *, who: str, operation: str, before: Contact | None
    ) -> None:
        """Index a changed contact and write down who changed what."""
        self.book.index(entry)
        self.note(
            entry,
            contact_id=entry.contact.contact_id,
            who=who,
            operation=operation,
            fields=_changed(before, entry.contact),
        )

    def start_activity(self) -> Activity:
        """Register work; it is done at once, yet reported as every such work is."""
        if len(self.activities) >= ACTIVITIES_MAX:
            del self.activities[next(iter(self.activities))]
        now, activity_id = self.clock.stamp(), self.new_id()
        activity = Activity(
            activity_id=activity_id,
            state="initialized",
            created_at=now,
            updated_at=now,
            percent_done=0,
            activity_errors=[],
            links={"self": {"href": f"/v3/activities/{activity_id}"}},
        )
        self.activities[activity_id] = activity
        return copy.copy(activity)

    def run_jobs(self) -> None:
        """Do the work that is due by the vendor's clock, whoever looks."""
        for job in self.jobs:
            job.advance()
        self.jobs = [job for job in self.jobs if not job.is_over]


def _changed(before: Contact | None, after: Contact) -> tuple[str, ...]:
    if before is None:
        return ("contact_id",)
    return tuple(
        name
        for name in _CONTACT_FIELDS
        if getattr(before, name) != getattr(after, name)
    )
