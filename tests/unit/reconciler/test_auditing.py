"""What a full comparison finds besides drift: it is counted, and told by link."""

import datetime
import random

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY

from proto.connector import ContactsObserved
from proto.ids import LinkId, RecordId
from proto.reconciler import RecordState, Side
from proto.record import Consent, Record
from services.reconciler import comparing, loading
from services.reconciler.batches import Batch, Decisions
from services.reconciler.engine import model
from services.reconciler.engine.model import Carried, Link, Seen, Unheeded
from services.reconciler.store import connections, links, queue
from services.reconciler.store.links import NamedLink
from tests.bench import planning
from tests.fakes import loop
from tests.fakes.clock import MovableClock
from tests.fakes.database.database import MemoryDatabase
from tests.unit.reconciler import values
from tests.unit.reconciler.batch import L, R, decide
from tests.unit.reconciler.values import NOW

LEFT, RIGHT, TENANT = planning.LEFT, planning.RIGHT, planning.TENANT
LINK_1, LINK_2 = LinkId("link_1"), LinkId("link_2")


def link(number: int, **changes: object) -> Link:
    known = Link(
        link_id=LinkId(f"link_{number}"),
        left_id=RecordId(f"l{number}"),
        right_id=RecordId(f"r{number}"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    return msgspec.structs.replace(known, **changes)


def seen(record_id: str, marker: str = "", **changes: object) -> Seen:
    known = values.seen(record_id, f"{record_id[1:]}@b.org")
    record = msgspec.structs.replace(known.record, marker=marker, **changes)
    return msgspec.structs.replace(known, record=record, digest=model.digest_of(record))


UNHEEDED = link(
    1,
    carried=(Carried(side=R, level=Consent.UNSUBSCRIBED),),
    unheeded=(
        Unheeded(
            side=R,
            record_id=RecordId("r1"),
            at=NOW - datetime.timedelta(minutes=1),
        ),
    ),
)
NO = {"consent": Consent.UNSUBSCRIBED}


@pytest.mark.parametrize("is_check", [True, False])
def test_an_unsubscribe_that_was_not_heeded_is_found_and_left_as_it_is(is_check):
    known = [(L, seen("l1", **NO)), (R, seen("r1"))]
    found = decide((L, "l1"), seen=known, links=[UNHEEDED], is_check=is_check)
    assert found.intents == []
    assert found.unheeded == ({LINK_1: (R,)} if is_check else {})


def test_an_unsubscribe_that_is_shown_by_then_is_not_found():
    known = [(L, seen("l1", **NO)), (R, seen("r1", **NO))]
    found = decide((L, "l1"), seen=known, links=[UNHEEDED], is_check=True)
    assert found.unheeded == {}
    assert [named.link.unheeded for named in found.links] == [()]


@pytest.mark.parametrize("is_check", [True, False])
@pytest.mark.parametrize("is_linked", [True, False])
def test_a_mark_on_two_records_is_found_for_the_link_that_it_is_of(is_check, is_linked):
    known = [(R, seen("r1", "1")), (R, seen("r2", "1")), (R, seen("r3", "1"))]
    known += [(L, seen("l1")), (L, seen("l2"))]
    bonds = [link(1), *([link(2)] if is_linked else [])]
    dirty = ((R, "r1"), (R, "r2"), (R, "r3"))
    found = decide(*dirty, seen=known, links=bonds, is_check=is_check)
    assert found.doubled == ({LINK_1: (R, R)} if is_check else {})


def test_a_mark_on_one_record_is_none_of_two():
    known = [(R, seen("r1", "1")), (R, seen("r2", "2")), (R, seen("r3", "9"))]
    known += [(L, seen("l1")), (L, seen("l2"))]
    dirty = ((R, "r1"), (R, "r2"), (R, "r3"))
    found = decide(*dirty, seen=known, links=[link(1), link(2)], is_check=True)
    assert found.doubled == {}


def test_what_is_found_is_counted_and_told_by_link():
    names = ("tandem_reconciler_unheeded_total", "tandem_reconciler_doubled_total")
    before = [REGISTRY.get_sample_value(name) or 0.0 for name in names]
    found = Decisions(unheeded={LINK_1: (R,)}, doubled={LINK_2: (L, R)})
    connection = values.connection()
    with structlog.testing.capture_logs() as entries:
        comparing.report(connection, found)
    after = [REGISTRY.get_sample_value(name) or 0.0 for name in names]
    assert [a - b for a, b in zip(after, before, strict=True)] == [1.0, 2.0]
    of = {"log_level": "warning", "connection_id": connection.connection_id}
    assert entries == [
        {"event": "unsubscribe_unheeded", "link_id": LINK_1, "side": ["right"], **of},
        {"event": "mark_doubled", "link_id": LINK_2, "side": ["left", "right"], **of},
    ]


@pytest.mark.parametrize("is_check", [True, False])
def test_whose_mark_a_checked_record_has_is_loaded_although_it_has_a_link(is_check):
    """Both were linked, so that nobody asked whose mark the second one has."""

    async def scene() -> Batch | None:
        database = MemoryDatabase(random.Random(1))
        clock = MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        connection_id = await bench.prepare()
        for account_id, side, marker in ((LEFT, "l", ""), (RIGHT, "r", "1")):
            records = [record(f"{side}{number}", marker) for number in (1, 2)]
            await bench.take(
                ContactsObserved(
                    tenant_id=TENANT,
                    account_id=account_id,
                    records=tuple(records),
                    read_at=clock.now(),
                )
            )
        async with bench.store.transaction(TENANT) as work:
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            assert stored is not None
            both = [NamedLink(link=link(number, version=0)) for number in (1, 2)]
            await links.save(work.transaction, stored, links=both, now=clock.now())
            await queue.mark_both(
                work.transaction, stored, tenant_id=TENANT, is_check=is_check
            )
            # So that a page has nothing but the second.
            waiting = await queue.load(work.transaction, stored, limit=9)
            others = [each for each in waiting if each.record_id != "r2"]
            await queue.clear(work.transaction, stored, planned=others)
            return await loading.load(
                work.transaction, stored, limit=9, creates_after=clock.now()
            )

    batch = loop.run(scene(), start=NOW + datetime.timedelta(days=1))
    assert batch is not None
    (dirty,) = batch.dirty
    assert (dirty.record_id, dirty.is_check) == ("r2", is_check)
    assert ((Side.RIGHT, RecordId("r1")) in batch.seen) is is_check
    known = [(side, each) for (side, _), each in batch.seen.items()]
    found = decide((R, "r2"), seen=known, links=batch.links, is_check=is_check)
    assert found.doubled == ({LINK_1: (R,)} if is_check else {})


def record(record_id: str, marker: str) -> Record:
    return Record(record_id=RecordId(record_id), marker=marker)
