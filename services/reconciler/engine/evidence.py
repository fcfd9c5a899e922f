"""What a record that was read later tells about a write without an answer."""

from collections.abc import Collection, Iterable

from proto.connector import WriteKind
from proto.ids import FieldId
from proto.record import Memberships, Record
from services.reconciler.engine import canon, consent, diff
from services.reconciler.engine.model import Config, Intent, Link


def is_done(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether a record shows that a write took effect.

    An address that was edited since is no evidence against a create that nothing but
    its values can be told by.
    """
    if is_as_meant(link, intent, record=record, config=config):
        return True
    keeps_marks = config.side(intent.side).capabilities.keeps_marks
    is_create = intent.kind is WriteKind.CREATE
    return (
        is_create
        and not keeps_marks
        and is_made(link, intent, record=record, config=config)
    )


def is_as_meant(
    link: Link,
    intent: Intent,
    *,
    record: Record,
    config: Config,
    without: Collection[FieldId] = (),
) -> bool:
    """Say whether everything of a write reads as it was meant to."""
    if not _has_memberships(record, intent.memberships):
        return False
    if consent.is_tighter(intent.consent, than=record.consent):
        return False
    fields = intent.fields.keys() - set(without)
    return _read_as_meant(link, intent, record=record, config=config, fields=fields)


def is_made(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether a create has made a record whose address may be edited by now."""
    emails = _emails_of(intent, config)
    return any(
        value for i, value in intent.fields.items() if i not in emails
    ) and is_as_meant(link, intent, record=record, config=config, without=emails)


def is_likely(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether a record looks like what a create was to make.

    By its address, or by everything else, since somebody may have edited it.
    """
    emails = {i for i in _emails_of(intent, config) if intent.fields.get(i)}
    has_address = bool(emails) and _read_as_meant(
        link, intent, record=record, config=config, fields=emails
    )
    return has_address or is_made(link, intent, record=record, config=config)


def _emails_of(intent: Intent, config: Config) -> set[FieldId]:
    return set(config.side(intent.side).email_ids) & intent.fields.keys()


def _read_as_meant(
    link: Link,
    intent: Intent,
    *,
    record: Record,
    config: Config,
    fields: Iterable[FieldId],
) -> bool:
    forms = diff.forms_of(link.learned)
    by_id = config.side(intent.side).by_id
    for field_id in fields:
        field = by_id.get(field_id)
        if field is None or field_id not in record.fields:
            return False
        form = canon.of(field.kind, record.fields[field_id])
        form = forms[intent.side].get(field_id, {}).get(form, form)
        if form != canon.of(field.kind, intent.fields[field_id]):
            return False
    return True


def _has_memberships(record: Record, wanted: Memberships) -> bool:
    return (
        set(wanted.containers_add) <= set(record.containers)
        and set(wanted.containers_remove).isdisjoint(record.containers)
        and set(wanted.tags_add) <= set(record.tags)
        and set(wanted.tags_remove).isdisjoint(record.tags)
    )
