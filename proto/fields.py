"""What a field is and which values it can hold, the same for every app.

A value is ``None`` (empty), yes/no, text, or a tuple of items for a field that
holds several. A field that a record does not mention is absent, which is a third
thing: nothing is known of it.
"""

import enum
from typing import Self

import msgspec

from proto.ids import FieldId


class FieldKind(enum.StrEnum):
    """The type of a value, and with it its normal form and its text form."""

    UNKNOWN = "unknown"
    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    NUMBER = "number"
    """Decimal text such as ``-12.50``, so that no digit is lost."""
    BOOLEAN = "boolean"
    DATE = "date"
    """``YYYY-MM-DD``."""
    MONTH_DAY = "month_day"
    """``--MM-DD``, a date whose year the app does not keep."""
    DATETIME = "datetime"
    """RFC 3339 in UTC."""
    CHOICE = "choice"
    """An option's id."""
    ADDRESS = "address"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Role(enum.StrEnum):
    """The part a field plays in any app; default mappings are derived from it."""

    UNKNOWN = "unknown"
    NAME_FULL = "name.full"
    NAME_GIVEN = "name.given"
    NAME_FAMILY = "name.family"
    NAME_PREFIX = "name.prefix"
    NAME_SUFFIX = "name.suffix"
    NAME_MIDDLE = "name.middle"
    EMAIL = "email"
    PHONE = "phone"
    PHONE_MOBILE = "phone.mobile"
    PHONE_HOME = "phone.home"
    PHONE_WORK = "phone.work"
    ADDRESS = "address"
    COMPANY = "company"
    JOB_TITLE = "job_title"
    BIRTHDAY = "birthday"
    ANNIVERSARY = "anniversary"
    WEBSITE = "website"
    NOTE = "note"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a choice field."""

    option_id: str
    label: str


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field as an app describes it for one account."""

    field_id: FieldId
    label: str
    kind: FieldKind
    role: Role = Role.UNKNOWN
    is_multiple: bool = False
    """Holds a tuple of items instead of one value."""
    is_writable: bool = True
    options: tuple[Option, ...] = ()
    length_max: int = 0
    """Most characters of a text, or of each part of an address; 0: no known limit."""
    count_max: int = 0
    """Most items; 0: no known limit."""
    labels: tuple[str, ...] = ()
    """Labels its items can carry; the last one stands in for any other."""
    is_year_optional: bool = False
    """A date that may also be ``--MM-DD``."""


class Address(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A postal address; every part may be empty."""

    street: str = ""
    city: str = ""
    region: str = ""
    postal_code: str = ""
    country: str = ""


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of several values of a field, with the label it carries in the app."""

    value: str | Address
    label: str = ""
    """Lower case, such as ``home``, ``work``, ``mobile``, ``other``; or empty."""


Value = None | bool | str | tuple[Item, ...]
Fields = dict[FieldId, Value]
