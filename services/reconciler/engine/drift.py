"""Whether two sides that nobody has touched still say the same (hazard 29)."""

from services.reconciler.engine import diff, weigh
from services.reconciler.engine.case import Case


def of(case: Case) -> tuple[str, ...]:
    """Return the mappings that are out of step although nothing is to be done.

    Both records are compared as if they had just met. What would be written then, and
    is not held, has been missed.
    """
    sides = case.sides()
    if not diff.is_unchanged(case.link, left=case.left, right=case.right):
        return ()
    held = {hold.mapping_id for hold in case.link.held}
    met = weigh.weigh(sides._replace(old_left={}, old_right={}), case.config)
    return tuple(
        sorted(
            {
                want.pair.mapping.mapping_id
                for wants in met.wants.values()
                for want in wants
                if want.pair.mapping.mapping_id not in held
            }
        )
    )
