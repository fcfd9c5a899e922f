"""Google's app on its emulator: what this vendor alone has, and where doubt is left."""

from collections.abc import AsyncIterator

import pytest

from proto.errors import ErrorCode
from proto.fields import Item
from proto.ids import FieldId, RecordId
from proto.record import Memberships, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Missing,
    Moved,
    NewRecord,
    Refused,
    Update,
    Written,
)
from tests.contract.google_contacts_account import Account, connected
from tests.emulators.google_contacts.listing import SYNC_TOKEN_LIFETIME_S
from tests.emulators.google_contacts.writing import Writer

EMAILS, NOTE, JOB = FieldId("emails"), FieldId("note"), FieldId("job_title")
BIRTHDAY = FieldId("birthday")
MARKS = [f"01890a5d-ac96-774b-bcce-b30209{number:06}" for number in range(200)]
LIST, GET, GROUPS = (
    "GET /people/me/connections",
    "GET /people:batchGet",
    "GET /contactGroups",
)
CREATE, UPDATE = "POST /people:batchCreateContacts", "POST /people:batchUpdateContacts"
LAG_S = 180.0
BAKER = Change(fields={JOB: "Baker"})


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Yield an account whose time stands still."""
    async with connected() as standing:
        yield standing


def new(email: str, **more: object) -> NewRecord:
    return NewRecord(fields={EMAILS: (Item(value=email),)}, **more)


# Reading


async def test_a_scan_and_changes_take_as_few_calls_as_there_are_pages(account):
    ids = [account.add(f"p{number}@example.org") for number in range(1_001)]
    found, resume = await account.scan()
    assert set(found) == set(ids)
    assert account.asked() == [LIST, LIST]
    changed, resume = await account.changes(resume)
    assert (changed, account.asked()) == ({}, [LIST])
    account.act("edit", ids[7], fields={"biographies": [{"value": "new"}]})
    changed, _ = await account.changes(resume)
    assert set(changed) == {ids[7]}
    assert account.asked() == [LIST]


async def test_labels_are_read_when_somebody_has_one_that_is_not_known(account):
    ann = account.add("ann@example.org")
    found, resume = await account.scan()
    assert found[ann].tags == ()
    assert account.asked() == [LIST], "my contacts are no label"
    account.act("label", ann, labels=["VIP"])
    changed, resume = await account.changes(resume)
    assert changed[ann].tags == ("VIP",)
    assert account.asked() == [LIST, GROUPS]
    account.act("label", ann, labels=["VIP", "Choir"])
    changed, _ = await account.changes(resume)
    assert set(changed[ann].tags) == {"VIP", "Choir"}


async def test_after_a_week_only_a_complete_scan_goes_on(account):
    _, resume = await account.scan()
    account.emulator.clock.advance(SYNC_TOKEN_LIFETIME_S - 1)
    _, resume = await account.changes(resume)
    account.emulator.clock.advance(2)
    with pytest.raises(CallFailed) as caught:
        await account.changes(resume)
    assert caught.value.meaning is Meaning.CURSOR_EXPIRED
    await account.scan()


async def test_a_listing_that_is_behind_shows_no_write_of_ours_as_undone(account):
    ann = account.add("ann@example.org")
    _, resume = await account.scan()
    account.behaviour.sync_lag_s = LAG_S
    (snapshot,) = await account.read(ann)
    written = await account.run(account.app.update(snapshot, BAKER))
    assert written.record.modified_at is not None
    found, _ = await account.scan()
    assert found[ann].fields[JOB] is None
    assert found[ann].modified_at <= written.record.modified_at
    (now,) = await account.read(ann)
    assert now.record == written.record, "reading by id is not behind"
    changed, resume = await account.changes(resume)
    assert changed == {}
    account.emulator.clock.advance(LAG_S)
    changed, _ = await account.changes(resume)
    assert changed[ann] == written.record


@pytest.mark.parametrize("leaves_tombstone", [True, False])
async def test_who_was_merged_away_is_told_to_be(account, leaves_tombstone):
    account.behaviour.merges_leave_tombstones = leaves_tombstone
    ann, bob = [account.add(f"{name}@example.org") for name in ("ann", "bob")]
    _, resume = await account.scan()
    account.act("merge", ann, other_id=bob)
    changed, _ = await account.changes(resume)
    assert changed[bob].presence is Presence.MERGED
    assert changed[bob].merged_into == ann
    assert changed[ann].presence is Presence.LIVE
    (former,) = await account.read(bob)
    assert (former.record.presence, former.record.merged_into) == (
        Presence.MERGED,
        ann,
    )
    account.behaviour.previous_names_resolve = False
    (former,) = await account.read(bob)
    assert former.record.presence is Presence.MISSING


async def test_who_is_linked_with_a_profile_goes_by_another_name(account):
    ann = account.add("ann@example.org")
    _, resume = await account.scan()
    profile = {"names": [{"givenName": "Annie"}]}
    now = account.act("link", ann, profile=profile)
    changed, _ = await account.changes(resume)
    assert changed[ann].merged_into == now
    assert changed[now].fields[FieldId("given_name")] is None, "it is the profile's"


async def test_who_has_more_addresses_than_a_listing_shows_is_read_again(account):
    emails = [{"value": f"a{number}@example.org"} for number in range(120)]
    ann = account.add(emailAddresses=emails)
    account.add("bob@example.org")
    found, _ = await account.scan()
    assert len(found[ann].fields[EMAILS]) == 120
    assert account.asked() == [LIST, GET]
    (snapshot,) = await account.read(ann)
    assert found[ann] == snapshot.record


async def test_two_hundred_are_read_in_one_call(account):
    ids = [account.add(f"p{number}@example.org") for number in range(201)]
    found = await account.read(*ids)
    assert [one.record.record_id for one in found] == ids
    assert account.asked() == [GET, GET]


@pytest.mark.parametrize("refuses", [False, True])
async def test_who_is_not_there_is_missing_however_the_batch_tells(account, refuses):
    account.behaviour.missing_refuse_batches = refuses
    ann, bob = [account.add(f"{name}@example.org") for name in ("ann", "bob")]
    account.act("delete", bob)
    found = await account.read(ann, bob, RecordId("people/c12345"))
    assert [one.record.presence for one in found] == [
        Presence.LIVE,
        Presence.MISSING,
        Presence.MISSING,
    ]


# Writing


@pytest.mark.parametrize("checked", ["person", "source", "both"])
async def test_whichever_tag_counts_nobody_is_overwritten(account, checked):
    account.behaviour.checked_etag = checked
    ann = account.add("ann@example.org")
    (snapshot,) = await account.read(ann)
    assert isinstance(await account.run(account.app.update(snapshot, BAKER)), Written)
    again = await account.run(account.app.update(snapshot, BAKER))
    assert again == Moved()
    account.act("delete", ann)
    assert await account.run(account.app.update(snapshot, BAKER)) == Missing()


async def test_a_label_alone_makes_somebody_another_version(account):
    ann = account.add("ann@example.org")
    (snapshot,) = await account.read(ann)
    account.act("label", ann, labels=["VIP"])
    assert await account.run(account.app.update(snapshot, BAKER)) == Moved()


@pytest.mark.parametrize("keeps_order", [True, False])
async def test_two_hundred_are_made_in_one_call_and_known_by_our_marks(
    account, keeps_order
):
    account.behaviour.batches_keep_order = keeps_order
    news = [
        new(f"p{number}@example.org", marker=mark, tags=("VIP",))
        for number, mark in enumerate(MARKS)
    ]
    results = await account.run(account.app.create_many(news))
    assert account.asked() == [GROUPS, "POST /contactGroups", CREATE]
    for asked, mark, result in zip(news, MARKS, results, strict=True):
        assert isinstance(result, Written)
        assert result.record.fields[EMAILS] == asked.fields[EMAILS]
        assert result.record.marker == mark
        assert result.record.tags == ("VIP",)


async def test_what_was_made_shows_our_mark_in_the_changes(account):
    _, resume = await account.scan()
    account.fault(kind="applied_but_lost", method="POST")
    with pytest.raises(CallFailed) as caught:
        await account.run(account.app.create(new("ann@example.org", marker=MARKS[0])))
    assert caught.value.meaning is Meaning.NO_ANSWER
    changed, _ = await account.changes(resume)
    (record,) = changed.values()
    assert record.marker == MARKS[0]


async def test_of_two_hundred_new_ones_the_bad_one_alone_is_refused(account):
    news = [new(f"p{number}@example.org", marker=MARKS[number]) for number in range(20)]
    fields = news[7].fields | {BIRTHDAY: "1984-02-30"}
    news[7] = NewRecord(fields=fields, marker=MARKS[7])
    results = await account.run(account.app.create_many(news))
    assert results[7] == Refused(code=ErrorCode.VALUE_REFUSED)
    assert sum(isinstance(one, Written) for one in results) == 19
    assert account.asked() == [CREATE, CREATE]
    assert len(account.shown()) == 19


async def test_of_many_changes_each_gets_what_is_its_own(account):
    ids = [account.add(f"p{number}@example.org") for number in range(6)]
    snapshots = await account.read(*ids)
    account.act("edit", ids[1], fields={"biographies": [{"value": "theirs"}]})
    account.act("delete", ids[2])
    changes = [
        BAKER,
        BAKER,
        BAKER,
        Change(fields={BIRTHDAY: "1984-02-30"}),
        Change(fields={BIRTHDAY: "--02-29"}, memberships=Memberships(tags_add=("A",))),
        Change(fields={EMAILS: None}),
    ]
    account.asked()
    updates = [
        Update(snapshot=one, change=change)
        for one, change in zip(snapshots, changes, strict=True)
    ]
    results = await account.run(account.app.update_many(updates))
    alone = f"PATCH /{ids[3]}:updateContact"
    made = [GROUPS, "POST /contactGroups", UPDATE, UPDATE, alone]
    assert account.asked() == made
    assert results[1:4] == (
        Moved(),
        Missing(),
        Refused(code=ErrorCode.VALUE_REFUSED, field_id=BIRTHDAY),
    )
    first, _, _, third, fourth, fifth = await account.read(*ids)
    assert first.record == results[0].record
    assert first.record.fields[JOB] == "Baker"
    assert third.record.fields[BIRTHDAY] is None
    assert fourth.record.fields[BIRTHDAY] == "--02-29"
    assert fourth.record.tags == ("A",)
    assert fifth.record.fields[EMAILS] is None
    assert [one["api_writes"] for one in account.shown()] == [1, 0, 0, 0, 1, 1]


# Limits


@pytest.mark.parametrize(
    ("kind", "operation"),
    [
        ("limits", lambda app: app.verify()),
        ("full_sync_limits", lambda app: app.scan(None)),
        ("write_limits", lambda app: app.create(new("ann@example.org"))),
        ("group_limits", lambda app: app.create(new("a@example.org", tags=("A",)))),
    ],
)
@pytest.mark.parametrize("status", [429, 403])
async def test_every_quota_asks_for_a_minutes_pause(account, kind, operation, status):
    account.behaviour.quota_status = status
    getattr(account.emulator.settings, kind).requests_per_window = 0
    with pytest.raises(CallFailed) as caught:
        await account.run(operation(account.app))
    assert caught.value.meaning is Meaning.RATE_LIMITED
    assert caught.value.retry_after_s == 60.0
    account.behaviour.tells_pause = True
    with pytest.raises(CallFailed) as caught:
        await account.run(operation(account.app))
    assert caught.value.retry_after_s is None, "the transport reads the header"


# Labels


async def test_a_process_that_knows_no_label_tells_them_after_a_write(account):
    ann = account.add("ann@example.org")
    account.act("label", ann, labels=["VIP"])
    (snapshot,) = await account.read(ann)
    account.restart()
    written = await account.run(account.app.update(snapshot, BAKER))
    assert written.record.tags == ("VIP",)


async def test_a_label_that_is_gone_is_made_anew_at_the_second_try(account):
    ann, bob = [account.add(f"{name}@example.org") for name in ("ann", "bob")]
    tagged = Change(memberships=Memberships(tags_add=("VIP",)))
    (first,), (second,) = await account.read(ann), await account.read(bob)
    assert isinstance(await account.run(account.app.update(first, tagged)), Written)
    (group,) = [one for one in account.held.groups.values() if not one.is_system]
    Writer(account.held, who="user").delete_group(group)
    refused = await account.run(account.app.update(second, tagged))
    assert isinstance(refused, Refused)
    result = await account.run(account.app.update(second, tagged))
    assert result.record.tags == ("VIP",)


async def test_a_group_that_is_not_listed_is_not_looked_for_again(account):
    ann = account.add("ann@example.org")
    account.act("label", ann, labels=["VIP"])
    (group,) = [one for one in account.held.groups.values() if not one.is_system]
    del account.held.groups[group.resource_name]
    for _ in range(2):
        found, _ = await account.scan()
        assert found[ann].tags == ()
    assert account.asked() == [LIST, GROUPS, LIST]
