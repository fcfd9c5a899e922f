"""Intents: one write with everything it was decided on."""

from collections.abc import Sequence

from proto.base import Instant
from proto.connector import WriteKind
from proto.fields import Fields
from proto.ids import IntentId
from proto.reconciler import Side
from proto.record import Consent
from services.reconciler.engine import canon, guards, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.merge import Merged
from services.reconciler.engine.model import (
    Cause,
    Config,
    FieldChange,
    Intent,
    Link,
    Loss,
    Pair,
    Seen,
)
from services.reconciler.engine.weigh import Want


def update(
    link: Link,
    *,
    left: Seen,
    right: Seen,
    side: Side,
    wants: Sequence[Want],
    sides: Sides,
    now: Instant,
    intent_id: IntentId,
) -> Intent:
    """Return the intent that brings one side of a link in step."""
    target, source = (left, right) if side is Side.LEFT else (right, left)
    pairs = [want.pair for want in wants]
    seen = _of_pairs(pairs, side, values=sides.now(side))
    intent = Intent(
        intent_id=intent_id,
        link_id=link.link_id,
        side=side,
        kind=WriteKind.UPDATE,
        record_id=target.record.record_id,
        fields={i: value for want in wants for i, value in want.fields.items()},
        seen=seen,
        seen_version=target.record.version,
        source_id=source.record.record_id,
        source=_of_pairs(pairs, model.other(side), values=sides.now(model.other(side))),
        source_version=source.record.version,
        source_read_at=source.read_at,
        mapping_ids=tuple(pair.mapping.mapping_id for pair in pairs),
        changes=tuple(
            FieldChange(
                field_id=field_id,
                mapping_id=want.pair.mapping.mapping_id,
                before=seen.get(field_id),
                after=value,
                cause=_cause_of(want.merged, side),
            )
            for want in wants
            for field_id, value in want.fields.items()
        ),
        left_digest=left.digest,
        right_digest=right.digest,
        decided_at=now,
    )
    guards.check_own(intent, pairs)
    return intent


def losses(intent: Intent, wants: Sequence[Want]) -> tuple[Loss, ...]:
    """Return what an update overwrites although it was edited too."""
    return tuple(
        Loss(
            intent_id=intent.intent_id,
            mapping_id=want.pair.mapping.mapping_id,
            side=intent.side,
            values={i: intent.seen[i] for i in want.pair.end(intent.side).ids},
        )
        for want in wants
        if intent.side in want.merged.lost
    )


def create(
    link: Link,
    *,
    seen: Seen,
    side: Side,
    pairs: Sequence[Pair],
    fields: Fields,
    config: Config,
    now: Instant,
    intent_id: IntentId,
) -> Intent:
    """Return the intent that makes a record's counterpart on ``side``."""
    container_id = config.side(side).container_id
    intent = Intent(
        intent_id=intent_id,
        link_id=link.link_id,
        side=side,
        kind=WriteKind.CREATE,
        fields=fields,
        source_id=seen.record.record_id,
        source=_of_pairs(pairs, model.other(side), values=seen.record.fields),
        source_version=seen.record.version,
        source_read_at=seen.read_at,
        mapping_ids=tuple(pair.mapping.mapping_id for pair in pairs),
        changes=tuple(
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
        containers=() if container_id is None else (container_id,),
        consent=_for_create(seen.record.consent),
        emails=canon.raw_emails_of(seen.record, config.side(model.other(side))),
        marker=link.link_id.rpartition("_")[2],
        left_digest=seen.digest if side is Side.RIGHT else "",
        right_digest=seen.digest if side is Side.LEFT else "",
        decided_at=now,
    )
    guards.check_own(intent, pairs)
    return intent


def _of_pairs(pairs: Sequence[Pair], side: Side, *, values: Fields) -> Fields:
    return {i: values[i] for pair in pairs for i in pair.end(side).ids}


def _cause_of(merged: Merged, side: Side) -> Cause:
    if side in merged.lost:
        return Cause.CONFLICT
    return Cause.FIRST_MATCH if merged.is_first else Cause.CHANGED


def _for_create(consent: Consent) -> Consent:
    """Return the consent of a new record: a no goes along, a yes is not ours."""
    return Consent.UNKNOWN if consent is Consent.SUBSCRIBED else consent
