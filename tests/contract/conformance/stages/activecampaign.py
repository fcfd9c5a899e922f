"""ActiveCampaign's emulator as a stage, and its contacts in the terms of cards.

The table is written from the vendor's description of a contact (OpenAPI, API v3).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from proto.fields import FieldKind, Role, Value
from proto.ids import RecordId
from proto.record import Consent
from tests.contract.conformance import shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape, Voice
from tests.emulators.activecampaign.emulator import Emulator
from tests.emulators.activecampaign.wire import Contact

TEXTS: Final[Mapping[Role, str]] = {
    Role.EMAIL: "email",
    Role.NAME_GIVEN: "firstName",
    Role.NAME_FAMILY: "lastName",
    Role.PHONE: "phone",
}
TYPES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "text",
    FieldKind.DATE: "date",
    FieldKind.DATETIME: "datetime",
    FieldKind.CHOICE: "dropdown",
}
"""Types of custom fields."""


class ActiveCampaign(EmulatedStage):
    """One account with one list, on which everybody is."""

    app = "activecampaign"
    emulator_kind = Emulator
    id_kind = int
    # There is no job title; so that nobody needs a last name, the first one is both.
    text_role: ClassVar[Role] = Role.NAME_FAMILY
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_GIVEN,)
    shape = Shape(
        fields={
            **shapes.texts(Role.NAME_GIVEN, Role.NAME_FAMILY),
            Role.EMAIL: shapes.EMAIL,
            Role.PHONE: shapes.PHONE,
        },
        voice=Voice.WRITTEN,
        has_tags=True,
    )
    own_kinds = frozenset(TYPES)
    least = Least(
        # GET /contacts: limit is 100 at most.
        page_size=100,
        # The custom fields, without which values have no types; and how many have
        # unsubscribed, below.
        scan_calls=2,
        # A list's status does not move a contact's udate (sample of POST
        # /contactLists), and status takes one value: another question. The filter of
        # changes has a date (format: date) in a zone that is not told, so that who
        # changed in the two days before comes again: no page more, as few as they are.
        idle_calls=2,
        changes_page_size=100,
        changes_calls=1,
        # The custom fields again.
        relearning_calls=1,
        # A second contact with an address is a 422: nothing to find.
        find_batch=0,
        # ids[] takes any number, and a page shows 100; PUT changes one contact.
        read_batch=100,
    )

    def full(self, number: int) -> Card:
        """Return somebody with every property that plays a role."""
        return {
            **self.plain(number),
            Role.NAME_FAMILY: SAMPLES[Role.NAME_FAMILY],
            Role.PHONE: SAMPLES[Role.PHONE],
        }

    def written(self, card: Card) -> dict[str, Value]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        return {TEXTS[role]: value or "" for role, value in card.items()}

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        contact = self._account.contacts.get(int(record_id))
        if contact is None:
            return None
        shown = contact.shown()
        return {role: shown[name] for role, name in TEXTS.items() if shown[name]}

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        return [
            RecordId(str(contact_id))
            for contact_id, contact in self._account.contacts.items()
            if contact.email.lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact a note, which is no field of a sync."""
        self._act("edit", record_id, note="likes rye")

    async def extras(self, record_id: RecordId) -> object:
        """Return the note."""
        return self._contact(record_id).note

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have the contact follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the contact's status on the list means."""
        statuses = {one.status for one in self._contact(record_id).lists.values()}
        if 2 in statuses and 1 not in statuses:
            return Consent.UNSUBSCRIBED
        return Consent.SUBSCRIBED if statuses == {1} else Consent.UNKNOWN

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give tags."""
        self._act("tag", record_id, names=names)

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of a contact's tags."""
        tags = self._account.tags
        return {tags[tag_id] for tag_id in self._contact(record_id).tags}

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a custom field."""
        kind = FieldKind.CHOICE if options else kind
        field = {"title": label, "type": TYPES[kind], "options": options}
        self._act("define", field=field)

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a custom field, as the account's staff does."""
        fields = self._account.fields.items()
        (number,) = (number for number, field in fields if field.title == label)
        values = [{"field": number, "value": value}]
        self._act("edit", record_id, changes={"fieldValues": values})

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return a contact's value of a custom field."""
        held = self._contact(record_id).values
        for field_id, field in self._account.fields.items():
            if field.title == label and field_id in held:
                return held[field_id][1] or None
        return None

    def _contact(self, record_id: RecordId) -> Contact:
        found: Contact = self._account.contacts[int(record_id)]
        return found
