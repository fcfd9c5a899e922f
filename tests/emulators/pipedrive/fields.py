"""Fields of persons, and which values each type takes."""

import datetime
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from tests.emulators.pipedrive import problems

TEXT_MAX: Final = 255
LONG_TEXT_MAX: Final = 65_000
TEXTS: Final = {
    "varchar": TEXT_MAX,
    "varchar_auto": TEXT_MAX,
    "phone": TEXT_MAX,
    "text": LONG_TEXT_MAX,
}
LABELS: Final = "label_ids"
TYPES: Final = (*TEXTS, "double", "date", "enum", "set", "monetary", "address", "user")


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What can be chosen."""

    id: int
    label: str


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of persons."""

    name: str
    code: str
    type: str
    options: list[Option] = []
    is_custom: bool = False
    is_optional: bool = False
    """It is not shown unless it is asked for."""

    def shown(self) -> dict[str, Any]:
        """Return it as answers show it."""
        return {
            "field_name": self.name,
            "field_code": self.code,
            "field_type": self.type,
            "options": [msgspec.to_builtins(one) for one in self.options] or None,
            "subfields": None,
            "is_custom_field": self.is_custom,
            "is_optional_response_field": self.is_optional,
        }


_ALWAYS: Final = (
    Field(name="Name", code="name", type="varchar"),
    Field(name="Email", code="email", type="varchar"),
    Field(name="Phone", code="phone", type="phone"),
    Field(name="Owner", code="owner_id", type="user"),
    Field(name="Organization", code="org_id", type="org"),
    Field(name="Person created", code="add_time", type="date"),
    Field(name="Update time", code="update_time", type="date"),
)
_CAMPAIGNS: Final = (
    Field(
        name="Marketing status",
        code="marketing_status",
        type="status",
        is_optional=True,
    ),
)
_SYNCED: Final = (
    Field(name="Job title", code="job_title", type="varchar"),
    Field(name="Birthday", code="birthday", type="date"),
    Field(name="Notes", code="notes", type="text"),
    Field(name="Postal address", code="postal_address", type="address"),
)


def standard(
    *, has_campaigns: bool, has_contact_sync: bool, labels: list[Option]
) -> tuple[Field, ...]:
    """Return the vendor's own fields."""
    return (
        *_ALWAYS,
        Field(name="Labels", code=LABELS, type="set", options=labels),
        *(_CAMPAIGNS if has_campaigns else ()),
        *(_SYNCED if has_contact_sync else ()),
    )


def checked(values: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return values of custom fields; one that is none of its type is refused."""
    for code, value in values.items():
        if code not in fields:
            raise problems.invalid("custom_fields: unknown field")
        if value is not None and not _is_of(fields[code], value):
            raise problems.invalid(f"custom_fields: {fields[code].type} expected")
    return dict(values)


def _is_of(field: Field, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match field.type:
        case "double":
            return is_number
        case "date":
            return isinstance(value, str) and _is_day(value)
        case "enum":
            return is_number and value in {one.id for one in field.options}
        case "set":
            # An empty list is refused: null empties.
            ids = [one.id for one in field.options]
            is_list = isinstance(value, list) and bool(value)
            return is_list and all(one in ids for one in value)
        case "monetary":
            return isinstance(value, dict) and value.keys() == {"value", "currency"}
        case "address":
            return isinstance(value, dict) and isinstance(value.get("value"), str)
    return isinstance(value, str) and len(value) <= TEXTS.get(field.type, 0)


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
