"""The vendor's JSON, only the properties that are read.

Give every property that may be missing a default, and tell "not shown" (``UNSET``)
from "empty" (``None``): what is not shown is unknown and never a change.
"""

import msgspec
from msgspec import UNSET, UnsetType


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person."""

    id: str
    email: str | None | UnsetType = UNSET
    given_name: str | None | UnsetType = UNSET
    family_name: str | None | UnsetType = UNSET
    created_at: str = ""
    updated_at: str = ""
    is_deleted: bool = False


class People(msgspec.Struct, frozen=True, kw_only=True):
    """One page of people."""

    people: tuple[Person, ...]
    next_after: str | None = None
    """Where the next page begins."""
    now: str
    """The vendor's clock when it answered."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account it is."""

    id: str
    name: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error."""

    code: str
    field: str | None = None
    existing_id: str | None = None
