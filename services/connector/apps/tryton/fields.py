"""The fields of a party and their roles; party to Record and back, side by side.

Ways to reach a party, and addresses, are records of their own. None is ever deleted:
one that is to go is deactivated, since documents may name it.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import FieldId, RecordId
from proto.record import Presence, Record
from services.connector.apps.tryton import wire
from services.connector.apps.tryton.wire import Mechanism, Part, Party
from services.connector.errors import CallFailed, Meaning

P = TypeVar("P")
W = TypeVar("W")
NAME: Final = FieldId("name")
EMAILS, PHONES = FieldId("emails"), FieldId("phones")
WEBSITES, ADDRESSES = FieldId("websites"), FieldId("addresses")
OTHER: Final = "other"
TYPES: Final = {
    EMAILS: {"": "email"},
    PHONES: {"mobile": "mobile", "fax": "fax", OTHER: "phone"},
    WEBSITES: {"": "website"},
}
"""Which type of contact mechanism an item is, by its label; the last for any other."""
_ID = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_STEP: Final = 10

FIELDS: Final = (
    Field(field_id=NAME, label="Name", kind=FieldKind.TEXT, role=Role.NAME_FULL),
    Field(
        field_id=FieldId("code"), label="Code", kind=FieldKind.TEXT, is_writable=False
    ),
    Field(
        field_id=EMAILS,
        label="Email",
        kind=FieldKind.EMAIL,
        role=Role.EMAIL,
        is_multiple=True,
    ),
    Field(
        field_id=PHONES,
        label="Phone",
        kind=FieldKind.PHONE,
        role=Role.PHONE,
        is_multiple=True,
        labels=tuple(TYPES[PHONES]),
    ),
    Field(
        field_id=WEBSITES,
        label="Website",
        kind=FieldKind.URL,
        role=Role.WEBSITE,
        is_multiple=True,
    ),
    Field(
        field_id=ADDRESSES,
        label="Address",
        kind=FieldKind.ADDRESS,
        role=Role.ADDRESS,
        is_multiple=True,
    ),
)


def is_id(record_id: str) -> bool:
    """Say whether an id can be a party's."""
    return _ID.match(record_id) is not None


def read(party: Party) -> Record:
    """Return a party as a record."""
    record_id = RecordId(str(party.id))
    if party.replaced_by is not None:
        return Record(
            record_id=record_id,
            presence=Presence.MERGED,
            merged_into=RecordId(str(party.replaced_by)),
        )
    found: Fields = {NAME: party.name or None, FieldId("code"): party.code or None}
    for field_id in TYPES:
        entries = shown_mechanisms(party, field_id)
        found[field_id] = tuple(map(item_of, entries)) or None
    addresses = (address_of(one) for one in party.addresses if one.is_shown)
    found[ADDRESSES] = tuple(map(_address_item, filter(None, addresses))) or None
    tags = (one.rec_name for one in party.categories)
    return Record(
        record_id=record_id,
        version=_version(party),
        created_at=_created_at(party),
        presence=Presence.LIVE if party.active else Presence.DELETED,
        fields=found,
        tags=tuple(dict.fromkeys(filter(None, tags))),
    )


def shown_mechanisms(party: Party, field_id: FieldId) -> list[Mechanism]:
    """Return the contact mechanisms of a field, in their order."""
    types = TYPES[field_id].values()
    return [
        one
        for one in party.mechanisms
        if one.is_shown and one.type in types and one.value
    ]


def item_of(one: Mechanism) -> Item:
    """Return a contact mechanism as an item."""
    labels = {kind: label for of in TYPES.values() for label, kind in of.items()}
    return Item(value=one.value or "", label=labels[one.type])


def address_of(one: wire.Address) -> Address | None:
    """Return an address; None for one that says nothing."""
    address = Address(
        street=one.street or "",
        city=one.city or "",
        region=(one.subdivision and one.subdivision.name) or "",
        postal_code=one.postal_code or "",
        country=(one.country and one.country.name) or "",
    )
    return None if address == Address() else address


def checked(field_id: FieldId, value: Value) -> Sequence[Item] | None:
    """Return the items that a field is to have; None if it cannot have them."""
    if value is None:
        return ()
    kind = Address if field_id == ADDRESSES else str
    if not isinstance(value, tuple):
        return None
    if any(not isinstance(item.value, kind) for item in value):
        return None
    texts = [
        text
        for item in value
        for text in (
            msgspec.structs.astuple(item.value)
            if isinstance(item.value, Address)
            else (item.value,)
        )
    ]
    if any("\x00" in text for text in texts):
        return None
    return [item for item in value if item.value not in ("", Address())]


def mechanisms(
    party: Party | None, field_id: FieldId, *, items: Sequence[Item]
) -> list[list[object]]:
    """Return the commands that give a party these ways to reach it, in this order."""
    held = shown_mechanisms(party, field_id) if party else []
    types = TYPES[field_id]
    last = next(reversed(types.values()))
    wanted = [(types.get(item.label, last), str(item.value)) for item in items]
    chosen = choose(
        held,
        wanted,
        likenesses=(
            lambda one, new: (one.type, one.value) == new,
            lambda one, new: one.value == new[1],
            lambda one, new: one.type == new[0],
        ),
    )
    order = [one.id for one in chosen if one is not None]
    is_new = [one is None for one in chosen]
    # One without a sequence may come before or behind those that have some.
    is_ordered = order == [one.id for one in held if one.id in order]
    is_ordered = is_ordered and len(set(is_new)) < 2
    commands: list[list[object]] = []
    for place, (one, (kind, value)) in enumerate(zip(chosen, wanted, strict=True), 1):
        values: dict[str, object] = {}
        if one is None or (one.type, one.value) != (kind, value):
            values = {"type": kind, "value": value}
        if not is_ordered:
            values["sequence"] = place * _STEP
        if one is None:
            commands.append(["create", [values]])
        elif values:
            commands.append(["write", [one.id], values])
    return commands + deactivated(held, chosen)


def choose(
    held: Sequence[P],
    wanted: Sequence[W],
    *,
    likenesses: Sequence[Callable[[P, W], bool]],
) -> list[P | None]:
    """Give each wanted value the record that is most like it."""
    chosen: list[P | None] = [None] * len(wanted)
    free = list(held)
    for is_like in likenesses:
        for place, new in enumerate(wanted):
            if chosen[place] is None:
                found = next((one for one in free if is_like(one, new)), None)
                chosen[place] = found
                free = [one for one in free if one is not found]
    return chosen


def deactivated(
    held: Sequence[Part], chosen: Sequence[Part | None]
) -> list[list[object]]:
    """Return the command that puts away what is not wanted any more."""
    kept = {one.id for one in chosen if one is not None}
    gone = [one.id for one in held if one.id not in kept]
    return [["write", gone, {"active": False}]] if gone else []


def _address_item(address: Address) -> Item:
    return Item(value=address)


def _version(party: Party) -> str:
    """Return what is another text after any change of a party or of a part of it.

    A part that is gone without a trace is one less; categories are the party's own.
    """
    stamps = [one.stamp for one in (*party.mechanisms, *party.addresses)]
    return f"{party.stamp} {max(stamps, default='')} {len(stamps)}"


def _created_at(party: Party) -> datetime.datetime | None:
    try:
        return party.create_date.as_datetime() if party.create_date else None
    except ValueError as err:
        raise CallFailed(Meaning.BROKEN, "a party of no moment") from err
