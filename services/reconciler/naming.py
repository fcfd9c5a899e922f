"""The name and address a contact is listed under. Pure."""

from typing import Final

from proto.fields import Role
from proto.record import Record
from services.reconciler.engine import canon
from services.reconciler.engine.model import Seen, SideConfig

NAME_LENGTH_MAX: Final = 200
_PARTS: Final = (Role.NAME_GIVEN, Role.NAME_MIDDLE, Role.NAME_FAMILY)


def name_of(record: Record, side: SideConfig) -> str:
    """Return a record's full name as far as it has one."""
    by_role = {
        field.role: value
        for field in side.fields
        if isinstance(value := record.fields.get(field.field_id), str)
    }
    full = by_role.get(Role.NAME_FULL) or " ".join(
        part for role in _PARTS if (part := by_role.get(role))
    )
    return _storable(canon.name(full))


def email_of(record: Record, side: SideConfig) -> str:
    """Return a record's first address as its app spells it."""
    emails = canon.raw_emails_of(record, side)
    return _storable(emails[0]) if emails else ""


def of_either(
    left: Seen | None, right: Seen | None, *, sides: tuple[SideConfig, SideConfig]
) -> tuple[str, str]:
    """Return name and address from the left record, or else from the right one."""
    name, email = "", ""
    for seen, side in ((left, sides[0]), (right, sides[1])):
        if seen is not None:
            name = name or name_of(seen.record, side)
            email = email or email_of(seen.record, side)
    return name, email


def _storable(text: str) -> str:
    return text.replace("\x00", "")[:NAME_LENGTH_MAX]
