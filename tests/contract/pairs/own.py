"""Fields that users define at both vendors, of every kind, and what goes across.

Fields with roles are of few kinds, so these show the others. A value is a text,
whatever its kind: a number in decimals, ``true`` or ``false``, a day, a moment in UTC,
a choice's label.
"""

import datetime
import decimal
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from proto.fields import FieldKind
from tests.contract.pairs.people import LEFT, OTHER, RIGHT, SIDES

OPTIONS: Final = ("Small", "Großpackung", "Extra")
VALUES: Final[Mapping[FieldKind, tuple[str, ...]]] = {
    FieldKind.TEXT: ("rye", "oats & Müsli", "spelt"),
    FieldKind.NUMBER: ("12.5", "-3", "1000"),
    FieldKind.BOOLEAN: ("true", "false", "true"),
    FieldKind.DATE: ("2026-01-31", "2026-02-28", "1999-12-31"),
    FieldKind.DATETIME: (
        "2026-01-31T10:20:30Z",
        "2026-02-28T11:21:31Z",
        "1999-12-31T23:59:59Z",
    ),
    FieldKind.CHOICE: OPTIONS,
}
"""What people put in, and to what they change it."""
_TRUTHS: Final = {"true": "yes", "false": "no"}
_MIDNIGHT: Final = "T00:00:00Z"
_DAY_CHARS: Final = len("2000-01-01")
_WORDS: Final = {LEFT: "to_left", RIGHT: "to_right"}


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """A field at each side that a person maps to the other."""

    label: str
    kinds: Mapping[str, FieldKind]
    """By side."""
    origins: tuple[str, ...]
    """The sides whose edits go across."""

    @property
    def direction(self) -> str:
        """Return the direction of the mapping."""
        both = len(self.origins) == len(SIDES)
        return "both" if both else _WORDS[OTHER[self.origins[0]]]


def between(kinds: Mapping[str, Iterable[FieldKind]]) -> list[Own]:
    """Return a field for each two kinds that the vendors can hold and that can go."""
    found = []
    for left in sorted(kinds[LEFT]):
        for right in sorted(kinds[RIGHT]):
            origins = _origins(left, right)
            if origins:
                label = f"{left} and {right}".capitalize()
                ends = {LEFT: left, RIGHT: right}
                found.append(Own(label=label, kinds=ends, origins=origins))
    return found


def _origins(left: FieldKind, right: FieldKind) -> tuple[str, ...]:
    """Say which way values of two kinds go: to text, and not back."""
    days = {FieldKind.DATE, FieldKind.DATETIME}
    if left is right or {left, right} == days:
        return SIDES
    if FieldKind.TEXT in (left, right):
        return (RIGHT,) if left is FieldKind.TEXT else (LEFT,)
    return ()


def carried(value: str, own: Own, side: str, *, held: str | None) -> str:
    """Return what the other side gets of a value at one."""
    kind, target = own.kinds[side], own.kinds[OTHER[side]]
    if kind is target:
        return value
    if target is FieldKind.TEXT:
        return _TRUTHS.get(value, value) if kind is FieldKind.BOOLEAN else value
    if target is FieldKind.DATE:
        return value[:_DAY_CHARS]
    # What the day does not tell, the time of it, stays.
    return value + (held[_DAY_CHARS:] if held else _MIDNIGHT)


def is_same(one: str | None, other: str | None, kind: FieldKind) -> bool:
    """Say whether two texts say the same of a kind."""
    if one is None or other is None:
        return one is other
    if kind is FieldKind.NUMBER:
        return decimal.Decimal(one) == decimal.Decimal(other)
    if kind is FieldKind.DATETIME:
        parse = datetime.datetime.fromisoformat
        return parse(one) == parse(other)
    return one == other


def mappings(
    owns: Iterable[Own], fields: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Return the custom mappings to ask for, by the fields that accounts show."""
    known = {
        side: {each["label"]: each for each in shown} for side, shown in fields.items()
    }
    made = []
    for own in owns:
        ends = {side: known[side][own.label] for side in SIDES}
        mapping: dict[str, Any] = {
            **{side: {"field_id": end["field_id"]} for side, end in ends.items()},
            "direction": own.direction,
        }
        if {*own.kinds.values()} == {FieldKind.CHOICE}:
            mapping["options"] = [
                {side: _option(end, name) for side, end in ends.items()}
                for name in OPTIONS
            ]
        made.append(mapping)
    return made


def _option(field: Mapping[str, Any], label: str) -> str:
    """Return the id of an option."""
    (found,) = (one for one in field["options"] if one["label"] == label)
    return str(found["option_id"])
