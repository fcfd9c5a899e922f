"""Dotloop's operations against its emulator, over a socket, with pages of full size."""

from typing import Any

import pytest

from proto.record import Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, NewRecord, Written
from tests.contract.dotloop_account import Account, connected
from tests.emulators.core.faults import Fault

ORDERS = ("id", "oldest_change", "newest_change")
TOTALS = ("all", "batch", "untold")
HOUR_S = 3_600


def names(records) -> dict[str, object]:
    return {record_id: one.fields["firstName"] for record_id, one in records.items()}


def told(ids) -> set[str]:
    return {str(each) for each in ids}


@pytest.mark.parametrize(("size_max", "calls"), [(100, 11), (50, 24), (1_000, 11)])
async def test_a_scan_takes_the_largest_batches_that_the_vendor_gives(size_max, calls):
    """A greatest size below ours is learned from the first page, which is shorter."""
    async with connected(batch_size_max=size_max) as vendor:
        ids = vendor.add(1_000)
        found, resume = await vendor.scan()
        assert set(found) == told(ids)
        assert len(vendor.calls) == calls
        vendor.emulator.clock.advance(HOUR_S)
        _, resume = await vendor.changes(resume)
        vendor.calls.clear()
        changed, _ = await vendor.changes(resume)
        assert (changed, len(vendor.calls)) == ({}, 1)


@pytest.mark.parametrize("total", TOTALS)
@pytest.mark.parametrize("size_max", [50, 100])
@pytest.mark.parametrize("count", [0, 1, 19, 20, 49, 50, 51, 99, 100, 101, 230])
async def test_a_listing_is_read_to_its_end_whatever_its_total_counts(
    total, size_max, count
):
    async with connected(batch_size_max=size_max, total=total) as vendor:
        ids = vendor.add(count)
        found, _ = await vendor.scan()
        assert set(found) == told(ids)
        assert len(vendor.calls) <= count // (size_max - 12) + 2


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("total", TOTALS)
async def test_deletions_during_a_scan_hide_nobody(order, total):
    """Hazard 20: those behind them move up, by a whole batch too."""
    async with connected(order=order, total=total) as vendor:
        ids = vendor.add(400)
        gone = set[str]()

        def delete(page):
            for one in page.records[: len(gone) + 1]:
                gone.add(one.record_id)
                vendor.delete(int(one.record_id))

        found, _ = await vendor.scan(between=delete)
        assert gone
        assert set(found) >= told(ids) - gone


@pytest.mark.parametrize("order", ORDERS)
async def test_a_deletion_and_an_addition_at_once_hide_nobody(order):
    """The total stays what it was."""
    async with connected(order=order) as vendor:
        ids = vendor.add(400)
        gone = set[str]()

        def swap(page):
            gone.add(page.records[0].record_id)
            vendor.delete(int(page.records[0].record_id))
            vendor.add(1)

        found, _ = await vendor.scan(between=swap)
        assert set(found) >= told(ids) - gone


async def test_a_batch_all_of_whose_people_are_deleted_leads_back():
    async with connected() as vendor:
        ids = vendor.add(300)

        def delete(page):
            if len(vendor.held.contacts) == len(ids):
                for one in page.records:
                    vendor.delete(int(one.record_id))

        found, _ = await vendor.scan(between=delete)
        assert set(found) == told(ids)


@pytest.mark.parametrize("order", ORDERS)
async def test_edits_while_changes_are_read_hide_none_of_them(order):
    """An edit moves its contact to an end of the listing, and others into its place."""
    async with connected(order=order) as vendor:
        ids = vendor.add(300)
        _, resume = await vendor.scan()
        vendor.emulator.clock.advance(HOUR_S)
        _, resume = await vendor.changes(resume)
        for contact_id in ids:
            vendor.edit(contact_id, firstName="Edited")
        vendor.emulator.clock.advance(HOUR_S)

        def edit(page):
            vendor.edit(int(page.records[0].record_id), firstName="Again")

        found, resume = await vendor.changes(resume, between=edit)
        later, _ = await vendor.changes(resume)
        assert set(found) | set(later) == told(ids)
        truth = {
            str(key): entry.contact.first_name
            for key, entry in vendor.held.contacts.items()
        }
        assert names(found | later) == truth


@pytest.mark.parametrize("empties", ["omitted", "null", "text"])
async def test_a_value_is_emptied_however_the_vendor_shows_that(empties):
    async with connected(empties=empties) as vendor:
        new = NewRecord(fields={"firstName": "Ada", "home": "1", "lastName": None})
        made = await vendor.run(vendor.app.create(new))
        assert isinstance(made, Written)
        (snapshot,) = await vendor.run(vendor.app.get([made.record.record_id]))
        assert snapshot.record == made.record
        change = Change(fields={"home": None})
        written = await vendor.run(vendor.app.update(snapshot, change))
        assert isinstance(written, Written)
        assert written.record.fields["home"] is None
        assert written.record.fields["firstName"] == "Ada"
        found, _ = await vendor.scan()
        assert found[made.record.record_id] == written.record


async def test_a_deletion_is_told_by_a_scan_and_by_the_id_alone():
    """What the reconciler concludes a deletion from, by two such answers."""
    async with connected() as vendor:
        stays, goes = vendor.add(2)
        _, resume = await vendor.scan()
        vendor.delete(goes)
        changed, _ = await vendor.changes(resume)
        assert str(goes) not in changed
        found, _ = await vendor.scan()
        assert set(found) == told([stays])
        gone, there = await vendor.run(vendor.app.get([str(goes), str(stays)]))
        assert gone.record.presence is Presence.MISSING
        assert there.record.presence is Presence.LIVE


@pytest.mark.parametrize("reset", ["milliseconds", "epoch"])
async def test_the_pause_is_the_one_that_the_vendor_names(reset):
    async with connected(reset=reset) as vendor:
        vendor.emulator.clock.freeze()
        vendor.emulator.limiter.limits.requests_per_window = 1
        await vendor.run(vendor.app.verify())
        vendor.emulator.clock.advance(18)
        with pytest.raises(CallFailed) as failure:
            await vendor.run(vendor.app.verify())
        assert failure.value.meaning is Meaning.RATE_LIMITED
        assert failure.value.retry_after_s == pytest.approx(42, abs=1)


async def fails(vendor: Account, kind: Any) -> Meaning:
    vendor.emulator.faults.clear()
    vendor.emulator.faults.add(Fault(kind=kind, path="/public/v2/contact"))
    with pytest.raises(CallFailed) as failure:
        await vendor.scan()
    return failure.value.meaning


async def test_a_listing_that_is_none_is_broken():
    async with connected() as vendor:
        vendor.add(3)
        assert await fails(vendor, "malformed_page") is Meaning.BROKEN
        assert await fails(vendor, "truncated_json") is Meaning.BROKEN
        assert await fails(vendor, "html") is Meaning.BROKEN
