"""Who plans a connection, and what others do to it meanwhile, on both databases."""

import datetime

import pytest

from proto.connector import ScanPart
from proto.ids import ConnectionId
from proto.reconciler import ConnectionState, RecordState, Side
from proto.record import Presence, Record
from services.reconciler import comparing, guarding, loading, verifying
from services.reconciler.engine.model import Link, Reason, Seen
from services.reconciler.errors import Overtaken
from services.reconciler.store import (
    asking,
    claims,
    connections,
    guards,
    intents,
    links,
    observations,
    queue,
    sweeps,
)
from services.reconciler.store.links import NamedLink
from services.reconciler.store.sweeps import CompleteScan
from tests.contract.stores import pair
from tests.contract.stores.program import START
from tests.contract.stores.reconciler_words import (
    ENDS,
    INTENTS,
    LINKS,
    RECORDS,
    SCANS,
    TENANT,
    intent_of,
    settings_of,
    side_of,
)
from tests.servers import postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

CONNECTION = ConnectionId("conn_1")
OTHER = ConnectionId("conn_2")
AT = {"tenant_id": TENANT, "connection_id": CONNECTION}
LATER = START + datetime.timedelta(hours=1)


@pytest.fixture(params=["memory", "postgres"])
async def both(request, postgres_server):
    seats = pair.seated(request.param, "reconciler", server=postgres_server)
    async with seats as (ann, bob):
        await ann.does(store)
        await ann.commits()
        yield ann, bob


async def store(work):
    """Have a live connection with a record that waits, and its comparison under way."""
    transaction = work.transaction
    await connections.add(
        transaction,
        **AT,
        settings=settings_of("one", *ENDS),
        sides=(side_of(ENDS[0]), side_of(ENDS[1])),
        now=START,
    )
    made = await connections.load(transaction, **AT)
    left, right = SCANS[:2]
    await connections.await_scans(
        transaction, made, left_scan=left, right_scan=right, now=START
    )
    await connections.begin_syncing(
        transaction, tenant_id=TENANT, connection_ids=[CONNECTION], now=START
    )
    await sweeps.wait_for(
        transaction, made, left_scan=left, right_scan=right, asked_at=START
    )
    scan = scan_of(Side.LEFT, left)
    await sweeps.note_scan(transaction, scan, connection_ids=[CONNECTION])
    seen = Seen(record=Record(record_id=RECORDS[0]), read_at=START, digest="one")
    await observations.save(
        transaction, [seen], tenant_id=TENANT, account_id=ENDS[0], scan_id=None
    )
    await queue.mark_records(transaction, [(Side.LEFT, RECORDS[0])], **AT)


def claim(work):
    return claims.claim(work.transaction, now=START, lease_until=LATER)


def keep(claimed):
    return lambda work: claims.keep(
        work.transaction, claimed, planned=1, lease_until=LATER
    )


def load(claimed):
    return lambda work: queue.load(work.transaction, claimed, limit=9)


def clear(claimed, planned):
    return lambda work: queue.clear(work.transaction, claimed, planned=planned)


def scan_of(side, scan_id, *, begun_at=START):
    return CompleteScan(
        tenant_id=TENANT,
        account_id=ENDS[0] if side is Side.LEFT else ENDS[1],
        scan_id=scan_id,
        begun_at=begun_at,
    )


def scanned(side, scan_id, *, begun_at=START):
    """Return the act of telling comparisons that a scan of a side is complete."""
    scan = scan_of(side, scan_id, begun_at=begun_at)
    return lambda work: comparing.note_scan(work, scan)


def trip(work):
    return guards.trip(
        work.transaction, [CONNECTION], tenant_id=TENANT, side=Side.LEFT, now=START
    )


async def test_who_plans_by_guards_from_before_an_approval_stores_nothing(both):
    """Else what was approved would be held, with no guard to approve it once more."""
    ann, bob = both
    claimed = await ann.does(claim)
    await ann.commits()
    await bob.does(lambda w: guards.approve(w.transaction, claimed, until=LATER))
    await ann.waits(keep(claimed))
    await bob.commits()
    assert not await ann.goes_on()
    await ann.rolls_back()
    assert (await ann.does(claim)).approved_until == LATER


async def test_who_plans_without_a_guard_that_tripped_meanwhile_stores_nothing(both):
    ann, bob = both
    claimed = await ann.does(claim)
    await ann.commits()
    assert await bob.does(trip) == [CONNECTION]
    await bob.commits()
    assert not await ann.does(keep(claimed))
    await ann.rolls_back()
    again = await ann.does(claim)
    await ann.commits()
    assert again.guarded == (Side.LEFT,)
    assert await bob.does(trip) == []
    await bob.commits()
    assert await ann.does(keep(again))


async def test_an_approval_that_is_on_its_way_keeps_a_guard_from_tripping(both):
    ann, bob = both
    known = await ann.does(lambda w: connections.load(w.transaction, **AT))
    await ann.does(lambda w: guards.approve(w.transaction, known, until=LATER))
    await bob.waits(trip)
    await ann.commits()
    assert await bob.goes_on() == []


def check(work):
    return queue.mark_all(
        work.transaction, **AT, side=Side.LEFT, account_id=ENDS[0], is_check=True
    )


async def test_a_check_that_is_marked_while_its_record_is_planned_stays(both):
    ann, bob = both
    claimed = await ann.does(claim)
    planned = await ann.does(load(claimed))
    await ann.commits()
    await bob.does(check)
    await bob.commits()
    await ann.does(clear(claimed, planned))
    (left,) = await ann.does(load(claimed))
    assert left.is_check


async def test_a_comparison_and_who_plans_do_not_wait_for_each_other(both):
    """Both take what is marked first and the connection last."""
    ann, bob = both
    claimed = await ann.does(claim)
    planned = await ann.does(load(claimed))
    await ann.commits()
    await ann.does(clear(claimed, planned))
    await bob.waits(scanned(Side.RIGHT, SCANS[1]))
    assert await ann.does(keep(claimed))
    await ann.commits()
    assert await bob.goes_on() == {CONNECTION}
    (left,) = await bob.does(load(claimed))
    assert left.is_check


async def test_an_approval_and_who_plans_do_not_wait_for_each_other(both):
    """The approval locked the connection and then what was marked: a deadlock."""
    ann, bob = both
    await ann.does(hold)
    await ann.commits()
    claimed = await ann.does(claim)
    planned = await ann.does(load(claimed))
    await ann.commits()
    await ann.does(clear(claimed, planned))
    await bob.waits(lambda w: guarding.approve(w, claimed))
    assert await ann.does(keep(claimed))
    await ann.commits()
    await bob.goes_on()
    await bob.commits()
    assert len(await ann.does(load(claimed))) == 1


async def hold(work):
    """Have a contact held for what undoes too much, and marked."""
    held = Link(
        link_id=LINKS[0],
        left_id=RECORDS[0],
        state=RecordState.HELD,
        reason=Reason.MASS_CHANGE.value,
    )
    known = await connections.load(work.transaction, **AT)
    named = NamedLink(link=held)
    assert await links.save(work.transaction, known, links=[named], now=START)


async def test_a_restored_database_and_an_answer_do_not_wait_for_each_other(both):
    """Whoever verifies locks open writes, and its connection only then."""
    ann, bob = both
    await ann.does(add_intent)
    await ann.commits()
    await ann.does(lambda w: claims.forget_epochs(w.transaction))
    await ann.commits()
    locked = await ann.does(
        lambda w: intents.lock_open(w.transaction, **AT, intent_ids={INTENTS[0]})
    )
    assert list(locked) == [INTENTS[0]]
    await bob.waits(verifying.verify_one)
    due = {"tenant_id": TENANT, "connection_ids": {CONNECTION}, "now": LATER}
    await ann.does(lambda w: claims.make_due(w.transaction, **due))
    await ann.commits()
    assert await bob.goes_on()


async def add_intent(work):
    """Have a write on its way."""
    known = await connections.load(work.transaction, **AT)
    intent = intent_of(INTENTS[0], LINKS[0], side=Side.LEFT, now=START)
    await intents.add(
        work.transaction, known, intents=[intent], now=START, look_at=LATER
    )


async def test_of_two_scans_that_end_at_once_the_later_begins_the_comparison(both):
    """It does so when its message comes again: now it would mark after locking."""
    ann, bob = both
    known = await ann.does(lambda w: connections.load(w.transaction, **AT))
    left, right = SCANS[:2]
    await ann.does(
        lambda w: sweeps.wait_for(
            w.transaction, known, left_scan=left, right_scan=right, asked_at=START
        )
    )
    await ann.commits()
    done = await ann.does(scanned(Side.LEFT, left))
    assert done == set()
    await bob.waits(scanned(Side.RIGHT, right))
    await ann.commits()
    with pytest.raises(Overtaken):
        await bob.goes_on()
    await bob.rolls_back()
    again = await bob.does(scanned(Side.RIGHT, right))
    assert again == {CONNECTION}
    (marked,) = await bob.does(load(known))
    assert marked.is_check


async def test_a_live_connection_is_compared_by_one_replica(both):
    ann, bob = both
    known = await ann.does(claim)
    await ann.does(
        lambda w: claims.release(
            w.transaction, known, state=ConnectionState.LIVE, due_at=None
        )
    )
    await ann.commits()

    def due(work):
        return sweeps.lock_due(work.transaction, before=START)

    left, right = SCANS[:2]
    assert (await ann.does(due)).connection_id == CONNECTION
    await ann.does(
        lambda w: sweeps.wait_for(
            w.transaction, known, left_scan=left, right_scan=right, asked_at=LATER
        )
    )
    assert await bob.does(due) is None
    await ann.commits()
    assert await bob.does(due) is None


async def test_a_comparison_is_served_by_a_scan_that_another_asked_for_later(both):
    """Two connections that shared an account compared at once, and one for ever.

    The account is scanned for who asked last; the scan asked for before that is given
    up, so that nobody is ever told of it.
    """
    ann, bob = both
    known = await ann.does(claim)
    await ann.does(
        lambda w: claims.release(
            w.transaction, known, state=ConnectionState.LIVE, due_at=None
        )
    )
    left, right, others = SCANS[:3]
    await ann.does(
        lambda w: sweeps.wait_for(
            w.transaction, known, left_scan=left, right_scan=right, asked_at=LATER
        )
    )
    await ann.commits()
    assert await bob.does(scanned(Side.RIGHT, right)) == set()
    earlier = LATER - datetime.timedelta(seconds=1)
    assert await bob.does(scanned(Side.LEFT, others, begun_at=earlier)) == set()
    assert await bob.does(scanned(Side.RIGHT, others, begun_at=LATER)) == set()
    assert await bob.does(scanned(Side.LEFT, others, begun_at=LATER)) == {CONNECTION}
    (marked,) = await bob.does(load(known))
    assert marked.is_check


async def test_each_scan_is_asked_for_later_than_the_last_by_any_clock(both):
    """The connector heeds the newest word, and a replica's clock may be behind.

    What it asked for was never scanned: its connection stayed scanning for ever.
    """
    ann, bob = both
    await bob.does(ask(START + datetime.timedelta(seconds=30)))
    at = {"tenant_id": TENANT, "now": START}
    await bob.commits()
    first = START + datetime.timedelta(seconds=30)
    rest = await ann.does(lambda w: asking.for_rest(w.transaction, ENDS[0], **at))
    again = await ann.does(lambda w: asking.for_scans(w.transaction, ENDS, **at))
    assert first < rest < again
    assert (
        await ann.does(lambda w: asking.for_scans(w.transaction, [ENDS[1]], **at))
        == START
    ), "nobody has asked for the other account"
    late = {**at, "now": LATER}
    assert (
        await ann.does(lambda w: asking.for_scans(w.transaction, ENDS, **late)) == LATER
    )


async def test_a_scan_is_asked_for_later_than_one_that_nobody_asked_for_began(both):
    """By a clock ahead of ours: it would have passed for a later one, and served it."""
    ann, bob = both
    began = START + datetime.timedelta(seconds=30)
    await bob.does(
        lambda w: observations.count_scan_part(
            w.transaction,
            ScanPart(scan_id=SCANS[0], part=0),
            tenant_id=TENANT,
            account_id=ENDS[0],
            read_at=began,
        )
    )
    await bob.commits()
    at = {"tenant_id": TENANT, "now": START}
    assert await ann.does(lambda w: asking.for_scans(w.transaction, ENDS, **at)) > began


def ask(now):
    return lambda work: observations.add_scans(
        work.transaction, {ENDS[0]: SCANS[0]}, tenant_id=TENANT, now=now
    )


async def test_a_comparison_begins_by_the_time_that_its_scans_are_asked_for(both):
    ann, _ = both
    claimed = await ann.does(claim)
    await ann.does(
        lambda w: claims.release(
            w.transaction, claimed, state=ConnectionState.LIVE, due_at=None
        )
    )
    ahead = START + datetime.timedelta(hours=2)
    await ann.does(ask(ahead))
    begun = await ann.does(lambda w: comparing.begin(w, before=START))
    assert begun.connection_id == CONNECTION
    just_before = ahead + datetime.timedelta(milliseconds=1)
    for side in (Side.LEFT, Side.RIGHT):
        assert await ann.does(scanned(side, SCANS[2], begun_at=just_before)) == set(), (
            "it was asked for before"
        )


def free(work):
    return queue.mark_sharers(
        work.transaction, ["a@example.org"], tenant_id=TENANT, account_id=ENDS[1]
    )


async def test_who_has_an_address_that_is_free_now_is_looked_at_as_in_a_check(both):
    """Whatever it was refused for may be gone, and its own records show nothing."""
    ann, _ = both
    await ann.does(
        lambda w: observations.save_emails(
            w.transaction,
            {RECORDS[0]: ("a@example.org",), RECORDS[1]: ("a@example.org",)},
            tenant_id=TENANT,
            account_id=ENDS[0],
        )
    )
    assert await ann.does(free) == {CONNECTION}
    claimed = await ann.does(claim)
    waiting = {d.record_id: d.is_check for d in await ann.does(load(claimed))}
    assert waiting == {RECORDS[0]: True, RECORDS[1]: True}


async def merge_into_made(work):
    """Have a linked record merged into one that another link's create has made."""
    transaction = work.transaction
    merged, heir, linked, source = RECORDS
    records = [
        Record(record_id=merged, presence=Presence.MERGED, merged_into=heir),
        Record(record_id=heir, marker=LINKS[1].removeprefix("link_")),
    ]
    seen = [Seen(record=each, read_at=LATER, digest="two") for each in records]
    await observations.save(
        transaction, seen, tenant_id=TENANT, account_id=ENDS[0], scan_id=None
    )
    found = [
        Link(link_id=LINKS[0], left_id=merged, right_id=linked),
        Link(link_id=LINKS[1], right_id=source),
    ]
    known = await connections.load(transaction, **AT)
    named = [NamedLink(link=link) for link in found]
    assert await links.save(transaction, known, links=named, now=START)


async def test_a_merge_is_planned_with_whom_its_survivor_was_made_for(both):
    """The survivor itself may be nobody that is to be planned (seed 482)."""
    ann, _ = both
    await ann.does(merge_into_made)
    known = await ann.does(lambda w: connections.load(w.transaction, **AT))
    batch = await ann.does(
        lambda w: loading.load(w.transaction, known, limit=9, creates_after=START)
    )
    assert [each.record_id for each in batch.dirty] == [RECORDS[0]]
    assert {link.link_id for link in batch.links} == set(LINKS[:2])


async def test_rows_are_locked_in_the_order_of_their_ids(both):
    """Wherever they are stored: two statements might wait for each other else."""
    ann, bob = both
    await ann.does(store_backwards)
    await ann.commits()
    claimed = await ann.does(claim)
    planned = await ann.does(load(claimed))
    await ann.commits()
    assert len(planned) == 2
    for act, lock in (
        (forget_digests, lock_observation),
        (look_at_all, lock_intent),
        (clear(claimed, planned), mark),
        (lambda w: claims.forget_epochs(w.transaction), lock_connection),
    ):
        await ann.does(lock(0))
        await bob.waits(act)
        await ann.does(lock(1))
        await ann.commits()
        await bob.goes_on()
        await bob.rolls_back()


async def store_backwards(work):
    """Have two of everything, the first of them stored last."""
    transaction = work.transaction
    other = {**AT, "connection_id": OTHER}
    sides = (side_of(ENDS[0]), side_of(ENDS[1]))
    settings = settings_of("other", *ENDS)
    await connections.add(
        transaction, **other, settings=settings, sides=sides, now=START
    )
    made = await connections.load(transaction, **other)
    left, right = SCANS[:2]
    await connections.await_scans(
        transaction, made, left_scan=left, right_scan=right, now=START
    )
    known = await connections.load(transaction, **AT)
    for number in (1, 0):
        seen = Seen(
            record=Record(record_id=RECORDS[number]), read_at=LATER, digest="two"
        )
        await observations.save(
            transaction, [seen], tenant_id=TENANT, account_id=ENDS[0], scan_id=None
        )
        intent = intent_of(INTENTS[number], LINKS[number], side=Side.LEFT, now=START)
        await intents.add(
            transaction, known, intents=[intent], now=START, look_at=LATER
        )
        await mark(number)(work)


def forget_digests(work):
    return connections.forget_digests(
        work.transaction, tenant_id=TENANT, account_id=ENDS[0]
    )


async def look_at_all(work):
    known = await connections.load(work.transaction, **AT)
    await intents.look_at_all(work.transaction, known, now=LATER)


def lock_observation(number):
    return lambda work: observations.lock(
        work.transaction, [RECORDS[number]], tenant_id=TENANT, account_id=ENDS[0]
    )


def lock_intent(number):
    return lambda work: intents.lock_open(
        work.transaction, **AT, intent_ids={INTENTS[number]}
    )


def mark(number):
    return lambda work: queue.mark_records(
        work.transaction, [(Side.LEFT, RECORDS[number])], **AT
    )


def lock_connection(number):
    return lambda work: connections.lock(
        work.transaction, tenant_id=TENANT, connection_id=(CONNECTION, OTHER)[number]
    )
