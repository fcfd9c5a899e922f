"""The vendors' JSON, as both the vendor and the app understand it."""

import msgspec

from proto.fields import Value


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record; one that is gone has a state and no fields."""

    id: str
    version: int
    changed: float | None = None
    """Seconds since 1970 by the vendor's clock; None where it does not tell."""
    created: float | None = None
    marker: str = ""
    """Ours, where the vendor keeps it."""
    state: str = "live"
    merged_into: str | None = None
    fields: dict[str, Value] = {}
    lists: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    consent: str | None = None
    """None where the vendor knows of no consent."""


class People(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Some records."""

    people: tuple[Person, ...]
    next: str | None = None
    """Where the next page begins."""
    now: float = 0.0
    """The vendor's clock when it answered."""
    count: int | None = None
    missing: tuple[str, ...] = ()
    """Ids that were asked for and are none."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record to be made, or what is to be changed of one."""

    id: str = ""
    """Of several: the record to be changed; none where one is to be made."""
    version: str = ""
    """Of several: it is changed only if it is still this one."""
    fields: dict[str, Value] = {}
    lists: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lists_add: tuple[str, ...] = ()
    lists_remove: tuple[str, ...] = ()
    tags_add: tuple[str, ...] = ()
    tags_remove: tuple[str, ...] = ()
    consent: str | None = None
    marker: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something was not done."""

    code: str
    field: str | None = None
    existing_id: str | None = None


class Drafts(msgspec.Struct, frozen=True, kw_only=True):
    """Several records to be made or changed."""

    drafts: tuple[Draft, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one of several."""

    status: int
    person: Person | None = None
    problem: Problem | None = None


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What became of several, in their order."""

    results: tuple[Result, ...]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account it is."""

    id: str
    name: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A list that people can be in."""

    id: str
    name: str


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """Every list of an account."""

    lists: tuple[Listed, ...]


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the token endpoint answers."""

    access_token: str = ""
    refresh_token: str = ""
    expires_in: float = 0.0
    scope: str = ""
    error: str = ""
