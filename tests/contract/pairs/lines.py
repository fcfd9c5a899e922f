"""Which roles of two vendors belong together, by what their records can hold.

Written from the behaviours that people rely on (13 to 18), apart from how Tandem
derives its mappings: here are the shapes of vendors, and no field of any app.
"""

import enum
from collections.abc import Iterator
from typing import Final, NamedTuple

from proto.fields import FieldKind, Role
from tests.contract.conformance.shapes import Form, Shape

PARTS: Final = (
    Role.NAME_PREFIX,
    Role.NAME_GIVEN,
    Role.NAME_MIDDLE,
    Role.NAME_FAMILY,
    Role.NAME_SUFFIX,
)
"""In the order in which a full name has them."""
NUMBERS: Final = {
    Role.PHONE_MOBILE: "mobile",
    Role.PHONE_WORK: "work",
    Role.PHONE_HOME: "home",
    Role.PHONE: "",
}
"""Single numbers, with the label that they have among several."""
DAYS: Final = (FieldKind.DATE, FieldKind.MONTH_DAY, FieldKind.DATETIME)


class Way(enum.Enum):
    """How what is on one end is said on the other."""

    SAME = enum.auto()
    DAY = enum.auto()
    """The one has a year, which the other has not."""
    FIRST = enum.auto()
    """The first of several is the one of the other."""
    SEVERAL = enum.auto()
    """One by one; among single fields, each in that of its label."""
    NAME = enum.auto()
    """A full name, and its parts."""


Roles = tuple[Role, ...]


class Line(NamedTuple):
    """What belongs together."""

    way: Way
    left: Roles
    right: Roles

    def turned(self) -> "Line":
        """Return the same as the other end has it."""
        return Line(self.way, self.right, self.left)


class End(NamedTuple):
    """One end of a line, with the forms of its roles."""

    roles: Roles
    shape: Shape

    @property
    def form(self) -> Form:
        """Return the form of the only role."""
        (role,) = self.roles
        return self.shape.fields[role]

    @property
    def is_several(self) -> bool:
        """Say whether one role holds several values."""
        return len(self.roles) == 1 and self.form.is_several


def between(left: Shape, right: Shape) -> list[Line]:
    """Return all that belongs together."""
    return [*_names(left, right), *_phones(left, right), *_others(left, right)]


def held(shape: Shape) -> list[Role]:
    """Return the roles that somebody writes."""
    return [role for role, form in shape.fields.items() if not form.is_derived]


def _names(left: Shape, right: Shape) -> Iterator[Line]:
    parts, others = _parts(left), _parts(right)
    if Role.NAME_FULL in held(left) and not _is_split(left):
        if _is_split(right):
            yield Line(Way.NAME, (Role.NAME_FULL,), others)
        elif Role.NAME_FULL in held(right):
            yield Line(Way.SAME, (Role.NAME_FULL,), (Role.NAME_FULL,))
    elif Role.NAME_FULL in held(right) and not _is_split(right):
        yield Line(Way.NAME, parts, (Role.NAME_FULL,))
    else:
        yield from (Line(Way.SAME, (one,), (one,)) for one in parts if one in others)


def _parts(shape: Shape) -> Roles:
    return tuple(role for role in PARTS if role in held(shape))


def _is_split(shape: Shape) -> bool:
    return {Role.NAME_GIVEN, Role.NAME_FAMILY} <= {*held(shape)}


def _phones(left: Shape, right: Shape) -> Iterator[Line]:
    mine, theirs = _numbers(left), _numbers(right)
    shared = [role for role in mine if role in theirs]
    is_many, are_many = End(mine, left).is_several, End(theirs, right).is_several
    if not mine or not theirs:
        return
    if is_many and are_many:
        yield Line(Way.SEVERAL, mine, theirs)
    elif (is_many and theirs == mine) or (are_many and mine == theirs):
        yield Line(Way.FIRST, mine, theirs)
    elif is_many or are_many:
        yield Line(Way.SEVERAL, mine, theirs)
    elif shared:
        yield from (Line(Way.SAME, (role,), (role,)) for role in shared)
    elif 1 in (len(mine), len(theirs)):
        yield Line(Way.SAME, mine[:1], theirs[:1])


def _numbers(shape: Shape) -> Roles:
    """Return the roles of numbers; one that holds several stands for all."""
    found = tuple(role for role in NUMBERS if role in held(shape))
    is_many = Role.PHONE in found and shape.fields[Role.PHONE].is_several
    return (Role.PHONE,) if is_many else found


def _others(left: Shape, right: Shape) -> Iterator[Line]:
    apart = {*PARTS, *NUMBERS, Role.NAME_FULL}
    for role in Role:
        if role in apart or role not in held(left) or role not in held(right):
            continue
        way = _way(left.fields[role], right.fields[role])
        if way is not None:
            yield Line(way, (role,), (role,))


def _way(one: Form, other: Form) -> Way | None:
    if one.is_several and other.is_several:
        return Way.SEVERAL
    if one.is_several or other.is_several:
        return Way.FIRST if FieldKind.ADDRESS not in (one.kind, other.kind) else None
    if one.kind is not other.kind and one.kind in DAYS and other.kind in DAYS:
        return Way.DAY
    return Way.SAME
