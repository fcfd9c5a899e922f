"""Pipedrive's operations against its emulator, with pages of full size."""

import asyncio

import pytest

from proto.fields import Item
from proto.record import Consent, Memberships, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, NewRecord, Refused, Written
from tests.contract.pipedrive_account import connected
from tests.emulators.core.settings import NO_LIMIT

HOUR_S = 3_600


def names(records) -> dict[str, object]:
    return {record_id: one.fields["name"] for record_id, one in records.items()}


@pytest.mark.parametrize("count", [0, 1, 500, 501, 1_250])
async def test_a_scan_takes_the_largest_pages(count):
    async with connected() as account:
        ids = account.add(count)
        found, resume = await account.scan()
        assert list(found) == ids
        # The fields, and pages of 500.
        assert len(account.calls) == 1 + max(1, -(-count // 500))
        account.emulator.clock.advance(HOUR_S)
        _, resume = await account.changes(resume)
        account.calls.clear()
        changed, _ = await account.changes(resume)
        assert (changed, len(account.calls)) == ({}, 1)


async def test_what_happens_during_a_scan_hides_nobody():
    async with connected() as account:
        ids = account.add(1_600)
        gone = set()

        def stir(page):
            for one in page.records[:3]:
                account.act("delete", int(one.record_id))
                gone.add(one.record_id)
            account.act(
                "edit", int(page.records[-1].record_id), changes={"name": "Late"}
            )

        found, resume = await account.scan(between=stir)
        assert gone
        assert set(found) == set(ids)
        changed, _ = await account.changes(resume)
        latest = names(found) | names(changed)
        kept = {str(one.id): one for one in account.held.persons.values()}
        assert {key: latest[key] for key in kept} == {
            key: one.name for key, one in kept.items()
        }


@pytest.mark.parametrize("lists_deleted", [True, False])
async def test_a_deletion_is_told_by_the_id_and_never_by_its_absence(lists_deleted):
    async with connected(lists_deleted=lists_deleted) as account:
        stays, goes = account.add(2)
        _, resume = await account.scan()
        account.act("delete", int(goes))
        changed, _ = await account.changes(resume)
        assert goes not in changed or changed[goes].presence is Presence.DELETED
        gone, there = await account.read(goes, stays)
        assert gone.record.presence is Presence.DELETED
        assert there.record.presence is Presence.LIVE
        account.held.persons.clear()
        (purged,) = await account.read(goes)
        assert purged.record.presence is Presence.MISSING


async def test_who_is_merged_away_is_deleted_and_the_other_shows_the_change():
    async with connected() as account:
        loser, winner = account.add(2)
        _, resume = await account.scan()
        account.act("merge", int(loser), into_id=int(winner))
        changed, _ = await account.changes(resume)
        assert {item.value for item in changed[winner].fields["emails"]} == {
            "p0@example.org",
            "p1@example.org",
        }
        (gone,) = await account.read(loser)
        assert gone.record.presence is Presence.DELETED


@pytest.mark.parametrize("creates_with", [200, 201])
async def test_a_person_is_made_whatever_the_status_says(creates_with):
    async with connected(creates_with=creates_with) as account:
        new = NewRecord(fields={"name": "Ann"}, consent=Consent.SUBSCRIBED)
        made = await account.run(account.app.create(new))
        assert isinstance(made, Written)
        assert account.person(made.record.record_id).marketing_status == "no_consent"


async def test_the_first_address_is_the_primary_one_and_labels_stay():
    async with connected() as account:
        (one,) = account.add(1)
        (snapshot,) = await account.read(one)
        emails = (
            Item(value="new@example.org", label="home"),
            *snapshot.record.fields["emails"],
        )
        written = await account.run(
            account.app.update(snapshot, Change(fields={"emails": emails}))
        )
        assert written.record.fields["emails"] == emails
        kept = account.person(one).emails
        assert [(each.value, each.primary) for each in kept] == [
            ("new@example.org", True),
            ("p0@example.org", False),
        ]


async def test_numbers_are_kept_to_the_digit_and_money_is_left_alone():
    async with connected() as account:
        weight = account.held.define("Weight", "double").code
        budget = account.held.define("Budget", "monetary").code
        money = {"value": 12.5, "currency": "EUR"}
        (one,) = account.add(1, custom_fields={weight: 1, budget: money})
        (snapshot,) = await account.read(one)
        assert snapshot.record.fields[weight] == "1"
        assert snapshot.record.fields[budget] == "12.5"
        change = Change(fields={weight: "0.1"})
        written = await account.run(account.app.update(snapshot, change))
        assert written.record.fields[weight] == "0.1"
        assert account.person(one).custom == {weight: 0.1, budget: money}


async def test_several_options_are_emptied_by_a_null():
    async with connected() as account:
        days = account.held.define("Days", "set", ("Mon", "Fri"))
        ids = [one.id for one in days.options]
        (one,) = account.add(1, custom_fields={days.code: ids})
        (snapshot,) = await account.read(one)
        assert snapshot.record.fields[days.code] == tuple(
            Item(value=str(each)) for each in ids
        )
        change = Change(fields={days.code: ()})
        written = await account.run(account.app.update(snapshot, change))
        assert written.record.fields[days.code] is None


async def test_a_no_is_never_taken_back():
    async with connected() as account:
        (one,) = account.add(1)
        (snapshot,) = await account.read(one)
        no = Change(consent=Consent.UNSUBSCRIBED)
        written = await account.run(account.app.update(snapshot, no))
        assert written.record.consent is Consent.UNSUBSCRIBED
        (snapshot,) = await account.read(one)
        for change in (
            Change(consent=Consent.SUBSCRIBED, fields={"name": "Ann"}),
            Change(fields={"emails": (Item(value="b@example.org", label="work"),)}),
        ):
            await account.run(account.app.update(snapshot, change))
            assert account.person(one).marketing_status == "unsubscribed"


async def test_a_company_without_campaigns_is_read_and_written():
    async with connected(has_campaigns=False, has_contact_sync=True) as account:
        (one,) = account.add(1)
        account.act("sync", int(one), values={"job_title": "Baker"})
        found, _ = await account.scan()
        assert found[one].consent is Consent.UNKNOWN
        assert found[one].fields["job_title"] == "Baker"
        (snapshot,) = await account.read(one)
        no = Change(consent=Consent.UNSUBSCRIBED)
        assert isinstance(await account.run(account.app.update(snapshot, no)), Refused)
        new = NewRecord(fields={"name": "Ann"}, consent=Consent.UNSUBSCRIBED)
        assert isinstance(await account.run(account.app.create(new)), Written)


async def test_a_person_without_a_name_is_refused_where_there_has_to_be_one():
    async with connected(needs_name=True) as account:
        emails = (Item(value="a@example.org", label="work"),)
        new = NewRecord(fields={"emails": emails})
        assert isinstance(await account.run(account.app.create(new)), Refused)
        assert account.held.persons == {}


async def test_a_search_that_is_late_is_made_up_for_by_changes():
    """A create without an answer is recognised there once it is not found."""
    async with connected(search_lag_s=30) as account:
        _, resume = await account.scan()
        (one,) = account.add(1)
        found = await account.run(account.app.find_by_email(["P0@example.org"]))
        assert found == ()
        changed, _ = await account.changes(resume)
        assert one in changed
        account.emulator.clock.advance(30)
        (late,) = await account.run(account.app.find_by_email(["P0@example.org"]))
        assert late.record_id == one


async def test_a_day_without_tokens_is_told_from_two_seconds_without_calls():
    async with connected() as account:
        account.emulator.clock.freeze()
        budget, limits = (
            account.emulator.settings.budget,
            account.emulator.limiter.limits,
        )
        budget.requests_per_day = 25
        await account.scan()
        with pytest.raises(CallFailed) as failure:
            await account.scan()
        assert failure.value.meaning is Meaning.QUOTA_EXHAUSTED
        for name, none in NO_LIMIT.items():
            setattr(budget, name, none)
        limits.requests_per_window, limits.window_s = 1, 2.0
        account.emulator.limiter.reset()
        await account.run(account.app.verify())
        with pytest.raises(CallFailed) as failure:
            await account.run(account.app.verify())
        assert failure.value.meaning is Meaning.RATE_LIMITED
        assert failure.value.retry_after_s == 2.0


async def test_many_who_get_a_new_label_at_once_get_the_same():
    async with connected() as account:
        ids = account.add(5)
        snapshots = await account.read(*ids)
        change = Change(memberships=Memberships(tags_add=("PieSync Trash",)))
        written = await asyncio.gather(
            *(account.run(account.app.update(one, change)) for one in snapshots)
        )
        assert {one.record.tags for one in written} == {("PieSync Trash",)}
        (label,) = account.held.labels
        assert {tuple(one.label_ids) for one in account.held.persons.values()} == {
            (label.id,)
        }
        found, _ = await account.scan()
        assert {one.tags for one in found.values()} == {("PieSync Trash",)}


@pytest.mark.parametrize("kind", ["malformed_page", "truncated_json", "html"])
async def test_a_listing_that_is_none_is_broken(kind):
    async with connected() as account:
        account.add(3)
        account.fault(kind=kind, path="/api/v2/persons")
        with pytest.raises(CallFailed) as failure:
            await account.scan()
        assert failure.value.meaning is Meaning.BROKEN
