"""Mailchimp's app on its emulator: audiences, consent, and listings that move."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proto.fields import Address, Item
from proto.ids import ContainerId, FieldId
from proto.record import Consent, Memberships, Presence
from services.connector.apps.mailchimp import archived
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Alone,
    Change,
    CreateResult,
    Exists,
    Moved,
    NewRecord,
    Refused,
    Unsure,
    Written,
)
from tests.contract.mailchimp_account import Account, connected

EMAIL, COMPANY = FieldId("email"), FieldId("text.COMPANY")
LISTS, FIELDS = "GET /lists", "GET /lists/*/merge-fields"
LIST, BATCH = "GET members", "POST /lists/*"
TIGHT = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)
HOUR_S = 3_600


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Yield an account whose time stands still."""
    async with connected() as standing:
        yield standing


def new(email: str, **more: Any) -> NewRecord:
    return NewRecord(fields={EMAIL: email}, **more)


async def make(account: Account, *news: NewRecord) -> list[CreateResult]:
    """Create people together, and alone who has to be, as the connector does."""
    results = await account.run(account.app.create_many(news))
    return [
        await account.run(account.app.create(one)) if result == Alone() else result
        for one, result in zip(news, results, strict=True)
    ]


# Reading


async def test_a_scan_and_changes_take_as_few_calls_as_there_are_pages(account):
    ids = account.add(2_500)
    found, resume = await account.scan()
    assert set(found) == set(ids)
    assert account.asked() == [LISTS, LIST, FIELDS, LIST, LIST]
    account.emulator.clock.advance(HOUR_S)
    account.edit(ids[:3], COMPANY="Baker")
    account.emulator.clock.advance(HOUR_S)
    changed, resume = await account.changes(resume)
    assert set(changed) == set(ids[:3])
    assert account.asked() == [LIST, LIST]
    account.emulator.clock.advance(HOUR_S)
    assert (await account.changes(resume))[0] == {}
    assert account.asked() == [LIST, LIST]


@pytest.mark.parametrize("each", [1, 20, 40])
async def test_archiving_and_editing_during_a_scan_hides_nobody(account, each):
    """Hazard 20: those behind them move up, farther than a page overlaps, too."""
    ids = account.add(4_500)
    gone: set[str] = set()

    def between(page: Any) -> None:
        account.emulator.clock.advance(5)
        left = [one for one in page.records if one.record_id not in gone]
        for one in left[-each:]:
            account.act("archive", contact_id=one.record_id)
            gone.add(one.record_id)
        account.edit([one.record_id for one in left[:each]], COMPANY="Baker")

    found, resume = await account.scan(between)
    assert set(found) >= set(ids) - gone
    assert len(account.calls) <= 2 + 5 * 5
    changed, _ = await account.changes(resume)
    latest = found | changed
    for record_id in ids:
        member = account.member(record_id)
        if record_id in gone:
            assert latest[record_id].presence is Presence.DELETED
        else:
            kept = member.merge_fields.get("COMPANY") or None
            assert latest[record_id].fields[COMPANY] == kept


@pytest.mark.parametrize("since", ["after", "from"])
async def test_nothing_is_missed_whatever_a_filter_of_time_takes_in(since):
    async with connected(since=since) as account:
        (one,) = account.add(1)
        _, resume = await account.scan()
        for number in range(70):
            account.emulator.clock.advance(1)
            account.edit([one], COMPANY=f"Baker {number}")
            changed, resume = await account.changes(resume)
            assert changed[one].fields[COMPANY] == f"Baker {number}"


async def test_a_listing_without_an_end_is_given_up(account):
    account.add(1_200)
    account.fault(kind="endless_listing")
    with pytest.raises(CallFailed) as failure:
        await account.scan()
    assert failure.value.meaning is Meaning.BROKEN
    assert len(account.calls) < 60


async def test_who_is_deleted_for_ever_is_missing_and_no_tombstone(account):
    """Nothing tells of it; two reads by id, well apart, do."""
    one, _ = account.add(2)
    _, resume = await account.scan()
    account.act("forget", contact_id=one)
    changed, _ = await account.changes(resume)
    assert one not in changed or changed[one].presence is Presence.LIVE
    (snapshot,) = await account.read(one)
    assert snapshot.record.presence is Presence.MISSING


async def test_all_tags_are_read_of_who_has_many(account):
    names = [f"tag {number}" for number in range(70)]
    (one,) = account.add(1, tags=names)
    found, _ = await account.scan()
    assert found[one].tags == tuple(names)
    (snapshot,) = await account.read(one)
    assert snapshot.record == found[one]


# Audiences


@pytest.fixture
async def two(account: Account) -> tuple[Account, ContainerId]:
    """Return an account with a second audience, which has fields of its own."""
    other = ContainerId(account.act("open_audience", title="News", asks_twice=True))
    for field in (
        {"name": "Loaves", "type": "number", "tag": "LOAVES"},
        {"name": "Size", "type": "radio", "tag": "SIZE", "options": {"choices": ["L"]}},
    ):
        account.act("define", list_id=other, field=field)
    account.act("define", field={"name": "Loaves", "type": "text", "tag": "LOAVES"})
    return account, other


async def test_one_person_in_two_audiences_is_two_members(two):
    account, other = two
    here = account.add(2)
    there = account.add(2, list_id=other)
    found, resume = await account.scan()
    assert set(found) == {*here, *there}
    assert found[here[0]].fields[EMAIL] == found[there[0]].fields[EMAIL]
    assert found[here[0]].containers == (account.list_id,)
    assert found[there[0]].containers == (other,)
    assert {"text.LOAVES", "number.LOAVES"} & found[here[0]].fields.keys() == {
        "text.LOAVES"
    }
    account.emulator.clock.advance(HOUR_S)
    account.act("archive", contact_id=there[0])
    account.act("unsubscribe", contact_id=here[0])
    changed, _ = await account.changes(resume)
    assert changed[there[0]].presence is Presence.DELETED
    assert changed[here[0]].consent is Consent.UNSUBSCRIBED
    assert set(changed) == {here[0], there[0]}


async def test_somebody_new_goes_to_the_audience_that_was_chosen(two):
    account, other = two
    (here,) = account.add(1)
    record = (
        await account.run(
            account.app.create(
                NewRecord(
                    fields={
                        EMAIL: "person0@example.org",
                        FieldId("number.LOAVES"): "2",
                    },
                    containers=(other,),
                    consent=Consent.SUBSCRIBED,
                )
            )
        )
    ).record
    assert record.containers == (other,)
    assert account.member(record.record_id).status == "transactional"
    again = new("person0@example.org", containers=(account.list_id,))
    result = await account.run(account.app.create(again))
    assert result == Exists(record_id=here)
    unplaced = await account.run(account.app.create(new("x@example.org")))
    assert isinstance(unplaced, Refused)
    found = await account.run(account.app.find_by_email(["person0@example.org"]))
    assert {one.record_id for one in found} == {here, record.record_id}


async def test_a_field_of_another_audience_is_refused(two):
    account, other = two
    (there,) = account.add(1, list_id=other)
    (snapshot,) = await account.read(there)
    change = Change(fields={FieldId("text.LOAVES"): "many"})
    result = await account.run(account.app.update(snapshot, change))
    assert isinstance(result, Refused)
    assert result.field_id == "text.LOAVES"


async def test_a_batch_is_sent_to_each_audience(two):
    account, other = two
    news = [
        new(f"new{number}@example.org", containers=(place,))
        for number, place in enumerate((account.list_id, other, account.list_id))
    ]
    results = await make(account, *news)
    assert [one.record.containers[0] for one in results] == [
        account.list_id,
        other,
        account.list_id,
    ]


async def test_an_audience_that_comes_and_goes(account):
    account.add(2)
    _, resume = await account.scan()
    other = account.act("open_audience", title="News")
    there = account.add(3, list_id=other)
    account.restart()
    changed, resume = await account.changes(resume)
    assert set(changed) >= set(there)
    account.act("close_audience", list_id=other)
    with pytest.raises(CallFailed) as failure:
        await account.changes(resume)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED
    found, _ = await account.scan()
    assert len(found) == 2


# Consent


@pytest.mark.parametrize("consent", [*Consent])
async def test_nobody_is_mailed_without_a_clear_consent(account, consent):
    result = await account.run(
        account.app.create(new("ann@example.org", consent=consent))
    )
    status = account.member(result.record.record_id).status
    expected = {Consent.SUBSCRIBED: "subscribed", Consent.UNKNOWN: "transactional"}
    assert status == expected.get(consent, "unsubscribed")


async def test_no_write_brings_anybody_back(account):
    """Whoever unsubscribed them: an application's word the API would take back."""
    (one,) = account.add(1, status="unsubscribed")
    for change in (
        Change(fields={COMPANY: "Baker"}, consent=Consent.SUBSCRIBED),
        Change(fields={EMAIL: "another@example.org"}),
        Change(memberships=Memberships(tags_add=("VIP",))),
    ):
        (snapshot,) = await account.read(one)
        result = await account.run(account.app.update(snapshot, change))
        assert isinstance(result, Written)
        assert account.member(one).status == "unsubscribed"
    again = [new("another@example.org", consent=Consent.SUBSCRIBED), new("b@x.org")]
    results = await account.run(account.app.create_many(again))
    assert results[0] == Exists(record_id=one)
    assert account.member(one).status == "unsubscribed"


@pytest.mark.parametrize("status", ["subscribed", "pending", "transactional"])
async def test_whoever_can_be_mailed_is_unsubscribed(account, status):
    (one,) = account.add(1, status=status)
    (snapshot,) = await account.read(one)
    change = Change(consent=Consent.UNSUBSCRIBED)
    result = await account.run(account.app.update(snapshot, change))
    assert result.record.consent is Consent.UNSUBSCRIBED
    assert account.member(one).status == "unsubscribed"


async def test_an_address_that_is_forgotten_is_refused_and_told_so(account):
    (one,) = account.add(1, of="ann")
    account.act("forget", contact_id=one)
    news = [new("ann0@example.org"), new("bob@example.org")]
    results = await account.run(account.app.create_many(news))
    expected = Refused(code=results[0].code, field_id=EMAIL)
    assert results[0] == expected
    assert isinstance(results[1], Written)
    assert await account.run(account.app.create(news[0])) == expected


@pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "their own"])
async def test_who_said_no_and_was_archived_is_made_by_nobody(account, is_ours):
    """An opt-out that Tandem carried is one that the API would take back."""
    (one,) = account.add(1, of="ann")
    if is_ours:
        (snapshot,) = await account.read(one)
        change = Change(consent=Consent.UNSUBSCRIBED)
        await account.run(account.app.update(snapshot, change))
    else:
        account.act("unsubscribe", contact_id=one)
    account.act("archive", contact_id=one)
    news = [new("ann0@example.org", consent=each) for each in Consent]
    for each in news:
        result = await account.run(account.app.create(each))
        assert result == Exists(record_id=one)
        results = await make(account, each, new(f"{each.consent}@example.org"))
        assert results[0] == Exists(record_id=one)
        assert isinstance(results[1], Written)
    assert account.member(one).status == "archived"
    (snapshot,) = await account.read(one)
    assert snapshot.record.presence is Presence.DELETED
    account.act("bring_back", contact_id=one)
    assert account.member(one).status == "unsubscribed"


@pytest.mark.parametrize("count", [40, 2_500])
async def test_of_many_archived_nobody_is_brought_back(account, count):
    """However often they are made, come back, and are archived again."""
    ids = account.add(count, of="gone", status="archived")
    every = range(0, count, max(1, count // 20))
    await account.run(account.app.describe_fields())
    account.asked()
    for turn in range(3):
        account.emulator.clock.advance(HOUR_S)
        (back,) = account.add(1, of=f"turn{turn}-")
        account.act("archive", contact_id=back)
        news = [new(f"gone{number}@example.org") for number in every]
        news += [new(f"turn{turn}-0@example.org"), new(f"new{turn}@example.org")]
        results = await make(account, *news)
        met = [*(ids[number] for number in every), back]
        assert [*results[:-1]] == [Exists(record_id=one) for one in met]
        assert isinstance(results[-1], Written)
        listings = account.asked().count(LIST)
        pages = count // 999 + 1
        looks = 1 if turn or pages == 1 else pages + 1
        assert listings == looks + 1
    assert {account.member(one).status for one in ids} == {"archived"}


async def test_who_is_archived_in_each_audience_is_known_apart(two):
    account, other = two
    (here,) = account.add(1, status="archived")
    (there,) = account.add(1, list_id=other)
    news = [
        new(f"{name}@example.org", containers=(place,))
        for place in (account.list_id, other)
        for name in ("person0", "new")
    ]
    results = await make(account, *news)
    assert results[0] == Exists(record_id=here)
    assert results[2] == Exists(record_id=there)
    assert all(isinstance(one, Written) for one in (results[1], results[3]))
    assert account.member(here).status == "archived"


async def test_who_is_archived_by_the_thousand_is_asked_for(account, monkeypatch):
    """Beyond what a process remembers."""
    monkeypatch.setattr(archived, "NUMBERS_MAX", 50)
    ids = account.add(60, of="gone", status="archived")
    await account.run(account.app.describe_fields())
    news = [new(f"gone{number}@example.org") for number in range(3)]
    for looks in (1, 0):
        account.asked()
        results = await make(account, *news)
        assert results == [Exists(record_id=one) for one in ids[:3]]
        assert account.asked().count(LIST) == looks


# Writing


async def test_five_hundred_are_looked_for_made_and_read_in_three_calls(account):
    await account.run(account.app.describe_fields())
    account.asked()
    news = [new(f"new{number}@example.org") for number in range(500)]
    results = await account.run(account.app.create_many(news))
    assert all(isinstance(one, Written) for one in results)
    assert account.asked() == [LIST, BATCH, LIST]
    found, _ = await account.scan()
    assert found == {one.record.record_id: one.record for one in results}


async def test_who_is_not_among_the_newest_is_looked_for_later(account):
    """More than a thousand others were changed since the batch."""
    account.add(1_500)

    def busy(call: Any) -> None:
        if call.method == "GET":
            account.emulator.clock.advance(1)
            for each in account.shown()[:1_200]:
                account.edit([f"{each['list_id']}/{each['contact_id']}"], COMPANY="B")

    await account.run(account.app.describe_fields())
    account.check = busy
    results = await account.run(
        account.app.create_many([new("a@x.org"), new("b@x.org")])
    )
    assert results == (Unsure(), Unsure())


async def test_tags_start_no_automations(account):
    names = ("PieSync", "VIP")
    result = await account.run(account.app.create(new("ann@example.org", tags=names)))
    member = account.member(result.record.record_id)
    assert (set(member.tags), member.automations) == (set(names), 0)
    (snapshot,) = await account.read(result.record.record_id)
    change = Change(
        fields={EMAIL: "anna@example.org"},
        memberships=Memberships(tags_add=("New",), tags_remove=("VIP",)),
    )
    result = await account.run(account.app.update(snapshot, change))
    member = account.member(result.record.record_id)
    assert set(member.tags) == {"PieSync", "New"} == set(result.record.tags)
    assert (member.email_address, member.automations) == ("anna@example.org", 0)


async def test_a_tag_goes_to_nobody_else_who_has_the_address_by_now(account):
    """Tags are given by address, which may be another's since the member was read."""
    one, two = account.add(2)
    (snapshot,) = await account.read(one)
    account.act("edit", contact_id=one, changes={"email_address": "new@example.org"})
    change = Change(memberships=Memberships(tags_add=("VIP",)))
    assert await account.run(account.app.update(snapshot, change)) == Moved()
    assert account.member(two).tags == account.member(one).tags == {}


async def test_a_required_field_keeps_nobody_out(account):
    field = {"name": "Size", "type": "text", "tag": "SIZE", "required": True}
    account.act("define", field=field)
    result = await account.run(account.app.create(new("ann@example.org")))
    assert isinstance(result, Written)


async def test_an_address_without_a_town_is_refused_by_name(account):
    (one,) = account.add(1)
    (snapshot,) = await account.read(one)
    fields = {
        item.field_id for item in await account.run(account.app.describe_fields())
    }
    address = FieldId("address.ADDRESS")
    assert address in fields
    change = Change(fields={address: (Item(value=Address(street="Elm St 1")),)})
    result = await account.run(account.app.update(snapshot, change))
    assert isinstance(result, Refused)
    assert result.field_id == address


async def test_half_of_a_batch_may_be_what_no_field_takes(account):
    account.act("define", field={"name": "Loaves", "type": "number", "tag": "LOAVES"})
    loaves = FieldId("number.LOAVES")
    news = [
        NewRecord(fields={EMAIL: f"new{number}@example.org", loaves: value})
        for number, value in enumerate(("2.50", "many", "-1"))
    ]
    results = await account.run(account.app.create_many(news))
    assert [isinstance(one, Written) for one in results] == [True, False, True]
    assert results[1].field_id == loaves
    kept = account.member(results[0].record.record_id).merge_fields["LOAVES"]
    assert kept == 2.5
    assert len(account.shown()) == 2
