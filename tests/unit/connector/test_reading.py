"""What reading does next, what it tells, and when it stops believing a listing."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto import codec
from proto.base import BATCH_BYTES_MAX, BATCH_RECORDS_MAX
from proto.ids import (
    AccountId,
    AppId,
    ContainerId,
    FieldId,
    RecordId,
    ScanId,
    TenantId,
)
from proto.record import Presence, Record
from services.connector import accounts, batches, observing
from services.connector.accounts import Account, Step
from services.connector.observing import EndlessListing, ShortListing
from services.connector.port import Page

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ACCOUNT = Account(
    tenant_id=TenantId("tnt_1"),
    account_id=AccountId("acct_1"),
    app=AppId("fake"),
    is_wanted=True,
    is_lost=False,
    wanted_scan_id=ScanId("scan_2"),
    done_scan_id=ScanId("scan_1"),
    scan_id=None,
    scan_cursor=None,
    scan_part=0,
    scan_page_count=0,
    scan_record_count=0,
    scan_expected_count=None,
    changes_cursor="c",
    read_asks=0,
    interval_s=0.0,
    failures=0,
    error_code=None,
    last_read_at=None,
    write_asks=0,
    write_failures=0,
    write_error_code=None,
    lease_version=1,
    calls_day=None,
    calls_today=0,
    has_open_writes=False,
    has_wanted_reads=False,
)
OWN = ScanId("scan_own")


def account(**changes) -> Account:
    return msgspec.structs.replace(ACCOUNT, **changes)


def records(count: int, size: int = 10) -> tuple[Record, ...]:
    return tuple(
        Record(record_id=RecordId(f"r{n}"), fields={FieldId("note"): "x" * size})
        for n in range(count)
    )


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({}, Step.SCAN),
        ({"done_scan_id": "scan_2"}, Step.CHANGES),
        ({"done_scan_id": "scan_2", "scan_id": "scan_own"}, Step.SCAN),
        ({"done_scan_id": "scan_2", "changes_cursor": None}, Step.SCAN),
        ({"is_wanted": False}, Step.NOTHING),
        ({"is_lost": True}, Step.NOTHING),
        ({"wanted_scan_id": None, "done_scan_id": None}, Step.CHANGES),
    ],
)
def test_a_scan_that_is_wanted_goes_before_changes(changes, step):
    assert accounts.next_step(account(**changes)) is step


def test_a_newly_wanted_scan_starts_at_the_beginning():
    running = account(scan_id="scan_0", scan_cursor="x", scan_part=4)
    progress = observing.progress_of(running, own_scan_id=OWN)
    assert (progress.scan_id, progress.scan_cursor) == ("scan_2", None)
    assert progress.scan_part == 0


def test_an_own_scan_does_not_stand_for_the_wanted_one():
    own = account(done_scan_id="scan_2", changes_cursor=None)
    progress = observing.progress_of(own, own_scan_id=OWN)
    assert progress.scan_id == OWN
    after = observing.after_page(
        own, progress, page=Page(records=(), resume="r"), message_count=1
    )
    assert (after.done_scan_id, after.scan_id) == ("scan_2", None)
    assert after.changes_cursor == "r"


def test_changes_are_read_on_from_where_they_were_read_to_before_a_scan():
    """Who was deleted between the last changes and a scan is told by neither else."""
    progress = observing.progress_of(ACCOUNT, own_scan_id=OWN)
    after = observing.after_page(
        ACCOUNT, progress, page=Page(records=(), resume="r"), message_count=1
    )
    assert (after.done_scan_id, after.scan_id) == ("scan_2", None)
    assert after.changes_cursor == "c"


@given(
    sizes=st.lists(st.integers(min_value=0, max_value=2_000), min_size=1, max_size=4)
)
def test_the_parts_of_a_scan_are_numbered_without_a_gap(sizes):
    state, told = ACCOUNT, []
    for number, size in enumerate(sizes):
        is_last = number == len(sizes) - 1
        page = Page(records=records(size), next=None if is_last else f"c{number}")
        progress = observing.progress_of(state, own_scan_id=OWN)
        found = observing.scan_messages(state.ref, page, progress=progress, read_at=NOW)
        told += found
        after = observing.after_page(
            state, progress, page=page, message_count=len(found)
        )
        state = msgspec.structs.replace(state, **msgspec.structs.asdict(after))
    assert [m.scan.part for m in told] == list(range(len(told)))
    assert [m.scan.part_count for m in told[:-1]] == [None] * (len(told) - 1)
    assert told[-1].scan.part_count == len(told)
    assert sum(len(m.records) for m in told) == sum(sizes)
    assert all(len(m.records) <= BATCH_RECORDS_MAX for m in told)
    assert state.done_scan_id == "scan_2"


@pytest.mark.parametrize(
    ("cursor", "changes", "following"),
    [
        ("a", {}, "a"),
        ("a", {"scan_page_count": observing.SCAN_PAGES_MAX}, "b"),
        ("a", {"scan_expected_count": 10, "scan_record_count": 10_031}, "b"),
    ],
)
def test_an_endless_listing_is_noticed(cursor, changes, following):
    running = account(scan_id="scan_2", scan_cursor=cursor, **changes)
    progress = observing.progress_of(running, own_scan_id=OWN)
    with pytest.raises(EndlessListing):
        observing.check_scan(progress, Page(records=(), next=following), seen=set())
    observing.check_scan(progress, Page(records=()), seen=set())


def test_a_cursor_that_comes_back_is_noticed():
    seen: set[str] = set()
    for cursor, following in ((None, "a"), ("a", "b")):
        running = account(scan_id="scan_2", scan_cursor=cursor)
        progress = observing.progress_of(running, own_scan_id=OWN)
        observing.check_scan(progress, Page(records=(), next=following), seen=seen)
    running = account(scan_id="scan_2", scan_cursor="b")
    progress = observing.progress_of(running, own_scan_id=OWN)
    with pytest.raises(EndlessListing):
        observing.check_scan(progress, Page(records=(), next="a"), seen=seen)


@pytest.mark.parametrize(
    ("expected", "shown", "left_out", "is_short"),
    [
        (100, 100, 0, False),
        (100, 80, 0, False),
        (100, 79, 0, True),
        (30, 10, 0, True),
        (12, 0, 0, True),
        (10, 0, 0, False),
        (100, 40, 50, False),
        (100, 20, 50, True),
        (None, 0, 0, False),
        (100, 5_000, 0, False),
    ],
)
def test_a_listing_that_ends_too_early_is_noticed(expected, shown, left_out, is_short):
    """It counted as complete; some are deleted meanwhile, but not a fifth of them."""
    running = account(scan_id="scan_2", scan_cursor="c", scan_expected_count=expected)
    progress = observing.progress_of(running, own_scan_id=OWN)
    page = Page(records=records(shown), left_out_count=left_out)
    if is_short:
        with pytest.raises(ShortListing):
            observing.check_scan(progress, page, seen=set())
    else:
        observing.check_scan(progress, page, seen=set())
    onward = msgspec.structs.replace(page, next="d")
    observing.check_scan(progress, onward, seen=set())


def test_what_is_left_out_on_any_page_is_not_expected():
    state = ACCOUNT
    for number in range(4):
        page = Page(
            records=records(5),
            next=f"c{number}" if number < 3 else None,
            expected_count=200 if number == 0 else None,
            left_out_count=45,
        )
        progress = observing.progress_of(state, own_scan_id=OWN)
        observing.check_scan(progress, page, seen=set())
        after = observing.after_page(state, progress, page=page, message_count=1)
        state = msgspec.structs.replace(state, **msgspec.structs.asdict(after))
    assert state.scan_record_count == state.scan_expected_count == 20


@given(
    sizes=st.lists(st.integers(min_value=0, max_value=400_000), max_size=12),
)
def test_messages_keep_to_the_bounds_of_the_bus(sizes):
    items = [
        Record(record_id=RecordId(f"r{n}"), fields={FieldId("note"): "x" * size})
        for n, size in enumerate(sizes)
    ]
    found = list(batches.split(items))
    assert [record for batch in found for record in batch] == items
    assert all(len(codec.encode(batch)) <= BATCH_BYTES_MAX for batch in found)


def test_a_monstrous_record_loses_its_longest_fields_only():
    fields = {FieldId("a"): "x" * 600_000, FieldId("b"): "y" * 100, FieldId("c"): None}
    record = Record(record_id=RecordId("r"), fields=fields)
    fitting = batches.fitting(record)
    assert fitting.fields == {"b": "y" * 100, "c": None}
    assert batches.fitting(fitting) is fitting


@pytest.mark.parametrize("place", ["tags", "containers"])
def test_a_record_with_monstrous_tags_or_containers_can_be_told(place):
    """It exceeded what the bus carries, and the scan that it was in never ended.

    To tell it without its containers would say that it has left them all.
    """
    many = tuple(f"{number:06}" + "x" * 200 for number in range(6_000))
    record = Record(
        record_id=RecordId("r"),
        version="7",
        fields={FieldId("a"): "y" * 100},
        **{"containers": (ContainerId("book"),), place: many},
    )
    fitting = batches.fitting(record)
    (batch,) = batches.split([fitting])
    assert len(codec.encode(batch)) <= BATCH_BYTES_MAX
    assert fitting.record_id == "r"
    assert fitting.fields == {}
    if place == "tags":
        assert fitting.presence is Presence.LIVE
        assert fitting.containers == ("book",)
    else:
        assert fitting.presence is Presence.UNKNOWN


def test_a_quiet_account_is_read_more_and_more_rarely():
    interval_s, seen = 0.0, []
    for _ in range(6):
        interval_s = accounts.next_interval_s(
            account(interval_s=interval_s), interval_s=300, has_changed=False
        )
        seen.append(interval_s)
    assert seen == [30, 60, 120, 240, 300, 300]
    busy = accounts.next_interval_s(
        account(interval_s=300), interval_s=300, has_changed=True
    )
    assert busy == 30


def test_a_failing_account_is_tried_more_and_more_rarely():
    delays = [accounts.back_off_s(n, retry_after_s=None) for n in range(10)]
    assert delays == sorted(delays)
    assert delays[0] == accounts.BACK_OFF_S_MIN
    assert delays[-1] == accounts.BACK_OFF_S_MAX
    assert accounts.back_off_s(0, retry_after_s=60) == 60
    assert accounts.write_back_off_s(9, retry_after_s=None) == 30
    assert accounts.write_back_off_s(9, retry_after_s=600) == 600
    assert accounts.write_back_off_s(9, retry_after_s=1e9) == accounts.ASKED_S_MAX
    assert accounts.back_off_s(0, retry_after_s=1e9) == accounts.BACK_OFF_S_MAX
    assert accounts.back_off_s(10**6, retry_after_s=None) == accounts.BACK_OFF_S_MAX
