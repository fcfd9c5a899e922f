"""Constant Contact's emulator as a stage, and its contacts in the terms of cards.

The table is written from the vendor's description of a contact (Swagger 3.0.178).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from proto.fields import Address, FieldKind, Item, Role, Value
from proto.ids import ContainerId, RecordId
from proto.record import Consent
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape, Voice
from tests.emulators.constant_contact.emulator import Emulator
from tests.emulators.constant_contact.wire import Contact

TEXTS: Final[Mapping[Role, str]] = {
    Role.NAME_GIVEN: "first_name",
    Role.NAME_FAMILY: "last_name",
    Role.JOB_TITLE: "job_title",
    Role.COMPANY: "company_name",
    Role.ANNIVERSARY: "anniversary",
}
TYPES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "string",
    FieldKind.NUMBER: "number",
    FieldKind.BOOLEAN: "boolean",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "datetime",
    FieldKind.CHOICE: "single_select",
}
CONSENTS: Final[Mapping[str, Consent]] = {
    "explicit": Consent.SUBSCRIBED,
    "implicit": Consent.SUBSCRIBED,
    "unsubscribed": Consent.UNSUBSCRIBED,
}


class ConstantContact(EmulatedStage):
    """One account at the emulator."""

    app = "constant_contact"
    emulator_kind = Emulator
    api_path = "/v3"
    multiple: ClassVar[Mapping[Role, str]] = {
        Role.PHONE: "work",
        Role.ADDRESS: "work",
    }
    shape = Shape(
        fields={
            **shapes.texts(*(role for role in TEXTS if role is not Role.ANNIVERSARY)),
            Role.EMAIL: shapes.EMAIL,
            Role.BIRTHDAY: shapes.MONTH_DAY,
            Role.ANNIVERSARY: shapes.DATE,
            Role.PHONE: shapes.several(
                FieldKind.PHONE, "home", "work", "mobile", "other", count_max=3
            ),
            Role.ADDRESS: shapes.several(
                FieldKind.ADDRESS, "home", "work", "other", count_max=3
            ),
        },
        voice=Voice.WRITTEN,
        has_tags=True,
    )
    own_kinds = frozenset(TYPES)
    most_consent = Consent.SUBSCRIBED
    # An import takes a call itself, and others to see what became of it.
    together_min = 20
    least = Least(
        # GET /contacts: limit is 500 at most (Swagger 3.0.178), and takes every filter.
        page_size=500,
        changes_page_size=500,
        # GET /contact_custom_fields: a contact shows those alone that it has a value
        # of, so that what is empty cannot be told without them.
        scan_calls=1,
        # No filter shows both edits and opt-outs: an opt-out leaves updated_at alone
        # (community td-p/422146), and optout_after shows nothing else.
        idle_calls=2,
        changes_calls=1,
        # The custom fields again, once: no filter tells whether they changed.
        relearning_calls=1,
        # A second contact with an address is a 409 (community 327661): nothing to find.
        find_batch=0,
        # PUT empties what it leaves out, there is neither ETag nor If-Match, and
        # GET /contacts has no filter by id.
        read_batch=1,
    )

    def full(self, number: int) -> Card:
        """Return somebody with every property that a contact has."""
        return {
            **self.plain(number),
            **{role: SAMPLES[role] for role in TEXTS},
            # The vendor keeps no year.
            Role.BIRTHDAY: "--02-29",
            Role.PHONE: (
                Item(value=SAMPLES[Role.PHONE_WORK], label="work"),
                Item(value=SAMPLES[Role.PHONE_MOBILE], label="mobile"),
                Item(value=SAMPLES[Role.PHONE_HOME], label="home"),
            ),
            Role.ADDRESS: (
                Item(value=cards.ADDRESS, label="work"),
                Item(value=Address(city="Graz"), label="home"),
            ),
        }

    def among_many(self, number: int) -> Card:
        """Return somebody as an import takes them: columns have no order."""
        return {
            **self.full(number),
            Role.PHONE: (Item(value="617-555-0100", label="mobile"),),
            Role.ADDRESS: (Item(value=cards.ADDRESS, label="work"),),
        }

    async def together(self) -> Mapping[str, Any]:
        """Return that they agreed, and a list."""
        lists = (ContainerId(self._account.default_list.list_id),)
        return {"consent": Consent.SUBSCRIBED, "containers": lists}

    def written(self, card: Card) -> dict[str, Any]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        found: dict[str, Any] = {}
        for role, value in card.items():
            if role is Role.EMAIL:
                found["email_address"] = {
                    "address": value,
                    "permission_to_send": "implicit",
                }
            elif role is Role.BIRTHDAY:
                month, day = _month_and_day(value)
                found |= {"birthday_month": month, "birthday_day": day}
            elif role is Role.PHONE:
                found["phone_numbers"] = [
                    {"phone_number": item.value, "kind": item.label}
                    for item in _items(value)
                ]
            elif role is Role.ADDRESS:
                found["street_addresses"] = [_street(item) for item in _items(value)]
            else:
                found[TEXTS[role]] = value
        return found

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Seed contacts."""
        return self._seed(people)

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Edit as the account's staff does."""
        body = self.written(changes)
        if email := body.pop("email_address", None):
            self._act("change_email", record_id, address=email["address"])
        if body:
            self._act("edit", record_id, changes=body)

    async def restore(self, record_id: RecordId) -> None:
        """Bring back who was deleted."""
        self._act("revive", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        contact = self._contact(record_id)
        return None if contact is None else _card(contact)

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        self._account.run_jobs()
        return [
            RecordId(entry.contact.contact_id)
            for entry in self._account.book.living()
            if entry.contact.email_address is not None
            and entry.contact.email_address.address.lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact a note, which is no field of a sync."""
        self._act("edit", record_id, changes={"notes": [{"content": "likes rye"}]})

    async def extras(self, record_id: RecordId) -> object:
        """Return the notes."""
        contact = self._contact(record_id)
        assert contact is not None
        return [note.content for note in contact.notes or ()]

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have the contact follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the permission to send means."""
        contact = self._contact(record_id)
        assert contact is not None
        email = contact.email_address
        permission = "not_set" if email is None else email.permission_to_send
        return CONSENTS.get(permission, Consent.UNKNOWN)

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Tag a contact; a tag that there is not is made."""
        ids = {tag.name: tag_id for tag_id, tag in self._account.tags.items()}
        for name in names:
            if name not in ids:
                made = await self._post("contact_tags", {"name": name})
                ids[name] = made["tag_id"]
        contact = self._contact(record_id)
        assert contact is not None
        held = [*(contact.taggings or ()), *(ids[name] for name in names)]
        self._act("edit", record_id, changes={"taggings": held})

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of a contact's tags."""
        contact = self._contact(record_id)
        assert contact is not None
        return {self._account.tags[each].name for each in contact.taggings or ()}

    async def new_container(self, name: str) -> ContainerId:
        """Make a list."""
        made = await self._post("contact_lists", {"name": name})
        return ContainerId(made["list_id"])

    async def put_into(self, record_id: RecordId, container: ContainerId) -> None:
        """Put a contact on a list."""
        held = await self.containers_of(record_id)
        lists = [*held, str(container)]
        self._act("edit", record_id, changes={"list_memberships": lists})

    async def containers_of(self, record_id: RecordId) -> set[str]:
        """Return the ids of a contact's lists."""
        contact = self._contact(record_id)
        assert contact is not None
        return set(contact.list_memberships or ())

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a custom field."""
        kind = FieldKind.CHOICE if options else kind
        body: dict[str, Any] = {"label": label, "type": TYPES[kind]}
        if options:
            body["choices"] = [
                {"choice_label": option, "display_order": number}
                for number, option in enumerate(options, 1)
            ]
        await self._post("contact_custom_fields", body)

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a value of a custom field as the account's staff does."""
        fields = self._account.custom_fields.values()
        (field,) = (one for one in fields if one.label == label)
        ids = {one.choice_label: str(one.choice_id) for one in field.choices or ()}
        said = {"choice_ids": [ids[value]]} if ids else {"value": value}
        contact = self._contact(record_id)
        assert contact is not None
        kept = [
            msgspec.to_builtins(one)
            for one in contact.custom_fields or ()
            if one.custom_field_id != field.custom_field_id
        ]
        entry = {"custom_field_id": field.custom_field_id, **said}
        changes = {"custom_fields": [*kept, entry]}
        self._act("edit", record_id, changes=changes)

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return a contact's value of a custom field."""
        contact = self._contact(record_id)
        assert contact is not None
        fields = self._account.custom_fields
        for one in contact.custom_fields or ():
            field = fields[one.custom_field_id]
            if field.label != label:
                continue
            names = {
                str(each.choice_id): each.choice_label for each in field.choices or ()
            }
            if one.choice_ids:
                return names[one.choice_ids[0]]
            return names.get(one.value or "", one.value)
        return None

    def _contact(self, record_id: RecordId) -> Contact | None:
        entry = self._account.book.by_id.get(record_id)
        is_there = entry is not None and entry.contact.deleted_at is None
        return entry.contact if entry is not None and is_there else None


def _month_and_day(value: Value) -> tuple[int | None, int | None]:
    if not isinstance(value, str):
        return None, None
    _, _, month, day = value.split("-")
    return int(month), int(day)


def _street(item: Item) -> dict[str, str]:
    assert isinstance(item.value, Address)
    parts = {
        "street": item.value.street,
        "city": item.value.city,
        "state": item.value.region,
        "postal_code": item.value.postal_code,
        "country": item.value.country,
    }
    return {"kind": item.label, **{name: text for name, text in parts.items() if text}}


def _card(contact: Contact) -> Card:
    """Return a contact as a card, without what is empty."""
    found: dict[Role, Value] = {
        role: getattr(contact, name)
        for role, name in TEXTS.items()
        if getattr(contact, name)
    }
    if contact.email_address is not None:
        found[Role.EMAIL] = contact.email_address.address
    if contact.birthday_month and contact.birthday_day:
        month, day = contact.birthday_month, contact.birthday_day
        found[Role.BIRTHDAY] = f"--{month:02}-{day:02}"
    if contact.phone_numbers:
        found[Role.PHONE] = tuple(
            Item(value=one.phone_number, label=one.kind or "")
            for one in contact.phone_numbers
        )
    if contact.street_addresses:
        found[Role.ADDRESS] = tuple(
            Item(
                value=Address(
                    street=one.street or "",
                    city=one.city or "",
                    region=one.state or "",
                    postal_code=one.postal_code or "",
                    country=one.country or "",
                ),
                label=one.kind,
            )
            for one in contact.street_addresses
        )
    return found


def _items(value: Value) -> tuple[Item, ...]:
    return value if isinstance(value, tuple) else ()
