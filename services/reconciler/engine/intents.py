"""Intents: one write with everything it was decided on."""

from collections.abc import Sequence
from typing import Final

from proto.connector import WriteKind
from proto.fields import Fields
from proto.ids import FieldId
from proto.reconciler import LEFT, RIGHT, Side
from proto.record import Memberships, Presence, Record
from services.reconciler.engine import canon, consent, guards, history, model, uncarried
from services.reconciler.engine.case import Case
from services.reconciler.engine.consent import Wanted
from services.reconciler.engine.merge import Merged
from services.reconciler.engine.model import (
    Cause,
    FieldChange,
    Intent,
    Link,
    Loss,
    Pair,
    Shadow,
)
from services.reconciler.engine.rules import Acting
from services.reconciler.engine.weigh import Want

_CHANGED: Final = Cause.CHANGED


def update(
    case: Case,
    *,
    side: Side,
    wants: Sequence[Want] = (),
    acting: Acting | None = None,
) -> Intent:
    """Return the intent that brings one side of a link in step.

    Args:
        acting: What rules want done there besides, in the same write.
    """
    opposite = model.other(side)
    target, source = case.known(side), case.known(opposite)
    pairs = [want.pair for want in wants]
    fields: Fields = {}
    seen_ids: list[FieldId] = []
    source_ids: list[FieldId] = []
    for want in wants:
        end, source_end = want.pair.ends(side)
        fields.update(want.fields)
        seen_ids += end.ids
        source_ids += source_end.ids
    if acting is not None and acting.fields:
        fields.update(acting.fields)
        seen_ids += acting.fields
    seen = _known(target.record, case.link.shadow(side), field_ids=seen_ids)
    changes = _changes(wants, side, seen=seen)
    if acting is not None and acting.needs_write:
        changes += history.of_acting(acting, before=seen)
    intent = Intent(
        intent_id=case.intent_id,
        link_id=case.link.link_id,
        side=side,
        kind=WriteKind.UPDATE,
        record_id=target.record.record_id,
        fields=fields,
        seen=seen,
        seen_version=target.record.version,
        seen_created_at=target.record.created_at,
        source_id=source.record.record_id,
        source=_known(source.record, case.link.shadow(opposite), field_ids=source_ids),
        source_version=source.record.version,
        source_read_at=source.read_at,
        source_is_gone=source.record.presence is not Presence.LIVE,
        mapping_ids=tuple([pair.mapping.mapping_id for pair in pairs]),
        changes=tuple(changes),
        memberships=acting.memberships if acting else Memberships(),
        acts=acting.acts if acting else None,
        is_destructive=guards.is_destructive(
            case.link, acting, fields=fields, seen=seen
        ),
        left_digest=case.left.digest if case.left else "",
        right_digest=case.right.digest if case.right else "",
        decided_at=case.now,
    )
    guards.check_own(intent, pairs)
    return intent


def unsubscribe(case: Case, *, side: Side, wanted: Wanted) -> Intent:
    """Return the intent that carries an unsubscribe, and nothing besides."""
    target, source = case.known(side), case.known(model.other(side))
    return Intent(
        intent_id=case.intent_id,
        link_id=case.link.link_id,
        side=side,
        kind=WriteKind.UPDATE,
        record_id=target.record.record_id,
        fields={},
        seen_version=target.record.version,
        seen_created_at=target.record.created_at,
        source_id=source.record.record_id,
        source={},
        source_version=source.record.version,
        source_read_at=source.read_at,
        mapping_ids=(),
        changes=history.of_unsubscribe(wanted, before=target.record.consent),
        memberships=Memberships(tags_add=(wanted.tag,) if wanted.tag else ()),
        consent=wanted.consent,
        carried=(wanted.carried,) if wanted.carried else (),
        is_urgent=True,
        left_digest=case.left.digest if case.left else "",
        right_digest=case.right.digest if case.right else "",
        decided_at=case.now,
    )


def losses(link: Link, intent: Intent, *, wants: Sequence[Want]) -> tuple[Loss, ...]:
    """Return what gives way although it was edited too, on either side.

    On the side that is not written yet nothing shows afterwards that it was in a
    conflict: that its edit has been decided about is part of this intent.
    """
    if not link.uncarried and all(not want.merged.lost for want in wants):
        return ()
    shown = {intent.side: intent.seen, model.other(intent.side): intent.source}
    return tuple(
        [
            Loss(
                intent_id=intent.intent_id,
                mapping_id=want.pair.mapping.mapping_id,
                side=side,
                values={i: shown[side][i] for i in want.pair.end(side).ids},
            )
            for want in wants
            for side in _losing(link, intent, want=want)
            if want.pair.end(side).is_written
        ]
    )


def _losing(link: Link, intent: Intent, *, want: Want) -> tuple[Side, ...]:
    """Return the sides on which something gives way that was edited."""
    side, lost = intent.side, want.merged.lost
    if side not in lost and uncarried.is_overwritten(
        link, side, want=want, seen=intent.seen
    ):
        return (*lost, side)
    return lost


def create(
    case: Case,
    *,
    source: Side,
    pairs: Sequence[Pair],
    fields: Fields,
    acting: Acting,
) -> Intent:
    """Return the intent that makes the counterpart of a side's record."""
    side, seen, link = model.other(source), case.known(source), case.link
    container_id = case.config.side(side).container_id
    able = case.config.side(side).capabilities
    level = consent.tightest(seen.record.consent)
    intent = Intent(
        intent_id=case.intent_id,
        link_id=link.link_id,
        side=side,
        kind=WriteKind.CREATE,
        fields={**fields, **acting.fields},
        source_id=seen.record.record_id,
        source=_of_pairs(pairs, source, values=seen.record.fields),
        source_version=seen.record.version,
        source_read_at=seen.read_at,
        mapping_ids=tuple(pair.mapping.mapping_id for pair in pairs),
        changes=(
            *(
                FieldChange(
                    field_id=field_id,
                    mapping_id=pair.mapping.mapping_id,
                    after=fields[field_id],
                    cause=Cause.CREATED,
                )
                for pair in pairs
                for field_id in pair.end(side).ids
                if field_id in fields
            ),
            *history.of_acting(acting, before={}),
        ),
        containers=() if container_id is None else (container_id,),
        memberships=acting.memberships,
        consent=consent.of_new(seen.record, at=able),
        acts=acting.acts,
        carried=consent.along(side, level, at=able),
        emails=canon.raw_emails_of(seen.record, case.config.side(source)),
        marker=link.link_id.rpartition("_")[2],
        left_digest=seen.digest if source is LEFT else "",
        right_digest=seen.digest if source is RIGHT else "",
        decided_at=case.now,
    )
    guards.check_own(intent, pairs)
    return intent


def _ids_of(pairs: Sequence[Pair], side: Side) -> list[FieldId]:
    """Return a side's fields of some mappings."""
    found: list[FieldId] = []
    for pair in pairs:
        found += pair.end(side).ids
    return found


def _known(
    record: Record, shadow: Shadow | None, *, field_ids: Sequence[FieldId]
) -> Fields:
    """Return what fields of a side hold, absent ones as they were last known."""
    now = record.fields
    try:
        # Nearly every record tells all of them.
        return {i: now[i] for i in field_ids}
    except KeyError:
        was = shadow.values if shadow is not None else {}
        return {i: now[i] if i in now else was.get(i) for i in field_ids}


def _of_pairs(pairs: Sequence[Pair], side: Side, *, values: Fields) -> Fields:
    return {i: values[i] for i in _ids_of(pairs, side)}


def _changes(wants: Sequence[Want], side: Side, *, seen: Fields) -> list[FieldChange]:
    """Return what a write changes on a side, field by field, for history."""
    found: list[FieldChange] = []
    for want in wants:
        mapping_id, cause = want.pair.mapping.mapping_id, _cause_of(want.merged, side)
        for field_id, value in want.fields.items():
            change = FieldChange(
                field_id=field_id,
                mapping_id=mapping_id,
                before=seen[field_id],
                after=value,
                cause=cause,
            )
            found.append(change)
    return found


def _cause_of(merged: Merged, side: Side) -> Cause:
    if side in merged.lost:
        return Cause.CONFLICT
    return Cause.FIRST_MATCH if merged.is_first else _CHANGED
