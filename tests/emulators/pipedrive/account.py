"""One company: its persons, its fields, and what happens to persons."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.core.indexes import NumberIndex
from tests.emulators.pipedrive import problems
from tests.emulators.pipedrive.bodies import Body, Entry
from tests.emulators.pipedrive.fields import Field, Option, checked, standard
from tests.emulators.pipedrive.settings import Behaviour

FIRST_COMPANY_ID: Final = 7_000_101
FIRST_PERSON_ID: Final = 101
UNSUBSCRIBED: Final = "unsubscribed"
NO_CONSENT: Final = "no_consent"


class Person(msgspec.Struct, kw_only=True):
    """Somebody, and what the vendor does not show of them."""

    id: int
    name: str = ""
    emails: list[Entry] = []
    phones: list[Entry] = []
    added_at: float
    updated_at: float
    is_deleted: bool = False
    merged_into: int | None = None
    owner_id: int = 1
    label_ids: list[int] = []
    marketing_status: str = NO_CONSENT
    synced: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0


class Account(account.Account[Behaviour]):
    """A company with persons."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        super().__init__(opening, account_id=str(FIRST_COMPANY_ID + opening.number))
        self.persons: dict[int, Person] = {}
        """By id, in the order in which they were made."""
        self.numbers = NumberIndex()
        """Their ids."""
        self.custom: dict[str, Field] = {}
        """The fields that users defined, by code."""
        self.labels: list[Option] = []
        """Of persons; two can have one name."""
        self._next_id = FIRST_PERSON_ID
        self._next_option = 1

    @property
    def fields(self) -> list[Field]:
        """Return all fields of persons."""
        behaviour = self.behaviour
        own = standard(
            has_campaigns=behaviour.has_campaigns,
            has_contact_sync=behaviour.has_contact_sync,
            labels=self.labels,
        )
        return [*own, *self.custom.values()]

    def add_labels(self, names: Iterable[str]) -> list[Option]:
        """Add labels that persons can have."""
        made = []
        for name in names:
            made.append(Option(id=self._next_option, label=name))
            self._next_option += 1
        self.labels += made
        return made

    def define(self, name: str, field_type: str, labels: tuple[str, ...] = ()) -> Field:
        """Add a field of the users' own."""
        text = f"{self.account_id} {len(self.custom)} {name}"
        code = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        first = self._next_option
        options = [
            Option(id=first + place, label=label) for place, label in enumerate(labels)
        ]
        self._next_option += len(labels)
        field = Field(
            name=name, code=code, type=field_type, options=options, is_custom=True
        )
        self.custom[code] = field
        return field

    def create(self, body: Body, *, who: str) -> Person:
        """Make a person; an address may be many people's."""
        now = self.clock.now()
        person = Person(id=self._next_id, added_at=now, updated_at=now)
        self._set(person, body)
        self._next_id += 1
        self.persons[person.id] = person
        self.numbers.add(person.id)
        self._note(person, who=who, operation="create")
        return person

    def change(self, person: Person, body: Body, *, who: str) -> None:
        """Change what is mentioned, and nothing else."""
        self._set(person, body)
        self._touch(person, who=who, operation="change")

    def delete(self, person: Person, *, who: str) -> None:
        """Mark a person as deleted, who is gone for good after 30 days."""
        person.is_deleted = True
        self._touch(person, who=who, operation="delete")

    def restore(self, person: Person, *, who: str) -> None:
        """Bring back who was deleted."""
        person.is_deleted, person.merged_into = False, None
        self._touch(person, who=who, operation="restore")

    def merge(self, person: Person, into: Person, *, who: str) -> None:
        """Make a person one with another, who keeps what both have."""
        into.emails = _joined(into.emails, person.emails)
        into.phones = _joined(into.phones, person.phones)
        into.custom = person.custom | into.custom
        into.name = into.name or person.name
        person.is_deleted, person.merged_into = True, into.id
        self._touch(person, who=who, operation="merge")
        self._touch(into, who=who, operation="merge")

    def unsubscribe(self, person: Person, *, who: str) -> None:
        """Take a person off all marketing mail, for good."""
        person.marketing_status = UNSUBSCRIBED
        self._touch(person, who=who, operation="unsubscribe")

    def person(self, person_id: int) -> Person:
        """Return a person, deleted ones too."""
        found = self.persons.get(person_id)
        if found is None:
            raise problems.missing()
        return found

    def _set(self, person: Person, body: Body) -> None:
        name = person.name if body.name is None else body.name
        if self.behaviour.needs_name and not name.strip():
            raise problems.invalid("name: is required")
        custom = person.custom | checked(body.custom_fields or {}, self.custom)
        person.name = name
        person.custom = {code: one for code, one in custom.items() if one is not None}
        for values in ("emails", "phones"):
            entries = getattr(body, values)
            if entries is not None:
                setattr(person, values, _with_primary(entries))
        if body.label_ids is not None:
            if not set(body.label_ids) <= {one.id for one in self.labels}:
                raise problems.invalid("label_ids: unknown label")
            person.label_ids = body.label_ids
        if body.owner_id is not None:
            person.owner_id = body.owner_id
        is_open = person.marketing_status != UNSUBSCRIBED
        if body.marketing_status and self.behaviour.has_campaigns and is_open:
            # Whoever said no stays so, whatever is asked for.
            person.marketing_status = body.marketing_status

    def _touch(self, person: Person, *, who: str, operation: str) -> None:
        person.updated_at = self.clock.now()
        self._note(person, who=who, operation=operation)

    def _note(self, person: Person, *, who: str, operation: str) -> None:
        self.note(person, contact_id=person.id, who=who, operation=operation, fields=())


def _with_primary(entries: list[Entry]) -> list[Entry]:
    """Return entries of which exactly one is the primary one."""
    told = [one for one in entries if one.value]
    first = next((one for one in told if one.primary), told[0] if told else None)
    return [
        Entry(value=one.value, primary=one is first, label=one.label) for one in told
    ]


def _joined(kept: list[Entry], more: list[Entry]) -> list[Entry]:
    there = {one.value.lower() for one in kept}
    return _with_primary(
        [*kept, *(one for one in more if one.value.lower() not in there)]
    )
