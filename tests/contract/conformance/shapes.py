"""What a vendor holds of a person: which roles, in which form, and what of consent.

A stage declares it from the vendor's facts. It is no list of the app's fields: what the
app describes is compared with it, and so is what a connection makes of a person.
"""

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from proto.fields import FieldKind, Role


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """In which form a vendor holds what a role stands for."""

    kind: FieldKind = FieldKind.TEXT
    is_several: bool = False
    """Several values, even if there is room for one alone."""
    count_max: int = 0
    """Most of several values; 0: no limit."""
    labels: tuple[str, ...] = ()
    """Labels that several values carry; the last one stands in for any other. None:
    values carry no labels."""
    is_year_optional: bool = False
    """A date that can also be a day of any year."""
    is_derived: bool = False
    """Follows from other fields: it is shown, and nobody writes it."""


class Voice(enum.Enum):
    """What the vendor has of whether somebody may be mailed."""

    NONE = enum.auto()
    TOLD = enum.auto()
    """It tells who unsubscribed; only people change it."""
    WRITTEN = enum.auto()
    """It tells, and takes an unsubscribe from an application."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor holds of a person."""

    fields: Mapping[Role, Form]
    voice: Voice = Voice.NONE
    has_tags: bool = False
    is_known_by_address: bool = False
    """Somebody whose address people change there is somebody else from then on."""


TEXT: Final = Form()
EMAIL: Final = Form(kind=FieldKind.EMAIL)
PHONE: Final = Form(kind=FieldKind.PHONE)
URL: Final = Form(kind=FieldKind.URL)
DATE: Final = Form(kind=FieldKind.DATE)
MONTH_DAY: Final = Form(kind=FieldKind.MONTH_DAY)
ONE_ADDRESS: Final = Form(kind=FieldKind.ADDRESS, is_several=True, count_max=1)


def several(kind: FieldKind, *labels: str, count_max: int = 0) -> Form:
    """Return the form of a field of several values."""
    return Form(kind=kind, is_several=True, labels=labels, count_max=count_max)


def texts(*roles: Role) -> dict[Role, Form]:
    """Return plain texts."""
    return dict.fromkeys(roles, TEXT)
