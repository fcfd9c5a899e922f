"""Whether two records have one mark of ours: a create was carried out twice.

Or somebody copied a record in its app with everything in it, which nobody can tell.
"""

from services.reconciler.engine import model
from services.reconciler.engine.model import Link, Seen


def is_second(link: Link, found: Seen, *, own: Seen | None) -> bool:
    """Say whether a record has the mark of a link whose own record has it as well.

    Not while a write of the link is on its way, whose answer may be about either.
    """
    return (
        link.intent_id is None
        and own is not None
        and own.record.record_id != found.record.record_id
        and own.record.marker == found.record.marker != ""
        and all(model.is_live(each) and not each.is_missing for each in (own, found))
    )
