"""Which mappings two apps allow, and what of the settings about them they refuse.

Checked when settings are saved. An account may lose a field afterwards; a mapping that
needs it then does nothing.
"""

import enum
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple, Self

from proto.fields import FieldKind
from proto.reconciler import (
    SIDES,
    CustomMapping,
    Direction,
    MappedField,
    Settings,
    Side,
)
from services.reconciler.engine import compatibility, custom, graph, mapping, refusals
from services.reconciler.engine.compatibility import SENTENCES
from services.reconciler.engine.config import Mapping, SideConfig
from services.reconciler.engine.custom import Place, Resolved
from services.reconciler.engine.refusals import Objection, Refusal

CUSTOM_MAPPINGS_MAX: Final = 100
OPTION_PAIRS_MAX: Final = 500
"""Of one mapping."""
LABEL_LENGTH_MAX: Final = 100


class Fault(enum.StrEnum):
    """Why a mapping is refused, besides fields that do not go together: ``Bar``."""

    UNKNOWN = "unknown"
    UNKNOWN_MAPPING = "unknown_mapping"
    OPTION_PAIRED_TWICE = "option_paired_twice"
    IN_DEFAULT_MAPPING = "in_default_mapping"
    """A default mapping has to be switched off first."""
    MAPPED_TWICE = "mapped_twice"
    BEYOND_CONNECTION = "beyond_connection"
    """It would go in a direction in which the connection does not."""
    CYCLE = "cycle"
    """A value would come back to where it came from by another way."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class _Checked(NamedTuple):
    """A custom mapping of which both fields are known, and where it is."""

    place: str
    resolved: Resolved


def refused(
    *, left: SideConfig, right: SideConfig, settings: Settings
) -> tuple[Refusal, ...]:
    """Return everything about mappings that cannot be as the settings say."""
    made = settings.custom_mappings
    if len(made) > CUSTOM_MAPPINGS_MAX:
        sentence = f"A connection has {CUSTOM_MAPPINGS_MAX} custom mappings at most."
        return (_refusal(Objection.TOO_MANY, sentence, at="/custom_mappings"),)
    defaults = mapping.all_defaults(left=left, right=right, settings=settings)
    active = [m for m in defaults if m.mapping_id not in settings.mappings_off]
    checked = [
        _Checked(f"/custom_mappings/{index}", resolved)
        for index, each in enumerate(made)
        if (resolved := custom.resolve(each, left=left, right=right)) is not None
    ]
    return (
        *_of_switches({each.mapping_id for each in defaults}, settings),
        *(
            refusal
            for index, each in enumerate(made)
            for refusal in refusals.under(
                f"/custom_mappings/{index}", _of_ends(each, left=left, right=right)
            )
        ),
        *(
            refusal
            for place, resolved in checked
            for refusal in refusals.under(
                place,
                (
                    *_of_direction(resolved, allowed=settings.direction),
                    *_of_options(resolved),
                ),
            )
        ),
        *_of_use(checked, active),
        *_of_cycles(checked, active),
    )


def _of_switches(defaults: Collection[str], settings: Settings) -> Iterator[Refusal]:
    for index, mapping_id in enumerate(settings.mappings_off):
        if mapping_id not in defaults:
            sentence = "There is no such default mapping. Leave it out."
            at = f"/mappings_off/{index}"
            yield _refusal(Fault.UNKNOWN_MAPPING, sentence, at=at)
    known = {*defaults, *(custom.id_of(each) for each in settings.custom_mappings)}
    for mapping_id, side in settings.winners.items():
        at = "/winners/" + mapping_id.replace("~", "~0").replace("/", "~1")
        if mapping_id not in known:
            sentence = "There is no such mapping. Leave it out."
            yield _refusal(Fault.UNKNOWN_MAPPING, sentence, at=at)
        elif side not in SIDES:
            yield _refusal(Objection.UNKNOWN_WORD, "Give `left` or `right`.", at=at)


def _of_ends(
    made: CustomMapping, *, left: SideConfig, right: SideConfig
) -> Iterator[Refusal]:
    ends: tuple[tuple[str, MappedField, SideConfig], ...] = (
        ("/left", made.left, left),
        ("/right", made.right, right),
    )
    for place, end, account in ends:
        if end.field_id not in account.by_id:
            sentence = "The account has no such field. Give the id of one it describes."
            at = f"{place}/field_id"
            yield _refusal(Objection.UNKNOWN_FIELD, sentence, at=at)
        if len(end.label) > LABEL_LENGTH_MAX:
            sentence = f"A label has {LABEL_LENGTH_MAX} characters at most. Shorten it."
            yield _refusal(Objection.TOO_LONG, sentence, at=f"{place}/label")


def _of_direction(resolved: Resolved, *, allowed: Direction) -> Iterator[Refusal]:
    wanted = resolved.custom.direction
    if wanted is Direction.UNKNOWN:
        sentence = "Give `both`, `to_left` or `to_right`."
        yield _refusal(Objection.UNKNOWN_WORD, sentence, at="/direction")
        return
    bar = resolved.compatibility.bar(wanted)
    if bar is not None:
        is_any_possible = resolved.compatibility.direction is not None
        at = "/direction" if is_any_possible else ""
        yield _refusal(bar, SENTENCES[bar], at=at)
    if compatibility.narrowed(wanted, allowed) is not wanted:
        sentence = "The connection does not go this way. Choose its direction."
        yield _refusal(Fault.BEYOND_CONNECTION, sentence, at="/direction")


def _of_options(resolved: Resolved) -> Iterator[Refusal]:
    pairs = resolved.custom.options
    if len(pairs) > OPTION_PAIRS_MAX:
        sentence = f"A mapping pairs {OPTION_PAIRS_MAX} options at most."
        yield _refusal(Objection.TOO_MANY, sentence, at="/options")
        return
    for side in SIDES:
        field = resolved.end(side).field
        if field.kind is not FieldKind.CHOICE:
            continue
        known = {option.option_id for option in field.options}
        paired: set[str] = set()
        for index, pair in enumerate(pairs):
            option = pair.left if side is Side.LEFT else pair.right
            at = f"/options/{index}/{side}"
            if option not in known:
                sentence = "This is none of the field's options. Give the id of one."
                yield _refusal(Objection.NOT_AN_OPTION, sentence, at=at)
            elif option in paired:
                sentence = "The option is paired already. Pair each one once."
                yield _refusal(Fault.OPTION_PAIRED_TWICE, sentence, at=at)
            paired.add(option)


def _of_use(checked: list[_Checked], active: list[Mapping]) -> Iterator[Refusal]:
    """Refuse fields that are in two mappings, but for labels of their own."""
    owners = {place: each for each in active for place in custom.places_of([each])}
    used: dict[Place, set[str]] = {}
    for place, resolved in checked:
        for side in SIDES:
            end = resolved.end(side)
            key = (side, end.field.field_id)
            labels, at = used.setdefault(key, set()), f"{place}/{side}"
            if key in owners:
                sentence = (
                    f"The field is in the default mapping {owners[key].label}."
                    " Switch that off first."
                )
                yield _refusal(Fault.IN_DEFAULT_MAPPING, sentence, at=at)
            if custom.clashes(labels, end.label):
                sentence = "The field is mapped already. Choose another."
                yield _refusal(Fault.MAPPED_TWICE, sentence, at=at)
            labels.add(end.label)


def _of_cycles(checked: list[_Checked], active: list[Mapping]) -> Iterator[Refusal]:
    arrows = [arrow for each in active for arrow in graph.of_mapping(each)]
    own = {place: graph.of_custom(resolved) for place, resolved in checked}
    arrows += [arrow for found in own.values() for arrow in found]
    looping = graph.looping(arrows)
    for place, found in own.items():
        if not looping.isdisjoint(found):
            sentence = (
                "By other mappings a value would come back to this field. Take one of"
                " them out, or let it go one way."
            )
            yield _refusal(Fault.CYCLE, sentence, at=place)


def _refusal(reason: enum.StrEnum, detail: str, *, at: str) -> Refusal:
    return Refusal(pointer=at, reason=reason, detail=detail)
