"""Mailchimp's emulator as a stage, and its members in the terms of cards.

The table is written from the merge fields that an audience is made with.
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
from tests.emulators.mailchimp.audience import Audience
from tests.emulators.mailchimp.emulator import Emulator
from tests.emulators.mailchimp.wire import Member

TAGS: Final[Mapping[Role, str]] = {
    Role.NAME_GIVEN: "FNAME",
    Role.NAME_FAMILY: "LNAME",
    Role.COMPANY: "COMPANY",
    Role.PHONE: "PHONE",
}
PARTS: Final[Mapping[str, str]] = {
    "addr1": "street",
    "city": "city",
    "state": "region",
    "zip": "postal_code",
    "country": "country",
}
TYPES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "text",
    FieldKind.NUMBER: "number",
    FieldKind.DATE: "date",
    FieldKind.CHOICE: "dropdown",
}
"""Types of merge fields."""
CONSENTS: Final[Mapping[str, Consent]] = {
    "subscribed": Consent.SUBSCRIBED,
    "unsubscribed": Consent.UNSUBSCRIBED,
    "cleaned": Consent.SUPPRESSED,
}


class Mailchimp(EmulatedStage):
    """One account with one audience."""

    app = "mailchimp"
    emulator_kind = Emulator
    make_act = ("create", "member")
    # What people are offered first.
    delete_act = "archive"
    api_path = "/3.0"
    multiple: ClassVar[Mapping[Role, str]] = {Role.ADDRESS: ""}
    shape = Shape(
        fields={
            **shapes.texts(Role.NAME_GIVEN, Role.NAME_FAMILY, Role.COMPANY),
            Role.EMAIL: shapes.EMAIL,
            Role.PHONE: shapes.PHONE,
            Role.ADDRESS: shapes.ONE_ADDRESS,
            Role.BIRTHDAY: shapes.MONTH_DAY,
        },
        voice=Voice.WRITTEN,
        has_tags=True,
    )
    own_kinds = frozenset(TYPES)
    text_role: ClassVar[Role] = Role.COMPANY
    least = Least(
        # GET /lists/{id}/members: count is 1,000 at most (Swagger 3.0.55). Pages have
        # no place of their own, so that each begins with somebody already shown.
        page_size=999,
        # Which audiences there are, and the merge fields: a member shows values by tag
        # alone, and nothing but their definitions tells their types.
        scan_calls=2,
        # status takes one value, and without it nobody archived is listed.
        idle_calls=2,
        changes_page_size=999,
        changes_calls=1,
        # The audiences and the merge fields again.
        relearning_calls=2,
        # A second member with an address is refused: nothing to find.
        find_batch=0,
        create_batch=500,
        # A create brings back whoever is archived, so that they have to be known: no
        # listing takes addresses, and one with status=archived shows 1,000 of them.
        # The answer to a batch has no contact_id (Swagger 3.0.55), and every other id
        # goes with the address: those who were made have to be read once.
        create_calls=2,
        # A batch of changes sets everybody's status, also of who unsubscribed since.
        # PATCH changes one; no listing takes ids, and no write is conditional.
        read_batch=1,
        update_batch=1,
    )

    def full(self, number: int) -> Card:
        """Return somebody with every merge field that an audience is made with."""
        return {
            **{role: SAMPLES[role] for role in TAGS},
            **self.plain(number),
            # The vendor keeps no year.
            Role.BIRTHDAY: "--02-29",
            Role.ADDRESS: (Item(value=cards.ADDRESS),),
        }

    def written(self, card: Card) -> dict[str, Any]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for role, value in card.items():
            if role is Role.EMAIL:
                found["email_address"] = value
            elif role is Role.BIRTHDAY:
                is_told = isinstance(value, str)
                merged["BIRTHDAY"] = f"{value[2:4]}/{value[5:]}" if is_told else ""
            elif role is Role.ADDRESS:
                merged["ADDRESS"] = _street(value)
            else:
                merged[TAGS[role]] = value or ""
        return found | ({"merge_fields": merged} if merged else {})

    async def restore(self, record_id: RecordId) -> None:
        """Bring back who was archived."""
        self._act("bring_back", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a member as the vendor keeps them."""
        member = self._member(record_id)
        return None if member.status == "archived" else _card(member)

    async def find(self, email: str) -> list[RecordId]:
        """Return the members with an address, whatever its case."""
        return [
            RecordId(f"{audience.list_id}/{member.contact_id}")
            for audience in self._account.audiences.values()
            for member in audience.members.values()
            if member.email_address.lower() == email.lower()
            and member.status != "archived"
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Have a member be marked as important, and speak a language."""
        changes = {"vip": True, "language": "de"}
        self._act("edit", record_id, changes=changes)

    async def extras(self, record_id: RecordId) -> object:
        """Return the mark, and the language."""
        member = self._member(record_id)
        return [one for one in (member.vip, member.language) if one]

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have the member follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the member's status means."""
        return CONSENTS.get(self._member(record_id).status, Consent.UNKNOWN)

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give tags."""
        self._act("tag", record_id, names=names)

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of a member's tags."""
        return set(self._member(record_id).tags)

    async def new_container(self, name: str) -> ContainerId:
        """Make an audience."""
        return ContainerId(self._act("open_audience", title=name))

    async def containers_of(self, record_id: RecordId) -> set[str]:
        """Return the audience that a member is of."""
        return {self._member(record_id).list_id}

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a merge field."""
        kind = FieldKind.CHOICE if options else kind
        field: dict[str, Any] = {"name": label, "type": TYPES[kind]}
        self._act("define", field=field | {"options": {"choices": options}})

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a merge field that was defined, as the account's staff does."""
        merged = {self._tag_of(record_id, label): value}
        self._act("edit", record_id, changes={"merge_fields": merged})

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return a member's value of a merge field."""
        value = self._member(record_id).merge_fields.get(self._tag_of(record_id, label))
        return None if value in (None, "") else str(value)

    def _tag_of(self, record_id: RecordId, label: str) -> str:
        fields = self._audience(self._member(record_id).list_id).fields.values()
        (tag,) = (one.tag for one in fields if one.name == label)
        return tag

    def _audience(self, list_id: str) -> Audience:
        found: Audience = self._account.audiences[list_id]
        return found

    def _member(self, record_id: RecordId) -> Member:
        list_id, _, contact_id = record_id.partition("/")
        return self._audience(list_id).members[contact_id]


def _street(value: Value) -> dict[str, str] | str:
    if not isinstance(value, tuple):
        return ""
    address = value[0].value
    return {name: getattr(address, part) for name, part in PARTS.items()}


def _card(member: Member) -> Card:
    """Return a member as a card, without what is empty."""
    kept = member.merge_fields
    found: dict[Role, Value] = {
        role: kept[tag] for role, tag in TAGS.items() if kept.get(tag)
    }
    found[Role.EMAIL] = member.email_address
    if day := kept.get("BIRTHDAY"):
        found[Role.BIRTHDAY] = f"--{day[:2]}-{day[3:]}"
    if address := kept.get("ADDRESS"):
        parts = {part: address[name] for name, part in PARTS.items()}
        found[Role.ADDRESS] = (Item(value=Address(**parts)),)
    return found
