"""ActiveCampaign's app on its emulator: lists as consent, tags, and pages by id."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from proto.fields import Item
from proto.ids import ContainerId, FieldId
from proto.record import Consent, Memberships, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, Exists, NewRecord, Written
from tests.contract.activecampaign_account import Account, connected

EMAIL, LAST = FieldId("email"), FieldId("lastName")
LIST, FIELDS = "GET /contacts", "GET /fields"
TIGHT = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)
HOUR_S = 3_600


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Yield an account whose time stands still."""
    async with connected() as standing:
        yield standing


def new(email: str, **more: Any) -> NewRecord:
    return NewRecord(fields={EMAIL: email}, **more)


async def idle(account: Account, resume: str) -> str:
    """Let an hour pass, so that nothing that happened before is read once more."""
    account.emulator.clock.advance(HOUR_S)
    _, resume = await account.changes(resume)
    account.asked()
    return resume


# Reading


async def test_a_scan_and_changes_take_as_few_calls_as_there_are_pages(account):
    ids = account.add(250)
    found, resume = await account.scan()
    assert set(found) == set(ids)
    assert account.asked() == [LIST, FIELDS, LIST, LIST, LIST]
    resume = await idle(account, resume)
    account.edit(ids[:3], lastName="Baker")
    changed, resume = await account.changes(resume)
    assert set(changed) == set(ids[:3])
    assert account.asked() == [LIST, LIST]


async def test_edits_and_deletions_during_a_scan_hide_nobody(account):
    """Hazard 20: pages go on behind an id, so that nothing moves."""
    ids = account.add(450)
    gone: set[str] = set()

    def between(page: Any) -> None:
        account.emulator.clock.advance(1)
        for one in page.records[:40]:
            account.act("delete", contact_id=int(one.record_id))
            gone.add(one.record_id)
        account.edit([one.record_id for one in page.records[40:80]], lastName="Baker")

    found, resume = await account.scan(between)
    assert set(found) == set(ids)
    changed, _ = await account.changes(resume)
    for record_id in set(ids) - gone:
        latest = changed.get(record_id, found[record_id])
        kept = account.contact(record_id).last_name or None
        assert latest.fields[LAST] == kept
    missing = await account.read(*sorted(gone)[:5])
    assert {one.record.presence for one in missing} == {Presence.MISSING}


@pytest.mark.parametrize("kind", ["moment", "day", "later_day"])
@pytest.mark.parametrize("offset_h", [-12, -5, 0, 14])
async def test_nothing_is_missed_whatever_the_filter_and_the_zone(kind, offset_h):
    """Changes are found by the second, from a day on, or after a day.

    What was asked for was a moment in UTC. Read as a day, that is tomorrow for some;
    where the day itself is left out, too, whoever changed on it was missed for hours.
    """
    async with connected(updated_after=kind, offset_h=offset_h) as account:
        (one,) = account.add(1)
        _, resume = await account.scan()
        for number in range(40):
            account.emulator.clock.advance(1_799)
            account.edit([one], lastName=f"Baker {number}")
            changed, resume = await account.changes(resume)
            assert changed[one].fields[LAST] == f"Baker {number}"


@pytest.mark.parametrize("kind", ["moment", "later_day"])
async def test_where_much_changed_days_are_asked_for_the_more_seldom(kind):
    """Twelve pages are read again after a minute, and not before."""
    async with connected(updated_after=kind) as account:
        ids = account.add(1_200, age_s=HOUR_S)
        _, resume = await account.scan()
        account.asked()
        changed, resume = await account.changes(resume)
        assert (changed, len(account.asked())) == ({}, 12 + 1)
        account.emulator.clock.advance(30)
        account.edit(ids[:1], lastName="Baker")
        changed, resume = await account.changes(resume)
        assert (set(changed) == set(ids[:1])) is (kind == "moment")
        assert len(account.asked()) == 2
        account.emulator.clock.advance(30)
        changed, resume = await account.changes(resume)
        assert changed[ids[0]].fields[LAST] == "Baker"
        assert (set(changed), len(account.asked())) == ({ids[0]}, 1 + 12 + 1)
        account.emulator.clock.advance(3 * 24 * HOUR_S)
        _, resume = await account.changes(resume)
        account.asked()
        assert (await account.changes(resume))[0] == {}
        assert len(account.asked()) == 2


@pytest.mark.parametrize("lists_touch", [True, False])
async def test_who_leaves_a_list_is_seen_although_no_time_moves(lists_touch):
    async with connected(lists_touch=lists_touch) as account:
        ids = account.add(250)
        for each in ids[:120]:
            account.act("unsubscribe", contact_id=int(each))
        _, resume = await account.scan()
        resume = await idle(account, resume)
        account.act("unsubscribe", contact_id=int(ids[200]))
        changed, resume = await account.changes(resume)
        assert changed[ids[200]].consent is Consent.UNSUBSCRIBED
        account.asked()
        account.act("subscribe", contact_id=int(ids[0]))
        account.act("unsubscribe", contact_id=int(ids[201]))
        changed, resume = await account.changes(resume)
        if not lists_touch:
            assert ids[201] not in changed, "as many as before have unsubscribed"
        account.emulator.clock.advance(HOUR_S)
        changed, _ = await account.changes(resume)
        assert changed[ids[201]].consent is Consent.UNSUBSCRIBED


async def test_who_leaves_while_everybody_is_read_is_seen_afterwards(account):
    ids = account.add(250)

    def between(page: Any) -> None:
        first = page.records[0].record_id
        account.act("unsubscribe", contact_id=int(first))

    _, resume = await account.scan(between)
    changed, _ = await account.changes(resume)
    assert changed[ids[0]].consent is Consent.UNSUBSCRIBED


@pytest.mark.parametrize("kind", ["endless_listing", "malformed_page"])
async def test_a_listing_that_goes_wrong_is_given_up(account, kind):
    account.add(150)
    account.fault(kind=kind, skip=1)
    with pytest.raises(CallFailed) as failure:
        await account.scan()
    assert failure.value.meaning is Meaning.BROKEN
    assert len(account.calls) < 10


async def test_a_key_that_is_none_is_told_so(account):
    account.revoke()
    with pytest.raises(CallFailed) as failure:
        await account.scan()
    assert failure.value.meaning is Meaning.UNAUTHORISED


# Lists and consent


async def test_one_list_of_two_is_no_consent_and_no_refusal(account):
    other = account.act("open_list", title="News")
    (one,) = account.add(1, lists={"1": 1, other: 1})
    account.act("unsubscribe", contact_id=int(one), list_id=1)
    (snapshot,) = await account.read(one)
    assert snapshot.record.consent is Consent.UNKNOWN
    assert set(snapshot.record.containers) == {"1", other}
    change = Change(consent=Consent.UNSUBSCRIBED)
    result = await account.run(account.app.update(snapshot, change))
    assert result.record.consent is Consent.UNSUBSCRIBED
    statuses = {
        number: one.status for number, one in account.contact(one).lists.items()
    }
    assert statuses == {1: 2, int(other): 2}
    containers = await account.run(account.app.list_containers())
    assert {one.container_id: one.name for one in containers} == {
        "1": "Customers",
        other: "News",
    }


@pytest.mark.parametrize("consent", [*Consent])
@pytest.mark.parametrize("containers", [(), ("1",)])
async def test_nobody_is_mailed_without_a_clear_consent(account, consent, containers):
    record = (
        await account.run(
            account.app.create(
                new(
                    "ann@example.org",
                    consent=consent,
                    containers=tuple(map(ContainerId, containers)),
                )
            )
        )
    ).record
    lists = account.contact(record.record_id).lists
    statuses = [one.status for one in lists.values()]
    if consent in TIGHT:
        assert statuses == [2]
    elif consent is Consent.SUBSCRIBED and containers:
        assert statuses == [1]
    else:
        assert statuses == []
    (snapshot,) = await account.read(record.record_id)
    assert snapshot.record == record


async def test_no_write_brings_anybody_back(account):
    (one,) = account.add(1)
    account.act("unsubscribe", contact_id=int(one))
    for change in (
        Change(fields={LAST: "Baker"}, consent=Consent.SUBSCRIBED),
        Change(fields={EMAIL: "another@example.org"}),
        Change(memberships=Memberships(tags_add=("VIP",))),
    ):
        (snapshot,) = await account.read(one)
        result = await account.run(account.app.update(snapshot, change))
        assert isinstance(result, Written)
    again = new("Another@example.org", consent=Consent.SUBSCRIBED, containers=("1",))
    assert await account.run(account.app.create(again)) == Exists(record_id=one)
    assert [each.status for each in account.contact(one).lists.values()] == [2]


async def test_who_bounced_is_not_told_to_have_unsubscribed(account):
    (one,) = account.add(1)
    account.act("bounce", contact_id=int(one))
    found, _ = await account.scan()
    assert found[one].consent is Consent.SUPPRESSED


# Tags and fields


async def test_a_tag_is_made_once_and_taken_again(account):
    names = ("PieSync", "Süß & Co")
    records = [
        (
            await account.run(
                account.app.create(new(f"p{number}@example.org", tags=names))
            )
        ).record
        for number in range(2)
    ]
    assert sorted(account.held.tags.values()) == sorted(names)
    asked = account.asked()
    assert asked.count("POST /tags") == 2
    assert asked.count("GET /tags") == 2
    account.restart()
    (snapshot,) = await account.read(records[0].record_id)
    wanted = Memberships(tags_remove=("PieSync",), tags_add=("PieSync Trash",))
    result = await account.run(account.app.update(snapshot, Change(memberships=wanted)))
    assert set(result.record.tags) == {"Süß & Co", "PieSync Trash"}
    (snapshot,) = await account.read(records[0].record_id)
    assert snapshot.record == result.record
    assert "PieSync" in (await account.read(records[1].record_id))[0].record.tags


async def test_a_tag_that_somebody_took_meanwhile_is_gone(account):
    (one,) = account.add(1)
    account.act("tag", contact_id=int(one), names=["VIP"])
    (snapshot,) = await account.read(one)
    contact = account.contact(one)
    account.held.untag(contact, next(iter(contact.tags)), who="user")
    change = Change(memberships=Memberships(tags_remove=("VIP",)))
    result = await account.run(account.app.update(snapshot, change))
    assert isinstance(result, Written)
    assert result.record.tags == ()


async def test_a_tag_that_is_no_more_is_looked_for_again(account):
    await account.run(account.app.create(new("a@example.org", tags=("VIP",))))
    (tag_id,) = account.held.tags
    account.held.tags.clear()
    account.held.tags[tag_id + 1_000] = "VIP"
    with pytest.raises(CallFailed):
        await account.run(account.app.create(new("b@example.org", tags=("VIP",))))
    result = await account.run(account.app.create(new("c@example.org", tags=("VIP",))))
    assert result.record.tags == ("VIP",)


async def test_values_of_every_type_go_there_and_back(account):
    kinds = {
        "text": "Rye 🍞",
        "textarea": "one\ntwo",
        "date": "1984-02-29",
        "datetime": "2020-01-02T03:04:05Z",
        "dropdown": "L",
        "radio": "S",
        "checkbox": (Item(value="S"), Item(value="L")),
        "listbox": (Item(value="L"),),
    }
    ids = {
        kind: FieldId(
            "field."
            + account.act(
                "define", field={"title": kind, "type": kind, "options": ["S", "L"]}
            )
        )
        for kind in kinds
    }
    asked = {ids[kind]: value for kind, value in kinds.items()}
    create = NewRecord(fields={EMAIL: "ann@example.org"} | asked)
    record = (await account.run(account.app.create(create))).record
    assert {each: record.fields[each] for each in asked} == asked
    (snapshot,) = await account.read(record.record_id)
    assert snapshot.record.fields == record.fields
    for field_id in asked:
        (snapshot,) = await account.read(record.record_id)
        change = Change(fields={field_id: None})
        result = await account.run(account.app.update(snapshot, change))
        assert result.record.fields == snapshot.record.fields | {field_id: None}
        (snapshot,) = await account.read(record.record_id)
        assert snapshot.record.fields == result.record.fields
