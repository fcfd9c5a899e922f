"""Two users do the same, by one seed, to the database in memory and to Postgres."""

import pytest

from tests.contract.stores import program, stage
from tests.contract.stores.connector import ConnectorPlayer
from tests.contract.stores.program import Player
from tests.contract.stores.reconciler import ReconcilerPlayer
from tests.servers import migrated_database, postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

PLAYERS: dict[str, type[Player]] = {
    "connector": ConnectorPlayer,
    "reconciler": ReconcilerPlayer,
}
SEEDS = range(25)
STEPS = 120


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
            stored = await program.play(there, players, seed=seed, steps=STEPS)
            found = program.difference(remembered, stored)
            assert not found, f"{service}, seed {seed}\n{found}"
