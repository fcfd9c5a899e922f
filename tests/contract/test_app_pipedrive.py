"""Pipedrive's operations on its fixtures: what is asked, and what an answer means."""

import datetime
import decimal
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Address, FieldKind, Item, Role
from proto.record import Consent, Memberships, Presence, Record
from services.connector import vendors
from services.connector.apps.pipedrive import values, wire
from services.connector.apps.pipedrive.cursors import Progress, Stage
from services.connector.errors import Meaning
from services.connector.port import (
    Answer,
    Change,
    Identity,
    Missing,
    NewRecord,
    Refused,
    Snapshot,
    Written,
)
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, answer, drive, failing

FOLDER = emulated_account.folder_of("pipedrive")
NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
NOON = datetime.datetime(2026, 2, 11, 12, tzinfo=datetime.UTC)


def code_of(word: str) -> str:
    """Return a hash that stands for a field in the fixtures."""
    return (word.encode().hex() * 40)[:40]


BREAD, AGE, BORN = code_of("bread"), code_of("age"), code_of("born")
SIZE, DAYS, BUDGET = code_of("size"), code_of("days"), code_of("budget")
PLACE, NOTE = code_of("place"), code_of("note")
WORK = Item(value="Zoe.Brandt@example.org", label="work")
HOME = Item(value="private@example.org", label="home")


FIELDS = (shown("fields_first"), shown("fields_last"))


def some(*names: str) -> Answer:
    """Return persons of fixtures as a listing shows them."""
    data = [json.loads(shown(name).body)["data"] for name in names]
    return answer({"success": True, "data": data}, headers=NOW)


@pytest.fixture
def app():
    """Return an app that knows its fields."""
    made = emulated_account.new_app("pipedrive")
    drive(made.describe_fields(), FIELDS)
    return made


@pytest.fixture
def zoe(app) -> Snapshot:
    (snapshot,), _ = drive(app.get(["8001"]), [some("person")])
    return snapshot


def test_an_account_is_known_by_its_company(app):
    identity, calls = drive(app.verify(), [shown("user")])
    assert identity == Identity(
        vendor_account_id="7000101", display_name="Main Street Bakery"
    )
    assert [(call.path, call.from_origin) for call in calls] == [
        ("/api/v1/users/me", True)
    ]


def test_fields_are_read_to_their_end_and_typed():
    fresh = emulated_account.new_app("pipedrive")
    fields, calls = drive(fresh.describe_fields(), FIELDS)
    assert [dict(call.query).get("cursor", "") != "" for call in calls] == [False, True]
    found = {one.field_id: one for one in fields}
    assert len(found) == len(fields)
    roles = {one.role for one in fields} - {Role.UNKNOWN}
    assert roles == {Role.NAME_FULL, Role.EMAIL, Role.PHONE}
    kinds = {field_id: one.kind for field_id, one in found.items()}
    assert kinds[BREAD] is kinds[NOTE] is kinds[PLACE] is FieldKind.TEXT
    assert kinds[AGE] is kinds[BUDGET] is FieldKind.NUMBER
    assert kinds[BORN] is FieldKind.DATE
    assert [(one.option_id, one.label) for one in found[SIZE].options] == [
        ("11", "Small"),
        ("12", "Großpackung"),
    ]
    assert found[DAYS].is_multiple
    assert (found[BREAD].length_max, found[NOTE].length_max) == (255, 65_000)
    read_only = {field_id for field_id, one in found.items() if not one.is_writable}
    assert read_only == {BUDGET, PLACE}
    assert code_of("owner") not in found


def test_fields_without_an_end_are_broken():
    fresh = emulated_account.new_app("pipedrive")
    assert failing(fresh.describe_fields(), [FIELDS[0]] * 20) is Meaning.BROKEN


def test_a_person_is_read_whole(zoe):
    assert zoe.record == Record(
        record_id="8001",
        modified_at=datetime.datetime(2026, 2, 11, 11, 48, 30, tzinfo=datetime.UTC),
        created_at=datetime.datetime(2026, 1, 5, 8, tzinfo=datetime.UTC),
        consent=Consent.SUBSCRIBED,
        tags=("Hot lead",),
        fields={
            "name": "Zoë Brandt",
            "emails": (WORK, HOME),
            "phones": (Item(value="+49 761 5550100", label="work"),),
            BREAD: "Rye",
            AGE: "41.5",
            BORN: "2026-02-10",
            SIZE: "12",
            DAYS: (Item(value="21"), Item(value="22")),
            BUDGET: "2300",
            PLACE: "Münsterplatz 1, Freiburg",
            NOTE: None,
        },
    )


def test_what_is_not_shown_is_empty(app):
    (snapshot,), _ = drive(app.get(["8002"]), [some("person_minimal")])
    found = dict(snapshot.record.fields)
    assert found.pop("name") == "Bare"
    assert set(found.values()) == {None}
    assert len(found) == 10


def test_what_the_company_syncs_is_read_and_never_written():
    fresh = emulated_account.new_app("pipedrive")
    answers = [shown("fields_synced"), some("person_synced")]
    (snapshot,), calls = drive(fresh.get(["8002"]), answers)
    assert dict(calls[1].query).get("include_fields") is None
    fields = snapshot.record.fields
    assert fields["job_title"] == "Head of Sales"
    assert fields["birthday"] == "1984-02-29"
    assert fields["notes"] == "met at the fair"
    address = Address(
        street="Münsterplatz 1",
        city="Freiburg",
        region="BW",
        postal_code="79098",
        country="Germany",
    )
    assert fields["postal_address"] == (Item(value=address),)
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id="job_title")
    change = Change(fields={"job_title": "Baker"})
    assert drive(fresh.update(snapshot, change)) == (refused, [])


@pytest.mark.parametrize(
    ("status", "consent"),
    [
        ("subscribed", Consent.SUBSCRIBED),
        ("unsubscribed", Consent.UNSUBSCRIBED),
        ("no_consent", Consent.UNKNOWN),
        ("archived", Consent.UNKNOWN),
        ("else", Consent.UNKNOWN),
        (None, Consent.UNKNOWN),
    ],
)
def test_a_marketing_status_is_a_consent(app, status, consent):
    person = {"id": 1, "marketing_status": status}
    listing = answer({"success": True, "data": [person]})
    (snapshot,), _ = drive(app.get(["1"]), [listing])
    assert snapshot.record.consent is consent


def test_of_who_is_not_shown_the_id_says_whether_they_were_deleted(app):
    gone = shown("error_not_found", status=404)
    answers = [some("person"), shown("person_deleted"), gone]
    found, calls = drive(app.get(["8001", "8002", "8009", "x", "0"]), answers)
    assert [one.record.presence for one in found] == [
        Presence.LIVE,
        Presence.DELETED,
        Presence.MISSING,
        Presence.MISSING,
        Presence.MISSING,
    ]
    assert dict(calls[0].query) == {
        "ids": "8001,8002,8009",
        "limit": "100",
        "include_fields": "marketing_status",
    }
    assert [call.path for call in calls[1:]] == ["/persons/8002", "/persons/8009"]


def test_a_404_that_is_a_page_says_nothing(app, zoe):
    page = answer("<html>", status=404)
    change = Change(fields={"name": "Z"})
    for operation, before in (
        (app.get(["8009"]), [some()]),
        (app.update(zoe, change), []),
    ):
        assert failing(operation, [*before, page]) is Meaning.BROKEN


def test_another_person_than_asked_for_is_broken(app):
    other = Snapshot(record=Record(record_id="8009"))
    for operation, before in (
        (app.get(["8009"]), [some()]),
        (app.update(other, Change(fields={"name": "Z"})), []),
    ):
        assert failing(operation, [*before, shown("person")]) is Meaning.BROKEN


def test_who_is_found_by_a_search_is_read_and_has_the_address(app):
    answers = [shown("search_empty"), shown("search"), some("person")]
    emails = ["zoe.brandt@EXAMPLE.org", "a+b@example.org", "nobody"]
    found, calls = drive(app.find_by_email(emails), answers)
    assert [one.record_id for one in found] == ["8001"]
    assert dict(calls[1].query) == {
        "term": "zoe.brandt@example.org",
        "fields": "email",
        "exact_match": "true",
        "limit": "500",
    }
    assert dict(calls[2].query)["ids"] == "8001"


@pytest.mark.parametrize(
    "now", [{"emails": [{"value": "moved@example.org"}]}, {"is_deleted": True}]
)
def test_who_has_left_an_address_since_the_search_knew_it_is_not_found(app, now):
    person = json.loads(shown("person").body)["data"] | now
    listing = answer({"success": True, "data": [person]})
    operation = app.find_by_email(["zoe.brandt@example.org"])
    assert drive(operation, [shown("search"), listing])[0] == ()


def test_a_scan_goes_on_by_the_vendors_cursor(app):
    page, (call,) = drive(app.scan(None), [shown("persons_page")])
    assert dict(call.query) == {"limit": "500", "include_fields": "marketing_status"}
    last, (call,) = drive(app.scan(page.next), [shown("persons_last")])
    assert dict(call.query)["cursor"] == "eyJmaWVsZCI6ImlkIiwiZmllbGRWYWx1ZSI6ODAwMX0"
    assert [one.record_id for one in last.records] == ["8002"]
    resume = vendors.decode_cursor(last.resume, Progress)
    assert resume == Progress(stage=Stage.CHANGES, since=NOON)


def test_changes_begin_before_the_last_pass_did(app):
    cursor = vendors.encode_cursor(Progress(stage=Stage.CHANGES, since=NOON))
    page, (call,) = drive(app.changes(cursor), [shown("persons_empty")])
    assert dict(call.query)["updated_since"] == "2026-02-11T11:59:00Z"
    assert (page.records, page.is_reread) == ((), False)


def test_without_a_clock_in_the_answer_a_pass_began_with_the_last_one(app):
    cursor = vendors.encode_cursor(Progress(stage=Stage.CHANGES, since=NOON))
    page, _ = drive(app.changes(cursor), [answer(shown("persons_empty").body)])
    assert vendors.decode_cursor(page.resume, Progress).since == NOON


def test_a_page_that_leads_to_itself_is_broken(app):
    page, _ = drive(app.scan(None), [shown("persons_page")])
    assert failing(app.scan(page.next), [shown("persons_page")]) is Meaning.BROKEN


def test_a_cursor_that_the_vendor_refuses_asks_for_a_scan(app):
    page, _ = drive(app.scan(None), [shown("persons_page")])
    assert (
        failing(app.scan(page.next), [shown("error_validation", status=400)])
        is Meaning.CURSOR_EXPIRED
    )


def test_a_create_names_what_there_is_and_asks_for_no_mail(app):
    new = NewRecord(
        fields={
            "name": "Zoë",
            "emails": (WORK, HOME),
            "phones": None,
            BREAD: None,
            AGE: "041.50",
            SIZE: "12",
            DAYS: (Item(value="22"),),
        },
        consent=Consent.SUBSCRIBED,
    )
    written, (call,) = drive(app.create(new), [shown("person", status=201)])
    assert isinstance(written, Written)
    assert call.is_write
    assert json.loads(call.body) == {
        "name": "Zoë",
        "emails": [
            {"value": "Zoe.Brandt@example.org", "primary": True, "label": "work"},
            {"value": "private@example.org", "primary": False, "label": "home"},
        ],
        "custom_fields": {AGE: 41.5, SIZE: 12, DAYS: [22]},
    }


def test_who_said_no_is_made_with_it(app):
    new = NewRecord(fields={"name": "Zoë"}, consent=Consent.SUPPRESSED)
    answers = [shown("person_unsubscribed")]
    written, (call,) = drive(app.create(new), answers)
    assert json.loads(call.body)["marketing_status"] == "unsubscribed"
    assert written.record.consent is Consent.UNSUBSCRIBED


def test_an_update_names_what_changes_and_empties_with_a_null(app, zoe):
    change = Change(
        fields={"emails": None, "name": None, DAYS: None, BORN: "2026-01-02"}
    )
    written, (call,) = drive(app.update(zoe, change), [shown("person")])
    assert isinstance(written, Written)
    assert (call.method, call.path) == ("PATCH", "/persons/8001")
    assert json.loads(call.body) == {
        "emails": [],
        "name": "",
        "custom_fields": {DAYS: None, BORN: "2026-01-02"},
    }


def test_a_label_of_the_vendors_own_is_kept_and_none_is_other(app, zoe):
    entries = (Item(value="1", label="assistant"), Item(value="2"))
    _, (call,) = drive(
        app.update(zoe, Change(fields={"phones": entries})), [shown("person")]
    )
    assert [one["label"] for one in json.loads(call.body)["phones"]] == [
        "assistant",
        "other",
    ]


def test_a_no_is_written_once_and_the_answer_tells_whether_it_was_taken(app, zoe):
    change = Change(consent=Consent.UNSUBSCRIBED)
    same = json.loads(shown("person").body)
    for status, consent in (
        ("unsubscribed", Consent.UNSUBSCRIBED),
        ("subscribed", Consent.SUBSCRIBED),
    ):
        same["data"]["marketing_status"] = status
        written, (call,) = drive(app.update(zoe, change), [answer(same)])
        assert json.loads(call.body) == {"marketing_status": "unsubscribed"}
        assert written.record.consent is consent
    del same["data"]["marketing_status"]
    written, _ = drive(app.update(zoe, Change(fields={"name": "Z"})), [answer(same)])
    assert written.record.consent is Consent.SUBSCRIBED


def labelled(*labels: int) -> Answer:
    data = {"id": 8001, "label_ids": labels}
    return answer({"success": True, "data": data}, headers=NOW)


def test_a_label_that_was_made_since_is_read_of_once(app):
    new = {"id": 9, "label_ids": [3, 9, 10]}
    listing = answer({"success": True, "data": [new]}, headers=NOW)
    fields = json.loads(FIELDS[1].body)
    options = [{"id": 3, "label": "Hot lead"}, {"id": 9, "label": "Süß & Co"}]
    label = {"field_name": "Labels", "field_code": "label_ids", "field_type": "set"}
    fields["data"].append(label | {"is_custom_field": False, "options": options})
    (snapshot,), calls = drive(app.get(["9"]), [listing, answer(fields)])
    assert calls[1].path == "/personFields"
    assert snapshot.record.tags == ("Hot lead", "Süß & Co")
    # Ten is an option no more, and is not asked for again.
    _, calls = drive(app.get(["9"]), [listing])
    assert len(calls) == 1


def test_labels_are_written_together_and_those_that_have_no_name_stay(app, zoe):
    both = Snapshot(record=zoe.record, raw=b"[3,44]")
    gone = Change(memberships=Memberships(tags_remove=("Hot lead", "Cold lead")))
    written, (call,) = drive(app.update(both, gone), [labelled()])
    assert json.loads(call.body) == {"label_ids": [44]}
    assert written.record.tags == ()


def test_a_label_that_is_missing_is_looked_for_and_made(app, zoe):
    memberships = Memberships(tags_add=("PieSync Trash", "Hot lead"))
    made = answer({"success": True, "data": [{"id": 77, "label": "PieSync Trash"}]})
    change = Change(memberships=memberships)
    answers = [shown("fields_plain"), made, labelled(3, 77)]
    written, calls = drive(app.update(zoe, change), answers)
    assert [(one.method, one.path) for one in calls] == [
        ("GET", "/personFields"),
        ("POST", "/personFields/label_ids/options"),
        ("PATCH", "/persons/8001"),
    ]
    assert calls[1].is_write
    assert json.loads(calls[1].body) == [{"label": "PieSync Trash"}]
    assert json.loads(calls[2].body) == {"label_ids": [3, 77]}
    assert written.record.tags == ("Hot lead", "PieSync Trash")


def test_a_label_that_somebody_else_is_making_is_waited_for(app, zoe):
    """Or there would be two of one name."""
    change = Change(memberships=Memberships(tags_add=("New",)))
    first = app.update(zoe, change)
    assert next(first).path == "/personFields"
    assert first.send(shown("fields_plain")).method == "POST"
    fields = json.loads(shown("fields_plain").body)
    for one in fields["data"]:
        if one["field_code"] == "label_ids":
            one["options"] = [{"id": 3, "label": "Hot lead"}, {"id": 5, "label": "New"}]
    answers = [shown("fields_plain"), shown("fields_plain")]
    second = app.update(zoe, change)
    assert next(second).path == "/personFields"
    waiting = second.send(answers[0])
    assert (waiting.method, waiting.wait_s) == ("GET", 1.0)
    made = answer({"success": True, "data": [{"id": 5, "label": "New"}]})
    assert first.send(made).method == "PATCH"
    patch = second.send(answer(fields))
    assert (patch.method, json.loads(patch.body)) == ("PATCH", {"label_ids": [3, 5]})


def test_a_label_that_cannot_be_is_refused(app, zoe):
    refused = Refused(code=ErrorCode.APP_REFUSED)
    for name in ("", "x" * 256):
        change = Change(memberships=Memberships(tags_add=(name,)))
        assert drive(app.update(zoe, change)) == (refused, [])


def test_other_labels_than_were_asked_for_are_broken(app, zoe):
    change = Change(memberships=Memberships(tags_add=("New",)))
    other = answer({"success": True, "data": [{"id": 5, "label": "Old"}]})
    assert (
        failing(app.update(zoe, change), [shown("fields_plain"), other])
        is Meaning.BROKEN
    )


def test_without_campaigns_no_no_can_be_written():
    fresh = emulated_account.new_app("pipedrive")
    answers = [shown("fields_plain"), some("person_synced")]
    (snapshot,), _ = drive(fresh.get(["8002"]), answers)
    change = Change(fields={"name": "Z"}, consent=Consent.UNSUBSCRIBED)
    refused = Refused(code=ErrorCode.APP_REFUSED)
    assert drive(fresh.update(snapshot, change)) == (refused, [])


@pytest.mark.parametrize(
    ("field_id", "value"),
    [
        ("name", True),
        ("emails", "a@example.org"),
        ("emails", (Item(value=Address(city="Graz")),)),
        ("emails", (Item(value=""),)),
        (BREAD, "x" * 256),
        (BREAD, (Item(value="Rye"),)),
        (AGE, "seven"),
        (AGE, "1e5"),
        (AGE, True),
        (BORN, "soon"),
        (BORN, "20260210"),
        (SIZE, "13"),
        (SIZE, "Small"),
        (DAYS, "21"),
        (DAYS, (Item(value="29"),)),
        (BUDGET, "1"),
        (PLACE, "Graz"),
        (code_of("owner"), "17"),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(app, zoe, field_id, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
    change = {field_id: value}
    assert drive(app.update(zoe, Change(fields=change))) == (refused, [])
    assert drive(app.create(NewRecord(fields=change))) == (refused, [])


def test_a_write_that_the_vendor_does_not_take_is_refused_or_missing(app, zoe):
    no = shown("error_validation", status=400)
    change = Change(fields={"name": "Z"})
    assert drive(app.update(zoe, change), [no])[0] == Refused(
        code=ErrorCode.VALUE_REFUSED
    )
    gone = shown("error_not_found", status=404)
    assert drive(app.update(zoe, change), [gone])[0] == Missing()
    new = NewRecord(fields={"name": "Z"})
    assert drive(app.create(new), [no])[0] == Refused(code=ErrorCode.VALUE_REFUSED)


@pytest.mark.parametrize(
    ("name", "status", "meaning"),
    [
        ("error_validation", 400, Meaning.REFUSED),
        ("error_unauthorised", 401, Meaning.UNAUTHORISED),
        ("error_scope", 403, Meaning.FORBIDDEN),
        ("error_not_found", 404, Meaning.BROKEN),
        ("error_limit", 429, Meaning.RATE_LIMITED),
        ("error_server", 500, Meaning.NO_ANSWER),
        ("error_server", 503, Meaning.UNAVAILABLE),
    ],
)
def test_every_documented_error_has_a_meaning(app, name, status, meaning):
    assert failing(app.verify(), [shown(name, status=status)], app=app) is meaning


@pytest.mark.parametrize(
    ("headers", "meaning", "wait_s"),
    [
        ({"x-daily-requests-left": "0"}, Meaning.QUOTA_EXHAUSTED, None),
        ({"x-ratelimit-reset": "2"}, Meaning.RATE_LIMITED, 2.0),
        ({"x-ratelimit-reset": "0"}, Meaning.RATE_LIMITED, 1.0),
        ({"x-ratelimit-reset": "soon"}, Meaning.RATE_LIMITED, 2.0),
        ({"x-daily-requests-left": "7"}, Meaning.RATE_LIMITED, 2.0),
    ],
)
def test_a_day_without_tokens_is_told_from_two_seconds(app, headers, meaning, wait_s):
    failed = app.meaning_of(answer(status=429, headers=headers))
    assert (failed.meaning, failed.retry_after_s) == (meaning, wait_s)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_page_of_something_in_between_is_not_the_vendors_word(app, status):
    failed = app.meaning_of(answer("<html>", status=status))
    is_kept_out = status == 403
    assert failed.meaning is (Meaning.RATE_LIMITED if is_kept_out else Meaning.BROKEN)
    assert failed.retry_after_s == (60.0 if is_kept_out else None)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("double", b'"seven"'),
        ("double", b"1e999"),
        ("varchar", b"7"),
        ("date", b'"soon"'),
        ("enum", b'"Small"'),
        ("set", b"7"),
        ("boolean", b"1"),
        ("monetary", b"7"),
        ("address", b'"Graz"'),
    ],
)
def test_a_value_of_another_type_is_not_known(kind, raw):
    field = wire.Definition(
        field_name="f", field_code="f", field_type=kind, is_custom_field=True
    )
    assert values.read(field, msgspec.Raw(raw)) is msgspec.UNSET


OPTIONS = (wire.Option(id=1, label="Rye"), wire.Option(id=2, label="Spelt"))
SAMPLES = {
    "varchar": st.text(min_size=1, max_size=255),
    "text": st.text(min_size=1, max_size=300),
    "phone": st.text(min_size=1, max_size=255),
    "double": st.decimals(allow_nan=False, allow_infinity=False, places=2).map(
        lambda one: f"{one:f}"
    ),
    "int": st.integers().map(str),
    "boolean": st.booleans(),
    "date": st.dates().map(lambda day: day.isoformat()),
    "enum": st.sampled_from(["1", "2"]),
    "set": st.lists(st.sampled_from(["1", "2"]), min_size=1, unique=True).map(
        lambda ids: tuple(Item(value=each) for each in ids)
    ),
}


@given(
    st.sampled_from(sorted(SAMPLES)).flatmap(
        lambda kind: st.tuples(st.just(kind), SAMPLES[kind])
    )
)
def test_a_value_that_is_written_reads_back(kind_and_value):
    kind, value = kind_and_value
    field = wire.Definition(
        field_name="f",
        field_code="f",
        field_type=kind,
        is_custom_field=True,
        options=OPTIONS,
    )
    written = values.write(field, value)
    read = values.read(field, msgspec.Raw(codec.encode(written)))
    if kind == "double":
        assert decimal.Decimal(str(read)) == decimal.Decimal(value)
    else:
        assert read == value
