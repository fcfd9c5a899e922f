"""Days: dates with and without a year, and moments that fall on a day.

A moment falls on its day in UTC, wherever the app shows it. What one side does not
tell (the year, the time of day) the other side keeps.
"""

from typing import Final

from proto.fields import Field, FieldKind, Fields, Value
from services.reconciler.engine import canon
from services.reconciler.engine.config import Lens, PairEnd
from services.reconciler.engine.lenses.atoms import WHOLE, Atom, Atoms, Ends, Target
from services.reconciler.engine.model import Reason

_MIDNIGHT: Final = "00:00:00"


def changes(ends: Ends) -> Atoms:
    """Return the new day, if it is another than the old one."""
    field = ends.end.fields[0]
    has_year = ends.pair.mapping.lens is Lens.DAY
    value = ends.new.get(field.field_id)
    was = _shown(field, ends.old.get(field.field_id), has_year=has_year)
    now = _shown(field, value, has_year=has_year)
    if was == now:
        return {}
    day = _day(field, value)
    return {WHOLE: Atom(now, _written(day) if day else value if now else None, was)}


def put(target: Target) -> Fields:
    """Return the new day, with what else this side knows of the old one."""
    field_id = target.end.ids[0]
    value = _placed(target)
    return {field_id: target.onto.get(field_id) if value is None else value or None}


def reason_against(target: Target) -> Reason | None:
    """Say why a day cannot be carried; one without a year is no moment.

    A field that takes no day without its year is left alone by a birthday without.
    """
    is_strict = target.pair.mapping.lens is Lens.DAY or _is_moment(target.end)
    return Reason.BAD_VALUE if is_strict and _placed(target) is None else None


def _placed(target: Target) -> str | None:
    """Return what to write, empty for nothing; None if this side cannot hold it."""
    atom, field = target.atoms[WHOLE], target.end.fields[0]
    if not atom.canon or not isinstance(atom.value, str):
        return ""
    given = canon.date_parts(atom.value)
    if given is None:
        return None if _is_moment(target.end) else atom.value
    held = _day(field, target.onto.get(field.field_id))
    is_own_year = target.pair.mapping.lens is Lens.DATE and held is not None
    year = held[0] if held is not None and (is_own_year or not given[0]) else given[0]
    if field.kind is FieldKind.MONTH_DAY:
        return f"--{given[1]}"
    if _is_moment(target.end):
        return _moment(year, given[1], held=target.onto.get(field.field_id))
    if not year and held is None and not field.is_year_optional:
        # The field cannot hold a day without its year, and we invent none.
        return None
    is_day = not year or canon.date_parts(f"{year}-{given[1]}") is not None
    # A day that its year does not have is told without, or held by the guard.
    return _written((year if is_day or not field.is_year_optional else "", given[1]))


def _moment(year: str, month_day: str, *, held: Value) -> str | None:
    """Return a moment on a day, at the time of day that it was before."""
    if canon.date_parts(f"{year}-{month_day}") is None or not year:
        return None
    was = canon.moment_parts(held) if isinstance(held, str) else None
    if was is not None and isinstance(held, str) and was[0] == f"{year}-{month_day}":
        return held
    return f"{year}-{month_day}T{was[1] if was else _MIDNIGHT}Z"


def _shown(field: Field, value: Value, *, has_year: bool) -> str:
    """Return the part of a day that both sides tell; other text as it is."""
    day = _day(field, value)
    if day is None:
        return value.strip() if isinstance(value, str) else ""
    return _written(day) if has_year else day[1]


def _day(field: Field, value: Value) -> tuple[str, str] | None:
    """Return the year, if there is one, and the month and day of a value."""
    if not isinstance(value, str):
        return None
    if field.kind is not FieldKind.DATETIME:
        return canon.date_parts(value)
    moment = canon.moment_parts(value)
    return (moment[0][:4], moment[0][5:]) if moment is not None else None


def _is_moment(end: PairEnd) -> bool:
    return end.fields[0].kind is FieldKind.DATETIME


def _written(day: tuple[str, str]) -> str:
    return f"{day[0]}-{day[1]}" if day[0] else f"--{day[1]}"
