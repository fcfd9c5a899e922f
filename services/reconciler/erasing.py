"""Erases people, a step at a time; each step is one transaction, and can be repeated.

``begun``: who it is is found out, and hashed so that they do not come back. ``fence``:
whoever looked at the hashes before is waited for. ``sweep``: writes that were not begun
are called off, those under way are waited for, and everything goes. ``told``: the
connector forgets what it has, and what is on its way is taken out of messages.
"""

import asyncio
import datetime
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from proto import codec
from proto.erasure import RecordsLeft, TracesErased
from proto.ids import AccountId, AppId, RecordId, TenantId
from proto.record import Presence
from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler import identifying, redacting
from services.reconciler.config import Config
from services.reconciler.identifying import Found, Subject
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.store import erasures, observations, suppressions
from services.reconciler.store.erasures import ErasedWrite, OpenWrite, StoredErasure
from services.reconciler.store.observations import Place
from services.reconciler.store.suppressions import Suppression

log = structlog.get_logger()

AGAIN: Final = datetime.timedelta(seconds=0.5)
"""How soon what is waited for is looked at again."""
FENCE_MAX: Final = datetime.timedelta(minutes=2)
"""Longer than any transaction of a service lasts."""
ANSWER_MAX: Final = datetime.timedelta(minutes=10)
"""After so long without the connector's answer an operator is told."""
HISTORY_MAX: Final = 1_000
"""Writes that go in one transaction."""
REMEMBERED: Final = datetime.timedelta(days=2)
"""Longer than the connector keeps an answer."""
_GONE: Final = (Presence.DELETED, Presence.MERGED)


class Eraser:
    """The erasing loop of one replica."""

    def __init__(
        self,
        store: Store[Work],
        *,
        screen: Pseudonyms,
        config: Config,
        clock: Clock,
        wake: Wake,
    ) -> None:
        self._store = store
        self._screen = screen
        self._config = config
        self._clock = clock
        self._wake = wake

    async def run(self, stopping: asyncio.Event) -> None:
        """Erase until told to stop."""
        await loops.forever(
            "erasing",
            self.step,
            clock=self._clock,
            stopping=stopping,
            idle_s=self._config.idle_s,
            wake=self._wake,
        )

    async def step(self) -> bool:
        """Take one erasure a step further; False if none is due."""
        async with self._store.transaction(ALL_TENANTS) as work:
            claimed = await erasures.claim(work.transaction, now=self._clock.now())
            if claimed is None:
                return False
            tenant_id, erasure_id = claimed
            # It stays locked until the commit: nobody else takes it meanwhile.
            await work.transaction.narrow(tenant_id)
            stored = await erasures.load(
                work.transaction, tenant_id=tenant_id, erasure_id=erasure_id
            )
            assert stored is not None, "it was locked in this transaction"
            step = _Step(
                work,
                stored,
                tenant_id=tenant_id,
                screen=self._screen,
                config=self._config,
            )
            after = await step.take()
            await erasures.save(work.transaction, after, tenant_id=tenant_id)
        if after.step != stored.step:
            log.info("erasure_went_on", tenant_id=tenant_id, state=after.step)
        return True


async def note_traces_erased(work: Work, message: TracesErased) -> None:
    """Go on with an erasure: the connector has nothing any more."""
    await erasures.note_traces_erased(
        work.transaction,
        tenant_id=message.tenant_id,
        erasure_id=message.erasure_id,
        at=message.at,
        now=work.clock.now(),
    )


class _Gone(NamedTuple):
    """What one pass took away."""

    writes: Sequence[ErasedWrite]
    is_any: bool


class _Step:
    """One step of one erasure, inside its transaction."""

    def __init__(
        self,
        work: Work,
        stored: StoredErasure,
        *,
        tenant_id: TenantId,
        screen: Pseudonyms,
        config: Config,
    ) -> None:
        self._work = work
        self._transaction = work.transaction
        self._stored = stored
        self._tenant_id = tenant_id
        self._screen = screen
        self._now = work.clock.now()
        self._waits_until = stored.asked_at + _seconds(config.open_s)
        self._looked_for_before = self._now - _seconds(config.answer_s)
        assert stored.subject is not None, "it is not over yet"
        self._subject = codec.decode(self._unseal(stored.subject), Subject)

    async def take(self) -> StoredErasure:
        """Do what is to be done; returns how far the erasure is then."""
        match self._stored.step:
            case "begun":
                return await self._begin()
            case "fence":
                return await self._fence()
            case "sweep":
                return await self._sweep()
            case _:
                return await self._finish()

    async def _begin(self) -> StoredErasure:
        """Find out who it is, and keep them from coming back."""
        found = await identifying.find(
            self._transaction, self._subject.whom, tenant_id=self._tenant_id
        )
        seen = await observations.load(
            self._transaction, found.places, tenant_id=self._tenant_id
        )
        linked = {place for link in found.links.values() for place in link.places}
        there = {
            place
            for place in linked | seen.keys()
            if place not in seen or seen[place].record.presence not in _GONE
        }
        await self._suppress(found.emails, found.places)
        return self._after(
            "fence",
            subject=self._seal(codec.encode(self._described(found))),
            remains=self._seal(codec.encode(_left(there, found.apps))),
            records=len(linked | seen.keys()),
            links=len(found.links),
            shared_emails=len(found.shared),
        )

    async def _fence(self) -> StoredErasure:
        """Wait for everybody who may have looked at the hashes before they were there.

        What is drawn is above all of them, for the step before is committed, and
        transactions that take messages write to the inbox before anything else.
        """
        fence = self._stored.fence
        if fence is None:
            drawn = await erasures.draw_fence(self._transaction)
            return self._after("fence", fence=drawn)
        is_late = self._now - self._stored.step_at >= FENCE_MAX
        if is_late or await erasures.is_past(self._transaction, fence):
            return self._after("sweep")
        return self._again()

    async def _sweep(self) -> StoredErasure:
        """Take away a batch; go on when nothing is left and nothing is under way."""
        found = await self._found()
        is_forced = self._now >= self._waits_until
        under_way = await erasures.find_open_writes(
            self._transaction, found.links, tenant_id=self._tenant_id
        )
        new = found.places - set(self._subject.places)
        gone = await self._take_away(found, new=new, is_forced=is_forced)
        self._subject = self._described(found, writes=(*gone.writes, *under_way))
        is_waiting = bool(under_way) and not is_forced
        if is_waiting:
            await self._call_off(under_way, found)
        changes: dict[str, Any] = {
            "subject": self._seal(codec.encode(self._subject)),
            "remains": self._remains_with(new, found.apps),
            "records": self._stored.records + len(new),
            "links": max(self._stored.links, len(found.links)),
            "writes": self._stored.writes + len(gone.writes),
        }
        if gone.is_any or is_waiting:
            return self._again(**changes)
        await redacting.redact(self._work, self._subject, tenant_id=self._tenant_id)
        await self._work.send(
            redacting.job_of(
                self._subject,
                tenant_id=self._tenant_id,
                erasure_id=self._stored.erasure_id,
                found=found,
                is_last=True,
            )
        )
        return self._after("told", **changes)

    async def _take_away(
        self, found: Found, *, new: Collection[Place], is_forced: bool
    ) -> _Gone:
        """Delete a batch, in the order in which everybody locks these tables."""
        transaction, tenant_id = self._transaction, self._tenant_id
        writes = await erasures.erase_history(
            transaction,
            found.links,
            places=found.places,
            tenant_id=tenant_id,
            is_forced=is_forced,
            limit=HISTORY_MAX,
        )
        links = await erasures.erase_links(
            transaction, found.links, tenant_id=tenant_id, is_forced=is_forced
        )
        await erasures.erase_losses(transaction, writes, tenant_id=tenant_id)
        await self._suppress((), new)
        records = await erasures.erase_records(
            transaction, found.places, tenant_id=tenant_id
        )
        gone = _Gone(writes, bool(writes or links or records or new))
        if gone.is_any:
            # Who plans goes by what it has loaded, and would put it back.
            account_ids = {account_id for account_id, _ in found.places}
            await erasures.end_leases(transaction, account_ids, tenant_id=tenant_id)
        return gone

    async def _call_off(self, under_way: Sequence[OpenWrite], found: Found) -> None:
        """Have the connector not begin what it has not begun; once for each write."""
        new = redacting.to_call_off(
            under_way, self._subject, after=self._looked_for_before
        )
        if not new:
            return
        await self._work.send(
            redacting.job_of(
                self._subject,
                tenant_id=self._tenant_id,
                erasure_id=self._stored.erasure_id,
                found=found,
                cancelled=new,
            )
        )
        called_off = (*self._subject.called_off, *(each.intent_id for each in new))
        self._subject = msgspec.structs.replace(self._subject, called_off=called_off)

    async def _finish(self) -> StoredErasure:
        """Forget whom it was about, once nothing is on its way any more."""
        if self._stored.traces_at is None:
            # The job is sent again until the connector has it, and it answers once.
            if self._now - self._stored.step_at >= ANSWER_MAX:
                log.warning("erasure_waits", tenant_id=self._tenant_id)
            return self._again(after=FENCE_MAX)
        found = await self._found()
        seen = await observations.load(
            self._transaction, found.places, tenant_id=self._tenant_id
        )
        if found.links or seen:
            # Somebody was slower than is allowed.
            return self._after("sweep", traces_at=None)
        await redacting.redact(self._work, self._subject, tenant_id=self._tenant_id)
        is_told = await redacting.is_told(
            self._transaction,
            tenant_id=self._tenant_id,
            erasure_id=self._stored.erasure_id,
        )
        if not is_told:
            return self._again()
        return self._after("done", subject=None, next_at=None, finished_at=self._now)

    async def _found(self) -> Found:
        """Return who it is, with what has come to be bonded with them since."""
        return await identifying.find_again(
            self._transaction, self._subject, tenant_id=self._tenant_id
        )

    async def _suppress(self, emails: Iterable[str], places: Iterable[Place]) -> None:
        tenant_id, erasure_id = self._tenant_id, self._stored.erasure_id
        new = [
            Suppression(self._screen.of_email(tenant_id, email), "", erasure_id)
            for email in emails
        ]
        for account_id, record_id in places:
            digest = self._screen.of_record(tenant_id, account_id, record_id=record_id)
            new.append(Suppression(digest, account_id, erasure_id))
        if new:
            await suppressions.add(
                self._transaction,
                {each.digest: each for each in new},
                tenant_id=tenant_id,
                key_id=self._screen.key_id,
                now=self._now,
            )

    def _described(
        self, found: Found, *, writes: Iterable[ErasedWrite | OpenWrite] = ()
    ) -> Subject:
        recent = dict.fromkeys(self._subject.intent_ids)
        for each in writes:
            if each.decided_at >= self._now - REMEMBERED:
                recent[each.intent_id] = None
        return msgspec.structs.replace(
            self._subject,
            emails=tuple(sorted(found.emails)),
            places=tuple(sorted(found.places)),
            intent_ids=tuple(recent),
        )

    def _remains_with(
        self, new: Collection[Place], apps: dict[AccountId, AppId]
    ) -> bytes | None:
        """Add records that came to be there while writes were waited for."""
        remains = self._stored.remains
        if not new or remains is None:
            return remains
        known = codec.decode(self._unseal(remains), tuple[RecordsLeft, ...])
        places = {(each.account_id, i) for each in known for i in each.record_ids}
        return self._seal(codec.encode(_left(places | set(new), apps)))

    def _again(
        self, *, after: datetime.timedelta = AGAIN, **changes: Any
    ) -> StoredErasure:
        return msgspec.structs.replace(
            self._stored, next_at=self._now + after, **changes
        )

    def _after(self, step: str, **changes: Any) -> StoredErasure:
        values = {"step": step, "step_at": self._now, "next_at": self._now} | changes
        return msgspec.structs.replace(self._stored, **values)

    def _seal(self, note: bytes) -> bytes:
        return self._screen.seal(
            note, tenant_id=self._tenant_id, erasure_id=self._stored.erasure_id
        )

    def _unseal(self, sealed: bytes) -> bytes:
        return self._screen.unseal(
            sealed, tenant_id=self._tenant_id, erasure_id=self._stored.erasure_id
        )


def _left(
    places: Collection[Place], apps: dict[AccountId, AppId]
) -> tuple[RecordsLeft, ...]:
    """Return records by account."""
    by_account: dict[AccountId, list[RecordId]] = {}
    for account_id, record_id in sorted(places):
        by_account.setdefault(account_id, []).append(record_id)
    return tuple(
        RecordsLeft(
            account_id=account_id,
            app=apps.get(account_id, AppId("")),
            record_ids=tuple(record_ids),
        )
        for account_id, record_ids in by_account.items()
    )


def _seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)
