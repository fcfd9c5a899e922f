"""Guards of the connector: before a write, while it is sent, and after it."""

import datetime
from typing import Any, Final

import msgspec

from proto.errors import ErrorCode
from proto.record import Consent
from services.connector import accounts, checking, fencing, observing, remainder
from services.connector.carrier import Carrier
from services.connector.checking import Checks
from services.connector.errors import CallFailed, Meaning
from services.connector.fencing import FencedWork, Q
from services.connector.journal import JournalWork
from services.connector.lines import Line
from services.connector.lookups import Lookups
from services.connector.pacing import Lane
from services.connector.poller import Poller
from services.connector.sending import Sender
from services.connector.transport import Transport
from services.connector.turns import Leases
from services.connector.writer import RECOVER_MAX, Writer
from tests.simulation.mutants.mutant import (
    Change,
    Mutant,
    always,
    always_later,
    constant,
)
from tests.simulation.mutants.reconciler import MARKS_UNREAD, NO_SWEEP, NOBODY_WAITS

_LATER: Final = datetime.timedelta(days=365)


def _update_unseen(there: Any) -> Any:
    def update(self: Carrier, item: Any, fresh: Any) -> Any:
        write = msgspec.structs.replace(item.write, seen={})
        return there(self, item._replace(write=write), fresh)

    return update


def _check_forever(there: Any) -> Any:
    async def check(self: Carrier, writes: Any) -> Any:
        kept = [
            each._replace(
                write=msgspec.structs.replace(
                    each.write, not_after=each.write.not_after + _LATER
                )
            )
            for each in writes
        ]
        return await there(self, kept)

    return check


def _believe_sources(_there: Any) -> Any:
    async def check_sources(self: Checks, writes: Any, checked: Any) -> Any:
        now = self._clock.now()
        checked.update((each.intent_id, now) for each in writes)
        return []

    return check_sources


def _call_again(there: Any) -> Any:
    async def call(self: Transport, account: Any, call: Any, **options: Any) -> Any:
        try:
            return await there(self, account, call, **options)
        except CallFailed as err:
            if not call.is_write or err.meaning is not Meaning.NO_ANSWER:
                raise
            return await there(self, account, call, **options)

    return call


def _recover_by_sending(_there: Any) -> Any:
    async def recover(self: Writer, claim: Any) -> None:
        async with self._store.transaction(claim.ref.tenant_id) as work:
            left = await work.open_writes(
                claim.ref, state="sent", but=(), limit=RECOVER_MAX
            )
            await work.hold(claim)
            reason = ErrorCode.SERVICE_UNAVAILABLE
            await work.put_off(claim, [(each.intent_id, reason) for each in left])

    return recover


def _subscribed(there: Any) -> Any:
    def of_create(write: Any) -> Any:
        return msgspec.structs.replace(there(write), consent=Consent.SUBSCRIBED)

    return of_create


def _cursor_first(_there: Any) -> Any:
    async def changes(self: Poller, claim: Any, account: Any, *, opened: Any) -> Any:
        cursor, count = account.changes_cursor, 0
        while await self._may_go_on(claim.ref):
            read_at = self._clock.now()
            page = await self._transport.drive(
                opened, opened.app.changes(cursor), lane=Lane.POLL
            )
            cursor = page.next or page.resume or cursor
            async with self._store.transaction(claim.ref.tenant_id) as work:
                await work.save_changes(claim, cursor=cursor, read_at=read_at)
            messages = observing.messages(claim.ref, page.records, read_at=read_at)
            async with self._store.transaction(claim.ref.tenant_id) as work:
                await work.send(*messages)
            count += len(page.records)
            if page.next is None:
                return count
        return None

    return changes


def _mark_uncounted(_there: Any) -> Any:
    async def mark_sent(self: JournalWork, claim: Any, intent_ids: Any) -> None:
        await self.transaction.execute(
            Q["mark_sent"](
                **fencing.key(claim.ref),
                intent_ids=list(intent_ids),
                now=self.clock.now(),
            )
        )

    return mark_sent


def _to_the_first(there: Any) -> Any:
    def init(self: Sender, transport: Transport, opened: Any, **options: Any) -> None:
        firsts = transport.__dict__.setdefault("firsts", {})
        there(self, transport, firsts.setdefault(opened.ref.app, opened), **options)

    return init


MUTANTS: Final = (
    Mutant(
        name="no_pre_write_comparison",
        hazards=(39,),
        removes="An update is sent although the record is no longer as it was seen.",
        changes=(Change(Carrier, "_of_update", _update_unseen),),
    ),
    Mutant(
        name="source_not_read_again",
        hazards=(36,),
        removes="A write is sent whatever has become of its source since.",
        changes=(Change(Checks, "_check_sources", _believe_sources),),
    ),
    Mutant(
        name="old_writes_are_sent",
        hazards=(36,),
        removes="A write is sent however long ago it was decided, and unchecked.",
        changes=(
            Change(Carrier, "check", _check_forever),
            Change(Carrier, "_of_update", _update_unseen),
            Change(Checks, "_check_sources", _believe_sources),
        ),
        hidden_by="reading the records again, which shows what moved meanwhile",
    ),
    Mutant(
        name="writes_are_repeated",
        hazards=(31,),
        removes="A write without an answer is sent again, as a read is.",
        changes=(Change(Transport, "_call", _call_again),),
    ),
    Mutant(
        name="crashed_writes_are_sent_again",
        hazards=(31, 33),
        removes="What was marked as sent when a process ended is sent again.",
        changes=(Change(Writer, "_recover", _recover_by_sending),),
    ),
    Mutant(
        name="addresses_not_searched",
        hazards=(34,),
        removes="A create is sent without a search for the address at the app.",
        changes=(Change(Checks, "_check_emails", always_later([])),),
    ),
    Mutant(
        name="marks_not_searched",
        hazards=(31, 34),
        removes="A create without an answer is not looked for by our mark.",
        changes=(
            Change(Lookups, "find_marked", always_later({})),
            MARKS_UNREAD,
            NOBODY_WAITS,
        ),
        hidden_by="the mark in what a poll shows, and the wait for the answer",
    ),
    Mutant(
        name="created_as_subscribed",
        hazards=(83,),
        removes="A new record is subscribed, whatever its source says.",
        changes=(Change(remainder, "of_create", _subscribed),),
    ),
    Mutant(
        name="cursor_early",
        hazards=(16,),
        removes="The cursor moves before the page that it is behind is stored.",
        changes=(Change(Poller, "_changes", _cursor_first), NO_SWEEP),
        hidden_by="the full comparison, which finds what the cursor passed by",
    ),
    Mutant(
        name="pace_ignored",
        is_of_calls=True,
        hazards=(45,),
        removes="Calls go out as they come, also while the app asks for a pause.",
        changes=(Change(Line, "take_turn", always(0.0)),),
    ),
    Mutant(
        name="read_again_at_once",
        is_of_calls=True,
        hazards=(45,),
        removes="An account is read again at once, whether or not anything changed.",
        changes=(Change(accounts, "next_interval_s", always(1.0)),),
    ),
    Mutant(
        name="lease_not_checked",
        hazards=(101,),
        removes="Who lost the lease of an account goes on writing, and stores it.",
        changes=(
            Change(FencedWork, "hold", always_later(None)),
            Change(Leases, "is_ours", always(True)),
            Change(JournalWork, "mark_sent", _mark_uncounted),
            Change(checking, "CHECK_AGE_MAX", constant(_LATER)),
        ),
        hidden_by="the count of those marked as sent, and how old a check may be",
    ),
    Mutant(
        name="account_by_its_app_alone",
        hazards=(112,),
        removes="Where a write goes is found by the app, without tenant and account.",
        changes=(Change(Sender, "__init__", _to_the_first),),
    ),
)
