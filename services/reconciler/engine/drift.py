"""Whether two sides that nobody has touched still say the same (hazard 29)."""

from services.reconciler.engine import diff, weigh
from services.reconciler.engine.case import Case


def of(case: Case) -> tuple[str, ...]:
    """Return the mappings that are out of step although nothing is to be done.

    Neither side differs from its shadow, so that the planner would never look again.
    What would be written if both had just met has been missed, unless it is held or
    was left apart by a decision that the link remembers. While a record is missed it
    may be gone for good, and nothing is written beside it until that is known.
    """
    if any(seen is not None and seen.is_missing for seen in (case.left, case.right)):
        return ()
    if not diff.is_unchanged(case.link, left=case.left, right=case.right):
        return ()
    link, sides = case.link, case.sides()
    held = {hold.mapping_id for hold in link.held}
    return tuple(
        sorted(
            pair.mapping.mapping_id
            for pair in case.config.pairs
            if pair.mapping.mapping_id not in held
            and diff.is_known(pair, sides)
            and weigh.missed(pair, sides, known=link.apart)
        )
    )
