"""Campaign Monitor's operations against its emulator, with pages of full size."""

import pytest

from proto.record import Consent, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, NewRecord, Refused, Written
from tests.contract.campaign_monitor_account import connected, email_of

DAY_S = 86_400
LONG = 12_000
"""More than is read in every pass: eleven pages besides the first of each listing."""


def states(account) -> dict[str, str]:
    found = account.main_list.subscribers
    return {email: one.state for email, one in found.items()}


@pytest.mark.parametrize("pages_end", [True, False])
@pytest.mark.parametrize("count", [0, 1, 999, 1_000, 1_001, 2_500])
async def test_a_scan_is_read_to_its_end(count, pages_end):
    async with connected(pages_end=pages_end) as account:
        ids = account.add(count)
        found, _ = await account.scan()
        assert set(found) == set(ids)
        least = max(1, -(-count // 1_000))
        # Who there is to read: two; the custom fields; three other listings.
        assert len(account.calls) <= 6 + least


async def test_a_scan_of_many_makes_hardly_more_calls_than_pages():
    async with connected() as account:
        account.add(LONG)
        found, _ = await account.scan()
        assert len(found) == LONG
        assert len(account.calls) == 6 + 13


async def test_deletions_and_additions_during_a_scan_hide_nobody():
    """Hazard 20."""
    async with connected() as account:
        ids = set(account.add(4_000))
        gone = set()

        def stir(page):
            for one in page.records[:7]:
                account.act("delete", one.record_id)
                gone.add(one.record_id)
            account.add(7, start=5_000 + len(gone))

        found, resume = await account.scan(between=stir)
        assert gone
        assert set(found) >= ids - gone
        changed, _ = await account.changes(resume)
        dead = {key for key, one in changed.items() if one.presence is Presence.DELETED}
        assert dead == gone


@pytest.mark.parametrize("utc_offset_h", [-12, 0, 14])
async def test_changes_of_state_show_at_once_in_any_zone(utc_offset_h):
    async with connected(utc_offset_h=utc_offset_h) as account:
        ids = account.add(LONG)
        _, resume = await account.scan()
        account.emulator.clock.advance(2 * DAY_S)
        _, resume = await account.changes(resume)
        account.emulator.clock.advance(300)
        no, out = ids[:2]
        account.act("unsubscribe", no)
        account.act("delete", out)
        (new,) = account.add(1, start=LONG)
        account.calls.clear()
        changed, _ = await account.changes(resume)
        assert len(account.calls) == 5
        assert changed[no].consent is Consent.UNSUBSCRIBED
        assert changed[out].presence is Presence.DELETED
        assert changed[new].consent is Consent.SUBSCRIBED


async def test_edits_in_a_long_list_show_once_everybody_is_read_again():
    """Eleven more pages are read after 330 s again, and not before."""
    async with connected() as account:
        ids = account.add(LONG)
        account.emulator.clock.freeze()
        account.emulator.clock.advance(2 * DAY_S)
        _, resume = await account.scan()
        account.act("edit", ids[0], changes={"name": "Ada"})
        account.emulator.clock.advance(300)
        changed, resume = await account.changes(resume)
        assert changed == {}
        account.emulator.clock.advance(300)
        changed, _ = await account.changes(resume)
        assert len(changed) == LONG
        assert changed[ids[0]].fields["Name"] == "Ada"


async def test_edits_in_a_list_of_usual_length_show_at_once():
    async with connected() as account:
        ids = account.add(2_500)
        _, resume = await account.scan()
        account.act("edit", ids[9], changes={"name": "Ada"})
        changed, _ = await account.changes(resume)
        assert changed[ids[9]].fields["Name"] == "Ada"


@pytest.mark.parametrize("act", ["unsubscribe", "bounce", "delete", "await"])
async def test_nobody_who_is_out_is_brought_back(act):
    """Whatever is written: the state stays what it was."""
    async with connected() as account:
        (one,) = account.add(1)
        account.act(act, one)
        before = states(account)
        (snapshot,) = await account.read(one)
        change = Change(fields={"Name": "Ada"}, consent=Consent.SUBSCRIBED)
        await account.run(account.app.update(snapshot, change))
        again = NewRecord(
            fields={"EmailAddress": email_of(0)}, consent=Consent.SUBSCRIBED
        )
        result = await account.run(account.app.create(again))
        assert not isinstance(result, Written)
        assert states(account) == before


async def test_who_is_suppressed_is_not_put_on_a_list():
    async with connected() as account:
        client = next(iter(account.held.clients.values()))
        client.suppressed.add("a@example.org")
        new = NewRecord(
            fields={"EmailAddress": "a@example.org"}, consent=Consent.SUBSCRIBED
        )
        result = await account.run(account.app.create(new))
        assert isinstance(result, Refused)
        assert states(account) == {}


async def test_a_new_address_keeps_its_state_and_is_no_second_subscriber():
    async with connected() as account:
        (one,) = account.add(1)
        account.act("unsubscribe", one)
        (snapshot,) = await account.read(one)
        change = Change(fields={"EmailAddress": "new@example.org"})
        written = await account.run(account.app.update(snapshot, change))
        assert written.record.record_id.endswith("/new@example.org")
        assert states(account) == {"new@example.org": "Unsubscribed"}
        assert (await account.read(written.record.record_id))[
            0
        ].record == written.record


@pytest.mark.parametrize("keeps_omitted_name", [True, False])
@pytest.mark.parametrize("adds_options", [True, False])
async def test_an_update_touches_nothing_else(keeps_omitted_name, adds_options):
    choices = {"keeps_omitted_name": keeps_omitted_name, "adds_options": adds_options}
    async with connected(**choices) as account:
        account.main_list.define("days", "MultiSelectMany", ("Mon", "Tue", "Fri"))
        (one,) = account.add(1)
        for day in ("Mon", "Tue"):
            account.act("edit", one, changes={"values": {"[days]": day}})
        account.act("edit", one, changes={"consent_to_track": "Yes"})
        _, resume = await account.scan()
        (snapshot,) = await account.read(one)
        days = snapshot.record.fields["MultiSelectMany:days"]
        change = Change(fields={"MultiSelectMany:days": days[-1:]})
        await account.run(account.app.update(snapshot, change))
        kept = account.subscriber(email_of(0))
        assert (kept.name, kept.consent_to_track) == ("P 0", "Yes")
        assert kept.values == {"days": (days[-1].value,)}
        assert (await account.changes(resume))[0][one].fields[
            "MultiSelectMany:days"
        ] == days[-1:]


async def test_each_list_is_read_and_an_address_is_found_on_all():
    async with connected() as account:
        client = next(iter(account.held.clients.values()))
        other = account.held.new_list(client, "Offers")
        agency = account.held.new_client("Another client")
        far = account.held.new_list(agency, "Far away")
        lists = (account.main_list, other, far)
        ids = account.seed(
            [{"email": "ann@example.org", "list_id": one.list_id} for one in lists]
        )
        found, resume = await account.scan()
        assert set(found) == set(ids)
        assert {one.containers for one in found.values()} == {
            (one.list_id,) for one in lists
        }
        account.act("unsubscribe", ids[2])
        changed, _ = await account.changes(resume)
        assert changed[ids[2]].consent is Consent.UNSUBSCRIBED
        there = await account.run(account.app.find_by_email(["ANN@example.org"]))
        assert {one.record_id for one in there} == set(ids)


@pytest.mark.parametrize("kind", ["malformed_page", "truncated_json", "html"])
async def test_a_listing_that_is_none_is_broken(kind):
    async with connected() as account:
        account.add(3)
        account.fault(kind=kind, path="/api/v3.3/lists")
        with pytest.raises(CallFailed) as failure:
            await account.scan()
        assert failure.value.meaning is Meaning.BROKEN
