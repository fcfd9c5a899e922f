"""Pipedrive's emulator as a stage, and its persons in the terms of cards.

The table is written from the vendor's description of a person (API v2).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from proto.fields import FieldKind, Item, Role, Value
from proto.ids import RecordId
from proto.record import Consent
from tests.contract.conformance import shapes
from tests.contract.conformance.cards import SAMPLES, Card, email_of
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape, Voice
from tests.emulators.pipedrive.account import Person
from tests.emulators.pipedrive.bodies import Entry
from tests.emulators.pipedrive.emulator import Emulator
from tests.emulators.pipedrive.fields import Field

TEXTS: Final[Mapping[Role, str]] = {
    Role.NAME_FULL: "name",
    Role.EMAIL: "emails",
    Role.PHONE: "phones",
}
TYPES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "varchar",
    FieldKind.NUMBER: "double",
    FieldKind.DATE: "date",
    FieldKind.CHOICE: "enum",
}
CONSENTS: Final[Mapping[str, Consent]] = {
    "subscribed": Consent.SUBSCRIBED,
    "unsubscribed": Consent.UNSUBSCRIBED,
}


class Pipedrive(EmulatedStage):
    """One company at the emulator."""

    app = "pipedrive"
    emulator_kind = Emulator
    id_kind = int
    make_act = ("create", "person")
    api_path = "/api/v2"
    multiple: ClassVar[Mapping[Role, str]] = {Role.EMAIL: "work", Role.PHONE: "work"}
    text_role: ClassVar[Role] = Role.NAME_FULL
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_FULL,)
    shape = Shape(
        fields={
            Role.NAME_FULL: shapes.TEXT,
            Role.EMAIL: shapes.several(FieldKind.EMAIL, "work", "home", "other"),
            Role.PHONE: shapes.several(
                FieldKind.PHONE, "work", "home", "mobile", "other"
            ),
        },
        voice=Voice.WRITTEN,
        has_tags=True,
    )
    own_kinds = frozenset(TYPES)
    least = Least(
        # GET /persons: limit is 500 at most, and takes updated_since. Whether there is
        # a marketing status, which has to be asked for, the fields alone say.
        page_size=500,
        scan_calls=1,
        idle_calls=1,
        changes_page_size=500,
        changes_calls=0,
        relearning_calls=1,
        # An address may be many people's, and a search takes one term.
        find_batch=1,
        # ids are 100 at most; PATCH changes what it names, and nothing is conditional.
        read_batch=100,
        update_batch=1,
    )

    def full(self, number: int) -> Card:
        """Return somebody with every property that can be written."""
        return {
            **self.plain(number),
            Role.EMAIL: (
                Item(value=email_of(number), label="work"),
                Item(value=f"private{number}@example.org", label="home"),
            ),
            Role.PHONE: (
                Item(value=SAMPLES[Role.PHONE_MOBILE], label="mobile"),
                Item(value=SAMPLES[Role.PHONE_WORK], label="work"),
                Item(value=SAMPLES[Role.PHONE_HOME], label="home"),
            ),
        }

    def written(self, card: Card) -> dict[str, Any]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        return {
            TEXTS[role]: value or "" if role is Role.NAME_FULL else _entries(value)
            for role, value in card.items()
        }

    async def restore(self, record_id: RecordId) -> None:
        """Bring back who was deleted."""
        self._act("restore", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a person as the vendor keeps them."""
        person = self._account.persons.get(int(record_id))
        return _card(person) if person is not None and not person.is_deleted else None

    async def find(self, email: str) -> list[RecordId]:
        """Return the persons with an address, whatever its case."""
        return [
            RecordId(str(one.id))
            for one in self._account.persons.values()
            if not one.is_deleted
            and email.lower() in {each.value.lower() for each in one.emails}
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a person to another owner, who is no field of a sync."""
        self._act("edit", record_id, changes={"owner_id": 2})

    async def extras(self, record_id: RecordId) -> object:
        """Return the owner."""
        return self._person(record_id).owner_id

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have somebody follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the marketing status means."""
        status = self._person(record_id).marketing_status
        return CONSENTS.get(status, Consent.UNKNOWN)

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give somebody labels; one that there is not is made."""
        ids = {one.label: one.id for one in self._account.labels}
        for one in self._account.add_labels(name for name in names if name not in ids):
            ids[one.label] = one.id
        held = [*self._person(record_id).label_ids, *(ids[name] for name in names)]
        self._act("edit", record_id, changes={"label_ids": held})

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of somebody's labels."""
        names = {one.id: one.label for one in self._account.labels}
        return {names[each] for each in self._person(record_id).label_ids}

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a field."""
        kind = FieldKind.CHOICE if options else kind
        self._account.define(label, TYPES[kind], tuple(options))

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a value of a field that was defined, as a user does."""
        field = self._field(label)
        ids = {one.label: one.id for one in field.options}
        told: object = ids.get(value, value)
        if field.type == "double":
            told = float(value)
        changes = {"custom_fields": {field.code: told}}
        self._act("edit", record_id, changes=changes)

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return a person's value of a field that was defined."""
        field = self._field(label)
        value = self._person(record_id).custom.get(field.code)
        labels = {one.id: one.label for one in field.options}
        if value is None or isinstance(value, str):
            return value
        return labels[value] if field.options else f"{value:g}"

    def exhaust(self) -> None:
        """Have the day's tokens be used up."""
        self._emulator.settings.budget.requests_per_day = 0

    def _field(self, label: str) -> Field:
        found: Field = next(
            one for one in self._account.custom.values() if one.name == label
        )
        return found

    def _person(self, record_id: RecordId) -> Person:
        found: Person = self._account.persons[int(record_id)]
        return found


def _entries(value: Value) -> list[dict[str, Any]]:
    items = value if isinstance(value, tuple) else ()
    return [
        {"value": item.value, "primary": not place, "label": item.label}
        for place, item in enumerate(items)
    ]


def _card(person: Person) -> Card:
    """Return a person as a card, without what is empty."""
    found: dict[Role, Value] = {Role.NAME_FULL: person.name or None}
    for role in (Role.EMAIL, Role.PHONE):
        entries: list[Entry] = getattr(person, TEXTS[role])
        ordered = sorted(entries, key=lambda one: not one.primary)
        found[role] = tuple(Item(value=one.value, label=one.label) for one in ordered)
    return {role: value for role, value in found.items() if value}
