"""HubSpot's lists, driven with fixtures, without a socket."""

import json

import pytest

from proto import codec
from proto.errors import ErrorCode
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Memberships, Record
from services.connector import vendors
from services.connector.apps.hubspot.app import App
from services.connector.apps.hubspot.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Answer,
    Change,
    Missing,
    NewRecord,
    Refused,
    Snapshot,
    Unsure,
    Update,
    Written,
)
from tests.contract.driving import answer, drive
from tests.contract.emulated_account import new_app
from tests.contract.hubspot import (
    JOB,
    NOW_MS,
    ZOE,
    app_that_knows_its_account,
    shown,
)

MINUTE_MS = 60_000
RYE, MARKET, OPENED = ContainerId("13"), ContainerId("104"), ContainerId("21")
LISTS = "/crm/v3/lists"
BUSY = CallFailed(Meaning.RATE_LIMITED, "too many calls")


@pytest.fixture
def app() -> App:
    """An app that knows its account's properties and lists."""
    return app_that_knows_its_account(lists="lists_page")


@pytest.fixture
def zoe(app: App) -> Snapshot:
    (snapshot,), _ = drive(app.get([ZOE]), [shown("batch_read"), shown("memberships")])
    return snapshot


def onto(*ids: ContainerId, off: tuple[ContainerId, ...] = (), **more) -> Change:
    memberships = Memberships(containers_add=ids, containers_remove=off)
    return Change(memberships=memberships, **more)


def cursor(**progress: object) -> str:
    known = {"stage": Stage.CHANGED, "since": NOW_MS, "swept": NOW_MS}
    return vendors.encode_cursor(Progress(**{**known, "listed": NOW_MS, **progress}))


# Reading


def test_lists_are_described_that_contacts_can_be_put_on():
    found, (call,) = drive(new_app("hubspot").list_containers(), [shown("lists_page")])
    assert {one.container_id: one.name for one in found} == {
        RYE: "Rye",
        MARKET: "Münster market",
    }
    asked = json.loads(call.body or b"")
    assert (asked["objectTypeId"], asked["count"], asked["offset"]) == ("0-1", 500, 0)
    assert not call.is_write


def test_lists_are_read_page_by_page():
    first = json.loads(shown("lists_page").body) | {"hasMore": True}
    app = new_app("hubspot")
    _, (_, call) = drive(app.list_containers(), [answer(first), shown("lists_none")])
    assert json.loads(call.body or b"")["offset"] == 5
    again = first | {"offset": 0}
    with pytest.raises(CallFailed) as caught:
        drive(app.list_containers(), [answer(again)])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_contact_is_told_with_its_lists_but_those_with_filters(app):
    (snapshot,), calls = drive(
        app.get([ZOE]), [shown("batch_read"), shown("memberships")]
    )
    assert snapshot.record.containers == (RYE, MARKET)
    assert calls[1].path == f"{LISTS}/records/memberships/batch/read"
    assert json.loads(calls[1].body or b"") == {
        "inputs": [{"objectTypeId": "0-1", "recordId": ZOE}]
    }
    assert not calls[1].is_write


def test_who_is_left_out_is_on_no_list(app):
    body = json.loads(shown("memberships").body) | {"results": []}
    (snapshot,), _ = drive(app.get([ZOE]), [shown("batch_read"), answer(body)])
    assert snapshot.record.containers == ()


@pytest.mark.parametrize(
    "about",
    [shown("memberships_failed"), answer({"status": "PROCESSING", "results": []})],
)
def test_lists_that_were_read_in_part_are_not_believed(app, about):
    """Hazard 50: who is not told of would seem to have left their lists."""
    with pytest.raises(CallFailed) as caught:
        drive(app.get([ZOE]), [shown("batch_read"), about])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_list_that_was_made_meanwhile_is_looked_for_once(app):
    body = json.loads(shown("memberships").body)
    body["results"][0]["recordListMemberships"].append({"listId": 77})
    page = json.loads(shown("lists_page").body)
    answers = [shown("batch_read"), answer(body), answer(page)]
    (snapshot,), _ = drive(app.get([ZOE]), answers)
    assert snapshot.record.containers == (RYE, MARKET), "it is nobody's to change"
    drive(app.get([ZOE]), answers[:2])
    body["results"][0]["recordListMemberships"].append({"listId": 78})
    page["lists"].append(page["lists"][0] | {"listId": "78", "name": "Spelt"})
    answers = [shown("batch_read"), answer(body), answer(page)]
    (snapshot,), _ = drive(app.get([ZOE]), answers)
    assert snapshot.record.containers == (RYE, ContainerId("78"), MARKET)


# Who came to be on a list


def changes(app: App, progress: str, *more: Answer):
    found = [shown(one) for one in ("lists_page", "contacts_empty", "contacts_empty")]
    return drive(app.changes(progress), [*found, *more])


def test_a_list_that_somebody_was_put_on_is_gone_through(app):
    """Also where that was a minute before the last pass: times may be late."""
    page, _ = changes(app, cursor(listed=NOW_MS))
    assert vendors.decode_cursor(page.next or "", Progress).lists == (RYE,)
    answers = [shown("list_members"), shown("batch_read"), shown("memberships")]
    page, (call, read, _) = drive(app.changes(page.next), answers)
    assert call.path == f"{LISTS}/13/memberships/join-order"
    assert dict(call.query) == {"limit": "250"}
    inputs = json.loads(read.body or b"")["inputs"]
    assert inputs == [{"id": ZOE}], "the other one has been on it for long"
    (record,) = page.records
    assert record.containers == (RYE, MARKET)
    progress = vendors.decode_cursor(page.resume or "", Progress)
    assert (progress.stage, progress.listed) == (Stage.CHANGED, NOW_MS)


def test_lists_that_nobody_was_put_on_are_left_alone(app):
    page, calls = changes(app, cursor(since=NOW_MS, listed=NOW_MS + 10 * MINUTE_MS))
    assert len(calls) == 3
    assert page.resume is not None


def test_long_lists_are_gone_through_the_more_seldom(app):
    body = json.loads(shown("lists_page").body)
    body["lists"][0]["additionalProperties"]["hs_list_size"] = 250 * 60
    rest = [shown("contacts_empty"), shown("contacts_empty")]
    since = NOW_MS - 299_000
    page, _ = drive(app.changes(cursor(listed=since)), [answer(body), *rest])
    assert page.resume is not None
    assert vendors.decode_cursor(page.resume, Progress).listed == since, "not forgotten"
    page, _ = drive(app.changes(cursor(listed=since - 1_000)), [answer(body), *rest])
    assert page.next is not None


def test_members_are_read_page_by_page_and_list_by_list(app):
    going_on = cursor(stage=Stage.JOINED, began=NOW_MS, lists=(RYE, MARKET))
    answers = [
        shown("list_members_page"),
        answer({"results": []}),
        shown("error_not_found", status=404),
    ]
    page, calls = drive(app.changes(going_on), answers)
    assert [(call.path, dict(call.query).get("after")) for call in calls] == [
        (f"{LISTS}/13/memberships/join-order", None),
        (f"{LISTS}/13/memberships/join-order", "MTc2NDU4"),
        (f"{LISTS}/104/memberships/join-order", None),
    ]
    assert page.records == ()
    assert page.resume is not None, "a list that is gone holds nobody up"


def test_a_long_list_takes_several_pages(app):
    going_on = cursor(stage=Stage.JOINED, began=NOW_MS, lists=(RYE,))
    body = json.loads(shown("list_members_page").body)
    pages = [
        answer(body | {"paging": {"next": {"after": str(number)}}})
        for number in range(10)
    ]
    page, _ = drive(app.changes(going_on), pages)
    progress = vendors.decode_cursor(page.next or "", Progress)
    assert (progress.lists, progress.after) == ((RYE,), "9")


def test_of_many_who_joined_no_more_are_read_than_fill_a_page(app):
    going_on = cursor(stage=Stage.JOINED, began=NOW_MS, lists=(RYE,))
    joined = [
        {"recordId": str(number), "membershipTimestamp": "2026-02-11T12:00:00Z"}
        for number in range(1, 251)
    ]
    body = {"results": joined, "paging": {"next": {"after": "250"}}}
    page, calls = drive(
        app.changes(going_on), [answer(body), *[answer({"results": []})] * 3]
    )
    sizes = [len(json.loads(call.body or b"")["inputs"]) for call in calls[1:]]
    assert sizes == [100, 100, 50]
    assert vendors.decode_cursor(page.next or "", Progress).after == "250"


def test_a_page_of_members_that_leads_to_itself_is_broken(app):
    going_on = cursor(stage=Stage.JOINED, began=NOW_MS, lists=(RYE,), after="MTc2NDU4")
    with pytest.raises(CallFailed) as caught:
        drive(app.changes(going_on), [shown("list_members_page")])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_cursor_of_a_page_of_members_that_is_refused_asks_for_a_scan(app):
    going_on = cursor(stage=Stage.JOINED, began=NOW_MS, lists=(RYE,), after="MTc2NDU4")
    with pytest.raises(CallFailed) as caught:
        drive(app.changes(going_on), [shown("error_validation", status=400)])
    assert caught.value.meaning is Meaning.CURSOR_EXPIRED


def test_a_pass_from_before_there_were_lists_tells_everybody_on_one(app):
    """A cursor that was kept by an older release."""
    old = b'{"stage":"changed","since":1770811200000,"swept":1770811200000}'
    page, _ = changes(app, old.decode())
    assert vendors.decode_cursor(page.next or "", Progress).lists == (RYE, MARKET)
    assert vendors.FEW_PAGES >= 4, "of which there are so many"


# Writing


def test_who_is_put_on_a_list_and_off_another_takes_a_call_each(app, zoe):
    change = onto(MARKET, off=(RYE,))
    result, calls = drive(app.update(zoe, change), [shown("list_moved")] * 2)
    assert {call.path: json.loads(call.body or b"") for call in calls} == {
        f"{LISTS}/104/memberships/add-and-remove": {
            "recordIdsToAdd": [ZOE],
            "recordIdsToRemove": [],
        },
        f"{LISTS}/13/memberships/add-and-remove": {
            "recordIdsToAdd": [],
            "recordIdsToRemove": [ZOE],
        },
    }
    assert all(call.method == "PUT" and call.is_write for call in calls)
    assert isinstance(result, Written)
    assert result.record.containers == (MARKET,)
    assert result.record.fields == zoe.record.fields


def test_an_update_of_fields_leaves_lists_alone(app, zoe):
    change = Change(fields={JOB: "Baker"})
    result, calls = drive(app.update(zoe, change), [shown("contact_updated")])
    assert (result.record.containers, len(calls)) == ((RYE, MARKET), 1)


@pytest.mark.parametrize("list_id", [OPENED, ContainerId("99"), ContainerId("../1")])
def test_nobody_is_put_on_what_is_no_list_of_ours(app, zoe, list_id):
    """Nothing is made that would then not be where it was to be."""
    refused, lists = Refused(code=ErrorCode.VALUE_REFUSED), shown("lists_page")
    new = NewRecord(fields={FieldId("email"): "a@b.org"}, containers=(list_id,))
    update = Update(snapshot=zoe, change=onto(list_id))
    for operation in (
        app.create(new),
        app.create_many([new, new]),
        app.update(zoe, onto(list_id)),
        app.update_many([update, update]),
    ):
        result, calls = drive(operation, [lists])
        assert result in (refused, (refused, refused))
        assert [call.path for call in calls] == [f"{LISTS}/search"]


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (shown("list_moved_nobody"), Missing()),
        (shown("error_not_found", status=404), Refused(code=ErrorCode.VALUE_REFUSED)),
        (shown("error_validation", status=400), Refused(code=ErrorCode.VALUE_REFUSED)),
    ],
)
def test_what_becomes_of_lists_alone_is_told(app, zoe, answered, expected):
    assert drive(app.update(zoe, onto(MARKET)), [answered])[0] == expected


@pytest.mark.parametrize(
    "answered",
    [
        shown("list_moved_nobody"),
        shown("error_not_found", status=404),
        BUSY,
    ],
)
def test_what_is_half_done_is_not_said_to_be_undone(app, zoe, answered):
    change = onto(MARKET, fields={JOB: "Baker"})
    result, _ = drive(app.update(zoe, change), [shown("contact_updated"), answered])
    assert result == Unsure()
    new = NewRecord(fields={FieldId("email"): "new@example.org"}, containers=(RYE,))
    created = shown("contact_created", status=201)
    drive(app.list_containers(), [shown("lists_page")])
    result, _ = drive(app.create(new), [created, answered])
    assert result == Unsure()


@pytest.mark.parametrize(
    "answered", [shown("error_not_found", status=404), BUSY], ids=["gone", "busy"]
)
def test_who_is_on_one_of_two_lists_is_half_done(app, zoe, answered):
    answers = [shown("list_moved"), answered]
    result, _ = drive(app.update(zoe, onto(MARKET, off=(RYE,))), answers)
    assert result == Unsure()


def test_where_nothing_was_done_the_failure_is_told(app, zoe):
    with pytest.raises(CallFailed) as caught:
        drive(app.update(zoe, onto(MARKET)), [BUSY])
    assert caught.value.meaning is Meaning.RATE_LIMITED


def test_several_go_on_a_list_in_one_call(app, zoe):
    bob = Snapshot(
        record=Record(record_id=RecordId("30201")),
        raw=codec.encode(json.loads(zoe.raw) | {"id": "30201"}),
    )
    updates = [Update(snapshot=each, change=onto(MARKET)) for each in (zoe, bob)]
    results, (call,) = drive(app.update_many(updates), [shown("list_moved_nobody")])
    asked = json.loads(call.body or b"")["recordIdsToAdd"]
    assert asked == [ZOE, "30201"]
    assert results[0] == Missing()
    assert isinstance(results[1], Written)
    assert results[1].record.containers == (MARKET,)
