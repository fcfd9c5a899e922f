"""kill -9 at every phase of the first sync: it goes on, nothing doubled, nothing lost.

Each test ends one part of the system at least five times during one first sync:
once in each phase, as the database shows it at that moment, and once anywhere. The
trace of the kills is asserted on, so a phase that was never hit fails the test.
"""

import asyncio
import contextlib
import random

import pytest

from tests.e2e.installation import Installation, installation

PHASES = ("scan", "plan", "write", "fold")
HITS = ("scan", "plan", "write", "fold", "any")
PHASE_TIMEOUT_S = 60.0

_LOOK = """
SELECT
    (SELECT count(*) FROM reconciler.connections WHERE state = 'scanning') AS scanning,
    (SELECT count(*) FROM reconciler.dirty) AS dirty,
    (SELECT count(*) FROM connector.writes WHERE state = 'sent') AS sent,
    (SELECT count(*) FROM connector.writes WHERE state = 'new') AS queued,
    (SELECT count(*) FROM connector.outbox
     WHERE subject LIKE 'evt.connector.contacts_written.%') AS outcomes
"""


def _phases(row) -> set[str]:
    """Return the phases that are going on, by what is stored at this moment."""
    found = set()
    if row["scanning"]:
        found.add("scan")
    elif row["dirty"]:
        found.add("plan")
    if row["sent"] or row["queued"]:
        found.add("write")
    if row["outcomes"]:
        found.add("fold")
    return found


class Trace:
    """Watches the system and ends a part of it when a phase is reached."""

    def __init__(self, system: Installation, seed: int, *, part: str) -> None:
        self.system = system
        self.part = part
        self.random = random.Random(seed)
        self.ended: set[int] = set()
        self.hits: list[tuple[str, set[str]]] = []

    async def strike(self, phase: str, blow) -> None:
        # What is down already cannot be ended once more.
        await self.system.system.until_ready(self.part)
        pid = self.system.system.pids()[self.part]
        async with asyncio.timeout(PHASE_TIMEOUT_S):
            while True:
                going_on = _phases((await self.system.rows(_LOOK))[0])
                if phase in going_on or (phase == "any" and going_on):
                    break
                await asyncio.sleep(0.005)
        await asyncio.sleep(self.random.uniform(0.0, 0.05))
        assert self.system.system.pids().get(self.part) == pid
        await blow()
        self.ended.add(pid)
        self.hits.append((phase, going_on))


async def _slow_down(system: Installation) -> None:
    """Give each phase some length, so that it can be hit."""
    for path, delay_s in (("/v3/contacts", 0.03),):
        await system.emulator(
            "POST", "/faults", {"kind": "latency", "path": path, "delay_s": delay_s}
        )


async def _survive(blow_of, *, part: str, seed: int, left_count: int = 260) -> None:
    async with installation(
        left_count=left_count, right_count=180, shared_count=60
    ) as system:
        await _slow_down(system)
        trace = Trace(system, seed, part=part)
        order = ["scan", *trace.random.sample(HITS[1:], len(HITS) - 1)]
        await system.start()
        for phase in order:
            await trace.strike(phase, lambda: blow_of(system))
        await system.system.until_ready()
        await system.emulator("DELETE", "/faults")
        await system.until_live()
        assert {phase for phase, _ in trace.hits} == set(HITS)
        assert len(trace.ended) == len(HITS)
        await _is_whole(system)


async def _is_whole(system: Installation) -> None:
    agreement = await system.agreement()
    assert agreement.is_whole, agreement
    crowd = system.story.crowd
    with_email = {p.number for p in (*crowd.left, *crowd.right) if p.emails}
    assert agreement.people == len(with_email)
    contacts = [c for c in await system.left.contacts() if not c.get("deleted_at")]
    only_right = crowd.right[crowd.shared_count :]
    created = sum(1 for person in only_right if person.emails)
    assert len(contacts) == len(crowd.left) + created
    cards = await system.right.cards()
    only_left = crowd.left[crowd.shared_count :]
    created = sum(1 for person in only_left if person.emails)
    assert len(cards) == len(crowd.right) + created


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", ["auth", "connector", "reconciler", "api"])
async def test_the_first_sync_survives_the_death_of_a_service(name):
    # Syncing goes on without the one or the other, so there has to be more to do.
    left_count = 900 if name in ("api", "auth") else 260
    await _survive(
        lambda system: system.system.kill(name),
        part=name,
        seed=len(name),
        left_count=left_count,
    )


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_the_death_of_nats():
    await _survive(lambda system: system.system.kill("nats"), part="nats", seed=11)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_the_loss_of_everything_nats_had():
    """Hazard 90: Postgres is the truth; the broker's whole directory may go."""

    async def blow(system: Installation) -> None:
        async with system.system.down("nats"):
            await system.system.nats.delete_store()

    await _survive(blow, part="nats", seed=12)


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_the_first_sync_survives_a_stop_of_postgres():
    async def blow(system: Installation) -> None:
        async with system.system.down("postgres", kill=False):
            await asyncio.sleep(0.5)

    async def patient(system: Installation) -> None:
        with contextlib.suppress(ConnectionError):
            await blow(system)
        await system.system.until_ready("postgres")

    await _survive(patient, part="postgres", seed=13)
