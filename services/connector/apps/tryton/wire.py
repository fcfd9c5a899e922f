"""What Tryton's JSON-RPC answers, only what is read; it stays in this folder."""

import datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

Piece = Annotated[int, Meta(ge=0, le=9_999)]
"""A piece of a moment but the last; what is too large for its place is no moment."""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call: either of the two."""

    id: int
    result: msgspec.Raw | UnsetType = UNSET
    error: tuple[Any, ...] | UnsetType = UNSET


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A moment in UTC, in pieces."""

    year: Piece
    month: Piece
    day: Piece
    hour: Piece
    minute: Piece
    second: Piece
    microsecond: Annotated[int, Meta(ge=0, le=999_999)] = 0

    def as_datetime(self) -> datetime.datetime:
        """Return it; a server's own calendar can be no other.

        Raises:
            ValueError: There is no such moment.
        """
        return datetime.datetime(
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.microsecond,
            tzinfo=datetime.UTC,
        )


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A record that belongs to a party; where it is off, people do not see it."""

    id: int
    active: bool | int = True
    stamp: str = msgspec.field(default="", name="_timestamp")

    @property
    def is_shown(self) -> bool:
        """Say whether people see it."""
        return bool(self.active)


class Mechanism(Part, frozen=True, kw_only=True):
    """A way to reach a party."""

    type: str = ""
    value: str | None = None


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A country or a part of one."""

    name: str | None = None


class Address(Part, frozen=True, kw_only=True):
    """A postal address."""

    street: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country: Named | None = msgspec.field(default=None, name="country.")
    subdivision: Named | None = msgspec.field(default=None, name="subdivision.")


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """What a party is sorted under, with the names of those above it."""

    id: int
    rec_name: str | None = None


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """One party with all that is read of it, in one call."""

    id: int
    active: bool | int
    stamp: str = msgspec.field(name="_timestamp")
    name: str | None = None
    code: str | None = None
    replaced_by: int | None = None
    create_date: Moment | None = None
    mechanisms: tuple[Mechanism, ...] = msgspec.field(
        default=(), name="contact_mechanisms."
    )
    addresses: tuple[Address, ...] = msgspec.field(default=(), name="addresses.")
    categories: tuple[Category, ...] = msgspec.field(default=(), name="categories.")


FIELDS: Final = (
    "name", "code", "active", "replaced_by", "create_date", "_timestamp",
    "contact_mechanisms.type", "contact_mechanisms.value",
    "contact_mechanisms.active", "contact_mechanisms._timestamp",
    "addresses.street", "addresses.postal_code", "addresses.city",
    "addresses.country.name", "addresses.subdivision.name", "addresses.active",
    "addresses._timestamp", "categories.rec_name",
)  # fmt: skip
"""What is asked for of each party; a dot leads to its parts."""


def moment_of(at: datetime.datetime) -> dict[str, object]:
    """Return a moment in UTC as a search takes it."""
    at = at.astimezone(datetime.UTC)
    return {
        "__class__": "datetime",
        "year": at.year,
        "month": at.month,
        "day": at.day,
        "hour": at.hour,
        "minute": at.minute,
        "second": at.second,
        "microsecond": at.microsecond,
    }
