"""Tags, lists and consent against the emulator: round trips, lost answers, races."""

import pytest

from proto.record import Consent, Memberships
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, NewRecord, Refused, Written
from tests.contract.constant_contact_account import Account, connected, people

EMAIL = "person0@example.org"


async def only(vendor: Account):
    found, _ = await vendor.scan()
    (record_id,) = found
    (snapshot,) = await vendor.read(record_id)
    return snapshot


def members(**more: tuple[str, ...]) -> Change:
    return Change(memberships=Memberships(**more))


async def test_tags_and_lists_are_written_and_read_back_by_everybody():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        gold, fair = await vendor.tag("Gold"), await vendor.new_list("Fair")
        vendor.act("edit", email=EMAIL, changes={"taggings": [gold]})
        before = await only(vendor)
        assert before.record.tags == ("Gold",)
        change = Change(
            fields={"job_title": "Baker"},
            memberships=Memberships(
                tags_add=("PieSync Trash",), containers_add=(fair,)
            ),
        )
        written = await vendor.run(vendor.app.update(before, change))
        assert isinstance(written, Written)
        after = await only(vendor)
        assert written.record == after.record
        assert after.record.tags == ("Gold", "PieSync Trash")
        assert after.record.containers == (*before.record.containers, fair)
        assert after.record.fields == before.record.fields | {"job_title": "Baker"}
        undone = members(tags_remove=("PieSync Trash",), containers_remove=(fair,))
        await vendor.run(vendor.app.update(after, undone))
        last = (await only(vendor)).record
        assert (last.tags, last.containers) == (("Gold",), before.record.containers)
        assert sorted(vendor.tags()) == ["Gold", "PieSync Trash"]


async def test_a_contact_is_created_with_tags_that_the_account_lacks():
    async with connected() as vendor:
        await vendor.tag("Gold")
        new = NewRecord(fields={"email": EMAIL}, tags=("Gold", "Silver"))
        created = await vendor.run(vendor.app.create(new))
        assert isinstance(created, Written)
        assert created.record == (await only(vendor)).record
        assert created.record.tags == ("Gold", "Silver")


async def test_a_lost_answer_of_a_membership_write_is_found_to_be_done():
    """Said once it is read again: nothing of it is sent blindly a second time."""
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        snapshot = await only(vendor)
        vendor.fault(
            kind="applied_but_lost", method="PUT", path="/v3/contacts", count=1
        )
        change = Change(
            memberships=Memberships(tags_add=("Gold",)), consent=Consent.UNSUBSCRIBED
        )
        with pytest.raises(CallFailed) as failure:
            await vendor.run(vendor.app.update(snapshot, change))
        assert failure.value.meaning is Meaning.NO_ANSWER
        after = (await only(vendor)).record
        assert (after.tags, after.consent) == (("Gold",), Consent.UNSUBSCRIBED)


async def test_a_lost_answer_to_a_new_tag_makes_no_second_one():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        snapshot = await only(vendor)
        vendor.fault(
            kind="applied_but_lost", method="POST", path="/v3/contact_tags", count=1
        )
        written = await vendor.run(
            vendor.app.update(snapshot, members(tags_add=("Gold",)))
        )
        assert isinstance(written, Written)
        assert written.record.tags == ("Gold",)
        assert list(vendor.tags()) == ["Gold"]


async def test_a_tag_that_was_deleted_meanwhile_is_made_anew():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        await vendor.tag("Gold")
        snapshot = await only(vendor)
        change = members(tags_add=("Gold",))
        await vendor.run(vendor.app.update(snapshot, change))
        await vendor.delete_tag("Gold")
        snapshot = await only(vendor)
        assert snapshot.record.tags == ()
        assert isinstance(
            await vendor.run(vendor.app.update(snapshot, change)), Refused
        )
        written = await vendor.run(vendor.app.update(snapshot, change))
        assert isinstance(written, Written)
        assert written.record.tags == ("Gold",)


async def test_an_unsubscribe_is_the_contacts_own_and_outlives_the_account():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        snapshot = await only(vendor)
        assert snapshot.record.consent is Consent.SUBSCRIBED
        _, resume = await vendor.scan()
        change = Change(consent=Consent.UNSUBSCRIBED)
        written = await vendor.run(vendor.app.update(snapshot, change))
        assert isinstance(written, Written)
        assert written.record.consent is Consent.UNSUBSCRIBED
        email = (vendor.contact(EMAIL))["email_address"]
        assert email["permission_to_send"] == "unsubscribed"
        assert email["opt_out_source"] == "Contact"
        shown, _ = await vendor.changes(resume)
        assert [one.consent for one in shown.values()] == [Consent.UNSUBSCRIBED]


async def test_an_optout_between_read_and_write_is_refused_by_the_vendor():
    """Within the seconds that this leaves open, see the app's page."""
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        snapshot = await only(vendor)
        vendor.act("unsubscribe", email=EMAIL)
        change = Change(fields={"job_title": "Baker"})
        result = await vendor.run(vendor.app.update(snapshot, change))
        assert isinstance(result, Refused)
        email = (vendor.contact(EMAIL))["email_address"]
        assert email["permission_to_send"] == "unsubscribed"


async def test_an_unsubscribe_does_not_bring_back_who_was_deleted_meanwhile():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        snapshot = await only(vendor)
        vendor.act("delete", email=EMAIL)
        change = Change(consent=Consent.UNSUBSCRIBED)
        result = await vendor.run(vendor.app.update(snapshot, change))
        assert isinstance(result, Refused)
        assert (vendor.contact(EMAIL))["deleted_at"]


async def test_renamed_tags_are_told_by_their_new_name_once_read_anew():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        gold = await vendor.tag("Gold")
        vendor.act("edit", email=EMAIL, changes={"taggings": [gold]})
        assert (await only(vendor)).record.tags == ("Gold",)
        await vendor.rename_tag("Gold", to="Golden")
        vendor.restart()
        assert (await only(vendor)).record.tags == ("Golden",)
