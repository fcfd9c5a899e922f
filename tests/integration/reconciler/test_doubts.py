"""A listing that may be behind does not undo what we know better (hazards 18 and 22).

Two of our writes came within a second of the app's change times, and the app's index
showed the first one after the second: it looked like an edit of a user, and the old
value went back across. A person's edit within that second must not be lost either.
"""

import datetime

import pytest

from proto import codec
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWritten,
    ReadRecords,
    ScanPart,
    WriteKind,
    WriteOutcome,
)
from proto.ids import ConnectionId, FieldId, IntentId, RecordId, ScanId
from proto.record import Presence, Record
from services.chassis.queries import Query
from tests.bench import planning
from tests.integration.reconciler.test_time import bench

__all__ = ["bench"]

LEFT, TENANT = planning.LEFT, planning.TENANT
RECORD = RecordId(f"{LEFT}-1")
STORED = Query(
    "stored", f"SELECT record FROM observations WHERE record_id = '{RECORD}'", ()
)
TITLE = FieldId("job_title")
STAMP = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SCAN = ScanPart(scan_id=ScanId("scan_later"), part=0, part_count=2)


async def show(
    bench: planning.Bench,
    title: str,
    *,
    is_by_id: bool = False,
    scan: ScanPart | None = None,
    is_stamped: bool = True,
    later_s: float = 0.0,
) -> None:
    bench.clock.move(later_s)
    record = Record(
        record_id=RECORD,
        version="1",
        modified_at=STAMP if is_stamped else None,
        fields={**planning.person(1), TITLE: title},
    )
    await bench.take(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=LEFT,
            records=(record,),
            read_at=bench.clock.now(),
            is_by_id=is_by_id,
            scan=scan,
        )
    )


async def stored(bench: planning.Bench) -> object:
    (row,) = await bench.pool.reader(planning.TENANT).fetch(STORED)
    return codec.decode(row["record"], Record).fields[TITLE]


async def asked(bench: planning.Bench) -> list[RecordId]:
    jobs = [codec.decode(p, ReadRecords) for p in await bench.take_jobs("read_records")]
    return [record_id for job in jobs for record_id in job.record_ids]


@pytest.mark.parametrize("is_stamped", [True, False])
@pytest.mark.parametrize("scan", [None, SCAN])
async def test_a_listing_shows_another_state_just_after_we_read_one(
    bench, scan, is_stamped
):
    await show(bench, "new", is_by_id=True, is_stamped=is_stamped, later_s=60.0)
    await show(bench, "old", scan=scan, is_stamped=is_stamped, later_s=1.0)
    assert await stored(bench) == "new"
    assert await asked(bench) == [RECORD]


async def test_what_it_shows_when_it_is_read_by_id_decides(bench):
    """A person did edit it within the second."""
    await show(bench, "ours", is_by_id=True, later_s=60.0)
    await show(bench, "theirs", later_s=1.0)
    await asked(bench)
    await show(bench, "theirs", is_by_id=True, later_s=1.0)
    assert await stored(bench) == "theirs"
    assert await asked(bench) == []


async def test_a_listing_is_believed_once_it_cannot_be_behind(bench):
    await show(bench, "ours", is_by_id=True, later_s=60.0)
    await show(bench, "theirs", later_s=6.0)
    assert await stored(bench) == "theirs"
    assert await asked(bench) == []


@pytest.mark.parametrize("is_searched", [True, False])
async def test_what_an_answer_shows_was_found_by_a_search(bench, is_searched):
    """The address that we had just written was the old one in the app's index.

    A create met the record there, and the old address went back across (seed 64150).
    """
    await show(bench, "new", is_by_id=True, is_stamped=False, later_s=60.0)
    bench.clock.move(1.0)
    found = ContactWritten(
        intent_id=bench.identifiers.new(IntentId),
        kind=WriteKind.CREATE,
        outcome=WriteOutcome.EXISTS,
        record=Record(record_id=RECORD, fields={**planning.person(1), TITLE: "old"}),
        read_at=bench.clock.now(),
        is_searched=is_searched,
    )
    await bench.take(
        ContactsWritten(
            tenant_id=TENANT,
            account_id=LEFT,
            connection_id=bench.identifiers.new(ConnectionId),
            results=(found,),
        )
    )
    assert await stored(bench) == ("new" if is_searched else "old")
    assert await asked(bench) == [RECORD] * is_searched


async def test_a_deletion_that_a_listing_tells_is_news_at_once(bench):
    """What lags shows somebody who is gone, not the other way round."""
    await show(bench, "ours", is_by_id=True, later_s=60.0)
    bench.clock.move(1.0)
    await bench.take(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=LEFT,
            records=(Record(record_id=RECORD, presence=Presence.DELETED),),
            read_at=bench.clock.now(),
        )
    )
    (row,) = await bench.pool.reader(planning.TENANT).fetch(STORED)
    assert codec.decode(row["record"], Record).presence is Presence.DELETED
    assert await asked(bench) == []
