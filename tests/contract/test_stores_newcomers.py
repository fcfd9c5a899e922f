"""Who may be what a create without an answer has made, on both databases."""

import datetime

import msgspec
import pytest

from proto.connector import WriteKind
from proto.ids import ConnectionId
from proto.reconciler import RecordState, Side
from proto.record import Presence, Record
from services.reconciler import loading
from services.reconciler.engine import newcomers
from services.reconciler.engine.model import Link, Seen
from services.reconciler.store import (
    arrivals,
    connections,
    intents,
    links,
    observations,
    queue,
)
from services.reconciler.store.links import NamedLink
from tests.contract.stores import pair
from tests.contract.stores.program import START
from tests.contract.stores.reconciler_words import (
    ENDS,
    INTENTS,
    LINKS,
    RECORDS,
    TENANT,
    intent_of,
    settings_of,
    side_of,
)
from tests.servers import postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

AT = {"tenant_id": TENANT, "connection_id": ConnectionId("conn_1")}
LATER = START + datetime.timedelta(hours=1)
EARLIER = START - datetime.timedelta(seconds=10)
LATEST = START + datetime.timedelta(hours=2)


@pytest.fixture(params=["memory", "postgres"])
async def both(request, postgres_server):
    seats = pair.seated(request.param, "reconciler", server=postgres_server)
    async with seats as (ann, bob):
        await ann.does(store)
        await ann.commits()
        yield ann, bob


async def store(work):
    """Have a connection that has begun to sync."""
    transaction = work.transaction
    await connections.add(
        transaction,
        **AT,
        settings=settings_of("one", *ENDS),
        sides=(side_of(ENDS[0]), side_of(ENDS[1])),
        now=START,
    )
    made = await connections.load(transaction, **AT)
    await connections.await_scans(
        transaction, made, left_scan=None, right_scan=None, now=START
    )
    await connections.begin_syncing(
        transaction,
        tenant_id=TENANT,
        connection_ids=[AT["connection_id"]],
        now=START,
    )


def show(*records, read_at):
    """Return the act of storing records that the left account has shown."""
    seen = [Seen(record=each, read_at=read_at, digest=str(read_at)) for each in records]
    return lambda work: observations.save(
        work.transaction, seen, tenant_id=TENANT, account_id=ENDS[0], scan_id=None
    )


def create(*, now):
    """Return the act of storing a create on the left before it is tried."""

    async def act(work):
        known = await connections.load(work.transaction, **AT)
        made = intent_of(INTENTS[0], LINKS[0], side=Side.LEFT, now=now)
        await intents.add(
            work.transaction,
            known,
            intents=[msgspec.structs.replace(made, kind=WriteKind.CREATE)],
            now=now,
            look_at=LATER,
        )

    return act


async def find_unsure(work):
    """Return which of the records, all to be planned, may be what a create made."""
    transaction = work.transaction
    known = await connections.load(transaction, **AT)
    await queue.mark_records(transaction, [(Side.LEFT, r) for r in RECORDS], **AT)
    batch = await loading.load(transaction, known, limit=9, creates_after=EARLIER)
    found = {
        record_id
        for (side, record_id), seen in batch.seen.items()
        if newcomers.may_be_ours(
            seen, known.config.side(side), open_since=batch.open_since.get(side)
        )
    }
    return sorted(found)


async def test_what_was_stored_after_a_create_may_be_its_work_whatever_the_clocks(both):
    """The connector's clock was behind, so that a record seemed older than the sync.

    It was taken for somebody else, and made anew on the other side (seed 5728, I5).
    """
    ann, _ = both
    await ann.does(show(Record(record_id=RECORDS[0]), read_at=EARLIER))
    await ann.does(create(now=START))
    await ann.does(show(Record(record_id=RECORDS[1]), read_at=EARLIER))
    assert await ann.does(find_unsure) == [RECORDS[1]]


async def test_what_was_stored_before_a_create_is_not_its_work_whatever_the_clocks(
    both,
):
    """Every contact of a first sync would have to wait for the creates among them."""
    ann, _ = both
    known = [Record(record_id=each) for each in RECORDS[:2]]
    await ann.does(show(*known, read_at=LATER))
    await ann.does(create(now=START))
    await ann.does(show(*known, Record(record_id=RECORDS[2]), read_at=LATEST))
    assert await ann.does(find_unsure) == [RECORDS[2]]


async def test_who_lives_again_since_a_create_may_be_its_work(both):
    """Where an app gives an id that is free again to another record (hazard 13)."""
    ann, _ = both
    gone = Record(record_id=RECORDS[0], presence=Presence.DELETED)
    await ann.does(show(gone, read_at=EARLIER))
    await ann.does(create(now=START))
    assert await ann.does(find_unsure) == []
    await ann.does(show(Record(record_id=RECORDS[0]), read_at=START))
    assert await ann.does(find_unsure) == [RECORDS[0]]


async def test_open_creates_are_asked_for_where_an_heir_is_not_seen_yet(both):
    """One of them may have made it, though nothing that is known may be its work."""
    ann, _ = both
    merged = Record(
        record_id=RECORDS[0], presence=Presence.MERGED, merged_into=RECORDS[1]
    )
    await ann.does(show(merged, read_at=EARLIER))
    await ann.does(bind)
    await ann.does(create(now=START))
    assert Side.LEFT in (await ann.does(load_merged)).open_since


async def bind(work):
    """Have the first record linked."""
    known = await connections.load(work.transaction, **AT)
    bond = Link(link_id=LINKS[2], left_id=RECORDS[0], right_id=RECORDS[2])
    named = [NamedLink(link=bond)]
    assert await links.save(work.transaction, known, links=named, now=START)


async def load_merged(work):
    """Return what is loaded where the first record is to be planned."""
    transaction = work.transaction
    known = await connections.load(transaction, **AT)
    await queue.mark_records(transaction, [(Side.LEFT, RECORDS[0])], **AT)
    return await loading.load(transaction, known, limit=9, creates_after=EARLIER)


async def test_who_is_somebody_elses_leaves_room_among_newcomers(both):
    """A first sync made a thousand others: what it had not made was never made (I1).

    The list was full of them, and so told of nobody that they are not there.
    """
    ann, _ = both
    await ann.does(link_newcomers)
    for side, free in (
        (Side.LEFT, RECORDS[1:]),
        (Side.RIGHT, RECORDS[:3]),
        (None, RECORDS),
    ):
        for limit in (3, 4, 5):
            found = await ann.does(find_newcomers(side, limit))
            assert [each.record.record_id for each in found.seen] == free[:limit]
            assert found.is_cut == (limit <= len(free))


async def link_newcomers(work):
    """Have new records, of which one is on a link that is bound for good."""
    transaction = work.transaction
    seen = [
        Seen(record=Record(record_id=each), read_at=LATER, digest="new")
        for each in RECORDS
    ]
    await observations.save(
        transaction, seen, tenant_id=TENANT, account_id=ENDS[0], scan_id=None
    )
    known = await connections.load(transaction, **AT)
    made = [
        Link(link_id=LINKS[0], left_id=RECORDS[0], right_id=RECORDS[3]),
        Link(link_id=LINKS[1], left_id=RECORDS[1]),
        Link(
            link_id=LINKS[2],
            left_id=RECORDS[2],
            right_id=RECORDS[2],
            state=RecordState.DELETED,
        ),
    ]
    named = [NamedLink(link=link) for link in made]
    assert await links.save(transaction, known, links=named, now=START)


def find_newcomers(side, limit):
    return lambda work: arrivals.find_newcomers(
        work.transaction,
        **AT,
        account_id=ENDS[0],
        side=side,
        since=0,
        limit=limit,
    )
