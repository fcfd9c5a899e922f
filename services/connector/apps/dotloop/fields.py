"""The fields of a contact; vendor JSON <-> Record, both directions side by side."""

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import FieldId, RecordId
from proto.record import Record
from services.connector import vendors
from services.connector.apps.dotloop import wire

EMAIL = FieldId("email")
ADDRESS = FieldId("address")

TEXTS = {
    FieldId("firstName"): "first_name",
    FieldId("lastName"): "last_name",
    EMAIL: "email",
    FieldId("home"): "home",
    FieldId("office"): "office",
    FieldId("fax"): "fax",
}
"""Properties that are a field each, under the vendor's names."""

ADDRESS_PARTS = {
    "address": ("address", "street"),
    "city": ("city", "city"),
    "state": ("state", "region"),
    "zipCode": ("zip_code", "postal_code"),
    "country": ("country", "country"),
}
"""Properties that are the only address, with their names here and in an address."""

ALL = (
    Field(
        field_id=FieldId("firstName"),
        label="First name",
        kind=FieldKind.TEXT,
        role=Role.NAME_GIVEN,
    ),
    Field(
        field_id=FieldId("lastName"),
        label="Last name",
        kind=FieldKind.TEXT,
        role=Role.NAME_FAMILY,
    ),
    Field(field_id=EMAIL, label="Email", kind=FieldKind.EMAIL, role=Role.EMAIL),
    Field(
        field_id=FieldId("home"),
        label="Home phone",
        kind=FieldKind.PHONE,
        role=Role.PHONE_HOME,
    ),
    Field(
        field_id=FieldId("office"),
        label="Office phone",
        kind=FieldKind.PHONE,
        role=Role.PHONE_WORK,
    ),
    Field(field_id=FieldId("fax"), label="Fax", kind=FieldKind.PHONE),
    Field(
        field_id=ADDRESS,
        label="Address",
        kind=FieldKind.ADDRESS,
        role=Role.ADDRESS,
        is_multiple=True,
        count_max=1,
    ),
)


def read(contact: wire.Contact) -> Record:
    """Return a contact as a record."""
    fields: Fields = {
        field_id: getattr(contact, name) or None for field_id, name in TEXTS.items()
    }
    # No version: `updated` has whole seconds, and hides a second edit in one of them.
    return Record(
        record_id=RecordId(str(contact.id)),
        modified_at=vendors.read_moment(contact.updated),
        fields=fields | {ADDRESS: _read_address(contact)},
    )


def write(fields: Fields) -> dict[str, str] | FieldId:
    """Return the properties that set these fields, or the field that has no form.

    An empty text empties: every property is text, and a null may count as not there.
    """
    body: dict[str, str] = {}
    for field_id, value in fields.items():
        if field_id in TEXTS:
            if value is not None and not isinstance(value, str):
                return field_id
            body[field_id] = value or ""
            continue
        address = _written_address(value) if field_id == ADDRESS else None
        if address is None:
            return field_id
        for name, (_, part) in ADDRESS_PARTS.items():
            body[name] = getattr(address, part)
    return body


def _read_address(contact: wire.Contact) -> Value:
    parts = {
        part: getattr(contact, name) or "" for name, part in ADDRESS_PARTS.values()
    }
    address = Address(**parts)
    return None if address == Address() else (Item(value=address),)


def _written_address(value: Value) -> Address | None:
    """Return the only address, an empty one where there is none; None: no form."""
    if not value:
        return Address()
    if not isinstance(value, tuple) or len(value) > 1:
        return None
    only = value[0].value
    return only if isinstance(only, Address) else None
