"""What rules do besides: it is there while one matches, and gone once none does.

The judge's own reading of behaviours 7 and 9; it shares nothing with the engine. That
what a matching rule wants is there is I1, that nothing is left of others is I12.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from proto.reconciler import SIDES, RecordState, Side
from proto.rules import Action, ActionKind, Rule
from services.reconciler.engine import model
from tests.simulation.invariants import scope
from tests.simulation.invariants.convergence import (
    SET_APART,
    UNSURE,
    Pair,
    tells_end,
)
from tests.simulation.invariants.truth import Owned, Truth, Wrong, tell
from tests.simulation.ledger import Act, Entry, Key, State, Who

SILENT: Final = (*SET_APART, UNSURE, "email_removed", "unlinked")
"""Reasons for which nothing is done to a link, not even by rules."""
ENDING: Final = ("deleted_left", "deleted_right", "out_of_rules")

Value = object
"""Whether a tag or list is there, or what a field holds."""


class Spot(NamedTuple):
    """A tag, a list or a field, as what is held names it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.kind else self.name

    def on(self, state: State) -> Value:
        """Return what a record has there."""
        match self.kind:
            case "tag":
                return self.name in state.tags
            case "container":
                return self.name in state.lists
        return state.fields.get(self.name) or None


_SPOTS: Final = {
    ActionKind.ADD_TAG: ("tag", True),
    ActionKind.REMOVE_TAG: ("tag", False),
    ActionKind.ADD_TO_CONTAINER: ("container", True),
    ActionKind.REMOVE_FROM_CONTAINER: ("container", False),
}


def check(pair: Pair, truth: Truth) -> Iterator[Wrong]:
    """Yield what a rule wants and is not there, or has left behind."""
    for side in SIDES:
        source, target = pair.key(model.other(side)), pair.key(side)
        if source is None or target is None:
            continue
        if _is_looked_at(pair, source, target, truth=truth):
            for spot in _spots(pair.owned, side):
                yield from _at(spot, pair, side, truth)


def _at(spot: Spot, pair: Pair, side: Side, truth: Truth) -> Iterator[Wrong]:
    source, target = pair.key(model.other(side)), pair.key(side)
    assert source is not None
    assert target is not None
    if (str(spot), "oscillates") in pair.link.held:
        return
    found = spot.on(truth.holder(target).now)
    before = truth.holder(source).now
    wanted = [
        value
        for rule in scope.rules_of(pair.owned, model.other(side))
        if before.is_live and scope.matches(rule, before)
        for value in _made(rule, spot)
    ]
    entries = truth.ledger.of(target)
    rules = _ever(pair.owned, side, spot)
    # Whoever does something for good may have done it over what another one wants.
    left = [value for rule in rules if not rule.undoes for value in _made(rule, spot)]
    if wanted:
        is_users = _is_users(spot, entries, wanted)
        if found not in (*wanted, *left) and not is_users:
            yield Wrong("I1", f"{spot} is {found!r}, a rule wants {wanted}: {pair}")
        return
    if not left:
        own = _own(spot, entries)
        if found != own:
            text = f"{spot} of {tell(target)} is {found!r} by rules that are over"
            yield Wrong("I12", f"{text}, and was {own!r}: {pair}")


def _is_looked_at(pair: Pair, source: Key, target: Key, *, truth: Truth) -> bool:
    """Say whether rules had their way with a pair that was one from the first.

    What was done to a record before it went, or to another one, is nobody's any more.
    Who is gone and cannot be known to be still fulfils what they did.
    """
    side = Side.LEFT if target == pair.left else Side.RIGHT
    row, holder = pair.link.row, truth.holder(target)
    if not holder.now.is_live or not scope.allows(pair.owned, side):
        return False
    is_quiet = row.state in (RecordState.IN_SYNC, RecordState.HELD)
    if row.reason in SILENT or not (is_quiet or row.reason in ENDING):
        return False
    if any(_is_heir(key, truth) for key in (source, target)):
        return False
    if _is_unlike_ours(target, source, truth):
        return False
    is_live = truth.holder(source).now.is_live
    if is_quiet and not is_live and not tells_end(source, truth):
        return False
    is_first = truth.partners(target) == [source] and truth.partners(source) == [target]
    is_gone = truth.ledger.of(source)[-1].act is Act.DELETE
    told = truth.ledger.of(source)[: -1 if is_gone else None]
    return is_first and all(
        entry.act in (Act.CREATE, Act.EDIT)
        for entry in (*told, *truth.ledger.of(target))
    )


def _is_heir(key: Key, truth: Truth) -> bool:
    """Say whether another record became a part of one, and its link may follow."""
    holders = truth.book(key[0]).holders.values()
    return any(each.now.merged_into == key[1] for each in holders)


def _is_unlike_ours(target: Key, source: Key, truth: Truth) -> bool:
    """Say whether a record of ours was edited before anybody told us of it.

    What its create did to it besides may be somebody else's doing then.
    """
    is_untold = truth.holder(target).maker is Who.TANDEM
    is_untold &= not truth.is_answered(target)
    bound_at = truth.bound_to_at(target, source)
    return is_untold and any(
        entry.seems_entered and entry.at <= bound_at
        for entry in truth.ledger.of(target)
    )


def _is_users(spot: Spot, entries: list[Entry], wanted: list[Value]) -> bool:
    """Say whether people took away what rules want, after us: then that stands."""
    for entry in reversed(entries):
        if entry.before is None:
            return False
        before, after = spot.on(entry.before), spot.on(entry.after)
        if before == after:
            continue
        if not entry.seems_entered:
            return False
        if before in wanted:
            return True
    return False


def _own(spot: Spot, entries: list[Entry]) -> Value:
    """Return what people last had in a place; nothing, where they never had it."""
    for entry in reversed(entries):
        before = None if entry.before is None else spot.on(entry.before)
        after = spot.on(entry.after)
        if before != after and entry.seems_entered:
            return after
    return False if spot.kind else None


def _spots(owned: Owned, side: Side) -> list[Spot]:
    """Return what rules were ever about on a side."""
    rules = _ever(owned, side)
    return sorted({_spot(action) for rule in rules for action in rule.actions})


def _ever(owned: Owned, side: Side, spot: Spot | None = None) -> list[Rule]:
    """Return every rule that ever did anything on a side, or there."""
    is_left = side is Side.LEFT
    return [
        rule
        for version in owned.versions
        for rule in (
            version.settings.right_rules if is_left else version.settings.left_rules
        )
        if spot is None or _made(rule, spot)
    ]


def _made(rule: Rule, spot: Spot) -> list[Value]:
    """Return what a rule makes of a place."""
    return [
        _SPOTS[action.kind][1] if spot.kind else action.value
        for action in rule.actions
        if _spot(action) == spot
    ]


def _spot(action: Action) -> Spot:
    if action.kind is ActionKind.SET_FIELD:
        return Spot("", action.field_id)
    return Spot(_SPOTS[action.kind][0], action.value)
