"""ActiveCampaign's operations on its fixtures: what is asked, and what answers mean."""

import json
from typing import Any

import pytest

from proto import codec
from proto.errors import ErrorCode
from proto.fields import FieldKind, Item, Role
from proto.ids import FieldId
from proto.record import Consent, Memberships, Presence
from services.connector.errors import Meaning
from services.connector.port import (
    Answer,
    Change,
    Exists,
    Identity,
    Missing,
    NewRecord,
    Refused,
    Snapshot,
    Written,
)
from tests.contract import emulated_account
from tests.contract.activecampaign_account import FOLDER
from tests.contract.driving import Fixtures, answer, drive, failing

NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
EMAIL, LAST = FieldId("email"), FieldId("lastName")
BASE = "https://bakery.api-us1.com"


@pytest.fixture
def app() -> Any:
    return emulated_account.new_app("activecampaign", BASE)


@pytest.fixture
def known(app: Any) -> Any:
    """An app that has read the custom fields."""
    drive(app.describe_fields(), [shown("fields")])
    return app


@pytest.fixture
def zoe(known: Any) -> Snapshot:
    (snapshot,), _ = drive(known.get(["113"]), [shown("contacts_one")])
    return snapshot


def body_of(call: Any) -> Any:
    return json.loads(call.body)


@pytest.mark.parametrize(
    ("base", "path"), [(BASE, "/api/3/users/me"), (f"{BASE}/api/3", "/users/me")]
)
def test_an_account_is_its_host_however_the_address_was_copied(base, path):
    app = emulated_account.new_app("activecampaign", base)
    identity, calls = drive(app.verify(), [shown("user")])
    assert identity == Identity(
        vendor_account_id="bakery.api-us1.com",
        display_name="robin@example.com at bakery.api-us1.com",
    )
    assert calls[0].path == path


def test_every_type_of_field_has_a_kind(app):
    fields, _ = drive(app.describe_fields(), [shown("fields")])
    found = {one.field_id: (one.kind, one.is_multiple) for one in fields[4:]}
    assert found == {
        "field.1": (FieldKind.TEXT, False),
        "field.2": (FieldKind.TEXT, False),
        "field.3": (FieldKind.DATE, False),
        "field.4": (FieldKind.DATETIME, False),
        "field.5": (FieldKind.CHOICE, False),
        "field.6": (FieldKind.CHOICE, False),
        "field.7": (FieldKind.CHOICE, True),
        "field.8": (FieldKind.CHOICE, True),
        "field.9": (FieldKind.TEXT, False),
        "field.10": (FieldKind.TEXT, False),
    }
    assert [one.role for one in fields[:4]] == [
        Role.EMAIL,
        Role.NAME_GIVEN,
        Role.NAME_FAMILY,
        Role.PHONE,
    ]
    (size,) = (one for one in fields if one.field_id == "field.5")
    assert [(one.option_id, one.label) for one in size.options] == [
        ("S", "Small"),
        ("L", "Großpackung"),
    ]


def test_a_contact_is_read_with_what_belongs_to_it(zoe):
    record = zoe.record
    assert record.fields == {
        "email": "zoe@example.org",
        "firstName": "Zoë",
        "lastName": "Brandt-Nováková",
        "phone": "+49 761 5550100",
        "field.1": "Rye",
        "field.2": None,
        "field.3": "2019-05-01",
        "field.4": "2020-01-02T08:04:05Z",
        "field.5": "L",
        "field.6": None,
        "field.7": (Item(value="rye"), Item(value="spelt")),
        "field.8": None,
        "field.9": None,
        "field.10": None,
    }
    assert (record.tags, record.containers) == (("VIP",), ("1", "2"))
    assert record.created_at.isoformat() == "2018-09-12T21:53:50+00:00"
    assert record.modified_at.isoformat() == "2026-02-11T11:47:30+00:00"


def test_ids_and_totals_may_be_numbers(known):
    (snapshot,), _ = drive(known.get(["113"]), [shown("contacts_numbers")])
    record = snapshot.record
    assert (record.fields["field.1"], record.tags) == ("Rye", ("VIP",))
    assert record.consent is Consent.SUBSCRIBED


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("3", "05/01/2019"),
        ("3", "2019-02-30"),
        ("4", "soon"),
        ("4", "2020-01-02T03:04"),
    ],
)
def test_what_is_not_of_its_type_is_not_known(known, field, text):
    page = json.loads(shown("contacts_one").body)
    page["fieldValues"] = [{"contact": "113", "field": field, "value": text}]
    (snapshot,), _ = drive(known.get(["113"]), [answer(page)])
    assert f"field.{field}" not in snapshot.record.fields


@pytest.mark.parametrize("text", ["0000-00-00", "0000-00-00 00:00:00", "", None])
def test_no_day_is_empty(known, text):
    page = json.loads(shown("contacts_one").body)
    page["fieldValues"] = [{"contact": "113", "field": "3", "value": text}]
    (snapshot,), _ = drive(known.get(["113"]), [answer(page)])
    assert snapshot.record.fields["field.3"] is None


def test_the_statuses_on_all_lists_are_one_consent(known):
    page, calls = drive(known.scan(None), [shown("count"), shown("contacts")])
    assert [one.consent for one in page.records] == [
        Consent.SUBSCRIBED,
        Consent.UNSUBSCRIBED,
        # Out of one list, and on another.
        Consent.UNKNOWN,
        Consent.SUPPRESSED,
        # Asked to confirm; and on no list at all.
        Consent.UNKNOWN,
        Consent.UNKNOWN,
    ]
    assert dict(calls[0].query) == {"status": "2", "limit": "1"}
    assert dict(calls[1].query) == {
        "limit": "100",
        "id_greater": "0",
        "orders[id]": "asc",
        "include": "fieldValues,contactLists,contactTags.tag",
    }
    assert page.expected_count == 6


def listing(ids, *, total) -> Answer:
    contacts = [
        {
            "id": str(each),
            "email": f"p{each}@x.org",
            "udate": "2026-02-11T11:00:00-05:00",
        }
        for each in ids
    ]
    return answer({"contacts": contacts, "meta": {"total": str(total)}}, headers=NOW)


def count(number: int) -> Answer:
    return listing([], total=number)


def test_pages_go_on_behind_the_last_id(known):
    page, _ = drive(known.scan(None), [count(0), listing([3, 5], total=3)])
    assert page.expected_count == 3
    last, calls = drive(known.scan(page.next), [listing([9], total=1)])
    assert dict(calls[0].query)["id_greater"] == "5"
    assert (last.next, last.expected_count) == (None, None)


@pytest.mark.parametrize("ids", [[5], [3, 5], [9, 7], ["x"], ["-1"], [""]])
def test_a_listing_that_does_not_go_on_is_broken(known, ids):
    page, _ = drive(known.scan(None), [count(0), listing([3, 5], total=9)])
    assert failing(known.scan(page.next), [listing(ids, total=9)]) is Meaning.BROKEN


def test_nobody_where_there_is_more_is_broken(known):
    assert failing(known.scan(None), [count(0), listing([], total=7)]) is Meaning.BROKEN


def passes(app: Any, cursor: str, *answers: Answer) -> tuple[Any, list[Any]]:
    page, calls = drive(app.changes(cursor), answers)
    return page, [dict(call.query) for call in calls]


def test_changes_are_asked_for_by_time_and_who_left_by_their_number(known):
    page, _ = drive(known.scan(None), [count(2), shown("contacts")])
    page, asked = passes(known, page.resume, listing([], total=0), count(2))
    # A minute, half a day and a day before the last pass: the day in any zone.
    assert asked[0]["filters[updated_after]"] == "2026-02-09"
    assert asked[1] == {"status": "2", "limit": "1"}
    assert page.records == ()
    page, asked = passes(
        known, page.resume, listing([4], total=1), count(3), listing([7, 8, 9], total=3)
    )
    assert asked[2]["status"] == "2"
    assert "filters[updated_after]" not in asked[2]
    assert [one.record_id for one in page.records] == ["4", "7", "8", "9"]
    page, asked = passes(known, page.resume, listing([], total=0), count(3))
    assert len(asked) == 2


LONG_AGO = "2026-02-10T06:00:00-05:00"


@pytest.mark.parametrize(
    ("times", "is_shown"),
    [
        ({"udate": "2026-02-11T06:59:00-05:00"}, True),
        ({"udate": "2026-02-11T06:58:59-05:00"}, False),
        ({"udate": None}, True),
        ({"udate": "2026-02-10 06:00:00"}, True),
        ({"udate": LONG_AGO, "updated_timestamp": "2026-02-10 06:00:01"}, False),
        ({"udate": LONG_AGO, "updated_timestamp": "2026-02-10 11:00:00"}, False),
        ({"udate": LONG_AGO, "updated_timestamp": "2026-02-11 07:00:00"}, True),
        ({"udate": LONG_AGO, "updated_utc_timestamp": "2026-02-11 07:00:00"}, True),
        ({"udate": LONG_AGO, "updated_timestamp": "2026-02-10 20:00:00"}, False),
        ({"udate": LONG_AGO, "updated_timestamp": "0000-00-00 00:00:00"}, False),
        ({"udate": LONG_AGO, "updated_timestamp": 1}, False),
        ({"udate": LONG_AGO, "updated_timestamp": "9999-12-31 23:59:59"}, True),
    ],
)
def test_who_changed_before_the_last_pass_is_not_told_again(known, times, is_shown):
    """By days they are shown again and again. Only what is certain is left out."""
    page, _ = drive(known.scan(None), [count(0), shown("contacts")])
    contact = {"id": "4", "email": "p4@x.org", **times}
    body = {"contacts": [contact], "meta": {"total": "1"}}
    page, _ = passes(known, page.resume, answer(body, headers=NOW), count(0))
    assert [one.record_id for one in page.records] == ["4"] * is_shown


def test_a_cursor_of_before_days_were_asked_for_goes_on(known):
    since = '"since":"2026-02-11T12:00:00Z"'
    page, asked = passes(
        known, f'{{"stage":"changed",{since}}}', listing([], total=0), count(0)
    )
    assert asked[0]["filters[updated_after]"] == "2026-02-09"
    assert since in page.resume
    assert "pages" not in page.resume


def test_who_left_and_who_came_back_are_seen_within_the_hour(known):
    """Their number is the same."""
    page, _ = drive(known.scan(None), [count(2), shown("contacts")])
    later = {"date": "Wed, 11 Feb 2026 13:00:01 GMT"}
    body = {"contacts": [], "meta": {"total": "0"}}
    page, asked = passes(
        known, page.resume, answer(body, headers=later), count(2), shown("count")
    )
    assert len(asked) == 3
    assert page.next is not None, "one of two was shown"


@pytest.mark.parametrize("cursor", [b'{"stage": "scan"}', b'{"stage": "later"}'])
def test_a_cursor_of_something_else_asks_for_a_scan(known, cursor):
    assert failing(known.changes(cursor.decode())) is Meaning.CURSOR_EXPIRED


def test_a_contact_just_made_is_told_whole(known):
    """The vendor's sample shows no names in the answer to a create."""
    fields = {EMAIL: "new@example.org", LAST: "Baker", FieldId("field.1"): "Rye"}
    result, calls = drive(
        known.create(NewRecord(fields=fields | {FieldId("phone"): None})),
        [shown("contact_created", status=201)],
    )
    assert body_of(calls[0])["contact"] == {
        "email": "new@example.org",
        "lastName": "Baker",
        "fieldValues": [{"field": "1", "value": "Rye"}],
    }
    shown_fields = result.record.fields
    assert {name: shown_fields[name] for name in fields} == fields
    assert shown_fields["phone"] is None
    assert result.record.consent is Consent.UNKNOWN


@pytest.mark.parametrize(
    ("consent", "containers", "statuses"),
    [
        (Consent.UNKNOWN, ("2",), []),
        (Consent.SUBSCRIBED, (), []),
        (Consent.SUBSCRIBED, ("2",), [("2", "1")]),
        (Consent.UNSUBSCRIBED, ("2",), [("1", "2"), ("2", "2")]),
        (Consent.SUPPRESSED, (), [("1", "2"), ("2", "2")]),
    ],
)
def test_only_a_clear_consent_puts_somebody_new_on_a_list(
    known, consent, containers, statuses
):
    """Hazard 83: to be on a list is to be subscribed to it."""
    new = NewRecord(
        fields={EMAIL: "new@example.org"}, containers=containers, consent=consent
    )
    answers = [shown("contact_created", status=201)]
    if consent in (Consent.UNSUBSCRIBED, Consent.SUPPRESSED):
        answers.append(shown("lists"))
    answers += [shown("contact_list")] * len(statuses)
    _, calls = drive(known.create(new), answers)
    asked = [body_of(call)["contactList"] for call in calls if "Lists" in call.path]
    assert [(one["list"], one["status"]) for one in asked] == statuses
    assert all("sourceid" not in one for one in asked)


def test_somebody_is_taken_off_the_lists_that_they_are_on(known, zoe):
    change = Change(consent=Consent.UNSUBSCRIBED, fields={LAST: "Brandt"})
    answers = [shown("contact_list")] * 2 + [shown("contact_updated")]
    result, calls = drive(known.update(zoe, change), answers)
    assert [(call.method, call.path) for call in calls] == [
        ("POST", "/api/3/contactLists"),
        ("POST", "/api/3/contactLists"),
        ("PUT", "/api/3/contacts/113"),
    ]
    assert [body_of(call)["contactList"]["status"] for call in calls[:2]] == ["2", "2"]
    assert result.record.consent is Consent.UNSUBSCRIBED


def test_a_wish_to_loosen_consent_is_no_call(known, zoe):
    result, calls = drive(known.update(zoe, Change(consent=Consent.SUBSCRIBED)))
    assert calls == []
    assert result.record == zoe.record


def test_a_refusal_after_the_lists_were_left_does_not_count_as_undone(known, zoe):
    change = Change(consent=Consent.UNSUBSCRIBED, fields={EMAIL: "ann@example.org"})
    answers = [shown("contact_list")] * 2 + [shown("error_duplicate", status=422)]
    assert failing(known.update(zoe, change), answers) is Meaning.NO_ANSWER


def test_an_update_tells_what_it_left_alone(known, zoe):
    change = Change(
        fields={
            FieldId("field.1"): "Spelt",
            FieldId("field.3"): None,
            FieldId("field.7"): (Item(value="wheat"),),
        }
    )
    result, calls = drive(known.update(zoe, change), [shown("contact_updated")])
    assert body_of(calls[0])["contact"] == {
        "fieldValues": [
            {"field": "1", "value": "Spelt"},
            {"field": "3", "value": ""},
            {"field": "7", "value": "||wheat||"},
        ]
    }
    found = result.record.fields
    assert (found["field.1"], found["field.3"], found["field.5"]) == (
        "Spelt",
        None,
        "L",
    )
    assert found["field.7"] == (Item(value="wheat"),)
    assert result.record.tags == ("VIP",)


def test_tags_are_found_by_name_made_and_taken_by_their_tie(known, zoe):
    wanted = Memberships(tags_add=("PieSync Trash", "PieSync"), tags_remove=("VIP",))
    answers = [
        shown("tags"),
        shown("contact_tag", status=201),
        # There is a tag of this name, but of templates.
        shown("tags"),
        shown("tag_created", status=201),
        shown("contact_tag", status=201),
        answer({}),
    ]
    result, calls = drive(known.update(zoe, Change(memberships=wanted)), answers)
    assert [(call.method, call.path) for call in calls] == [
        ("GET", "/api/3/tags"),
        ("POST", "/api/3/contactTags"),
        ("GET", "/api/3/tags"),
        ("POST", "/api/3/tags"),
        ("POST", "/api/3/contactTags"),
        ("DELETE", "/api/3/contactTags/31"),
    ]
    assert body_of(calls[1]) == {"contactTag": {"contact": 113, "tag": 21}}
    assert body_of(calls[4]) == {"contactTag": {"contact": 113, "tag": 23}}
    assert result.record.tags == ("PieSync Trash", "PieSync")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("field.3", "05/01/2019"),
        ("field.4", "soon"),
        ("field.5", "XL"),
        ("field.7", (Item(value="rye"), Item(value="oats"))),
        ("field.7", "rye"),
        ("field.1", True),
        ("field.99", "x"),
        ("lastName", (Item(value="x"),)),
        ("email", None),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(known, zoe, name, value):
    result, _ = drive(known.update(zoe, Change(fields={FieldId(name): value})))
    assert result == Refused(code=ErrorCode.VALUE_REFUSED, field_id=name)


def test_an_address_that_is_taken_names_who_has_it(known):
    new = NewRecord(fields={EMAIL: "zoe@example.org"})
    answers = [shown("error_duplicate", status=422), shown("contacts_one")]
    result, _ = drive(known.create(new), answers)
    assert result == Exists(record_id="113")
    answers[1] = shown("contacts_empty")
    assert failing(known.create(new), answers) is Meaning.BROKEN


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        (
            "error_duplicate",
            422,
            Refused(code=ErrorCode.ALREADY_EXISTS, field_id=EMAIL),
        ),
        ("error_email", 422, Refused(code=ErrorCode.VALUE_REFUSED, field_id=EMAIL)),
        ("error_attribute", 422, Refused(code=ErrorCode.VALUE_REFUSED)),
        ("error_not_found", 404, Missing()),
    ],
)
def test_why_a_contact_was_not_changed(known, zoe, name, status, expected):
    change = Change(fields={EMAIL: "ann@example.org"})
    result, _ = drive(known.update(zoe, change), [shown(name, status=status)])
    assert result == expected


def test_who_is_not_among_those_asked_for_is_missing(known):
    asked = ["113", "114", "x", "../1"]
    found, calls = drive(known.get(asked), [shown("contacts_one")])
    assert [one.record.presence for one in found] == [Presence.LIVE] + [
        Presence.MISSING
    ] * 3
    ids = [value for name, value in calls[0].query if name == "ids[]"]
    assert ids == ["113", "114"]


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("error_key", 403, Meaning.UNAUTHORISED),
        ("error_forbidden", 403, Meaning.FORBIDDEN),
        ("error_unpaid", 402, Meaning.FORBIDDEN),
        ("error_not_found", 404, Meaning.BROKEN),
        ("error_attribute", 422, Meaning.REFUSED),
        ("error_key", 429, Meaning.RATE_LIMITED),
        ("error_key", 503, Meaning.UNAVAILABLE),
        ("error_key", 500, Meaning.NO_ANSWER),
    ],
)
def test_what_errors_mean(app, name, status, expected):
    failure = app.meaning_of(shown(name, status=status))
    assert failure.meaning is expected


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_page_in_place_of_an_error_says_nothing(app, status):
    failure = app.meaning_of(answer("<html>Sorry</html>", status=status))
    assert failure.meaning is Meaning.BROKEN


def test_a_time_to_wait_is_the_vendors_or_a_second(app):
    assert app.meaning_of(answer("", status=429)).retry_after_s == 1.0
    told = answer("", status=429, headers={"retry-after": "3"})
    assert app.meaning_of(told).retry_after_s is None


def test_what_a_snapshot_keeps_is_what_it_was(zoe):
    kept = json.loads(zoe.raw)
    assert kept["lists"] == {"1": "1", "2": "0"}
    assert kept["tags"] == {"VIP": "31"}
    assert codec.encode(kept)


def test_nothing_is_written_to_who_was_not_there(known):
    (snapshot,), _ = drive(known.get(["1"]), [shown("contacts_empty")])
    assert drive(known.update(snapshot, Change(fields={LAST: "x"})))[0] == Missing()
    assert isinstance(snapshot, Snapshot)
    assert not isinstance(snapshot, Written)
