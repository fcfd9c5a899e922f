"""Constant Contact's operations against its emulator, over a socket."""

import pytest

from proto.fields import Address, Item
from proto.ids import RecordId
from proto.record import Consent, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Exists,
    Missing,
    NewRecord,
    Refused,
    Written,
)
from tests.contract.constant_contact_account import by_email, connected, people


async def test_a_scan_shows_everybody_once_in_as_few_calls_as_possible():
    async with connected() as vendor:
        vendor.seed(people(range(1201)))
        found, resume = await vendor.scan()
        assert len(found) == 1201
        assert len(vendor.calls) == 3 + 1, "three pages, and the custom fields once"
        vendor.calls.clear()
        changed, _ = await vendor.changes(resume)
        assert changed == {}
        assert len(vendor.calls) == 2


@pytest.mark.parametrize("moves_updated_at", [False, True])
async def test_edits_optouts_deletions_and_revivals_show_in_two_calls(moves_updated_at):
    async with connected(deletions_move_updated_at=moves_updated_at) as vendor:
        vendor.seed(people(range(10)))
        _, resume = await vendor.scan()
        vendor.act("edit", email="person1@example.org", changes={"job_title": "Baker"})
        vendor.act("unsubscribe", email="person2@example.org")
        vendor.act("delete", email="person3@example.org")
        vendor.calls.clear()
        changed, resume = await vendor.changes(resume)
        assert len(vendor.calls) == 2
        shown = by_email(changed)
        assert set(shown) == {f"person{number}@example.org" for number in (1, 2, 3)}
        assert shown["person1@example.org"].fields["job_title"] == "Baker"
        assert shown["person2@example.org"].consent is Consent.UNSUBSCRIBED
        assert shown["person3@example.org"].presence is Presence.DELETED
        vendor.act("revive", email="person3@example.org")
        changed, _ = await vendor.changes(resume)
        assert by_email(changed)["person3@example.org"].presence is Presence.LIVE


async def test_a_contact_is_created_found_and_read_back():
    async with connected() as vendor:
        (container,) = await vendor.run(vendor.app.list_containers())
        fields = {
            "email": "Zoe.Brandt@example.org",
            "first_name": "Zoë",
            "last_name": "Брандт",
            "birthday": "--02-29",
            "anniversary": "2019-06-05",
            "phone_numbers": (
                Item(value="+49 761 555 0100", label="work"),
                Item(value="+49 170 555 0101", label="mobile"),
            ),
            "street_addresses": (
                Item(
                    value=Address(street="Münsterplatz 1", city="Freiburg"),
                    label="work",
                ),
            ),
        }
        new = NewRecord(fields=fields, containers=(container.container_id,))
        created = await vendor.run(vendor.app.create(new))
        assert isinstance(created, Written)
        record = created.record
        assert {name: record.fields[name] for name in fields} == fields
        assert record.containers == (container.container_id,)
        assert record.consent is Consent.UNKNOWN
        assert (await vendor.read(record.record_id))[0].record == record
        found = await vendor.run(vendor.app.find_by_email(["ZOE.brandt@EXAMPLE.org"]))
        assert found == (record,)
        again = await vendor.run(vendor.app.create(new))
        assert again == Exists(record_id=record.record_id)


async def test_an_update_changes_its_fields_and_nothing_else():
    async with connected() as vendor:
        fields = {
            "email": "a@example.org",
            "first_name": "A",
            "last_name": "B",
            "company_name": "C",
            "birthday": "--01-31",
            "phone_numbers": (Item(value="+1 555 0100", label="home"),),
        }
        new = NewRecord(fields=fields, consent=Consent.UNSUBSCRIBED)
        created = await vendor.run(vendor.app.create(new))
        assert isinstance(created, Written)
        assert created.record.consent is Consent.UNSUBSCRIBED
        (before,) = await vendor.read(created.record.record_id)
        change = {
            "last_name": None,
            "job_title": "Baker",
            "birthday": None,
            "phone_numbers": None,
        }
        updated = await vendor.run(vendor.app.update(before, Change(fields=change)))
        assert isinstance(updated, Written)
        (after,) = await vendor.read(created.record.record_id)
        assert after.record.fields == before.record.fields | change
        assert after.record.consent is Consent.UNSUBSCRIBED
        assert updated.record.fields == after.record.fields


async def test_custom_fields_are_written_and_read_by_their_type():
    async with connected() as vendor:
        await vendor.define("Level", type="string")
        await vendor.define("Member since", type="date")
        choices = [{"choice_label": "S", "display_order": 1}]
        choices += [{"choice_label": "M", "display_order": 2}]
        await vendor.define(
            "Size",
            type="single_select",
            choices=choices,
            metadata={"display_type": "dropdown"},
        )
        described = await vendor.run(vendor.app.describe_fields())
        by_label = {field.label: field for field in described}
        size = by_label["Size"]
        assert [option.label for option in size.options] == ["S", "M"]
        fields = {
            "email": "a@example.org",
            by_label["Level"].field_id: "Gold",
            by_label["Member since"].field_id: "2020-12-31",
            size.field_id: size.options[0].option_id,
        }
        created = await vendor.run(vendor.app.create(NewRecord(fields=fields)))
        assert isinstance(created, Written)
        (before,) = await vendor.read(created.record.record_id)
        assert {name: before.record.fields[name] for name in fields} == fields
        change = {size.field_id: size.options[1].option_id}
        await vendor.run(vendor.app.update(before, Change(fields=change)))
        (after,) = await vendor.read(created.record.record_id)
        assert after.record.fields == before.record.fields | change


async def test_an_email_that_another_contact_has_is_refused_as_taken():
    async with connected() as vendor:
        vendor.seed(people(range(2)))
        found, _ = await vendor.scan()
        (snapshot,) = await vendor.read(
            by_email(found)["person0@example.org"].record_id
        )
        change = {"email": "person1@example.org"}
        result = await vendor.run(vendor.app.update(snapshot, Change(fields=change)))
        assert isinstance(result, Refused)
        assert result.field_id == "email"


async def test_a_value_that_is_too_long_is_refused_with_its_field():
    async with connected() as vendor:
        new = NewRecord(fields={"email": "a@example.org", "last_name": "x" * 51})
        result = await vendor.run(vendor.app.create(new))
        assert isinstance(result, Refused)
        assert result.field_id == "last_name"


async def test_a_contact_deleted_since_it_was_read_is_not_brought_back_knowingly():
    async with connected() as vendor:
        vendor.seed(people(range(1)))
        vendor.act("delete", email="person0@example.org")
        exists = await vendor.run(
            vendor.app.create(NewRecord(fields={"email": "person0@example.org"}))
        )
        assert isinstance(exists, Exists), "a deleted contact keeps its email"
        (snapshot,) = await vendor.read(exists.record_id)
        assert snapshot.record.presence is Presence.DELETED
        result = await vendor.run(
            vendor.app.update(snapshot, Change(fields={"first_name": "X"}))
        )
        assert result == Missing()
        found = await vendor.run(vendor.app.find_by_email(["person0@example.org"]))
        assert found == ()


async def test_an_unknown_contact_is_missing():
    async with connected() as vendor:
        nobody = RecordId("00000000-0000-4000-8000-000000000000")
        assert (await vendor.read(nobody))[0].record.presence is Presence.MISSING


async def test_revoked_tokens_mean_that_the_account_is_lost():
    async with connected() as vendor:
        vendor.revoke()
        with pytest.raises(CallFailed) as failure:
            await vendor.run(vendor.app.verify())
        assert failure.value.meaning is Meaning.UNAUTHORISED
