"""Which life of its records a link knows: who is back is met anew (hazard 74).

A record that its app shows again may have come back without some of its values, and
that clears nothing, whatever became of the link meanwhile: a tag may be on its way or
refused, a mass change may wait. So shadows are of one life of each record, and end too.
"""

from typing import Final

from proto.reconciler import RecordState
from services.reconciler.engine import model
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import Link, Seen

_OVER: Final = (RecordState.DELETED, RecordState.MERGED)


def has_ended(link: Link, *, left: Seen | None, right: Seen | None) -> bool:
    """Say whether a record has been gone since a link remembered values of it."""
    return _is_another(left, link.left_life) or _is_another(right, link.right_life)


def known(case: Case) -> Case:
    """Return a case whose link remembers values of the present lives only."""
    link, left, right = case.link, case.left, case.right
    if not link.is_two_sided:
        return case
    if has_ended(link, left=left, right=right) or _is_back(case):
        case = case.changed(left=None, right=None)
    left_life, right_life = _life(left, link.left_life), _life(right, link.right_life)
    if (left_life, right_life) == (link.left_life, link.right_life):
        return case
    return case.changed(left_life=left_life, right_life=right_life)


def _is_back(case: Case) -> bool:
    """Say whether a bond that was over is one of two records that are there.

    What was stored before lives were remembered tells no more of them than that.
    """
    is_over = case.link.state in _OVER
    return is_over and model.is_live(case.left) and model.is_live(case.right)


def _is_another(seen: Seen | None, life: int | None) -> bool:
    if seen is None or seen.live_number is None or life is None:
        return False
    return seen.live_number != life


def _life(seen: Seen | None, life: int | None) -> int | None:
    return life if seen is None or seen.live_number is None else seen.live_number
