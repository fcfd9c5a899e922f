"""What people set for a connection besides its ends: rules, deletions, unsubscribes.

Only what the two vendors make possible is drawn, for anything else is refused.
"""

import random
from typing import Any, Final

import msgspec

from proto.fields import Role
from proto.ids import FieldId
from proto.reconciler import SIDES, CustomMapping, Direction, MappedField, Side
from proto.rules import (
    Action,
    ActionKind,
    Condition,
    Leaving,
    Operator,
    Rule,
    Unsubscribes,
)
from services.reconciler.engine import model
from tests.simulation.features import Features
from tests.simulation.vendors.forms import NAMES
from tests.simulation.vendors.numbers import SLOTS
from tests.simulation.vendors.ways import LISTS, Ways

RULE_TAG: Final = "by a rule"
RULE_VALUE: Final = "set by a rule"
OTHER_VALUE: Final = "set by another rule"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a connection, by the names that they have in ``Settings``."""

    custom_mappings: tuple[CustomMapping, ...] = ()
    mappings_off: tuple[str, ...] = ()
    winners: dict[str, Side] = {}
    left_rules: tuple[Rule, ...] = ()
    right_rules: tuple[Rule, ...] = ()
    leaving: Leaving = Leaving.STOP
    tags_deletions: bool = False
    unsubscribes: Unsubscribes = Unsubscribes.IGNORE

    def settings(self) -> dict[str, Any]:
        """Return what is not left as it is by itself."""
        default = Options()
        given = msgspec.structs.asdict(self)
        return {k: v for k, v in given.items() if v != getattr(default, k)}


def draw(
    source: random.Random,
    left: Ways,
    right: Ways,
    *,
    direction: Direction,
    features: Features,
) -> Options:
    """Draw what somebody sets."""
    chance = source.random
    ends = _Ends(left, right, direction)
    custom: tuple[CustomMapping, ...] = ()
    if features.custom_mappings and chance() < 0.25:
        custom = (_own_fields(left, right, direction),)
    winners: dict[str, Side] = {}
    if features.custom_mappings and chance() < 0.15:
        winners = _winners(source, left, right)
    rules: dict[Side, tuple[Rule, ...]] = {Side.LEFT: (), Side.RIGHT: ()}
    if features.rules and chance() < 0.3:
        rules = _rules_of_sides(source, ends, has_custom=bool(custom))
    return Options(
        custom_mappings=custom,
        winners=winners,
        left_rules=rules[Side.LEFT],
        right_rules=rules[Side.RIGHT],
        leaving=source.choice((Leaving.STOP, Leaving.STOP, Leaving.KEEP_UPDATING)),
        tags_deletions=features.tags and ends.tags_deletions() and chance() < 0.7,
        unsubscribes=_unsubscribes(source, ends, features),
    )


def with_labels_mapped(
    given: Options, left: Ways, right: Ways, *, direction: Direction
) -> Options:
    """Have labels of one vendor's list be mapped by hand to single fields."""
    if left.numbers.is_list is right.numbers.is_list:
        return given
    listed, single = (left, right) if left.numbers.is_list else (right, left)
    found = []
    for role, label in SLOTS.items():
        if label and role in single.roles and listed.numbers.label(label) == label:
            ends = (
                MappedField(field_id=listed.name_of(Role.PHONE), label=label),
                MappedField(field_id=single.name_of(role)),
            )
            a, b = ends if listed is left else ends[::-1]
            found.append(CustomMapping(left=a, right=b, direction=direction))
    if not found:
        return given
    return msgspec.structs.replace(
        given,
        custom_mappings=(*given.custom_mappings, *found),
        mappings_off=(Role.PHONE.value,),
    )


def tell_deletions(
    given: Options, left: Ways, right: Ways, *, direction: Direction
) -> Options:
    """Have the deletions of one side be shown on the other, where that is possible."""
    can_tell = _Ends(left, right, direction).tags_deletions()
    return msgspec.structs.replace(given, tags_deletions=can_tell)


def draw_rules(
    source: random.Random,
    left: Ways,
    right: Ways,
    *,
    direction: Direction,
    has_custom: bool,
) -> dict[Side, tuple[Rule, ...]]:
    """Draw what somebody makes of the rules of a connection that there is."""
    ends = _Ends(left, right, direction)
    return _rules_of_sides(source, ends, has_custom=has_custom)


def rules_on_one_place(
    source: random.Random, ends: tuple[Ways, Ways], side: Side
) -> tuple[Rule, ...]:
    """Draw rules of a side that are all about one tag, list or field of the other.

    Each of them begins and ends as fields of the one or its tags come and go.
    """
    own, other = ends if side is Side.LEFT else ends[::-1]
    actions = source.choice(_opposites(other))
    return tuple(
        Rule(
            rule_id=f"{side.value}-{number}",
            conditions=(_passing(source, own),),
            actions=(source.choice((actions[0], *actions)),),
            undoes=source.random() < 0.9,
        )
        for number in range(source.randint(2, 3))
    )


def _opposites(ways: Ways) -> list[tuple[Action, Action]]:
    """Return what can be done to a tag, a list and a field, and what undoes it."""
    own = FieldId(ways.own_name)
    value, other = RULE_VALUE, OTHER_VALUE
    found = [
        (
            Action(kind=ActionKind.SET_FIELD, field_id=own, value=value),
            Action(kind=ActionKind.SET_FIELD, field_id=own, value=other),
        )
    ]
    if ways.can_tag:
        found.append(
            (
                Action(kind=ActionKind.ADD_TAG, value=RULE_TAG),
                Action(kind=ActionKind.REMOVE_TAG, value=RULE_TAG),
            )
        )
    if ways.has_lists:
        found.append(
            (
                Action(kind=ActionKind.ADD_TO_CONTAINER, value=LISTS[1]),
                Action(kind=ActionKind.REMOVE_FROM_CONTAINER, value=LISTS[1]),
            )
        )
    return found


def _passing(source: random.Random, ways: Ways) -> Condition:
    """Draw a condition that is so for a while."""
    optional = [role for role in ways.roles if role is not Role.EMAIL]
    field_id = ways.name_of(source.choice(optional))
    operators = [Operator.IS_NOT_EMPTY, Operator.IS_NOT_EMPTY, Operator.IS_EMPTY]
    if ways.can_tag:
        operators.append(Operator.HAS_TAG)
    operator = source.choice(operators)
    if operator is Operator.HAS_TAG:
        return Condition(operator=operator, value="vip")
    return Condition(operator=operator, field_id=field_id)


class _Ends:
    """Two vendors and the directions in which one may write to the other."""

    def __init__(self, left: Ways, right: Ways, direction: Direction) -> None:
        self.ways = {Side.LEFT: left, Side.RIGHT: right}
        self.written = [
            side for side in SIDES if direction in (Direction.BOTH, f"to_{side.value}")
        ]

    def pairs(self) -> list[tuple[Ways, Ways]]:
        """Return who may write to whom."""
        return [
            (self.ways[model.other(side)], self.ways[side]) for side in self.written
        ]

    def tags_deletions(self) -> bool:
        """Say whether deletions of one side can be shown on the other."""
        return any(a.has_tombstones and b.can_tag for a, b in self.pairs())


def _unsubscribes(
    source: random.Random, ends: _Ends, features: Features
) -> Unsubscribes:
    found = [Unsubscribes.IGNORE]
    for told, target in ends.pairs():
        if told.has_consent and target.can_tag and features.tags:
            found.append(Unsubscribes.TAG)
        can_tighten = target.has_consent and target.can_unsubscribe
        if told.has_consent and can_tighten and features.consents:
            found += [Unsubscribes.STATUS] * 2
    return source.choice(found)


def _own_fields(left: Ways, right: Ways, direction: Direction) -> CustomMapping:
    """Map the fields that play no role in any other app."""
    return CustomMapping(
        left=MappedField(field_id=left.own_name),
        right=MappedField(field_id=right.own_name),
        direction=direction,
    )


def _winners(source: random.Random, left: Ways, right: Ways) -> dict[str, Side]:
    shared = [role for role in left.roles if role in right.roles and role not in NAMES]
    role = source.choice(shared)
    return {role.value: source.choice(SIDES)}


def _rules_of_sides(
    source: random.Random, ends: _Ends, *, has_custom: bool
) -> dict[Side, tuple[Rule, ...]]:
    return {side: _rules(source, ends, side, has_custom=has_custom) for side in SIDES}


def _rules(
    source: random.Random, ends: _Ends, side: Side, *, has_custom: bool
) -> tuple[Rule, ...]:
    if source.random() < 0.3 or model.other(side) not in ends.written:
        return ()
    return tuple(
        Rule(
            rule_id=f"{side.value}-{number}",
            conditions=_conditions(source, ends.ways[side]),
            actions=_actions(
                source, ends.ways[model.other(side)], has_custom=has_custom
            ),
            undoes=source.random() < 0.5,
        )
        for number in range(source.randint(1, 2))
    )


def _conditions(source: random.Random, ways: Ways) -> tuple[Condition, ...]:
    optional = [role for role in ways.roles if role is not Role.EMAIL]
    field_id = ways.name_of(source.choice(optional))
    offered = [
        Condition(operator=Operator.IS_NOT_EMPTY, field_id=field_id),
        Condition(operator=Operator.IS_EMPTY, field_id=field_id),
        Condition(operator=Operator.CONTAINS, field_id=ways.email_name, value="x."),
        Condition(operator=Operator.EXISTS_ON_OTHER_SIDE),
    ]
    if ways.has_lists:
        offered += [
            Condition(operator=Operator.IN_CONTAINER, value=LISTS[0]),
            Condition(operator=Operator.NOT_IN_CONTAINER, value=LISTS[1]),
        ]
    if ways.can_tag:
        offered += [
            Condition(operator=Operator.HAS_TAG, value="vip"),
            Condition(operator=Operator.LACKS_TAG, value="old"),
        ]
    return tuple(source.sample(offered, source.choice((0, 1, 1, 2))))


def _actions(
    source: random.Random, ways: Ways, *, has_custom: bool
) -> tuple[Action, ...]:
    offered: list[Action] = []
    if ways.can_tag:
        offered += [
            Action(kind=ActionKind.ADD_TAG, value=RULE_TAG),
            Action(kind=ActionKind.REMOVE_TAG, value="old"),
        ]
    if ways.has_lists:
        offered.append(Action(kind=ActionKind.ADD_TO_CONTAINER, value=LISTS[1]))
    if not has_custom:
        own = FieldId(ways.own_name)
        offered.append(
            Action(kind=ActionKind.SET_FIELD, field_id=own, value=RULE_VALUE)
        )
    return tuple(source.sample(offered, min(len(offered), source.randint(0, 2))))
