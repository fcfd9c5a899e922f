"""HubSpot's emulator as a stage, and its contacts in the terms of cards.

The table is written from the vendor's description of a contact's properties.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from proto.fields import Address, FieldKind, Item, Role, Value
from proto.ids import ContainerId, RecordId
from proto.record import Consent
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape, Voice
from tests.emulators.hubspot.book import Contact
from tests.emulators.hubspot.emulator import Emulator
from tests.emulators.hubspot.properties import New, Option, define

TEXTS: Final[Mapping[Role, str]] = {
    Role.EMAIL: "email",
    Role.NAME_GIVEN: "firstname",
    Role.NAME_FAMILY: "lastname",
    Role.PHONE: "phone",
    Role.PHONE_MOBILE: "mobilephone",
    Role.COMPANY: "company",
    Role.JOB_TITLE: "jobtitle",
    Role.WEBSITE: "website",
}
PARTS: Final[Mapping[str, str]] = {
    "address": "street",
    "city": "city",
    "state": "region",
    "zip": "postal_code",
    "country": "country",
}
TYPES: Final[Mapping[FieldKind, tuple[str, str]]] = {
    FieldKind.TEXT: ("string", "text"),
    FieldKind.NUMBER: ("number", "number"),
    FieldKind.BOOLEAN: ("bool", "booleancheckbox"),
    FieldKind.DATE: ("date", "date"),
    FieldKind.DATETIME: ("datetime", "date"),
    FieldKind.CHOICE: ("enumeration", "select"),
}
"""Types of properties, and how they are filled in."""
HIDDEN: Final = "hs_a_score_of_ours"


class HubSpot(EmulatedStage):
    """One account at the emulator."""

    app = "hubspot"
    emulator_kind = Emulator
    make_act = ("create", "properties")
    edit_act = ("edit", "properties")
    delete_act = "archive"
    multiple: ClassVar[Mapping[Role, str]] = {Role.ADDRESS: ""}
    shape = Shape(
        fields={
            **shapes.texts(
                Role.NAME_GIVEN, Role.NAME_FAMILY, Role.COMPANY, Role.JOB_TITLE
            ),
            Role.EMAIL: shapes.EMAIL,
            Role.PHONE: shapes.PHONE,
            Role.PHONE_MOBILE: shapes.PHONE,
            Role.WEBSITE: shapes.URL,
            Role.ADDRESS: shapes.ONE_ADDRESS,
        },
        voice=Voice.WRITTEN,
    )
    questions = ("/search", "/batch/read")
    own_kinds = frozenset(TYPES)
    least = Least(
        # GET /crm/v3/objects/contacts: limit is 100 at most, and every property that is
        # to be shown has to be named, so that the names have to be read first. So have
        # the lists: what a contact is on tells no names, nor which of them are dynamic.
        page_size=100,
        scan_calls=2,
        # A search shows 200, and nobody who is archived; those have a listing. Neither
        # tells who was put on a list, and POST /crm/v3/lists/search tells of which.
        idle_calls=3,
        changes_page_size=200,
        changes_calls=2,
        relearning_calls=1,
        # A second contact with an address is a 409: nothing to find.
        find_batch=0,
        create_batch=100,
        # A contact shows no list. lists/records/memberships/batch/read tells those of
        # several, by the description of any number: as many as any other batch takes.
        lists_batch=100,
        # No write is conditional, and a batch reads 100.
        read_batch=100,
        update_batch=100,
    )

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        # Where there is no list, nobody has to be asked for.
        self._account.lists.make("Everybody's", now_ms=self._account.now_ms())

    def full(self, number: int) -> Card:
        """Return somebody with every property that plays a role."""
        return {
            **{role: SAMPLES[role] for role in TEXTS if role in SAMPLES},
            **self.plain(number),
            Role.ADDRESS: (Item(value=cards.ADDRESS),),
        }

    def written(self, card: Card) -> dict[str, str]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        found: dict[str, str] = {}
        for role, value in card.items():
            if role is Role.ADDRESS:
                (item,) = (
                    value if isinstance(value, tuple) else (Item(value=Address()),)
                )
                found |= {
                    name: getattr(item.value, part) for name, part in PARTS.items()
                }
            else:
                assert value is None or isinstance(value, str)
                found[TEXTS[role]] = value or ""
        return found

    async def restore(self, record_id: RecordId) -> None:
        """Bring back who was deleted."""
        self._act("restore", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        contact = self._account.book.by_id.get(record_id)
        return _card(contact) if contact is not None and contact.is_live else None

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        return [
            RecordId(one.contact_id)
            for one in self._account.book.living()
            if one.properties.get("email", "").lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact a value of a property that nobody is shown."""
        hidden = New(
            name=HIDDEN, label="Score", type="number", fieldType="number", hidden=True
        )
        self._account.properties[HIDDEN] = define(hidden)
        self._act("edit", record_id, properties={HIDDEN: "17"})

    async def extras(self, record_id: RecordId) -> object:
        """Return that value."""
        return self._contact(record_id).properties.get(HIDDEN)

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have the contact follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the contact's opting out of all mail means."""
        is_out = self._contact(record_id).properties.get("hs_email_optout") == "true"
        return Consent.UNSUBSCRIBED if is_out else Consent.UNKNOWN

    async def new_container(self, name: str) -> ContainerId:
        """Make a list that people are put on by hand."""
        now_ms = self._account.now_ms()
        return ContainerId(self._account.lists.make(name, now_ms=now_ms).list_id)

    async def put_into(self, record_id: RecordId, container: ContainerId) -> None:
        """Put a contact on a list."""
        self._act("join", record_id, list_id=container)

    async def containers_of(self, record_id: RecordId) -> set[str]:
        """Return the lists that a contact is on."""
        return {one.list_id for one, _ in self._account.lists.of(record_id)}

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a property."""
        kind = FieldKind.CHOICE if options else kind
        name = label.lower().replace(" ", "_")
        self._account.properties[name] = define(
            New(
                name=name,
                label=label,
                type=TYPES[kind][0],
                fieldType=TYPES[kind][1],
                options=tuple(
                    Option(label=option, value=f"option_{number}")
                    for number, option in enumerate(options, 1)
                ),
            )
        )

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a property that was defined, as the account's staff does."""
        name = label.lower().replace(" ", "_")
        ids = {one.label: one.value for one in self._account.properties[name].options}
        texts = {name: ids.get(value, value)}
        self._act("edit", record_id, properties=texts)

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return a contact's value of a property that was defined."""
        name = label.lower().replace(" ", "_")
        text = self._contact(record_id).properties.get(name)
        names = {one.value: one.label for one in self._account.properties[name].options}
        return None if text is None else names.get(text, text)

    def _contact(self, record_id: RecordId) -> Contact:
        return self._account.book.by_id[record_id]


def _card(contact: Contact) -> Card:
    """Return a contact as a card, without what is empty."""
    held = contact.properties
    found: dict[Role, Value] = {
        role: held[name] for role, name in TEXTS.items() if name in held
    }
    parts = {part: held.get(name, "") for name, part in PARTS.items()}
    if any(parts.values()):
        found[Role.ADDRESS] = (Item(value=Address(**parts)),)
    return found
