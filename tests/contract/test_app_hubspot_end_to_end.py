"""HubSpot's app on its emulator, with the pages and batches that the vendor has."""

from collections.abc import AsyncIterator

import pytest

from proto.fields import Role
from proto.ids import FieldId, RecordId
from proto.record import Consent, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Exists,
    Missing,
    NewRecord,
    Refused,
    Unsure,
    Update,
    Written,
)
from tests.contract.hubspot_account import Account, connected
from tests.emulators.hubspot.properties import New, define
from tests.emulators.hubspot.searching import RESULTS_MAX

EMAIL, CITY, JOB = FieldId("email"), FieldId("address.postal"), FieldId("jobtitle")
LAG_S = 60.0
SWEEP_S = 15 * 60
LIST, SEARCH, READ = "GET /", "POST /search", "POST /batch/read"
PROPERTIES = "GET /crm/v3/properties/contacts"
LISTS = "POST /crm/v3/lists/search"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Yield an account whose time stands still."""
    async with connected() as standing:
        yield standing


def new(email: str, **more: object) -> NewRecord:
    return NewRecord(fields={EMAIL: email}, **more)


# Reading


async def test_a_scan_and_changes_take_as_few_calls_as_there_are_pages(account):
    ids = account.add(250)
    found, resume = await account.scan()
    assert set(found) == set(ids)
    assert account.asked() == [PROPERTIES, LIST, LISTS, LIST, LIST]
    account.emulator.clock.advance(600)
    for each in ids:
        account.emulator.clock.advance(0.001)
        account.edit([each], jobtitle="Baker")
    account.emulator.clock.advance(600)
    changed, resume = await account.changes(resume)
    assert set(changed) == set(ids)
    assert account.asked() == [LISTS, SEARCH, SEARCH, LIST]
    account.emulator.clock.advance(600)
    changed, _ = await account.changes(resume)
    assert (changed, account.asked()) == ({}, [LISTS, SEARCH, LIST])


async def test_more_changes_of_one_moment_than_a_search_shows_are_all_seen(account):
    """Hazard 21: the vendor's searches end at ten thousand."""
    account.add(3)
    _, resume = await account.scan()
    many = set(account.add(RESULTS_MAX + 300, of="many"))
    account.emulator.clock.advance(1)
    (later,) = account.add(1, of="later")
    changed, _ = await account.changes(resume)
    assert set(changed) >= many | {later}
    assert all(dict(call.query).get("after") is None for call in account.calls)


async def test_what_a_search_shows_late_is_seen_in_a_pass_that_follows(account):
    """Hazard 22: passes overlap by more than searches are behind."""
    (one,) = account.add(1)
    _, resume = await account.scan()
    account.behaviour.search_lag_s = LAG_S
    account.edit([one], jobtitle="Baker")
    for _ in range(3):
        changed, resume = await account.changes(resume)
        assert changed.get(one) is None or changed[one].fields[JOB] is None
        account.emulator.clock.advance(LAG_S / 3)
    changed, _ = await account.changes(resume)
    assert changed[one].fields[JOB] == "Baker"


async def test_what_a_late_search_shows_is_dated_as_what_it_was(account):
    """So that it does not replace what was read or written since."""
    (one,) = account.add(1)
    _, resume = await account.scan()
    account.behaviour.search_lag_s = LAG_S
    account.emulator.clock.advance(1)
    (snapshot,) = await account.read(one)
    result = await account.run(
        account.app.update(snapshot, Change(fields={JOB: "Baker"}))
    )
    assert isinstance(result, Written)
    changed, _ = await account.changes(resume)
    assert changed[one].modified_at < result.record.modified_at


@pytest.mark.parametrize("apart_ms", [0, 1])
async def test_who_was_edited_again_hides_nobody_behind_them(account, apart_ms):
    """A search may sort by times that it no longer shows."""
    ids = account.add(600)
    account.emulator.clock.advance(600)
    _, resume = await account.scan()
    account.emulator.clock.advance(600)
    for each in ids:
        account.emulator.clock.advance(apart_ms / 1000)
        account.edit([each], jobtitle="Baker")
    account.emulator.clock.advance(600)
    account.behaviour.search_lag_s = LAG_S
    account.behaviour.search_shows_present = True
    account.edit(ids[150:210] + ids[395:405], jobtitle="Miller")
    changed, _ = await account.changes(resume)
    assert set(changed) == set(ids)


@pytest.mark.parametrize("is_new", [True, False])
async def test_who_was_merged_away_is_told_with_whom_they_are(account, is_new):
    """Hazard 9: it is no deletion."""
    account.behaviour.merges_make_new_ids = is_new
    one, two = account.add(2)
    _, resume = await account.scan()
    account.emulator.clock.advance(1)
    winner = account.act("merge", one, other_id=two)
    changed, _ = await account.changes(resume)
    assert changed[winner].presence is Presence.LIVE
    parts = {one, two} - {winner}
    for shown in (
        changed,
        {s.record.record_id: s.record for s in await account.read(*parts)},
    ):
        for each in parts:
            assert shown[each].presence is Presence.MERGED
            assert shown[each].merged_into == winner


async def test_who_was_merged_away_and_leads_nowhere_is_missing(account):
    account.behaviour.merged_ids_resolve = False
    one, two = account.add(2)
    account.act("merge", one, other_id=two)
    (snapshot,) = await account.read(two)
    assert snapshot.record.presence is Presence.MISSING


async def test_by_id_who_is_archived_is_told_apart_from_who_never_was(account):
    one, two = account.add(2)
    account.act("archive", two)
    await account.scan()
    account.asked()
    found = await account.read(one, two, RecordId("99999999"), RecordId("../x"))
    assert [each.record.presence for each in found] == [
        Presence.LIVE,
        Presence.DELETED,
        Presence.MISSING,
        Presence.MISSING,
    ]
    assert account.asked() == [READ, READ]


async def test_a_long_archive_is_gone_through_now_and_then(account):
    """Else an account that deleted much would pay for it with every pass."""
    ids = account.add(320)
    for each in ids[:299]:
        account.act("archive", each)
    _, resume = await account.scan()
    changed, resume = await account.changes(resume)
    gone = {key for key, one in changed.items() if one.presence is Presence.DELETED}
    assert gone == set(ids[:299])
    account.asked()
    account.emulator.clock.advance(300)
    account.act("archive", ids[-1])
    changed, resume = await account.changes(resume)
    assert ids[-1] not in changed
    assert account.asked() == [LISTS, SEARCH, LIST]
    account.emulator.clock.advance(SWEEP_S)
    changed, _ = await account.changes(resume)
    assert changed[ids[-1]].presence is Presence.DELETED
    assert len(account.asked()) == 5, "there are three pages by now"


async def test_more_properties_than_a_url_holds_are_asked_for_by_batches(account):
    for number in range(400):
        name = f"a_property_of_ours_{number}"
        account.held.properties[name] = define(
            New(name=name, label=name, type="string", fieldType="text")
        )
    ids = account.add(3)
    account.edit(ids[:1], a_property_of_ours_399="Rye")
    found, _ = await account.scan()
    assert set(found) == set(ids)
    assert found[ids[0]].fields[FieldId("a_property_of_ours_399")] == "Rye"
    assert account.asked() == [PROPERTIES, LIST, READ, LISTS]


@pytest.mark.parametrize("is_null", [True, False])
async def test_what_is_empty_is_empty_however_that_is_told(account, is_null):
    account.behaviour.empty_is_null = is_null
    (one,) = account.add(1)
    found, _ = await account.scan()
    assert found[one].fields[JOB] is None
    assert found[one].fields[CITY] is None
    (snapshot,) = await account.read(one)
    assert snapshot.record == found[one]


async def test_a_second_address_finds_its_contact(account):
    one, two = account.add(2)
    winner = account.act("merge", one, other_id=two)
    (found,) = await account.run(
        account.app.find_by_email(["PERSON1@example.org", "nobody@example.org"])
    )
    assert found.record_id == winner


# Writing


async def test_a_hundred_are_read_made_and_changed_in_a_call_each(account):
    await account.run(account.app.describe_fields())
    account.asked()
    people = [new(f"p{number}@example.org") for number in range(100)]
    made = await account.run(account.app.create_many(people))
    assert account.asked() == ["POST /batch/create"]
    assert [one.record.fields[EMAIL] for one in made] == [
        one.fields[EMAIL] for one in people
    ]
    snapshots = await account.read(*(one.record.record_id for one in made))
    by_id = {one.record.record_id: one for one in snapshots}
    updates = [
        Update(
            snapshot=by_id[one.record.record_id], change=Change(fields={JOB: str(n)})
        )
        for n, one in enumerate(made)
    ]
    changed = await account.run(account.app.update_many(updates))
    assert account.asked() == [READ, LISTS, "POST /batch/update"]
    assert [one.record.fields[JOB] for one in changed] == [str(n) for n in range(100)]
    assert changed[7].record.fields[EMAIL] == "p7@example.org"


async def test_each_of_several_new_ones_is_answered_for_itself(account):
    (there,) = account.add(1)
    people = [
        new("ann@example.org"),
        new("person0@example.org"),
        new("no address"),
        NewRecord(fields={EMAIL: "x@example.org", FieldId("no_field"): "x"}),
        new("bob@example.org"),
    ]
    ann, taken, odd, unknown, bob = await account.run(account.app.create_many(people))
    assert isinstance(ann, Written)
    assert isinstance(bob, Written)
    assert taken == Exists(record_id=there)
    assert isinstance(odd, Refused)
    assert odd.field_id == EMAIL
    assert isinstance(unknown, Refused)
    assert unknown.field_id == "no_field"


async def test_each_of_several_changes_is_answered_for_itself(account):
    one, two, three, gone = account.add(4)
    snapshots = await account.read(one, two, three, gone)
    account.act("archive", gone)
    asked: list[dict] = [
        {JOB: "Baker"},
        {EMAIL: "person0@example.org"},
        {FieldId("lifecyclestage"): "baker"},
        {JOB: "Miller"},
    ]
    updates = [
        Update(snapshot=snapshot, change=Change(fields=fields))
        for snapshot, fields in zip(snapshots, asked, strict=True)
    ]
    baker, taken, odd, missing = await account.run(account.app.update_many(updates))
    assert isinstance(baker, Written)
    assert isinstance(taken, Refused)
    assert taken.field_id == EMAIL
    assert isinstance(odd, Refused)
    assert odd.field_id == "lifecyclestage"
    assert missing == Missing()


async def test_a_batch_that_is_refused_whole_is_told_so_and_nothing_is_done(account):
    account.behaviour.has_multi_status = False
    (there,) = account.add(1)
    people = [new("ann@example.org"), new("person0@example.org")]
    with pytest.raises(CallFailed) as caught:
        await account.run(account.app.create_many(people))
    assert caught.value.meaning is Meaning.REFUSED
    (snapshot,) = await account.read(there)
    account.act("archive", there)
    update = Update(snapshot=snapshot, change=Change(fields={JOB: "Baker"}))
    with pytest.raises(CallFailed) as caught:
        await account.run(account.app.update_many([update]))
    assert caught.value.meaning is Meaning.REFUSED
    found, _ = await account.scan()
    assert found == {}


# Consent


async def test_whoever_may_not_be_mailed_is_kept_from_it_in_a_batch_too(account):
    people = [
        new("ann@example.org", consent=Consent.SUBSCRIBED),
        new("bob@example.org", consent=Consent.UNSUBSCRIBED),
        new("eve@example.org", consent=Consent.SUPPRESSED),
    ]
    made = await account.run(account.app.create_many(people))
    said = [one.record.consent for one in made]
    assert said == [Consent.UNKNOWN, Consent.UNSUBSCRIBED, Consent.UNSUBSCRIBED]
    assert account.held.opted_out == {"bob@example.org", "eve@example.org"}
    found, _ = await account.scan()
    assert [found[one.record.record_id].consent for one in made] == said


async def test_an_unsubscribe_of_a_batch_that_fails_leaves_its_own_end_open(
    account,
):
    account.fails_on = "bob%40"
    people = [
        new("ann@example.org"),
        new("bob@example.org", consent=Consent.UNSUBSCRIBED),
    ]
    ann, bob = await account.run(account.app.create_many(people))
    assert isinstance(ann, Written)
    assert isinstance(bob, Unsure)


async def test_several_unsubscribe_with_and_without_other_changes(account):
    one, two = account.add(2)
    snapshots = await account.read(one, two)
    account.asked()
    changes = (
        Change(consent=Consent.UNSUBSCRIBED),
        Change(fields={JOB: "Baker"}, consent=Consent.UNSUBSCRIBED),
    )
    updates = [
        Update(snapshot=snapshot, change=change)
        for snapshot, change in zip(snapshots, changes, strict=True)
    ]
    results = await account.run(account.app.update_many(updates))
    assert [each.record.consent for each in results] == [Consent.UNSUBSCRIBED] * 2
    assert results[1].record.fields[JOB] == "Baker"
    assert len(account.asked()) == 3
    assert account.held.opted_out == {"person0@example.org", "person1@example.org"}


async def test_a_new_address_of_who_unsubscribed_is_kept_from_mail_as_well(account):
    """The vendor keeps an opt-out with the address, and knows nothing of another."""
    (one,) = account.add(1)
    account.act("unsubscribe", one)
    (snapshot,) = await account.read(one)
    change = Change(fields={EMAIL: "other@example.org"})
    result = await account.run(account.app.update(snapshot, change))
    assert result.record.consent is Consent.UNSUBSCRIBED
    (snapshot,) = await account.read(one)
    assert snapshot.record.consent is Consent.UNSUBSCRIBED


async def test_who_has_no_address_cannot_be_unsubscribed(account):
    one = account.act("create", properties={"lastname": "Nameless"})
    (snapshot,) = await account.read(one)
    change = Change(consent=Consent.UNSUBSCRIBED)
    result = await account.run(account.app.update(snapshot, change))
    assert isinstance(result, Refused)
    assert result.field_id == EMAIL


async def test_the_account_is_known_by_its_number(account):
    identity = await account.run(account.app.verify())
    assert identity.vendor_account_id == account.held.account_id
    fields = await account.run(account.app.describe_fields())
    assert next(one for one in fields if one.role is Role.EMAIL).field_id == EMAIL
