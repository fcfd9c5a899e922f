"""Plays seeds on servers of their own, which are gone when the last one is over."""

import asyncio
import contextlib
import functools
import logging
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from deploy.local import databases, nats, postgres
from tests import servers
from tests.simulation import running, scenario
from tests.simulation.playing import Play, Restless
from tests.simulation.real import sharing
from tests.simulation.real.aside import Aside
from tests.simulation.real.loop import PatientLoop
from tests.simulation.real.parts import RealParts
from tests.simulation.running import Played, Wanted
from tests.simulation.world import SERVICES

SEED_S_MAX: Final = 120.0
"""On the wall; a seed takes about ten seconds."""


class Stage:
    """Postgres and NATS of one process, with a thread beside it."""

    def __init__(self, directory: Path, aside: Aside) -> None:
        self.aside = aside
        self.postgres = postgres.Server(
            directory / "postgres", programs=postgres.find_programs(), durable=False
        )
        self._directory = directory
        self._count = 0

    async def start(self) -> None:
        """Start Postgres, with the services' roles."""
        await self.postgres.start()
        await self.postgres.create_database("prepared")
        await databases.prepare(self.postgres.dsn(database="prepared"))

    async def stop(self) -> None:
        """Stop it."""
        await self.postgres.stop(immediate=True)

    def new_broker(self) -> nats.Server:
        """Return a NATS server with nothing in it, to be started."""
        self._count += 1
        return nats.Server(
            self._directory / f"nats_{self._count}",
            program=nats.find_program(),
            keys_directory=self._directory / "keys",
            secured=True,
        )


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Have servers; whatever happens, they are stopped and their files are gone."""
    directory = Path(tempfile.mkdtemp(prefix="tandem-simulation-"))
    try:
        with Aside() as aside:
            opened = Stage(directory, aside)
            try:
                aside.call(opened.start())
                yield opened
            finally:
                aside.call(opened.stop())
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _servers(opened: Stage) -> Iterator[tuple[servers.Database, nats.Server]]:
    """Have a database and a broker for one seed."""
    aside, broker = opened.aside, opened.new_broker()
    context = servers.migrated_database(opened.postgres, *SERVICES)
    place = aside.call(context.__aenter__())
    try:
        aside.call(broker.start())
        yield place, broker
    finally:
        aside.call(broker.stop())
        aside.call(context.__aexit__(None, None, None))


def play(seed: int, opened: Stage, *, wanted: Wanted = Wanted()) -> Played:  # noqa: B008
    """Play one seed; whatever goes wrong in it is in the result."""
    with _servers(opened) as (place, server):
        parts = functools.partial(
            RealParts, place=place, server=server, aside=opened.aside
        )
        plays: list[Play] = []
        violations: list[str] = []
        loop = PatientLoop(start=running.START)
        try:
            loop.run_until_complete(_play(seed, parts, plays))
        except Restless as err:
            violations.append(f"I2: {err}")
        except TimeoutError:
            violations.append(f"not at an end after {SEED_S_MAX:.0f} s")
        except Exception:
            violations.append(f"the simulation failed:\n{traceback.format_exc()}")
        finally:
            _close(loop)
        try:
            return running.result(seed, plays, violations, wanted=wanted)
        finally:
            for played in plays:
                played.world.database.close()


async def _play(seed: int, parts: Any, plays: list[Play]) -> None:
    play = Play(scenario.draw(seed), running.judges(), parts=parts)
    plays.append(play)
    world = play.world
    ending = asyncio.ensure_future(play.run())
    try:
        while not ending.done():
            await asyncio.wait((ending,), timeout=1.0)
            if world.loop.real_s > SEED_S_MAX:
                raise TimeoutError
        await ending
        deadlocks = world.parts.database.deadlock_count
        if deadlocks:
            world.complaints.append(f"{deadlocks} deadlocks in Postgres")
    finally:
        ending.cancel()
        for service, number in world.running:
            world.kill(service, number)
        await world.parts.end()


def many(
    seeds: Iterable[int],
    *,
    workers: int,
    wanted: Wanted = Wanted(),  # noqa: B008
) -> Iterator[Played]:
    """Play many seeds on so many processes; results come as they are ready."""
    work = functools.partial(_work, wanted=wanted)
    yield from sharing.shared(work, seeds, workers=workers)


def _work(
    seeds: Iterator[int], tell: Callable[[Played], None], *, wanted: Wanted
) -> None:
    running.prepare()
    # What clients make of cut connections is no news here.
    logging.disable()
    with stage() as opened:
        for seed in seeds:
            tell(play(seed, opened, wanted=wanted))


def _close(loop: PatientLoop) -> None:
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.wait(rest, timeout=60.0))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
