"""kill -9 at every phase of the first sync: it goes on, nothing doubled, nothing lost.

The part to be ended is held still while the database tells what is going on, and goes
on if that is not the phase wanted; these looks are asserted on. Gates in front of the
vendors show that a scan that was cut short went on behind the last page stored.
"""

import asyncio
import contextlib
import itertools
import os
import random
import re
import signal
import urllib.parse
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg
import pytest

from tests.e2e.gate import Call
from tests.e2e.installation import QUICK, Installation, installation

SCANS = {"scan left": "constant_contact", "scan right": "carddav"}
OTHERS = ("plan", "write", "fold", "any")
LOOKS_MAX = 20_000
"""For one hit. A first sync that ends before says so itself."""
LOOK_EVERY_S = 0.001
SCAN_DELAY_S = 0.3
WRITE_DELAY_S = 0.1
"""How much longer a call takes while a scan is to be hit, and afterwards."""
UNSYNCED = (800, 240)
"""People without email, for pages: 500 contacts are one, and 200 cards."""
ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    **QUICK,
    # Few writes under way at a time, so that planning goes on until the end.
    "reconciler": {
        **QUICK["reconciler"],
        "RECONCILER_LEASE_S": "1",
        "RECONCILER_BATCH_RECORDS": "40",
        "RECONCILER_OPEN_INTENTS_MAX": "120",
    },
}
_LOOK = """
SELECT
    (SELECT state FROM reconciler.connections) AS state,
    ARRAY(SELECT app FROM reconciler.observations
     JOIN reconciler.accounts USING (account_id, tenant_id)) AS observed,
    (SELECT count(*) FROM reconciler.dirty) AS dirty,
    (SELECT count(*) FROM reconciler.connections
     WHERE lease_until > now()) AS planning,
    (SELECT count(*) FROM connector.writes
     WHERE state = 'sent' AND sent_at > $1) AS sent,
    (SELECT count(*) FROM connector.outbox
     WHERE subject LIKE 'evt.connector.contacts_written.%') AS outcomes,
    ARRAY(SELECT app FROM connector.accounts
     WHERE scan_cursor IS NOT NULL) AS half_read,
    clock_timestamp() AS at
"""
_FILTERS = {"cursor", "email", "status", "updated_after", "optout_after"}
_FROM_NOTHING = re.compile(rb"<sync-collection .*<sync-token></sync-token>", re.DOTALL)

Blow = Callable[[Installation], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is going on at one moment, by what is stored."""

    phases: frozenset[str]
    """None at all once the first sync is over."""
    half_read: frozenset[str]
    """Apps of which pages are stored, and the last one is not."""
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One blow: what it was meant for, and the look right before it."""

    wanted: str
    pid: int
    look: Look
    call_counts: Mapping[str, int]
    """How many calls each app had had by then."""


@dataclass(kw_only=True)
class Trace:
    """Watches the system and ends a part of it when a phase is reached."""

    system: Installation
    part: str
    random: random.Random
    hits: list[Hit] = field(default_factory=list)

    async def strike(self, wanted: str, blow: Blow) -> None:
        """End the part in a phase that a look shows while the part holds still."""
        # What is down already cannot be ended once more.
        await self.system.system.until_ready("postgres", self.part)
        await asyncio.sleep(self.random.uniform(0.0, 0.3))
        database = await asyncpg.connect(self.system.system.admin_url, timeout=10)
        try:
            for _ in range(LOOKS_MAX):
                if await self._hit(database, wanted, blow=blow):
                    return
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            database.terminate()
        raise AssertionError(f"{wanted} was not to be seen")

    async def _hit(
        self, database: asyncpg.Connection, wanted: str, *, blow: Blow
    ) -> bool:
        """Strike now if the phase is on; say whether it was."""
        look = await self._look(database)
        assert look.phases, f"the first sync was over before {wanted} was hit"
        if wanted not in look.phases:
            return False
        with self._held_still() as pid:
            look = await self._look(database)
            if wanted not in look.phases:
                return False
            hit = Hit(
                wanted=wanted, pid=pid, look=look, call_counts=_call_counts(self.system)
            )
            self.hits.append(hit)
            await blow(self.system)
        return True

    @contextlib.contextmanager
    def _held_still(self) -> Iterator[int]:
        """Hold the part still; but Postgres has to answer until the blow."""
        pid = self.system.system.pids()[self.part]
        if self.part != "postgres":
            os.kill(pid, signal.SIGSTOP)
        try:
            yield pid
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    async def _look(self, database: asyncpg.Connection) -> Look:
        # Writes from before the last blow are only waited for.
        since = self.hits[-1].look.at if self.hits else datetime.min.replace(tzinfo=UTC)
        row = await database.fetchrow(_LOOK, since)
        is_scanning, is_syncing = row["state"] == "scanning", row["state"] == "syncing"
        found = {
            "any": is_scanning or is_syncing,
            "plan": is_syncing and row["planning"] and row["dirty"],
            "write": is_syncing and row["sent"],
            "fold": is_syncing and row["outcomes"],
        }
        crowd = self.system.story.crowd
        for (scan, app), side in zip(
            SCANS.items(), (crowd.left, crowd.right), strict=True
        ):
            is_part_seen = 0 < row["observed"].count(app) < len(side)
            found[scan] = is_scanning and app in row["half_read"] and is_part_seen
        return Look(
            phases=frozenset(phase for phase, is_on in found.items() if is_on),
            half_read=frozenset(row["half_read"]),
            at=row["at"],
        )


async def _survive(
    blow: Blow,
    *,
    part: str,
    seed: int,
    scans: tuple[str, ...],
    write_delay_s: float = WRITE_DELAY_S,
) -> None:
    async with installation(
        left_count=260,
        right_count=180,
        shared_count=60,
        unsynced=UNSYNCED,
        environment=ENVIRONMENT,
    ) as system:
        trace = Trace(system=system, part=part, random=random.Random(seed))
        wanted = [*scans, *trace.random.sample(OTHERS, len(OTHERS))]
        await system.start()
        for phase in wanted:
            _delay(system, SCAN_DELAY_S if phase in SCANS else write_delay_s)
            await trace.strike(phase, blow)
        _delay(system, 0.0)
        await system.system.until_ready()
        await system.until_live()
        assert [hit.wanted for hit in trace.hits] == wanted
        assert all(hit.wanted in hit.look.phases for hit in trace.hits), trace.hits
        assert len({hit.pid for hit in trace.hits}) == len(wanted)
        for hit in trace.hits:
            if hit.wanted in SCANS:
                _assert_scan_went_on(system, hit)
        await system.assert_whole()


def _delay(system: Installation, seconds: float) -> None:
    for gate in system.gates.values():
        gate.delay_s = seconds


def _call_counts(system: Installation) -> dict[str, int]:
    return {app: len(gate.calls) for app, gate in system.gates.items()}


def _assert_scan_went_on(system: Installation, hit: Hit) -> None:
    """Behaviour 25: no first page is read once more where a page was stored."""
    for app in hit.look.half_read:
        first_pages = [_is_first_page(call) for call in system.gates[app].calls]
        assert any(first_pages[: hit.call_counts[app]])
        assert not any(first_pages[hit.call_counts[app] :]), f"{app} starts over"


def _is_first_page(call: Call) -> bool:
    """Tell whether a call begins to read everything, at either vendor."""
    url = urllib.parse.urlsplit(call.target)
    if call.method == "GET" and url.path == "/v3/contacts":
        return not _FILTERS & urllib.parse.parse_qs(url.query).keys()
    return call.method == "REPORT" and bool(_FROM_NOTHING.search(call.body))


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("name", "scans"),
    [
        ("auth", ("scan left",)),
        ("connector", ("scan left", "scan right")),
        ("reconciler", ("scan right",)),
        ("api", ("scan right",)),
    ],
)
async def test_the_first_sync_survives_the_death_of_a_service(name, scans):
    # Syncing goes on without the one or the other, so it has to take longer.
    is_spared = name in ("api", "auth")
    await _survive(
        lambda system: _killed(system, name),
        part=name,
        seed=len(name),
        scans=scans,
        write_delay_s=2 * WRITE_DELAY_S if is_spared else WRITE_DELAY_S,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_the_death_of_nats():
    await _survive(
        lambda system: _killed(system, "nats"),
        part="nats",
        seed=11,
        scans=("scan left",),
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_the_loss_of_everything_nats_had():
    """Hazard 90: Postgres is the truth; the broker's whole directory may go."""

    async def blow(system: Installation) -> None:
        async with system.system.down("nats"):
            await system.system.nats.delete_store()

    await _survive(blow, part="nats", seed=12, scans=("scan right",))


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_a_stop_of_postgres():
    """By turns a stop that rolls back what is open and one that drops everything."""
    ways = itertools.cycle([signal.SIGINT, signal.SIGQUIT])

    async def blow(system: Installation) -> None:
        os.kill(system.system.pids()["postgres"], next(ways))
        async with system.system.down("postgres", kill=False):
            await asyncio.sleep(0.5)

    await _survive(blow, part="postgres", seed=13, scans=("scan left",))


async def _killed(system: Installation, name: str) -> None:
    """Kill a part and start it again, without the pause that a death brings."""
    async with system.system.down(name):
        pass
