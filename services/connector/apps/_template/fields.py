"""The app's fields and their roles; vendor JSON <-> Record, side by side.

Default mappings come from the roles, so give one to every field that has it.
"""

import datetime

from msgspec import UNSET

from proto.fields import Field, FieldKind, Fields, Role
from proto.ids import FieldId, RecordId
from proto.record import Presence, Record
from services.connector.apps._template import wire

ALL = (
    Field(
        field_id=FieldId("email"),
        label="Email",
        kind=FieldKind.EMAIL,
        role=Role.EMAIL,
    ),
    Field(
        field_id=FieldId("given_name"),
        label="Given name",
        kind=FieldKind.TEXT,
        role=Role.NAME_GIVEN,
        length_max=80,
    ),
    Field(
        field_id=FieldId("family_name"),
        label="Family name",
        kind=FieldKind.TEXT,
        role=Role.NAME_FAMILY,
        length_max=80,
    ),
)


def read(person: wire.Person) -> Record:
    """Return a person as a record."""
    values = {field.field_id: getattr(person, field.field_id) for field in ALL}
    shown = {key: value for key, value in values.items() if value is not UNSET}
    return Record(
        record_id=RecordId(person.id),
        modified_at=_moment(person.updated_at),
        created_at=_moment(person.created_at),
        presence=Presence.DELETED if person.is_deleted else Presence.LIVE,
        fields={
            key: value or None for key, value in shown.items() if value is not UNSET
        },
    )


def write(fields: Fields) -> Fields | FieldId:
    """Return the properties that set these fields, or the field that has no form."""
    known = {field.field_id for field in ALL}
    for field_id, value in fields.items():
        if field_id not in known or not (value is None or isinstance(value, str)):
            return field_id
    return fields


def _moment(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
