"""HubSpot's lists on its emulator: who is on which, and who came to be."""

from collections.abc import AsyncIterator

import pytest

from proto.ids import FieldId
from proto.record import Memberships
from services.connector.port import Change, NewRecord, Unsure, Update, Written
from tests.contract.hubspot_account import Account, connected

EMAIL, JOB = FieldId("email"), FieldId("jobtitle")
LISTS = "POST /crm/v3/lists/search"
OF = "POST /crm/v3/lists/records/memberships/batch/read"
LIST, SEARCH, READ = "GET /", "POST /search", "POST /batch/read"
PROPERTIES = "GET /crm/v3/properties/contacts"


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Yield an account whose time stands still."""
    async with connected() as standing:
        yield standing


async def test_where_there_are_lists_a_hundred_contacts_take_one_call_more(account):
    rye = account.new_list("Rye")
    ids = account.add(250)
    account.join(ids[:2], rye)
    account.emulator.clock.advance(600)
    found, resume = await account.scan()
    assert {key for key, one in found.items() if one.containers} == set(ids[:2])
    assert account.asked() == [PROPERTIES, LIST, LISTS, OF, LIST, OF, LIST, OF]
    account.emulator.clock.advance(600)
    account.edit(ids[:150], jobtitle="Baker")
    changed, resume = await account.changes(resume)
    assert {key for key, one in changed.items() if one.containers} == set(ids[:2])
    assert account.asked() == [LISTS, SEARCH, OF, OF, LIST]
    account.emulator.clock.advance(600)
    _, resume = await account.changes(resume)
    account.emulator.clock.advance(600)
    account.asked()
    assert (await account.changes(resume))[0] == {}
    assert account.asked() == [LISTS, SEARCH, LIST]


async def test_lists_with_filters_alone_are_none(account):
    account.new_list("Opened the last mail", processing_type="DYNAMIC")
    account.join(account.add(3), "1")
    found, resume = await account.scan()
    assert all(one.containers == () for one in found.values())
    assert account.asked() == [PROPERTIES, LIST, LISTS]
    account.emulator.clock.advance(600)
    await account.changes(resume)
    assert account.asked() == [LISTS, SEARCH, LIST]
    assert await account.run(account.app.list_containers()) == ()


async def test_who_is_put_on_a_list_shows_although_they_did_not_change(account):
    rye, _ = account.new_list("Rye"), account.new_list("Spelt")
    one, two, three = account.add(3)
    account.join([three], rye)
    account.emulator.clock.advance(600)
    _, resume = await account.scan()
    account.emulator.clock.advance(600)
    account.asked()
    account.join([one, two], rye)
    changed, resume = await account.changes(resume)
    assert {key: one.containers for key, one in changed.items()} == {
        one: (rye,),
        two: (rye,),
    }
    members = f"GET /crm/v3/lists/{rye}/memberships/join-order"
    assert account.asked() == [LISTS, SEARCH, LIST, members, READ, OF]
    account.emulator.clock.advance(600)
    again, resume = await account.changes(resume)
    assert again == changed, "passes overlap"
    account.emulator.clock.advance(600)
    assert (await account.changes(resume))[0] == {}


async def test_who_came_to_a_long_list_is_found_behind_all_others(account):
    rye = account.new_list("Rye")
    ids = account.add(530)
    account.join(ids[:520], rye)
    account.emulator.clock.advance(600)
    _, resume = await account.scan()
    account.emulator.clock.advance(600)
    account.join(ids[520:], rye)
    changed, _ = await account.changes(resume)
    assert set(changed) == set(ids[520:])


async def test_who_leaves_a_list_shows_when_they_change_or_in_a_scan(account):
    """No call tells who left: README, known gaps."""
    rye = account.new_list("Rye")
    one, two = account.add(2)
    account.join([one, two], rye)
    account.emulator.clock.advance(600)
    _, resume = await account.scan()
    account.emulator.clock.advance(600)
    for each in (one, two):
        account.act("leave", each, list_id=rye)
    account.edit([one], jobtitle="Baker")
    changed, _ = await account.changes(resume)
    assert {key: shown.containers for key, shown in changed.items()} == {one: ()}
    found, _ = await account.scan()
    assert found[two].containers == ()


@pytest.mark.parametrize("are_left_out", [False, True])
async def test_who_is_on_no_list_is_told_so(account, are_left_out):
    account.behaviour.listless_are_left_out = are_left_out
    rye = account.new_list("Rye")
    one, two = account.add(2)
    account.join([one], rye)
    snapshots = await account.read(one, two)
    assert [each.record.containers for each in snapshots] == [(rye,), ()]
    (found,) = await account.run(account.app.find_by_email(["person0@example.org"]))
    assert found.containers == (rye,)


async def test_what_is_made_of_two_is_on_the_lists_of_both(account):
    rye, spelt = account.new_list("Rye"), account.new_list("Spelt")
    one, two = account.add(2)
    account.join([one], rye)
    account.join([two], spelt)
    _, resume = await account.scan()
    winner = account.act("merge", one, other_id=two)
    changed, _ = await account.changes(resume)
    assert changed[winner].containers == (rye, spelt)


async def test_a_hundred_are_made_and_put_on_a_list_in_two_calls(account):
    rye, spelt = account.new_list("Rye"), account.new_list("Spelt")
    await account.run(account.app.describe_fields())
    await account.run(account.app.list_containers())
    account.asked()
    news = [
        NewRecord(fields={EMAIL: f"p{n}@example.org"}, containers=(rye,))
        for n in range(100)
    ]
    made = await account.run(account.app.create_many(news))
    assert account.asked() == [
        "POST /batch/create",
        f"PUT /crm/v3/lists/{rye}/memberships/add-and-remove",
    ]
    assert all(isinstance(one, Written) for one in made)
    assert all(one.record.containers == (rye,) for one in made)
    ids = [one.record.record_id for one in made]
    change = Change(
        fields={JOB: "Baker"},
        memberships=Memberships(containers_add=(spelt,), containers_remove=(rye,)),
    )
    updates = [Update(snapshot=one, change=change) for one in await account.read(*ids)]
    changed = await account.run(account.app.update_many(updates))
    assert all(one.record.containers == (spelt,) for one in changed)
    shown = {one.record.record_id: one.record for one in await account.read(*ids)}
    assert shown == {one.record.record_id: one.record for one in changed}


async def test_who_could_not_be_put_on_a_list_counts_as_half_done(account):
    """They are there: to be told that they are not would make them twice."""
    rye, spelt = account.new_list("Rye"), account.new_list("Spelt")
    account.fails_on = f"lists/{spelt}/"
    news = [
        NewRecord(fields={EMAIL: f"p{n}@example.org"}, containers=containers)
        for n, containers in enumerate([(rye,), (rye, spelt), ()])
    ]
    made = await account.run(account.app.create_many(news))
    assert isinstance(made[0], Written)
    assert made[1] == Unsure()
    assert isinstance(made[2], Written)
    assert len(account.shown()) == 3


async def test_a_list_that_became_one_with_filters_refuses_and_is_read_again(account):
    rye = account.new_list("Rye")
    account.add(1)
    (one,), _ = await account.scan()
    (snapshot,) = await account.read(one)
    account.held.lists.by_id[rye].processing_type = "DYNAMIC"
    change = Change(memberships=Memberships(containers_add=(rye,)))
    account.asked()
    for _ in range(2):
        await account.run(account.app.update(snapshot, change))
    put = f"PUT /crm/v3/lists/{rye}/memberships/add-and-remove"
    assert account.asked() == [put, LISTS, LISTS]
