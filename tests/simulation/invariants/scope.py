"""Whether a record is to be synced, by the ends and rules of a connection.

The judge's own reading of behaviours 7, 8 and 10; it shares nothing with the engine.
"""

import enum

from proto.reconciler import SIDES, Direction, Side
from proto.rules import Condition, Leaving, Operator, Rule
from services.reconciler.engine import model
from tests.simulation.invariants.truth import Owned, Truth
from tests.simulation.ledger import Key, State
from tests.simulation.vendors.numbers import texts_of


class Scope(enum.Enum):
    """How far a record is synced."""

    OUT_OF_CONTAINER = "out_of_container"
    OUT_OF_RULES = "out_of_rules"
    NOT_ON_OTHER_SIDE = "not_on_other_side"
    """Only where it has a counterpart already."""
    FULL = ""


def of_record(owned: Owned, side: Side, state: State) -> Scope:
    """Say how far a record without a counterpart is synced."""
    if not is_included(owned, side, state):
        return Scope.OUT_OF_CONTAINER
    rules = rules_of(owned, side)
    if not rules or not allows(owned, model.other(side)):
        return Scope.FULL
    found = Scope.OUT_OF_RULES
    for rule in rules:
        if not matches(rule, state):
            continue
        if not any(_asks_for_other(each) for each in rule.conditions):
            return Scope.FULL
        found = Scope.NOT_ON_OTHER_SIDE
    return found


def of_pair(owned: Owned, states: dict[Side, State]) -> Scope:
    """Say whether a linked pair is kept in sync; one rule of either side is enough."""
    if not all(is_included(owned, side, states[side]) for side in SIDES):
        return Scope.OUT_OF_CONTAINER
    settings = owned.now.settings
    has_rules = settings.left_rules or settings.right_rules
    if not has_rules or settings.leaving is Leaving.KEEP_UPDATING:
        return Scope.FULL
    for side in SIDES:
        if not allows(owned, model.other(side)):
            continue
        rules = rules_of(owned, side)
        if not rules or any(matches(rule, states[side]) for rule in rules):
            return Scope.FULL
    return Scope.OUT_OF_RULES


def is_included(owned: Owned, side: Side, state: State) -> bool:
    """Say whether a record is in the part of the account that is connected."""
    container = owned.container(side)
    return container is None or container in state.lists


def allows(owned: Owned, side: Side) -> bool:
    """Say whether a connection may write to a side."""
    direction = owned.now.settings.direction
    return direction is Direction.BOTH or direction == f"to_{side.value}"


def rules_of(owned: Owned, side: Side) -> tuple[Rule, ...]:
    """Return the rules that look at a side."""
    settings = owned.now.settings
    return settings.left_rules if side is Side.LEFT else settings.right_rules


def matches(rule: Rule, state: State) -> bool:
    """Say whether a live record fulfils all conditions of a rule."""
    return all(_holds(each, state) for each in rule.conditions)


def state_of(truth: Truth, key: Key) -> State:
    """Return a record as it is."""
    return truth.holder(key).now


def _holds(condition: Condition, state: State) -> bool:
    value = state.fields.get(condition.field_id)
    text = " ".join(texts_of(value)).strip()
    match condition.operator:
        case Operator.IS_NOT_EMPTY:
            return bool(text)
        case Operator.IS_EMPTY:
            return not text
        case Operator.CONTAINS:
            return condition.value.casefold() in text.casefold()
        case Operator.IN_CONTAINER:
            return condition.value in state.lists
        case Operator.NOT_IN_CONTAINER:
            return condition.value not in state.lists
        case Operator.HAS_TAG:
            return condition.value in state.tags
        case Operator.LACKS_TAG:
            return condition.value not in state.tags
        case Operator.EXISTS_ON_OTHER_SIDE:
            return True
    raise AssertionError(f"the judge cannot read {condition.operator}")


def _asks_for_other(condition: Condition) -> bool:
    return condition.operator is Operator.EXISTS_ON_OTHER_SIDE
