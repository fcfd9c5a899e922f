"""Holds what keeps coming back on a link for a day (hazards 54 and 68)."""

import msgspec

from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine import guards, names
from services.reconciler.engine.case import Case
from services.reconciler.engine.config import Pair
from services.reconciler.engine.model import Hold, Reason
from services.reconciler.engine.weigh import Want, Weighed


def hold(case: Case, weighed: Weighed) -> Weighed:
    """Hold what has come and gone too often within a day (hazard 54).

    The parts of a name are held together: in a ring with an app of full names, parts of
    which some go round and others do not make a name that grows for ever.
    """
    if not case.link.trail:
        return weighed
    frozen = {
        want.pair.mapping.mapping_id: want.pair
        for side in SIDES
        for want in weighed.wants[side]
        if guards.oscillates(
            case.link,
            want.pair.mapping.mapping_id,
            fields=want.fields,
            side=side,
            now=case.now,
        )
    }
    if not frozen:
        return weighed
    has_name = any(_is_of_name(pair) for pair in frozen.values())
    wants: dict[Side, list[Want]] = {LEFT: [], RIGHT: []}
    holds = list(weighed.holds)
    for side in SIDES:
        for want in weighed.wants[side]:
            mapping_id = want.pair.mapping.mapping_id
            if mapping_id in frozen or (has_name and _is_of_name(want.pair)):
                holds.append(Hold(mapping_id=mapping_id, reason=Reason.OSCILLATES))
            else:
                wants[side].append(want)
    return msgspec.structs.replace(weighed, wants=wants, holds=tuple(holds))


def _is_of_name(pair: Pair) -> bool:
    fields = (*pair.left.fields, *pair.right.fields)
    return any(field.role in names.ROLES for field in fields)
