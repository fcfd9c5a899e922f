"""Holds what keeps coming back on a link for a day (hazards 54 and 68)."""

import functools
from collections.abc import Iterable

import msgspec

from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine import guards, model, names, rules
from services.reconciler.engine.case import Case
from services.reconciler.engine.config import Pair
from services.reconciler.engine.guards import Turn
from services.reconciler.engine.model import Hold, Reason
from services.reconciler.engine.rules import Acting
from services.reconciler.engine.weigh import Want, Weighed


def hold(case: Case, weighed: Weighed) -> Weighed:
    """Hold what has come and gone too often within a day (hazard 54).

    The parts of a name are held together: in a ring with an app of full names, parts of
    which some go round and others do not make a name that grows for ever.
    """
    tired = guards.tired(case.link, now=case.now)
    if not tired:
        return weighed
    frozen = [
        want.pair
        for side in SIDES
        for want in weighed.wants[side]
        if _turn_of(want, side) in tired
    ]
    if not frozen:
        return weighed
    ids = {pair.mapping.mapping_id for pair in frozen}
    has_name = any(map(_is_of_name, frozen))
    wants: dict[Side, list[Want]] = {LEFT: [], RIGHT: []}
    holds = list(weighed.holds)
    for side in SIDES:
        for want in weighed.wants[side]:
            mapping_id = want.pair.mapping.mapping_id
            if mapping_id in ids or (has_name and _is_of_name(want.pair)):
                holds.append(Hold(mapping_id=mapping_id, reason=Reason.OSCILLATES))
            else:
                wants[side].append(want)
    return msgspec.structs.replace(weighed, wants=wants, holds=tuple(holds))


def acting(case: Case, side: Side) -> Acting:
    """Return what rules want done on a side, but for what came and went too often.

    What a rule does on one side may be what one of the other side asks for, and each
    takes back what the other has made of it (hazard 54).
    """
    target, source = case.record(side), case.record(model.other(side))
    link, config = case.link, case.config
    act = functools.partial(
        rules.act_on,
        side,
        target=target,
        source=source,
        done=link.acts,
        config=config,
        carried=link.carried,
    )
    wanted = act()
    if not (link.trail and wanted.needs_write):
        return wanted
    tired = guards.tired(link, now=case.now)
    frozen = [
        name
        for name, value in wanted.changes.items()
        if Turn(name, side, guards.form_of({name: value})) in tired
    ]
    if not frozen:
        return wanted
    return act(frozen=frozen)


def holds_of(actings: Iterable[Acting]) -> tuple[Hold, ...]:
    """Return what rules leave as it is for a day."""
    return tuple(
        Hold(mapping_id=name, reason=Reason.OSCILLATES)
        for each in actings
        for name in each.held
    )


def _turn_of(want: Want, side: Side) -> Turn:
    form = guards.form_of(want.fields)
    return Turn(want.pair.mapping.mapping_id, side, form)


def _is_of_name(pair: Pair) -> bool:
    fields = (*pair.left.fields, *pair.right.fields)
    return any(field.role in names.ROLES for field in fields)
