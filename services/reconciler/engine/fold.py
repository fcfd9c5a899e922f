"""What follows from the answer to an intent.

Besides ``plan`` this is where shadows move, and only by what the write itself
showed or was meant to show.
"""

import datetime
from collections.abc import Container, Mapping
from types import MappingProxyType

import msgspec

from proto.base import Instant
from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, RecordState, Side
from proto.record import Presence, Record
from services.reconciler.engine import (
    evidence,
    model,
    moves,
    patience,
    remember,
    rest,
    setbacks,
    uncarried,
    unheeded,
)
from services.reconciler.engine.model import (
    Config,
    Folded,
    Hold,
    Intent,
    Link,
    Reason,
    SideConfig,
)


def fold(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
    is_taken: bool = False,
) -> Folded:
    """Decide what the answer to an intent means for its link.

    Args:
        is_taken: The record in the answer to a create is on another link already.
    """
    link = moves.taught_numbers(link, intent, result=result, config=config)
    folded = _folded(
        link, intent, result=result, config=config, now=now, is_taken=is_taken
    )
    if folded.intent is not None:
        return folded
    shown = result.record if folded.is_written else None
    known = moves.as_known(folded.link, intent, before=link, shown=shown)
    known = unheeded.noted(known, intent, result=result, config=config, now=now)
    return msgspec.structs.replace(folded, link=known)


def _folded(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
    is_taken: bool,
) -> Folded:
    if result.kind is WriteKind.LOOK:
        return _fold_look(
            link, intent, result=result, config=config, now=now, is_taken=is_taken
        )
    record, is_create = result.record, intent.kind is WriteKind.CREATE
    if is_create and result.outcome not in (WriteOutcome.WRITTEN, WriteOutcome.UNKNOWN):
        link = _without_guess(link, config.side(intent.side))
    match result.outcome:
        case WriteOutcome.WRITTEN if record is not None:
            take = _read_after if result.is_read_after else _written
            if result.sent_at is None and not is_create:
                intent = remember.as_was_there(link, intent)
            return take(link, intent, record=record, config=config, now=now)
        case WriteOutcome.WRITTEN | WriteOutcome.UNKNOWN:
            return _unknown(link, intent, result=result, config=config, now=now)
        case WriteOutcome.EXISTS if is_create and record is not None:
            return _found(link, intent, record=record, is_taken=is_taken)
        case WriteOutcome.MISSING if not is_create:
            # Absence is no deletion: the bond lasts until the record is back or found
            # to be gone (hazard 70), and its survivor is nobody else's (hazard 72).
            return _dead(link, intent, config=config, now=now)
        case WriteOutcome.REFUSED:
            return _refused(link, intent, result=result, config=config, now=now)
        case _:
            return _dead(link, intent, config=config, now=now, reason=result.reason)


def _fold_look(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
    is_taken: bool,
) -> Folded:
    """Tell from a later read what became of a write without an answer."""
    record = result.record
    if result.outcome in (WriteOutcome.EXISTS, WriteOutcome.WRITTEN):
        if record is None:
            return _unknown(link, intent, result=result, config=config, now=now)
        if record.presence is Presence.LIVE and not is_taken:
            if evidence.is_done(link, intent, record=record, config=config):
                return _confirmed_late(
                    link, intent, record=record, config=config, now=now
                )
            if intent.kind is WriteKind.UPDATE:
                known = moves.in_part(link, intent, record=record, config=config)
                return msgspec.structs.replace(
                    _dead(known, intent, config=config, now=now),
                    losses=evidence.put_back(intent, record=record, config=config),
                )
        return _found(link, intent, record=record, is_taken=is_taken)
    if result.outcome is WriteOutcome.MISSING:
        if record is not None and evidence.is_made_and_gone(intent, record):
            return _found(link, intent, record=record, is_taken=is_taken)
        # No deletion either, for one that was there.
        return _dead(link, intent, config=config, now=now)
    return _unknown(link, intent, result=result, config=config, now=now)


def _written(
    link: Link, intent: Intent, *, record: Record, config: Config, now: Instant
) -> Folded:
    """Take the app's own answer as what is there now, whatever it made of it."""
    link = moves.taught(link, intent, own=intent.fields, record=record, config=config)
    told = {i: record.fields.get(i, value) for i, value in intent.fields.items()}
    if intent.kind is WriteKind.CREATE:
        told = {**record.fields, **told}
    return _in_step(link, intent, told=told, record=record, config=config, now=now)


def _read_after(
    link: Link, intent: Intent, *, record: Record, config: Config, now: Instant
) -> Folded:
    """Tell what an app made of a write from edits since, which are to be carried (I3).

    The app tells nothing of what it has written, so that the record was read after it.
    Of what may be an edit nothing is learned.
    """
    left = evidence.left_behind(link, intent, record=record, config=config)
    again = moves.not_carried(link, intent, left=left, config=config)
    own = evidence.rewritten(intent, record=record, config=config, is_known=True)
    link = moves.taught(link, intent, own=own, record=record, config=config)
    left = _with_untold(intent, left, record=record)
    return _in_step(
        link, intent, told=left, record=record, config=config, now=now, again=again
    )


def _confirmed_late(
    link: Link, intent: Intent, *, record: Record, config: Config, now: Instant
) -> Folded:
    """Take what was meant as what is there: a later read may show edits already.

    But for what shows a value in other spaces, or its beginning only: the app made that
    of it, and as an edit it would cut the value on the other side (hazard 55). Nor has
    anybody cleared what who is told by likeness lacks (``moves.never_in_step``).
    """
    own = evidence.rewritten(intent, record=record, config=config)
    link = moves.taught(link, intent, own=own, record=record, config=config)
    told = _with_untold(intent, {**intent.fields, **own}, record=record)
    new = moves.never_in_step(link, intent, record=record, config=config)
    return _in_step(
        link, intent, told=told, record=record, config=config, now=now, new=new
    )


def _with_untold(intent: Intent, left: Fields, *, record: Record) -> Fields:
    """Return what a write left, where the record that shows it may show edits already.

    In a new record whatever we did not write counts as entered since.
    """
    if intent.kind is not WriteKind.CREATE:
        return left
    return {**dict.fromkeys(record.fields), **left}


def _in_step(
    link: Link,
    intent: Intent,
    *,
    told: Fields,
    record: Record,
    config: Config,
    now: Instant,
    again: Mapping[str, Fields] = MappingProxyType({}),
    new: Container[str] = (),
) -> Folded:
    """Move both shadows of the intent's mappings but new ones, and nothing else."""
    side, record_id = intent.side, record.record_id
    pairs = moves.pairs_of(intent, config)
    pairs = [pair for pair in pairs if pair.mapping.mapping_id not in new]
    link = moves.moved(link, intent, pairs=pairs, told=told, config=config, again=again)
    state = RecordState.HELD if link.held else RecordState.IN_SYNC
    if intent.kind is WriteKind.CREATE:
        link = _born(link, side, at=record.created_at)
    link = msgspec.structs.replace(
        link,
        left_id=record_id if side is LEFT else link.left_id,
        right_id=record_id if side is RIGHT else link.right_id,
        state=state,
        reason=link.held[0].reason if link.held else "",
        parked_id=None,
        met_id=None,
        refusals=tuple(each for each in link.refusals if each.side is not side),
        acts=remember.acts(link, intent),
        carried=remember.carried(link, intent),
        trail=remember.trail(link, intent, config=config, now=now),
        intent_id=None,
        failure_count=0,
        retry_at=None,
    )
    return Folded(link=link, is_written=True)


def _born(link: Link, side: Side, *, at: Instant | None) -> Link:
    """Remember when a counterpart was made, before its id may mean another (11)."""
    if side is LEFT:
        return msgspec.structs.replace(link, left_born=at)
    return msgspec.structs.replace(link, right_born=at)


def _found(link: Link, intent: Intent, *, record: Record, is_taken: bool) -> Folded:
    """Link the record that a create met, as a first match.

    Who was merged since is linked all the same: its link follows, or comes to rest.
    """
    if is_taken:
        return _closed(link, state=RecordState.DUPLICATE, reason=Reason.MATCH_IS_LINKED)
    is_left = intent.side is LEFT
    link = msgspec.structs.replace(
        _born(link, intent.side, at=record.created_at),
        left_id=record.record_id if is_left else link.left_id,
        right_id=link.right_id if is_left else record.record_id,
        left=None,
        right=None,
        parked_id=None,
        met_id=None,
        failure_count=0,
    )
    if record.presence in (Presence.LIVE, Presence.MERGED):
        return _closed(link, state=RecordState.PENDING)
    return _gone(link, intent)


def _without_guess(link: Link, end: SideConfig) -> Link:
    """Forget who read like what a create was to make, once the app has answered it.

    Where marks are kept they tell whom an earlier one has made, and that is no guess.
    """
    if end.capabilities.keeps_marks:
        return link
    return msgspec.structs.replace(link, parked_id=None, met_id=None)


def _gone(link: Link, intent: Intent) -> Folded:
    return _closed(
        link, state=RecordState.DELETED, reason=model.DELETED_ON[intent.side]
    )


def _closed(link: Link, *, state: RecordState, reason: str = "") -> Folded:
    return Folded(
        link=msgspec.structs.replace(
            link,
            state=state,
            reason=str(reason),
            held=(),
            intent_id=None,
            retry_at=None,
        )
    )


def _dead(
    link: Link,
    intent: Intent,
    *,
    config: Config,
    now: Instant,
    reason: ErrorCode | None = None,
) -> Folded:
    """Plan again, since nothing was written; with patience when that repeats."""
    count = link.failure_count + 1
    # An app whose calls are spent would only be asked in vain.
    is_patient = (
        count >= patience.DEAD_IN_A_ROW_MAX or reason is ErrorCode.QUOTA_EXHAUSTED
    )
    if is_patient:
        link = rest.until_changed(link, intent)
    return Folded(
        link=msgspec.structs.replace(
            link,
            state=RecordState.PENDING,
            reason=reason.value if reason else "",
            intent_id=None,
            uncarried=uncarried.noted(link, intent, config=config),
            failure_count=count,
            retry_at=patience.after_nothing(count, now) if is_patient else None,
        )
    )


def _refused(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
) -> Folded:
    """Try a refused write again later, or at once when it would be another.

    Where the app says which value it refuses, all others are written meanwhile.
    """
    reason = str(result.reason or ErrorCode.APP_REFUSED)
    count = link.failure_count + 1
    known = uncarried.noted(link, intent, config=config)
    link = msgspec.structs.replace(link, uncarried=known)
    at_fault = tuple(
        Hold(mapping_id=mapping_id, reason=reason)
        for mapping_id in intent.mapping_ids
        if (pair := config.pair_by_id.get(mapping_id)) is not None
        and result.field in pair.end(intent.side).ids
    )
    is_create = intent.kind is WriteKind.CREATE
    is_needed = is_create and result.field in config.side(intent.side).email_ids
    if at_fault and len(at_fault) < len(intent.mapping_ids) and not is_needed:
        return Folded(
            link=msgspec.structs.replace(
                link,
                state=RecordState.PENDING,
                held=(*link.held, *at_fault),
                intent_id=None,
                failure_count=count,
                retry_at=None,
            )
        )
    if is_create:
        link = rest.until_changed(link, intent)
        retry_at = patience.after_refusal(count, now)
    else:
        # What else there is to be written does not wait with it.
        refusals = setbacks.noted(link, intent, reason=reason, now=now)
        link = msgspec.structs.replace(link, refusals=refusals)
        retry_at = refusals[-1].retry_at
    return Folded(
        link=msgspec.structs.replace(
            link,
            state=RecordState.FAILED,
            reason=reason,
            held=(*link.held, *at_fault),
            intent_id=None,
            failure_count=count,
            retry_at=retry_at,
        )
    )


def _unknown(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
) -> Folded:
    """Keep a write open whose outcome nobody told, and look."""
    settle_s = max(1, config.side(intent.side).capabilities.settle_s)
    if result.kind is WriteKind.LOOK:
        intent = msgspec.structs.replace(intent, look_count=intent.look_count + 1)
        look_at = patience.after_look(intent.look_count, now, settle_s=settle_s)
        if intent.look_count >= patience.LOOKS_UNTIL_HELD:
            link = msgspec.structs.replace(
                link, state=RecordState.HELD, reason=Reason.OUTCOME_UNKNOWN.value
            )
    else:
        settled = datetime.timedelta(seconds=settle_s)
        look_at = max(now, result.sent_at or now) + settled
    return Folded(link=link, intent=intent, look_at=look_at)
