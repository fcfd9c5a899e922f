"""Mailchimp's operations on its fixtures: what is asked, and what an answer means."""

import json
from typing import Any

import pytest

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Address, FieldKind, Item, Role
from proto.ids import FieldId
from proto.record import Consent, Memberships, Presence
from services.connector.apps.mailchimp import names
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Answer,
    Change,
    Exists,
    Identity,
    Missing,
    NewRecord,
    Refused,
    Snapshot,
    Unsure,
    Written,
)
from tests.contract import emulated_account
from tests.contract.driving import answer, drive, failing
from tests.contract.mailchimp import (
    EMAIL,
    LIST,
    ZOE,
    app_that_knows_its_account,
    body_of,
    listing,
    nobody,
    offsets,
    people,
    shown,
)
from tests.contract.mailchimp_account import MANIFEST

OTHER = "9a1c0ffee2"


@pytest.fixture
def app() -> Any:
    return emulated_account.new_app("mailchimp")


@pytest.fixture
def known() -> Any:
    return app_that_knows_its_account()


@pytest.fixture
def zoe(known: Any) -> Snapshot:
    (snapshot,), _ = drive(known.get([ZOE]), [shown("member")])
    return snapshot


def test_the_account_is_told_by_the_root(app):
    identity, calls = drive(app.verify(), [shown("account")])
    name = "Bäckerei Süß"
    assert identity == Identity(
        vendor_account_id="8d3a3db4d97663a9074efcc16", display_name=name
    )
    assert calls[0].path == "/"


def test_every_type_of_merge_field_has_a_kind(app):
    fields, _ = drive(
        app.describe_fields(), [shown("lists_one"), shown("merge_fields")]
    )
    found = {one.field_id: (one.kind, one.role) for one in fields}
    assert found == {
        "email": (FieldKind.EMAIL, Role.EMAIL),
        "text.FNAME": (FieldKind.TEXT, Role.NAME_GIVEN),
        "text.LNAME": (FieldKind.TEXT, Role.NAME_FAMILY),
        "address.ADDRESS": (FieldKind.ADDRESS, Role.ADDRESS),
        "phone.PHONE": (FieldKind.PHONE, Role.PHONE),
        "month_day.BIRTHDAY": (FieldKind.MONTH_DAY, Role.BIRTHDAY),
        "text.COMPANY": (FieldKind.TEXT, Role.COMPANY),
        "number.LOAVES": (FieldKind.NUMBER, Role.UNKNOWN),
        "date.SINCE": (FieldKind.DATE, Role.UNKNOWN),
        "url.SITE": (FieldKind.URL, Role.UNKNOWN),
        "url.PHOTO": (FieldKind.URL, Role.UNKNOWN),
        "choice.SIZE": (FieldKind.CHOICE, Role.UNKNOWN),
        "choice.CRUST": (FieldKind.CHOICE, Role.UNKNOWN),
        "text.ZIPCODE": (FieldKind.TEXT, Role.UNKNOWN),
    }


def test_audiences_that_use_a_tag_for_different_things_have_two_fields(app):
    answers = [shown("lists"), shown("merge_fields"), shown("merge_fields_other")]
    fields, _ = drive(app.describe_fields(), answers)
    found = {one.field_id: one for one in fields}
    assert {"number.LOAVES", "text.LOAVES"} <= found.keys()
    assert [one.label for one in found["choice.SIZE"].options] == [
        "Small",
        "Großpackung",
        "Large",
    ]


def test_a_member_is_read_to_the_last_figure(zoe):
    record = zoe.record
    assert record.fields == {
        "email": "Zoe@example.org",
        "text.FNAME": "Zoë",
        "text.LNAME": "Brandt-Nováková",
        "address.ADDRESS": (
            Item(
                value=Address(
                    street="Münsterplatz 1\n2nd floor",
                    city="Freiburg",
                    region="BW",
                    postal_code="79098",
                    country="DE",
                )
            ),
        ),
        "phone.PHONE": "+49 761 5550100",
        "month_day.BIRTHDAY": "--02-29",
        "text.COMPANY": None,
        "number.LOAVES": "2.50",
        "date.SINCE": "2019-05-01",
        "url.SITE": "https://example.org/zoe",
        "url.PHOTO": None,
        "choice.SIZE": "Großpackung",
        "choice.CRUST": "hard",
        "text.ZIPCODE": "79098",
    }
    assert (record.containers, record.tags) == ((LIST,), ("VIP",))
    assert record.consent is Consent.SUBSCRIBED


def test_what_is_not_of_its_type_is_not_known(known):
    member = json.loads(shown("member").body)
    member["merge_fields"] = {
        "LOAVES": "many",
        "SINCE": "05/01/2019",
        "BIRTHDAY": "soon",
        "ADDRESS": "Münsterplatz 1",
        "FNAME": {"first": "Zoë"},
        "PHONE": 761,
        "COMPANY": None,
    }
    (snapshot,), _ = drive(known.get([ZOE]), [answer(member)])
    assert snapshot.record.fields == {
        "email": "Zoe@example.org",
        "phone.PHONE": "761",
        "text.COMPANY": None,
    }


def test_bytes_that_are_no_text_are_not_known(known):
    """The fuzzer's execution 800: half of a character in a value, found late."""
    member = json.loads(shown("member").body)
    member["merge_fields"] = {"FNAME": "HERE", "LNAME": "Ada"}
    body = codec.encode(member).replace(b"HERE", b"\xed\xa0\x80")
    (snapshot,), _ = drive(known.get([ZOE]), [answer(body)])
    assert snapshot.record.fields == {"email": "Zoe@example.org", "text.LNAME": "Ada"}


def test_the_status_is_consent_and_only_archived_is_gone(known):
    page, _ = drive(known.scan(None), [shown("members_page")])
    assert [one.consent for one in page.records] == [
        Consent.SUBSCRIBED,
        Consent.UNSUBSCRIBED,
        Consent.SUPPRESSED,
        Consent.UNKNOWN,
        Consent.UNKNOWN,
    ]
    assert page.expected_count == 5
    answers = [shown("members_empty"), shown("members_archived")]
    page, calls = drive(known.changes(page.resume), answers)
    (gone,) = page.records
    assert (gone.record_id, gone.presence) == (
        f"{LIST}/{'c' * 31}6",
        Presence.DELETED,
    )
    asked = [dict(call.query) for call in calls]
    assert [one["since_last_changed"] for one in asked] == ["2026-02-11T11:59:00Z"] * 2
    assert [one.get("status") for one in asked] == [None, "archived"]


def test_more_tags_than_a_listing_shows_are_read(known):
    answers = [shown("member_many_tags"), shown("tags")]
    (snapshot,), calls = drive(known.get([f"{LIST}/{'c' * 31}7"]), answers)
    assert len(snapshot.record.tags) == 52
    assert calls[1].path == f"/lists/{LIST}/members/{'c' * 31}7/tags"


def test_a_page_begins_with_somebody_who_was_shown(known):
    page, _ = drive(known.scan(None), [listing(range(10), total=15)])
    last, calls = drive(known.scan(page.next), [listing(range(9, 15), total=15)])
    assert offsets(calls) == [9]
    assert [one.record_id for one in last.records] == [
        f"{LIST}/c{number}" for number in range(10, 15)
    ]
    assert last.next is None


def test_a_page_that_does_not_leads_back(known):
    """One of those who were shown is archived, and the others have moved up."""
    page, _ = drive(known.scan(None), [listing(range(20), total=25)])
    answers = [listing(range(20, 25), total=24), listing(range(16, 25), total=24)]
    back, calls = drive(known.scan(page.next), answers)
    assert offsets(calls) == [19, 15]
    assert [one.record_id for one in back.records] == [
        f"{LIST}/c{number}" for number in range(20, 25)
    ]


def test_a_listing_that_cannot_be_joined_goes_on_by_times(known):
    page, _ = drive(known.scan(None), [listing(range(300), total=600)])
    strangers = [listing(range(400, 600), total=500) for _ in range(4)]
    answers = [*strangers, listing(range(25, 60), total=35)]
    found, calls = drive(known.scan(page.next), answers)
    assert offsets(calls) == [299, 295, 267, 43, 0]
    asked = [dict(call.query).get("since_last_changed") for call in calls]
    assert asked == [None, None, None, None, "2026-02-11T11:47:29Z"]
    assert f"{LIST}/c31" in {one.record_id for one in found.records}


@pytest.mark.parametrize("size", [10, 1_000])
def test_a_listing_that_never_goes_on_is_broken(known, size):
    with pytest.raises(CallFailed) as failure:
        read_all(known, listing(range(size), total=10 * size))
    assert failure.value.meaning is Meaning.BROKEN


def read_all(app: Any, same: Answer) -> None:
    """Read page after page, with one answer to every call."""
    cursor = None
    for _ in range(200):
        operation = app.scan(cursor)
        try:
            next(operation)
            while True:
                operation.send(same)
        except StopIteration as stop:
            cursor = stop.value.next
            if cursor is None:
                return
    raise AssertionError("it goes on and on")


def test_an_empty_page_where_there_is_more_is_broken(known):
    assert failing(known.scan(None), [listing([], total=7)]) is Meaning.BROKEN


def test_all_audiences_are_in_one_pass_and_a_new_one_is_read_whole(app):
    answers = [
        shown("lists_one"),
        shown("members_page"),
        shown("merge_fields"),
    ]
    page, _ = drive(app.scan(None), answers)
    fresh = emulated_account.new_app("mailchimp")
    answers = [
        shown("lists"),
        shown("members_empty"),
        shown("members_empty"),
        listing(range(2), total=2),
        shown("merge_fields_other"),
    ]
    page, calls = drive(fresh.changes(page.resume), answers)
    assert [one.record_id for one in page.records] == [f"{OTHER}/c0", f"{OTHER}/c1"]
    new = dict(calls[3].query)
    assert "since_last_changed" not in new
    assert "status" not in new
    again, calls = drive(fresh.changes(page.resume), [shown("members_empty")] * 4)
    assert again.records == ()
    assert all("since_last_changed" in dict(call.query) for call in calls)


@pytest.mark.parametrize("is_told_by_the_listing", [False, True])
def test_an_audience_that_is_gone_asks_for_a_scan(app, is_told_by_the_listing):
    answers = [shown("lists_one"), shown("members_page"), shown("merge_fields")]
    page, _ = drive(app.scan(None), answers)
    answers = [shown("lists_none")]
    if is_told_by_the_listing:
        answers = [shown("lists_one"), shown("error_not_found", status=404)]
    fresh = emulated_account.new_app("mailchimp")
    assert failing(fresh.changes(page.resume), answers) is Meaning.CURSOR_EXPIRED
    page, _ = drive(fresh.scan(None), [shown("lists_none")] * is_told_by_the_listing)
    assert page.records == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"since": "0001-01-01T00:00:00+01:00"},
        {"since": "2026-01-01T00:00:00"},
        {"lists": ["a", "../../root"]},
        {"lists": ["a"], "at": 1},
        {"offset": -1},
    ],
)
def test_a_cursor_of_nowhere_asks_for_a_scan(known, changed):
    cursor = codec.encode({"stage": "changed", "lists": ["a"]} | changed).decode()
    assert failing(known.changes(cursor)) is Meaning.CURSOR_EXPIRED


@pytest.mark.parametrize(
    ("consent", "asks_twice", "status"),
    [
        (Consent.UNKNOWN, False, "transactional"),
        (Consent.SUBSCRIBED, False, "subscribed"),
        (Consent.SUBSCRIBED, True, "transactional"),
        (Consent.UNSUBSCRIBED, False, "unsubscribed"),
        (Consent.SUPPRESSED, True, "unsubscribed"),
    ],
)
def test_somebody_new_gets_the_weakest_status(app, consent, asks_twice, status):
    """Hazard 83; and where people have to confirm, nobody confirms for them."""
    new = NewRecord(
        fields={EMAIL: "new@example.org"},
        containers=(OTHER if asks_twice else LIST,),
        consent=consent,
    )
    fields = "merge_fields_other" if asks_twice else "merge_fields"
    answers = [shown("lists"), shown(fields), nobody(), shown("member")]
    _, calls = drive(app.create(new), answers)
    assert body_of(calls[-1]) == {
        "email_address": "new@example.org",
        "status": status,
    }


def test_where_somebody_new_goes_has_to_be_clear(app):
    new = NewRecord(fields={EMAIL: "new@example.org"})
    result, _ = drive(app.create(new), [shown("lists")])
    assert result == Refused(code=ErrorCode.NOT_FOUND)
    for containers in ((LIST, OTHER), ("nowhere",)):
        new = NewRecord(fields={EMAIL: "new@example.org"}, containers=containers)
        assert drive(app.create(new))[0] == Refused(code=ErrorCode.NOT_FOUND)


def test_a_batch_leaves_those_alone_who_are_there(known):
    emails = ("new", "ann", "gone", "bad", "NEW", "lost")
    news = [NewRecord(fields={EMAIL: f"{one}@example.org"}) for one in emails]
    answers = [
        shown("members_empty"),
        shown("batch"),
        shown("member"),
        shown("members_newest"),
    ]
    results, calls = drive(known.create_many(news), answers)
    sent = body_of(calls[1])
    assert sent["update_existing"] is False
    assert [one["email_address"] for one in sent["members"]] == [
        f"{one}@example.org" for one in emails if one != "NEW"
    ]
    assert {one["status"] for one in sent["members"]} == {"transactional"}
    assert isinstance(results[0], Written)
    assert results[0].is_read_after
    assert results[0].record.record_id == f"{LIST}/{'c' * 31}8"
    assert results[1:] == (
        Exists(record_id=ZOE),
        Refused(code=ErrorCode.APP_REFUSED, field_id=EMAIL),
        Refused(code=ErrorCode.VALUE_REFUSED, field_id="month_day.BIRTHDAY"),
        Unsure(),
        Unsure(),
    )
    assert calls[2].path.endswith(names.hash_of("ann@example.org"))


def test_a_batch_that_tells_ids_is_not_read_again(known):
    batch = json.loads(shown("batch").body) | {"errors": []}
    batch["new_members"][0]["contact_id"] = "d1"
    news, nothing = people("new", "ann"), shown("members_empty")
    (result, _), _ = drive(known.create_many(news), [nothing, answer(batch)])
    assert result.record.record_id == f"{LIST}/d1"
    assert not result.is_read_after


def test_tags_come_after_and_set_nothing_off(known):
    new = NewRecord(fields={EMAIL: "Zoe@example.org"}, tags=("PieSync",))
    answers = [nobody(), shown("member"), answer(status=204)]
    result, calls = drive(known.create(new), answers)
    assert "tags" not in body_of(calls[1])
    assert body_of(calls[2]) == {
        "tags": [{"name": "PieSync", "status": "active"}],
        "is_syncing": True,
    }
    assert result.record.tags == ("VIP", "PieSync")


def test_an_update_names_no_status(known, zoe):
    change = Change(
        fields={
            FieldId("number.LOAVES"): "-1.20",
            FieldId("month_day.BIRTHDAY"): "--12-31",
            FieldId("address.ADDRESS"): None,
            FieldId("text.COMPANY"): "Süß",
        },
        memberships=Memberships(tags_remove=("VIP",)),
        consent=Consent.SUBSCRIBED,
    )
    answers = [shown("member_updated"), answer(status=204)]
    result, calls = drive(known.update(zoe, change), answers)
    assert calls[0].method == "PATCH"
    assert calls[0].path == f"/lists/{LIST}/members/{'c' * 31}1"
    assert b'"LOAVES":-1.20' in calls[0].body
    assert body_of(calls[0]) == {
        "merge_fields": {
            "LOAVES": -1.2,
            "BIRTHDAY": "12/31",
            "ADDRESS": "",
            "COMPANY": "Süß",
        }
    }
    assert result.record.tags == ()


@pytest.mark.parametrize("consent", [Consent.UNSUBSCRIBED, Consent.SUPPRESSED])
def test_consent_is_tightened_in_the_same_call(known, zoe, consent):
    change = Change(fields={EMAIL: "z@example.org"}, consent=consent)
    _, calls = drive(known.update(zoe, change), [shown("member_updated")])
    assert body_of(calls[0]) == {
        "email_address": "z@example.org",
        "status": "unsubscribed",
    }


def test_both_lines_of_a_street_are_kept(known, zoe):
    field = FieldId("address.ADDRESS")
    change = Change(fields={field: zoe.record.fields[field]})
    _, calls = drive(known.update(zoe, change), [shown("member_updated")])
    street = body_of(calls[0])["merge_fields"]["ADDRESS"]
    assert (street["addr1"], street["addr2"]) == ("Münsterplatz 1", "2nd floor")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number.LOAVES", "many"),
        ("month_day.BIRTHDAY", "1984-02-29"),
        ("choice.SIZE", "Huge"),
        ("text.FNAME", True),
        ("address.ADDRESS", "Münsterplatz 1"),
        ("address.ADDRESS", (Item(value="Münsterplatz 1"),)),
        ("text.UNKNOWN", "x"),
        ("email", None),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(known, zoe, name, value):
    result, _ = drive(known.update(zoe, Change(fields={FieldId(name): value})))
    assert result == Refused(code=ErrorCode.VALUE_REFUSED, field_id=name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("error_exists", Refused(code=ErrorCode.ALREADY_EXISTS, field_id=EMAIL)),
        ("error_compliance", Refused(code=ErrorCode.APP_REFUSED, field_id=EMAIL)),
        ("error_forgotten", Refused(code=ErrorCode.APP_REFUSED, field_id=EMAIL)),
        ("error_fake", Refused(code=ErrorCode.VALUE_REFUSED, field_id=EMAIL)),
        (
            "error_merge",
            Refused(code=ErrorCode.VALUE_REFUSED, field_id="address.ADDRESS"),
        ),
    ],
)
def test_why_a_member_was_not_taken(known, zoe, name, expected):
    change = Change(fields={EMAIL: "z@example.org"})
    result, _ = drive(known.update(zoe, change), [shown(name, status=400)])
    assert result == expected


def test_who_is_gone_is_missing(known, zoe):
    change = Change(fields={EMAIL: "z@example.org"})
    gone = shown("error_not_found", status=404)
    assert drive(known.update(zoe, change), [gone])[0] == Missing()
    (snapshot,), _ = drive(known.get([ZOE]), [gone])
    assert snapshot.record.presence is Presence.MISSING


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("error_unauthorised", 401, Meaning.UNAUTHORISED),
        ("error_forbidden", 403, Meaning.FORBIDDEN),
        ("busy.html", 403, Meaning.RATE_LIMITED),
        ("busy.html", 429, Meaning.RATE_LIMITED),
        ("busy.html", 401, Meaning.BROKEN),
        ("busy.html", 404, Meaning.BROKEN),
        ("error_not_found", 404, Meaning.BROKEN),
        ("error_merge", 400, Meaning.REFUSED),
    ],
)
def test_what_errors_mean(app, name, status, expected):
    failure = app.meaning_of(shown(name, status=status))
    assert failure.meaning is expected
    if expected is Meaning.RATE_LIMITED:
        assert failure.retry_after_s


def test_a_page_in_place_of_a_refusal_is_no_refusal(known, zoe):
    change = Change(fields={EMAIL: "z@example.org"})
    for status in (400, 404):
        busy = shown("busy.html", status=status)
        assert failing(known.update(zoe, change), [busy], app=known) is Meaning.BROKEN


def test_the_manifest_keeps_half_of_the_connections_for_others():
    assert MANIFEST.limits.concurrent_calls == 5
    assert MANIFEST.base_url == ""
