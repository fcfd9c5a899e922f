"""Keeps the records that came with the answers to writes, as observations.

What a write left behind follows what it was based on, whatever the clocks say.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import Final, Self

import msgspec

from proto.base import Instant
from proto.connector import ContactsWritten, ContactWritten, WriteOutcome
from proto.ids import AccountId, ConnectionId, RecordId
from proto.reconciler import Side
from proto.record import Presence, Record
from services.chassis.store import Work
from services.reconciler import observing
from services.reconciler.engine.model import Intent, Link, Seen
from services.reconciler.observing import News
from services.reconciler.store import arrivals, connections, observations
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.intents import OpenIntent
from services.reconciler.suppressing import Screen

_JUST: Final = datetime.timedelta(microseconds=1)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer with the intent and the link it is for."""

    result: ContactWritten
    intent: OpenIntent
    link: Link

    def understood(self, **changes: object) -> Self:
        """Return the answer with its result as it turns out to be meant."""
        result = msgspec.structs.replace(self.result, **changes)
        return msgspec.structs.replace(self, result=result)


async def keep(
    work: Work,
    message: ContactsWritten,
    *,
    connection: StoredConnection | None,
    answers: Sequence[Answer] = (),
    made: Collection[RecordId] = (),
    screen: Screen | None = None,
) -> set[ConnectionId]:
    """Keep the records in the answers, of both accounts.

    Args:
        made: Records of the account written to that we made and that are told apart by
            it; an answer need not show them.
    """
    shown = _shown(message, connection=connection, answers=answers)
    if made:
        shown.setdefault(message.account_id, {})
    found: list[News] = []
    for account_id, seen in sorted(shown.items()):
        if account_id == message.account_id:
            await _put_in_order(work, message, answers=answers, known=seen, made=made)
        account = await connections.load_account(
            work.transaction, tenant_id=message.tenant_id, account_id=account_id
        )
        if account is not None:
            news = await observing.store(
                work,
                list(seen.values()),
                tenant_id=message.tenant_id,
                account=account,
                screen=screen,
            )
            found.append(news)
        if made and account_id == message.account_id:
            # Before anything is marked, which everybody locks after observations.
            await arrivals.note_ours(
                work.transaction,
                made,
                tenant_id=message.tenant_id,
                account_id=account_id,
            )
    marked: set[ConnectionId] = set()
    for news in found:
        marked |= await observing.mark(work, news, tenant_id=message.tenant_id)
    return marked


def _shown(
    message: ContactsWritten,
    *,
    connection: StoredConnection | None,
    answers: Sequence[Answer],
) -> dict[AccountId, dict[RecordId, Seen]]:
    """Return what the answers show of records, by account."""
    shown: dict[AccountId, dict[RecordId, Seen]] = {}
    accounts = connection.account_ids if connection else ()
    for result in message.results:
        _note(
            shown,
            message.account_id,
            record=result.record,
            read_at=result.read_at,
            is_listed=result.is_searched,
        )
        for account_id in accounts:
            if account_id != message.account_id:
                _note(
                    shown,
                    account_id,
                    record=result.source_record,
                    read_at=result.read_at,
                )
    for answer in answers:
        read_at = answer.result.read_at
        _note(shown, message.account_id, record=_missed(answer), read_at=read_at)
    return shown


async def _put_in_order(
    work: Work,
    message: ContactsWritten,
    *,
    answers: Sequence[Answer],
    known: dict[RecordId, Seen],
    made: Collection[RecordId],
) -> None:
    """Have what a write left behind follow the state that it was based on.

    Whatever the clocks say: replicas of the connector may differ by seconds, and an
    answer that seems older than that state would leave it to be taken for an edit.
    """
    based_on = {
        record.record_id: digest
        for answer in answers
        if answer.result.outcome is WriteOutcome.WRITTEN
        and (record := answer.result.record) is not None
        and (digest := _digest_before(answer.intent.intent))
    }
    if not based_on and known.keys() >= set(made):
        return
    stored = await observations.lock(
        work.transaction,
        # All that are stored after this are locked now, in one order.
        {*known, *made},
        tenant_id=message.tenant_id,
        account_id=message.account_id,
    )
    for record_id in based_on.keys() & known.keys() & stored.keys():
        seen, (digest, read_at) = known[record_id], stored[record_id]
        if digest == based_on[record_id] and seen.read_at <= read_at:
            known[record_id] = msgspec.structs.replace(seen, read_at=read_at + _JUST)


def _digest_before(intent: Intent) -> str:
    is_left = intent.side is Side.LEFT
    return intent.left_digest if is_left else intent.right_digest


def _missed(answer: Answer) -> Record | None:
    """Return what the app's word that it does not know a record amounts to."""
    record_id = answer.intent.intent.record_id
    is_missing = answer.result.outcome is WriteOutcome.MISSING
    if not is_missing or record_id is None or answer.result.record is not None:
        return None
    return Record(record_id=record_id, presence=Presence.MISSING)


def _note(
    shown: dict[AccountId, dict[RecordId, Seen]],
    account_id: AccountId,
    *,
    record: Record | None,
    read_at: Instant,
    is_listed: bool = False,
) -> None:
    """Keep the newest of what was shown of a record; a search tells of it least."""
    if record is None:
        return
    for seen in observing.seen_of((record,), read_at=read_at, is_listed=is_listed):
        known = shown.setdefault(account_id, {}).get(record.record_id)
        if known is None or _rank(known) <= _rank(seen):
            shown[account_id][record.record_id] = seen


def _rank(seen: Seen) -> tuple[bool, Instant]:
    return not seen.is_listed, seen.read_at
