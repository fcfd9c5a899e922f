"""People as the conformance suite speaks of them: values by the roles of fields.

A card has the shapes that the app's vendor has: one text, or several items with labels.
It is written and compared apart from the app's code.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from proto.fields import Address, Field, Item, Role, Value
from proto.record import Record

Card: TypeAlias = Mapping[Role, Value]

SAMPLES: Final[Mapping[Role, str]] = {
    Role.NAME_FULL: "Zoë Brandt-Nováková",
    Role.NAME_GIVEN: "Zoë",
    Role.NAME_FAMILY: "Brandt-Nováková",
    Role.NAME_MIDDLE: "Ngọc",
    Role.NAME_PREFIX: "Dr.",
    Role.NAME_SUFFIX: "MBA",
    Role.COMPANY: "Bäckerei Süß & Söhne",
    Role.JOB_TITLE: "Head of Sales",
    Role.NOTE: "met at the fair; likes rye",
    Role.WEBSITE: "https://example.org/zoe",
    Role.BIRTHDAY: "1984-02-29",
    Role.ANNIVERSARY: "2011-06-15",
    Role.PHONE: "+49 761 5550100",
    Role.PHONE_MOBILE: "+49 170 5550101",
    Role.PHONE_HOME: "+49 761 5550102",
    Role.PHONE_WORK: "+49 761 5550103",
}
"""A text for each role that has one; an address of a number is made by ``email_of``."""

ADDRESS: Final = Address(
    street="Münsterplatz 1",
    city="Freiburg",
    region="BW",
    postal_code="79098",
    country="Germany",
)


def email_of(number: int) -> str:
    """Return the address of one of many people."""
    return f"person{number}@example.org"


def of_record(record: Record, fields: Iterable[Field]) -> dict[Role, Value]:
    """Return what a record says of the roles; what is empty is left out."""
    roles = {field.field_id: field.role for field in fields}
    return {
        role: value
        for field_id, value in record.fields.items()
        if (role := roles.get(field_id, Role.UNKNOWN)) is not Role.UNKNOWN
        and value is not None
    }


def texts_of(value: Value) -> tuple[str, ...]:
    """Return the texts of a value, one or several."""
    if isinstance(value, str):
        return (value,)
    items = value if isinstance(value, tuple) else ()
    return tuple(item.value for item in items if isinstance(item.value, str))


def one(text: str, *, label: str | None) -> Value:
    """Return a text in the shape of a field: an item where it holds several."""
    return text if label is None else (Item(value=text, label=label),)
