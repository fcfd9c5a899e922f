"""What the database's own names promise, without a database."""

import asyncio

import pytest

from proto.ids import TenantId
from services.chassis import database
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.errors import BadConfiguration, DatabaseUnavailable
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


@pytest.mark.parametrize("query", ["sslmode=odd", "sslmode=verify-full"])
async def test_an_address_that_asks_tls_in_vain_says_where_to_look(
    query, tmp_path, monkeypatch
):
    """It was told that its address was none, which was the one thing in order."""
    # Where no file of authorities is named, it is looked for at home.
    monkeypatch.setenv("HOME", str(tmp_path))
    url = f"postgresql://auth@127.0.0.1:1/x?{query}"
    with pytest.raises(BadConfiguration) as refused:
        async with database.connect(
            url,
            schema="auth",
            clock=SystemClock(),
            connections_max=1,
            timeout_s=1,
        ):
            raise AssertionError("it was opened")
    (fault,) = refused.value.faults
    assert fault.startswith("AUTH_DATABASE_URL ")
    assert "sslrootcert" in fault
    assert str(tmp_path) not in fault
