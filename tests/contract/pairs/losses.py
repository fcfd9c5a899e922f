"""What of a vendor's people does not get to another vendor, or only in part."""

from collections.abc import Iterable, Iterator

from proto.fields import FieldKind, Role
from tests.contract.pairs import lines
from tests.contract.pairs.crossing import IGNORE, Crossing
from tests.contract.pairs.lines import NUMBERS, End, Line, Way
from tests.contract.pairs.people import OTHER


def of(crossing: Crossing, side: str) -> Iterator[str]:
    """Yield each role that loses something on its way from a side, and what it is."""
    shared = crossing.shared(side)
    for role in lines.held(crossing.shapes[side]):
        if role not in shared:
            yield f"{role} (all of it)"
    for line, ends in crossing.ends(side):
        for lack in _lacks(line, **ends):
            yield f"{', '.join(line.left)} ({lack})"
    if OTHER[side] in crossing.mailing:
        yield "who is not known to have agreed (all of them)"
    if crossing.shapes[side].is_known_by_address:
        yield "email (who changes it there is somebody else)"
    way = crossing.way_out(side)
    if crossing.has_voice(side) and (way == IGNORE or way != crossing.unsubscribes):
        yield "unsubscribes (all of them)"


def of_own(kinds: Iterable[FieldKind], others: frozenset[FieldKind]) -> Iterator[str]:
    """Yield what becomes of fields that users define, where it is not all."""
    days = {FieldKind.DATE, FieldKind.DATETIME}
    found: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        if kind in others:
            continue
        lack = "as text" if FieldKind.TEXT in others else "all of it"
        if kind in days and days & others:
            lack = "the day alone" if kind is FieldKind.DATETIME else ""
        if lack:
            found.setdefault(lack, []).append(kind)
    for lack, names in found.items():
        yield f"users' fields of {', '.join(names)} ({lack})"


def _lacks(line: Line, *, source: End, target: End) -> Iterator[str]:
    """Say what of a line does not get across."""
    if source.is_several and not target.is_several and line.way is Way.FIRST:
        yield "the first alone"
    if line.way is Way.SEVERAL:
        yield from _part_of_several(source, target)
    if line.way is Way.DAY and target.form.kind is FieldKind.MONTH_DAY:
        yield "without its year"
    if line.way is Way.NAME and source.roles != (Role.NAME_FULL,):
        yield "as one text"
    if _may_lack_year(source) and not _may_lack_year(target):
        yield "with a year alone"


def _part_of_several(source: End, target: End) -> Iterator[str]:
    if not target.is_several:
        if source.is_several:
            yield from _without_a_place(source, target)
        return
    most = target.form.count_max
    if not source.is_several:
        if most and len(source.roles) > most:
            yield f"{most} at most"
        return
    if most and not 0 < source.form.count_max <= most:
        yield f"{most} at most"
    strange = [one for one in source.form.labels if one not in target.form.labels]
    if strange:
        yield f"without the labels {', '.join(strange)}"


def _without_a_place(source: End, target: End) -> Iterator[str]:
    """Say of which labels no single field is."""
    places = [NUMBERS[role] for role in target.roles]
    yield "one of each label"
    lost = [
        label
        for label in source.form.labels
        if label not in places and (label in NUMBERS.values() or "" not in places)
    ]
    if lost:
        yield f"none of the labels {', '.join(lost)}"


def _may_lack_year(end: End) -> bool:
    if len(end.roles) != 1:
        return False
    form = end.form
    return form.is_year_optional or form.kind is FieldKind.MONTH_DAY
