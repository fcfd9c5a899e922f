"""What the database's own names promise, without a database."""

import asyncio

import pytest

from proto.ids import TenantId
from services.chassis import database
from services.chassis.database import Database
from services.chassis.errors import DatabaseUnavailable
from services.chassis.queries import Query

ONE = Query("one", "SELECT 1 AS one", ())


class EmptyPool:
    """A pool all of whose connections are taken."""

    async def acquire(self, *, timeout: float) -> object:  # noqa: ASYNC109
        assert timeout == database.CONNECT_TIMEOUT_S
        raise TimeoutError

    async def fetch(self, *_arguments: object) -> object:
        """Wait for a connection without a limit, as the driver's own does."""
        return await asyncio.Event().wait()

    fetchrow = fetch


async def _in_a_transaction(opened: Database) -> None:
    async with opened.transaction(TenantId("tnt_1")):
        raise AssertionError("there is no connection")


@pytest.mark.parametrize(
    "use",
    [
        lambda opened: opened.fetch(ONE),
        lambda opened: opened.fetch_row(ONE),
        _in_a_transaction,
    ],
)
async def test_nobody_waits_for_a_connection_without_a_limit(use):
    """Reading alone once did, so that ``/readyz`` hung with a full pool."""
    async with asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailable):
            await use(Database(EmptyPool(), schema="auth"))
