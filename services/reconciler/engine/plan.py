"""What is to be done for one link: the only place where a write is decided."""

from collections.abc import Mapping
from typing import Final

import msgspec

from proto.base import Instant
from proto.ids import IntentId
from proto.reconciler import RecordState, Side
from proto.record import Presence
from services.reconciler.engine import canon, diff, guards, intents, model, weigh
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.model import (
    NOTHING,
    Config,
    Hold,
    Intent,
    Link,
    Plan,
    Reason,
    Seen,
    Shadow,
    SideConfig,
)
from services.reconciler.engine.weigh import Want, Weighed

_GONE: Final = (Presence.DELETED, Presence.MERGED)
_GONE_REASON: Final = {
    Side.LEFT: Reason.DELETED_LEFT,
    Side.RIGHT: Reason.DELETED_RIGHT,
}


def plan(
    link: Link,
    *,
    left: Seen | None,
    right: Seen | None,
    config: Config,
    now: Instant,
    intent_id: IntentId,
) -> Plan:
    """Decide about a link from what is known of its two records.

    A one-sided link has to be settled by ``match`` first; here it is created on
    the other side if it is pending. At most one intent comes out, for one side,
    under ``intent_id``; a second one follows when the first is folded.
    """
    if link.intent_id is not None:
        return NOTHING
    if (
        link.config_version == config.version
        and diff.is_unchanged(link, left=left, right=right)
        and (link.retry_at is None or now < link.retry_at)
    ):
        return NOTHING
    for side, seen in ((Side.LEFT, left), (Side.RIGHT, right)):
        if seen is not None and seen.record.presence in _GONE:
            return _rest(
                link,
                left=left,
                right=right,
                config=config,
                state=RecordState.DELETED,
                reason=_GONE_REASON[side],
            )
        if seen is not None and seen.record.presence is not Presence.LIVE:
            return NOTHING
    if left is not None and right is not None:
        return _plan_both(
            link, left, right=right, config=config, now=now, intent_id=intent_id
        )
    if link.left_id is not None and link.right_id is not None:
        # One of the records has not been shown to us yet.
        return NOTHING
    seen = left if left is not None else right
    if seen is None:
        return NOTHING
    if link.state not in (RecordState.PENDING, RecordState.FAILED):
        return _rest(
            link,
            left=left,
            right=right,
            config=config,
            state=link.state,
            reason=link.reason,
        )
    side = Side.LEFT if left is not None else Side.RIGHT
    return _plan_create(
        link, seen, source=side, config=config, now=now, intent_id=intent_id
    )


def _rest(
    link: Link,
    *,
    left: Seen | None,
    right: Seen | None,
    config: Config,
    state: RecordState,
    reason: str = "",
    holds: tuple[Hold, ...] = (),
) -> Plan:
    """Leave a link as it is until one of its records changes."""
    rested = msgspec.structs.replace(
        link,
        state=state,
        reason=str(reason),
        held=holds,
        left=_seen_through(link.left, left),
        right=_seen_through(link.right, right),
        failure_count=0,
        retry_at=None,
        config_version=config.version,
    )
    return NOTHING if rested == link else Plan(link=rested)


def _seen_through(shadow: Shadow | None, seen: Seen | None) -> Shadow | None:
    if seen is None:
        return shadow
    values = shadow.values if shadow is not None else {}
    return Shadow(values=values, digest=seen.digest)


def _plan_both(
    link: Link,
    left: Seen,
    *,
    right: Seen,
    config: Config,
    now: Instant,
    intent_id: IntentId,
) -> Plan:
    if link.state is RecordState.DELETED:
        # Back from the dead: what both hold now is compared as if never linked.
        link = msgspec.structs.replace(link, left=None, right=None)
    has_email = {
        Side.LEFT: _has_email(left, config.left),
        Side.RIGHT: _has_email(right, config.right),
    }
    hindrance = _hindrance(link, left, right=right, config=config, has_email=has_email)
    if hindrance is not None:
        state, reason = hindrance
        return _rest(
            link, left=left, right=right, config=config, state=state, reason=reason
        )
    sides = diff.sides_of(link, left.record.fields, right=right.record.fields)
    weighed = weigh.weigh(sides, config)
    link = msgspec.structs.replace(
        link,
        left=Shadow(values=weighed.left),
        right=Shadow(values=weighed.right),
        has_email=link.has_email or all(has_email.values()),
    )
    refused = _refused(link)
    chosen = _next_wants(weighed, refused=refused, config=config)
    if chosen is not None:
        side, wants, is_again = chosen
        return _plan_update(
            link,
            left,
            right=right,
            side=side,
            wants=wants,
            holds=(*weighed.holds, *(() if is_again else refused.values())),
            sides=sides,
            config=config,
            now=now,
            intent_id=intent_id,
        )
    holds = weighed.holds
    return _rest(
        link,
        left=left,
        right=right,
        config=config,
        state=RecordState.HELD if holds else RecordState.IN_SYNC,
        reason=holds[0].reason if holds else "",
        holds=holds,
    )


def _next_wants(
    weighed: Weighed, *, refused: Mapping[str, Hold], config: Config
) -> tuple[Side, list[Want], bool] | None:
    """Return what to write now, to which side, and whether it was refused before."""
    # What an app refused is tried last and by itself, so that it stops nothing else.
    for is_again in (False, True):
        # The losing side comes first, so that swapping the winner mirrors the order.
        for side in (model.other(config.winner), config.winner):
            wants = [
                want
                for want in weighed.wants[side]
                if (want.pair.mapping.mapping_id in refused) is is_again
            ]
            if wants:
                return side, wants, is_again
    return None


def _refused(link: Link) -> dict[str, Hold]:
    """Return the mappings whose value the app refused at the last try."""
    return {hold.mapping_id: hold for hold in link.held if hold.is_refusal}


def _hindrance(
    link: Link,
    left: Seen,
    *,
    right: Seen,
    config: Config,
    has_email: dict[Side, bool | None],
) -> tuple[RecordState, Reason] | None:
    """Say why nothing may be written for a link, if so."""
    if not (config.left.includes(left.record) and config.right.includes(right.record)):
        return RecordState.EXCLUDED, Reason.OUT_OF_CONTAINER
    if link.has_email and False in has_email.values():
        return RecordState.HELD, Reason.EMAIL_REMOVED
    return None


def _has_email(seen: Seen, config: SideConfig) -> bool | None:
    """Say whether a record has an email; None if it does not tell."""
    if any(email.strip() for email in canon.raw_emails_of(seen.record, config)):
        return True
    ids = config.email_ids
    is_told = bool(ids) and all(field_id in seen.record.fields for field_id in ids)
    return False if is_told else None


def _plan_update(
    link: Link,
    left: Seen,
    *,
    right: Seen,
    side: Side,
    wants: list[Want],
    holds: tuple[Hold, ...],
    sides: Sides,
    config: Config,
    now: Instant,
    intent_id: IntentId,
) -> Plan:
    intent = intents.update(
        link,
        left=left,
        right=right,
        side=side,
        wants=wants,
        sides=sides,
        now=now,
        intent_id=intent_id,
    )
    if guards.clears_too_much(intent.fields, intent.seen):
        return _rest(
            link,
            left=left,
            right=right,
            config=config,
            state=RecordState.HELD,
            reason=Reason.CLEARS_TOO_MUCH,
            holds=holds,
        )
    return Plan(
        link=_waiting(link, intent, holds=holds, config=config),
        intent=intent,
        losses=intents.losses(intent, wants),
    )


def _waiting(
    link: Link, intent: Intent, *, holds: tuple[Hold, ...], config: Config
) -> Link:
    return msgspec.structs.replace(
        link,
        state=RecordState.PENDING,
        reason="",
        held=holds,
        intent_id=intent.intent_id,
        retry_at=None,
        config_version=config.version,
    )


def _plan_create(
    link: Link,
    seen: Seen,
    *,
    source: Side,
    config: Config,
    now: Instant,
    intent_id: IntentId,
) -> Plan:
    """Create a record's counterpart with everything that the mappings carry."""
    side = model.other(source)
    emails = {
        pair.mapping.mapping_id
        for pair in config.pairs
        if not set(config.side(side).email_ids).isdisjoint(pair.end(side).ids)
    }
    # Without an address there would be nobody to create.
    refused = {i: hold for i, hold in _refused(link).items() if i not in emails}
    fields, pairs, holds = weigh.for_create(
        seen.record.fields, source, config=config, without=refused.keys()
    )
    holds = (*holds, *refused.values())
    is_reachable = any(fields.get(i) for i in config.side(side).email_ids)
    if not fields or (config.avoids_duplicates and not is_reachable):
        return _rest(
            link,
            left=seen if source is Side.LEFT else None,
            right=seen if source is Side.RIGHT else None,
            config=config,
            state=RecordState.HELD,
            reason=holds[0].reason if holds else Reason.NO_EMAIL,
            holds=holds,
        )
    intent = intents.create(
        msgspec.structs.replace(link, left=None, right=None),
        seen=seen,
        side=side,
        pairs=pairs,
        fields=fields,
        config=config,
        now=now,
        intent_id=intent_id,
    )
    link = msgspec.structs.replace(link, left=None, right=None)
    return Plan(link=_waiting(link, intent, holds=holds, config=config), intent=intent)
