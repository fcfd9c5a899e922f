"""Whom links of other connections lead to, on both databases (hazard 68)."""

import pytest

from proto.ids import AccountId, ConnectionId, LinkId, RecordId
from proto.reconciler import Side
from services.reconciler import loading
from services.reconciler.engine.model import Link
from services.reconciler.store import connections, links, queue
from services.reconciler.store.links import NamedLink
from tests.contract.stores import pair
from tests.contract.stores.program import START
from tests.contract.stores.reconciler_words import (
    ACCOUNTS,
    TENANT,
    settings_of,
    side_of,
)
from tests.servers import postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

A, B, C = ACCOUNTS
AB, BC, CA = (ConnectionId(f"conn_{ends}") for ends in ("ab", "bc", "ca"))


@pytest.fixture(params=["memory", "postgres"])
async def both(request, postgres_server):
    seats = pair.seated(request.param, "reconciler", server=postgres_server)
    async with seats as (ann, bob):
        yield ann, bob


def connect(connection_id: ConnectionId, left: AccountId, right: AccountId):
    """Return the act of connecting two accounts."""
    return lambda work: connections.add(
        work.transaction,
        tenant_id=TENANT,
        connection_id=connection_id,
        settings=settings_of(connection_id, left, right),
        sides=(side_of(left), side_of(right)),
        now=START,
    )


def bind(connection_id: ConnectionId, left_id: str, right_id: str | None):
    """Return the act of linking two records."""

    async def act(work):
        known = await connections.load(
            work.transaction, tenant_id=TENANT, connection_id=connection_id
        )
        bond = Link(
            link_id=LinkId(f"link_{left_id}"),
            left_id=RecordId(left_id),
            right_id=None if right_id is None else RecordId(right_id),
        )
        named = [NamedLink(link=bond)]
        assert await links.save(work.transaction, known, links=named, now=START)

    return act


def find(connection_id: ConnectionId, side: Side, record_id: str):
    """Return the act of asking whether links lead round from a record to be planned."""

    async def act(work):
        at = {"tenant_id": TENANT, "connection_id": connection_id}
        known = await connections.load(work.transaction, **at)
        await queue.mark_records(work.transaction, [(side, RecordId(record_id))], **at)
        batch = await loading.load(
            work.transaction, known, limit=9, creates_after=START
        )
        return (side, RecordId(record_id)) in batch.around

    return act


async def test_a_ring_leads_to_the_counterpart_that_has_another_address(both):
    """It was made again with the old one, and again from that, for ever (seed 178)."""
    ann, _ = both
    for connected in (connect(AB, A, B), connect(BC, B, C), connect(CA, C, A)):
        await ann.does(connected)
    await ann.does(bind(AB, "a1", "b1"))
    assert not await ann.does(find(BC, Side.LEFT, "b1"))
    await ann.does(bind(CA, "c1", "a1"))
    assert await ann.does(find(BC, Side.LEFT, "b1"))
    assert await ann.does(find(BC, Side.RIGHT, "c1"))
    assert not await ann.does(find(BC, Side.LEFT, "b2"))


async def test_a_line_of_connections_leads_to_nobody(both):
    ann, _ = both
    for connected in (connect(AB, A, B), connect(BC, B, C)):
        await ann.does(connected)
    await ann.does(bind(AB, "a1", "b1"))
    await ann.does(bind(BC, "b2", "c1"))
    assert not await ann.does(find(BC, Side.LEFT, "b1"))
    assert not await ann.does(find(BC, Side.RIGHT, "c1"))


async def test_what_is_alone_elsewhere_leads_no_further(both):
    ann, _ = both
    for connected in (connect(AB, A, B), connect(CA, C, A), connect(BC, B, C)):
        await ann.does(connected)
    await ann.does(bind(AB, "a1", "b1"))
    await ann.does(bind(CA, "c1", None))
    assert not await ann.does(find(BC, Side.LEFT, "b1"))
