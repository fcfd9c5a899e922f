"""Recognises what a create without an answer has made, where no mark tells it.

The records that an account has shown since are compared with what was to be made
(hazards, section 4.4): one that reads the same is it, several leave it open. There is
none only once the account was read again, in full where nothing can be looked for.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from proto.base import Instant
from proto.connector import (
    ContactsWritten,
    ReadNow,
    WriteKind,
    WriteOutcome,
)
from proto.ids import IntentId, RecordId
from proto.reconciler import Side
from proto.record import Presence, Record
from services.chassis.store import Work
from services.reconciler import batches, following, parking
from services.reconciler.config import Config
from services.reconciler.engine import evidence, model, newcomers
from services.reconciler.engine.model import Seen
from services.reconciler.engine.newcomers import Owners
from services.reconciler.readbacks import Answer
from services.reconciler.store import arrivals, observations, sweeps
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.sweeps import LastScans

SCAN_AGAIN_AFTER: Final = datetime.timedelta(hours=1)
"""A scan that is not complete by then is asked for again."""
_UNTOLD: Final = (WriteOutcome.MISSING, WriteOutcome.UNKNOWN)


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has shown since creates that nobody knows the outcome of."""

    new: tuple[Seen, ...] = ()
    """Records that one of them may have made."""
    is_cut: bool = False
    """There are more than these, so that nobody among them is no evidence."""
    parked: Mapping[RecordId, Seen] = {}
    """Records that they made, as was told before, whatever has become of them."""
    scans: LastScans = LastScans()
    owners: Mapping[Side, Owners] = {}
    """Who has addresses of the new ones, of those whom creates on a side are for."""
    unsure: frozenset[IntentId] = frozenset()
    """Creates that met a record which another create may have made."""


async def load(
    work: Work,
    message: ContactsWritten,
    *,
    connection: StoredConnection,
    answers: Sequence[Answer],
    own: Config,
) -> Shown:
    """Return what tells about the answers that name no record, or a doubtful one."""
    unsure = await _find_unsure(
        work, message, connection=connection, answers=answers, own=own
    )
    untold = [each for each in answers if is_untold(each, config=connection.config)]
    if not untold:
        return Shown(unsure=unsure)
    sides = {each.intent.intent.side for each in untold}
    new = await arrivals.find_newcomers(
        work.transaction,
        tenant_id=message.tenant_id,
        connection_id=connection.connection_id,
        account_id=message.account_id,
        # Both sides may use one account, and who is taken on one is free on the other.
        side=next(iter(sides)) if len(sides) == 1 else None,
        since=min(each.intent.number for each in untold),
    )
    scans = await sweeps.find_last_scans(
        work.transaction, tenant_id=message.tenant_id, account_id=message.account_id
    )
    known = await _find_known(work, message, answers=untold)
    alive = {
        record_id: seen
        for record_id, seen in known.items()
        if model.is_live(seen) and not seen.is_missing
    }
    parked = {answer.link.parked_id for answer in untold}
    candidates = {seen.record.record_id: seen for seen in new.seen} | alive
    return Shown(
        new=tuple(candidates.values()),
        is_cut=new.is_cut,
        parked={
            record_id: seen for record_id, seen in known.items() if record_id in parked
        },
        scans=scans,
        owners={
            side: await parking.find_owners(
                work, candidates.values(), connection=connection, side=side
            )
            for side in sorted(sides)
        },
        unsure=unsure,
    )


async def _find_known(
    work: Work, message: ContactsWritten, *, answers: Sequence[Answer]
) -> dict[RecordId, Seen]:
    """Return the records that the creates are known to have made, or to have met."""
    places = [
        (message.account_id, record_id)
        for answer in answers
        for record_id in (answer.link.parked_id, answer.link.met_id)
        if record_id is not None
    ]
    if not places:
        return {}
    known = await observations.load(
        work.transaction, places, tenant_id=message.tenant_id
    )
    return {record_id: seen for (_, record_id), seen in known.items()}


async def _find_unsure(
    work: Work,
    message: ContactsWritten,
    *,
    connection: StoredConnection,
    answers: Sequence[Answer],
    own: Config,
) -> frozenset[IntentId]:
    config = connection.config
    met = {
        answer.result.intent_id: (
            (message.account_id, answer.result.record.record_id),
            config.side(answer.intent.intent.side),
        )
        for answer in answers
        if answer.result.record is not None and has_met_another(answer, config=config)
    }
    if not met:
        return frozenset()
    found = await arrivals.find_open_creates(
        work.transaction,
        [message.account_id],
        tenant_id=message.tenant_id,
        after=work.clock.now() - datetime.timedelta(seconds=own.open_s),
        but=met,
    )
    open_since = found.get(message.account_id)
    if open_since is None:
        return frozenset()
    known = await observations.load(
        work.transaction,
        [place for place, _ in met.values()],
        tenant_id=message.tenant_id,
    )
    return frozenset(
        intent_id
        for intent_id, (place, end) in met.items()
        if place not in known
        or newcomers.may_be_ours(known[place], end, open_since=open_since)
    )


def has_met_another(answer: Answer, *, config: model.Config) -> bool:
    """Say whether a create met a record that does not read as it was to make it.

    Another create may have made it for somebody who was given this address only
    afterwards. Where marks are kept, those of others tell.
    """
    result, intent = answer.result, answer.intent.intent
    record = result.record
    if (
        intent.kind is not WriteKind.CREATE
        or result.outcome is not WriteOutcome.EXISTS
        or record is None
    ):
        return False
    if config.side(intent.side).capabilities.keeps_marks:
        own = batches.link_of_marker(record.marker) == answer.link.link_id
        return bool(record.marker) and not own
    return result.kind is WriteKind.CREATE and not evidence.is_made(
        answer.link, intent, record=record, config=config
    )


def put_off(answer: Answer, *, unsure: Collection[IntentId]) -> Answer:
    """Return an answer as one that tells nothing yet, where it met a doubtful record.

    Once the other create is answered, it is known whose the record is.
    """
    if answer.result.intent_id not in unsure:
        return answer
    return answer.understood(outcome=WriteOutcome.STALE, record=None)


def is_untold(answer: Answer, *, config: model.Config) -> bool:
    """Say whether a look could not tell what became of a create.

    A record with its address and another name may have been there all along, while
    what was made has another address by now. Where marks are kept, a look finds what
    was made, unless that was shown before and is gone.
    """
    result, intent = answer.result, answer.intent.intent
    if result.kind is not WriteKind.LOOK or intent.kind is not WriteKind.CREATE:
        return False
    if config.side(intent.side).capabilities.keeps_marks:
        return answer.link.parked_id is not None and result.outcome in _UNTOLD
    if result.record is None:
        return result.outcome in _UNTOLD
    return result.outcome is WriteOutcome.EXISTS and not evidence.is_made(
        answer.link, intent, record=result.record, config=config
    )


def told(
    answer: Answer,
    *,
    free: Sequence[Seen],
    shown: Shown,
    settled_at: Instant,
    config: model.Config,
) -> Answer:
    """Return an untold answer with what the records say that are nobody's. Pure.

    Args:
        free: Those of the new records that are on no link.
        settled_at: When whatever the create has made was to be seen.
    """
    by_itself = _told_by_parked(answer, free=free, parked=shown.parked)
    keeps_marks = config.side(answer.intent.intent.side).capabilities.keeps_marks
    if by_itself is not None or keeps_marks:
        return by_itself or answer
    likely = _likely(answer, free=free, shown=shown, config=config)
    if len(likely) == 1:
        return answer.understood(outcome=WriteOutcome.EXISTS, record=likely[0])
    is_looked_for = answer.result.outcome is not WriteOutcome.UNKNOWN
    is_read = is_looked_for and answer.intent.intent.look_count > 0
    is_scanned = shown.scans.tell_of(settled_at)
    if not (likely or shown.is_cut) and (is_read or is_scanned):
        if answer.result.record is not None:
            return answer
        return answer.understood(outcome=WriteOutcome.MISSING)
    return answer.understood(outcome=WriteOutcome.UNKNOWN, record=None)


def _told_by_parked(
    answer: Answer, *, free: Sequence[Seen], parked: Mapping[RecordId, Seen]
) -> Answer | None:
    """Return what the record tells that read as it was made when it was seen first.

    It may be gone since, or made one with another by its app. Missed once, it tells
    nothing yet: to make it anew might bring back whom somebody did not want (I5).
    """
    record_id = answer.link.parked_id
    if record_id is None:
        return None
    for seen in free:
        if seen.record.record_id == record_id:
            return answer.understood(outcome=WriteOutcome.EXISTS, record=seen.record)
    known = parked.get(record_id)
    if known is None:
        return None
    if known.record.presence in (Presence.DELETED, Presence.MERGED):
        return answer.understood(outcome=WriteOutcome.EXISTS, record=known.record)
    if known.is_missing or not model.is_live(known):
        return answer.understood(outcome=WriteOutcome.UNKNOWN, record=None)
    return None


def _likely(
    answer: Answer, *, free: Sequence[Seen], shown: Shown, config: model.Config
) -> list[Record]:
    """Return the records that a create may have made, or would have met.

    Those that read as it was meant. If there are none, the only one of those that have
    or had its address which has more of it than that: the others were given it. If
    that tells nothing either, and no look found anybody who has its address by now,
    those that have it, and at last who had it when it was seen before.
    """
    link, intent = answer.link, answer.intent.intent
    end = config.side(intent.side)
    owners = shown.owners.get(intent.side, {})
    new = [
        seen.record
        for seen in free
        if newcomers.may_be_ours(seen, end, open_since=answer.intent.number)
        and not newcomers.is_of_another(
            link, intent, record=seen.record, owners=owners, config=config
        )
    ]

    def reading(like: newcomers.ReadsLike, among: Iterable[Record]) -> list[Record]:
        return [
            record
            for record in among
            if like(link, intent, record=record, config=config)
        ]

    made = reading(evidence.is_made, new)
    if made:
        return made
    alike = reading(evidence.is_likely, new)
    met = [record for record in new if record.record_id == link.met_id]
    found = answer.result.record
    either = {each.record_id: each for each in (*alike, *met, found) if each}
    more = reading(evidence.is_more_than_its_address, either.values())
    if len(more) == 1 and more != [found]:
        return more
    return (alike or met) if found is None else []


def settled_at(answer: Answer, *, config: model.Config, own: Config) -> Instant:
    """Return when whatever a create has made was to be seen."""
    intent = answer.intent.intent
    settle_s = max(config.side(intent.side).capabilities.settle_s, own.settle_s)
    sent_at = answer.intent.sent_at
    if sent_at is None:
        sent_at = intent.decided_at + datetime.timedelta(seconds=own.write_age_s)
    return sent_at + datetime.timedelta(seconds=settle_s)


async def read_on(
    work: Work,
    message: ContactsWritten,
    *,
    connection: StoredConnection,
    scans: LastScans,
    asked: Sequence[Answer],
    understood: Iterable[Answer],
    own: Config,
) -> None:
    """Have an account read, or scanned, that is to tell more at the next look."""
    still = {
        answer.result.intent_id
        for answer in understood
        if answer.result.outcome is WriteOutcome.UNKNOWN
    }
    config = connection.config
    waiting = [
        answer
        for answer in asked
        if answer.result.intent_id in still and is_untold(answer, config=config)
    ]
    if not waiting or connection.state not in following.RUNNING:
        return
    await work.send(ReadNow(tenant_id=message.tenant_id, account_id=message.account_id))
    unsought = [
        settled_at(answer, config=config, own=own)
        for answer in waiting
        if answer.result.outcome is WriteOutcome.UNKNOWN
        and answer.intent.intent.look_count
    ]
    now = work.clock.now()
    if unsought and _is_to_scan(scans, settled_at=max(unsought), now=now):
        app = following.apps_of(connection)[message.account_id]
        await following.ask_for_scans(
            work, {message.account_id: app}, tenant_id=message.tenant_id
        )


def _is_to_scan(scans: LastScans, *, settled_at: Instant, now: Instant) -> bool:
    if settled_at > now or scans.tell_of(settled_at):
        return False
    needed_after = max(settled_at, now - SCAN_AGAIN_AFTER)
    return scans.asked_at is None or scans.asked_at < needed_after
