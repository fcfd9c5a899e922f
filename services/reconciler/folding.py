"""Takes the answers to writes: folds each into its link, keeps what was shown.

An answer to an intent that is closed changes no link; the record it shows is an
observation like any other.
"""

import datetime
import functools
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
import structlog

from proto.base import Instant
from proto.connector import ContactsWritten, WriteKind, WriteOutcome
from proto.ids import ConnectionId, LinkId, RecordId
from proto.reconciler import SIDES, RecordState, Side
from services.chassis.errors import AlreadyStored
from services.chassis.store import Work
from services.reconciler import batches, loading, readbacks, recognising
from services.reconciler.batches import Key
from services.reconciler.config import Config
from services.reconciler.engine import canon, fold, match, model
from services.reconciler.engine.model import Folded, Link, Loss, Seen
from services.reconciler.errors import Overtaken
from services.reconciler.readbacks import Answer
from services.reconciler.recognising import Shown
from services.reconciler.store import (
    claims,
    connections,
    intents,
    links,
    queue,
)
from services.reconciler.store.connections import StoredConnection, Tally
from services.reconciler.store.intents import Told
from services.reconciler.store.links import NamedLink
from services.reconciler.suppressing import Screen

log = structlog.get_logger()


class Outcome(msgspec.Struct, kw_only=True):
    """What a batch of answers comes to."""

    answers: list[Answer] = msgspec.field(default_factory=list)
    """As they are understood."""
    links: dict[LinkId, Link] = msgspec.field(default_factory=dict)
    told: list[Told] = msgspec.field(default_factory=list)
    dropped: set[LinkId] = msgspec.field(default_factory=set)
    marked: set[Key] = msgspec.field(default_factory=set)
    freed: set[Key] = msgspec.field(default_factory=set)
    """Records that keep less from others than they did."""
    made: set[RecordId] = msgspec.field(default_factory=set)
    """Records that we made and that have no address."""
    losses: list[Loss] = msgspec.field(default_factory=list)
    tally: Tally = msgspec.field(default_factory=Tally)


async def fold_answers(
    work: Work,
    message: ContactsWritten,
    *,
    config: Config,
    screen: Screen | None = None,
) -> None:
    """Fold a batch of answers, and keep the records that came with them."""
    keep = functools.partial(readbacks.keep, work, message, screen=screen)
    connection = await connections.load(
        work.transaction,
        tenant_id=message.tenant_id,
        connection_id=message.connection_id,
    )
    if connection is None:
        await _make_due(work, message, marked=await keep(connection=None))
        return
    answers = await _load(work, message, connection=connection)
    shown = await recognising.load(
        work, message, connection=connection, answers=answers, own=config
    )
    rivals = await _load_rivals(work, message, connection=connection, shown=shown)

    outcome = decide(
        answers,
        shown=shown,
        rivals=rivals,
        connection=connection,
        own=config,
        now=work.clock.now(),
    )

    await _save(work, connection, outcome=outcome)
    marked = await keep(connection=connection, answers=answers, made=outcome.made)
    await _mark(work, connection, outcome=outcome)
    await recognising.read_on(
        work,
        message,
        connection=connection,
        scans=shown.scans,
        asked=answers,
        understood=outcome.answers,
        own=config,
    )
    await _make_due(work, message, marked=marked | {connection.connection_id})
    await claims.count_outcomes(work.transaction, connection, tally=outcome.tally)
    log.info(
        "answers_folded",
        connection_id=connection.connection_id,
        count=len(answers),
        written=outcome.tally.done,
        failed=outcome.tally.failed,
    )


async def _make_due(
    work: Work, message: ContactsWritten, *, marked: set[ConnectionId]
) -> None:
    await claims.make_due(
        work.transaction,
        tenant_id=message.tenant_id,
        connection_ids=marked,
        now=work.clock.now(),
    )


async def _mark(work: Work, connection: StoredConnection, *, outcome: Outcome) -> None:
    again = outcome.marked | await loading.waiting_for(
        work.transaction, connection, freed=outcome.freed
    )
    if again:
        await queue.mark_records(
            work.transaction,
            again,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )


async def _load(
    work: Work, message: ContactsWritten, *, connection: StoredConnection
) -> list[Answer]:
    open_intents = await intents.lock_open(
        work.transaction,
        tenant_id=message.tenant_id,
        connection_id=message.connection_id,
        intent_ids={result.intent_id for result in message.results},
    )
    locked = await links.lock(
        work.transaction,
        connection,
        link_ids={each.intent.link_id for each in open_intents.values()},
    )
    answers: dict[str, Answer] = {}
    for result in message.results:
        intent = open_intents.get(result.intent_id)
        if intent is None or intent.intent.link_id not in locked:
            continue
        link = locked[intent.intent.link_id]
        # A second answer to one intent in a batch finds it closed, like a late one.
        answers.setdefault(
            result.intent_id, Answer(result=result, intent=intent, link=link)
        )
    return list(answers.values())


async def _load_rivals(
    work: Work,
    message: ContactsWritten,
    *,
    connection: StoredConnection,
    shown: Shown,
) -> dict[Key, Link]:
    """Return the links that the records in question are on already."""
    ids = {r.record.record_id for r in message.results if r.record is not None}
    ids |= {seen.record.record_id for seen in shown.new} | shown.parked.keys()
    if not ids:
        return {}
    found = await links.load_of_records(
        work.transaction,
        connection,
        left_ids=_if_on(ids, Side.LEFT, message=message, connection=connection),
        right_ids=_if_on(ids, Side.RIGHT, message=message, connection=connection),
    )
    return {
        (side, record_id): link
        for link in found
        for side in SIDES
        if (record_id := link.record_id(side)) is not None
    }


def _if_on(
    shown: set[RecordId],
    side: Side,
    *,
    message: ContactsWritten,
    connection: StoredConnection,
) -> set[RecordId]:
    """Return the records if the account that answered is on that side."""
    is_on = connection.config.side(side).account_id == message.account_id
    return shown if is_on else set()


def decide(
    answers: Sequence[Answer],
    *,
    rivals: Mapping[Key, Link],
    shown: Shown,
    connection: StoredConnection,
    own: Config,
    now: Instant,
) -> Outcome:
    """Fold every answer. Pure.

    Args:
        rivals: The links that records are on already.
        shown: What tells about creates whose answers name no record.
    """
    outcome, config = Outcome(), connection.config
    bound: set[Key] = set()
    for asked in answers:
        intent, side = asked.intent.intent, asked.intent.intent.side
        answer = recognising.put_off(asked, unsure=shown.unsure)
        if recognising.is_untold(asked, config=config):
            taken = bound | _taken_from(asked.link, side, rivals=rivals, new=shown.new)
            answer = _recognised(
                asked, taken=taken, shown=shown, connection=connection, own=own
            )
        key = _key_of(answer)
        rival = _rival_of(answer, key, rivals=rivals)
        is_create = intent.kind is WriteKind.CREATE
        is_taken = key in bound or (rival is not None and match.keeps(rival, side))
        if is_taken and answer.result.outcome is WriteOutcome.WRITTEN:
            # The app took the write for somebody whom another link is about.
            instead = WriteOutcome.EXISTS if is_create else WriteOutcome.MISSING
            answer = answer.understood(outcome=instead)
        folded = fold.fold(
            answer.link,
            intent,
            result=answer.result,
            config=config,
            now=now,
            is_taken=is_create and is_taken,
        )
        link = folded.link
        if key is not None and link.record_id(side) == key[1]:
            bound.add(key)
            if rival is not None:
                # The record was seen before the answer came, and stood alone.
                outcome.dropped.add(rival.link_id)
        outcome.answers.append(answer)
        outcome.links[link.link_id] = link
        outcome.losses += folded.losses
        outcome.told.append(_told(answer, folded, settle_s=own.settle_s, now=now))
        _count(answer, folded, tally=outcome.tally)
        outcome.made |= _made_without_address(answer, folded, config=config)
        outcome.marked |= _to_plan_again(link, side)
        if match.lets_go(answer.link, link):
            outcome.freed.update(batches.keys_of_link(link))
    return outcome


def _recognised(
    answer: Answer,
    *,
    taken: Collection[Key],
    shown: Shown,
    connection: StoredConnection,
    own: Config,
) -> Answer:
    """Return what became of a create that a look could not tell of."""
    config, side = connection.config, answer.intent.intent.side
    return recognising.told(
        answer,
        free=[n for n in shown.new if (side, n.record.record_id) not in taken],
        shown=shown,
        settled_at=recognising.settled_at(answer, config=config, own=own),
        config=config,
    )


def _key_of(answer: Answer) -> Key | None:
    record = answer.result.record
    return None if record is None else (answer.intent.intent.side, record.record_id)


def _rival_of(
    answer: Answer, key: Key | None, *, rivals: Mapping[Key, Link]
) -> Link | None:
    """Return the other link that the record in an answer is on.

    That of a create is new, and so is the id of whoever is known by an address that we
    changed: either may have been shown before the answer came.
    """
    rival = None if key is None else rivals.get(key)
    return None if rival is None or rival.link_id == answer.link.link_id else rival


def _taken_from(
    link: Link, side: Side, *, rivals: Mapping[Key, Link], new: Iterable[Seen]
) -> set[Key]:
    """Return those of the new records that are bound to other links already."""
    keys = {(side, seen.record.record_id) for seen in new}
    return {
        key
        for key in keys & rivals.keys()
        if rivals[key].link_id != link.link_id and match.keeps(rivals[key], side)
    }


def _made_without_address(
    answer: Answer, folded: Folded, *, config: model.Config
) -> set[RecordId]:
    intent, record = answer.intent.intent, answer.result.record
    is_made = folded.is_written and intent.kind is WriteKind.CREATE
    if not is_made or record is None:
        return set()
    emails = canon.emails_of(record, config.side(intent.side))
    return set() if emails else {record.record_id}


def _told(answer: Answer, folded: Folded, *, settle_s: float, now: Instant) -> Told:
    result, intent = answer.result, folded.intent
    look_at = None
    if intent is not None:
        state = "unknown"
        look_at = max(folded.look_at or now, now + datetime.timedelta(seconds=settle_s))
    else:
        state = "done" if folded.is_written else "dead"
    return Told(
        intent=intent or answer.intent.intent,
        state=state,
        sent_at=result.sent_at,
        look_at=look_at,
        outcome=result.outcome.value,
        reason=result.reason.value if result.reason else "",
    )


def _count(answer: Answer, folded: Folded, *, tally: Tally) -> None:
    if folded.link.state is RecordState.FAILED:
        tally.failed += 1
    if not folded.is_written:
        return
    tally.done += 1
    intent = answer.intent.intent
    is_left = intent.side is Side.LEFT
    if intent.kind is WriteKind.CREATE:
        tally.created_left += is_left
        tally.created_right += not is_left
    else:
        tally.updated_left += is_left
        tally.updated_right += not is_left


def _to_plan_again(link: Link, side: Side) -> set[Key]:
    """Return the record by which a closed link is planned again, if it is to be."""
    is_waiting = link.intent_id is not None or (
        link.retry_at is not None and not link.refusals
    )
    # A create that met somebody else's record would meet it again and again.
    if is_waiting or link.state is RecordState.DUPLICATE:
        return set()
    for each in (side, model.other(side)):
        record_id = link.record_id(each)
        if record_id is not None:
            return {(each, record_id)}
    return set()


async def _save(work: Work, connection: StoredConnection, *, outcome: Outcome) -> None:
    now = work.clock.now()
    if outcome.dropped and not await links.drop(
        work.transaction, connection, link_ids=outcome.dropped
    ):
        raise Overtaken("a link that was to go")
    if outcome.links:
        try:
            saved = await links.save(
                work.transaction,
                connection,
                links=[NamedLink(link=link) for link in outcome.links.values()],
                now=now,
            )
        except AlreadyStored as err:
            # The planner has just put a record of the answers on a link of its own.
            raise Overtaken("a record's own link") from err
        assert saved, "a locked link cannot have moved on"
        await intents.save(work.transaction, connection, told=outcome.told, now=now)
    if outcome.losses:
        await intents.add_losses(
            work.transaction, connection, losses=outcome.losses, now=now
        )
