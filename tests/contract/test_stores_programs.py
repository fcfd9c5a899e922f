"""Two users do the same, by one seed, to the database in memory and to Postgres."""

import pytest

from tests.contract.stores import program, stage
from tests.contract.stores.auth import AuthPlayer
from tests.contract.stores.connector import ConnectorPlayer
from tests.contract.stores.program import Player
from tests.contract.stores.reconciler import ReconcilerPlayer
from tests.fakes.database import catalogue
from tests.servers import migrated_database, postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

PLAYERS: dict[str, type[Player]] = {
    "auth": AuthPlayer,
    "connector": ConnectorPlayer,
    "reconciler": ReconcilerPlayer,
}
SEEDS = range(12)
STEPS = 150
MANY_SEEDS = range(40)


@pytest.mark.parametrize("service", PLAYERS)
async def test_memory_and_postgres_answer_alike(service, postgres_server):
    async with (
        migrated_database(postgres_server, service) as database,
        stage.postgres_stage(database, service) as there,
    ):
        for seed in SEEDS:
            await there.clear()
            here = stage.MemoryStage(service)
            players = PLAYERS[service]
            remembered = await program.play(here, players, seed=seed, steps=STEPS)
            here.database.check()
            stored = await program.play(there, players, seed=seed, steps=STEPS)
            found = program.difference(remembered, stored)
            assert not found, f"{service}, seed {seed}\n{found}"


@pytest.mark.parametrize("service", PLAYERS)
async def test_programs_run_every_query(service):
    run: set[str] = set()
    for seed in MANY_SEEDS:
        here = stage.MemoryStage(service)
        here.database.watch = lambda _service, what: run.add(what)
        await program.play(here, PLAYERS[service], seed=seed, steps=STEPS)
        here.database.check()
    assert run >= catalogue.of_service(service).keys()
