"""What a record that was read later tells about a write without an answer."""

from proto.record import Memberships, Record
from services.reconciler.engine import canon, consent, diff
from services.reconciler.engine.model import Config, Intent, Link


def is_as_meant(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether everything of a write reads as it was meant to."""
    if not _has_memberships(record, intent.memberships):
        return False
    if consent.is_tighter(intent.consent, than=record.consent):
        return False
    forms = diff.forms_of(link.learned)
    by_id = config.side(intent.side).by_id
    for field_id, meant in intent.fields.items():
        field = by_id.get(field_id)
        if field is None or field_id not in record.fields:
            return False
        form = canon.of(field.kind, record.fields[field_id])
        form = forms[intent.side].get(field_id, {}).get(form, form)
        if form != canon.of(field.kind, meant):
            return False
    return True


def _has_memberships(record: Record, wanted: Memberships) -> bool:
    return (
        set(wanted.containers_add) <= set(record.containers)
        and set(wanted.containers_remove).isdisjoint(record.containers)
        and set(wanted.tags_add) <= set(record.tags)
        and set(wanted.tags_remove).isdisjoint(record.tags)
    )
