"""Whoever locks rows out of the reconciler's order is told, although nothing waits."""

import random
from pathlib import Path

import pytest

from proto.ids import TenantId
from services.chassis import queries
from tests.fakes.database.database import MemoryDatabase
from tests.fakes.database.ordering import ORDER, Ordering, OutOfOrder

README = Path("services/reconciler/README.md")
SQL = Path("services/reconciler/sql/queries.sql")
WHERE = {"tenant_id": "tnt_1", "connection_id": "conn_1"}


def lock(ordering: Ordering, table: str, *, waits: bool = True) -> None:
    ordering.check(table, statement="a query", is_new=False, waits=waits)


def test_locks_in_order_are_fine():
    ordering = Ordering()
    for table in ORDER:
        lock(ordering, table)
        lock(ordering, table)


def test_what_waits_for_nobody_is_held_from_then_on():
    ordering = Ordering()
    lock(ordering, "dirty")
    lock(ordering, "links", waits=False)
    with pytest.raises(OutOfOrder, match="a query locks links after"):
        lock(ordering, "links")


@pytest.mark.parametrize(("table", "is_fine"), [("links", True), ("dirty", False)])
def test_only_new_rows_that_somebody_else_may_make_too_can_wait(table, is_fine):
    ordering = Ordering()
    lock(ordering, "connections")
    if is_fine:
        ordering.check(table, statement="adds", is_new=True, waits=True)
    else:
        with pytest.raises(OutOfOrder):
            ordering.check(table, statement="adds", is_new=True, waits=True)


async def test_a_transaction_in_memory_is_watched():
    """What approved changes once did: the connection first, and then its contacts."""
    found = queries.load(SQL)
    database = MemoryDatabase(random.Random(1))
    database.watches_order = True
    marking = found["mark_records"](**WHERE, sides=["left"], record_ids=["rec_1"])
    user = database.as_service("reconciler")
    describing = found["describe_account"](
        tenant_id="tnt_1", account_id="acct_1", app="app", description=b"{}"
    )

    async def approve():
        async with user.transaction(TenantId("tnt_1")) as transaction:
            await transaction.execute(describing)
            await transaction.execute(marking)

    with pytest.raises(OutOfOrder, match="mark_records"):
        await approve()


def test_the_order_is_told_where_people_look_for_it():
    told = README.read_text().partition("## The order of locks")[2]
    places = [told.index(f"`{table}`") for table in ORDER]
    assert places == sorted(places)
