"""Dotloop's operations on its fixtures: what is asked, and what an answer means."""

import datetime
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Address, Item
from proto.record import Presence, Record
from services.connector.apps.dotloop import fields, wire
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
from tests.contract.dotloop_account import FOLDER
from tests.contract.driving import Fixtures, answer, drive, failing
from tests.contract.emulated_account import new_app

NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
HOME = (Item(value=Address(city="Graz", postal_code="8010")),)


@pytest.fixture
def app():
    return new_app("dotloop")


@pytest.fixture
def zoe(app) -> Snapshot:
    (snapshot,), _ = drive(app.get(["8001"]), [shown("contact")])
    return snapshot


def test_the_account_is_the_user(app):
    identity, calls = drive(app.verify(), [shown("account")])
    assert identity == Identity(vendor_account_id="4711", display_name="Robin Agent")
    assert [call.path for call in calls] == ["/account"]


def listing(ids, *, total) -> Answer:
    data = [{"id": each, "updated": "2026-02-11T11:47:30Z"} for each in ids]
    return answer({"meta": {"total": total}, "data": data}, headers=NOW)


def test_a_scan_overlaps_its_pages_and_shows_nobody_twice(app):
    page, calls = drive(app.scan(None), [listing([1, 2, 3, 4, 5], total=7)])
    assert dict(calls[0].query) == {"batch_number": "1", "batch_size": "100"}
    assert page.expected_count == 7
    # Five came where a hundred were asked for: the vendor gives no more at once.
    last, calls = drive(app.scan(page.next), [listing([5, 6, 7], total=7)])
    assert dict(calls[0].query) == {"batch_number": "2", "batch_size": "4"}
    assert [one.record_id for one in last.records] == ["6", "7"]
    assert (last.next, last.expected_count) == (None, None)


def test_a_page_that_does_not_begin_where_the_last_one_ended_leads_back(app):
    """Two of those who were shown are gone, and the others have moved up."""
    page, _ = drive(app.scan(None), [listing([1, 2, 3, 4, 5], total=8)])
    moved = [listing([7, 8], total=6), listing([3, 4, 5, 6, 7], total=6)]
    back, calls = drive(app.scan(page.next), moved)
    assert [dict(call.query)["batch_number"] for call in calls] == ["2", "1"]
    assert [one.record_id for one in back.records] == ["6", "7"]


def test_the_pages_of_the_guide_are_read(app):
    page, _ = drive(app.scan(None), [shown("contacts_first")])
    assert [one.record_id for one in page.records] == ["8001", "8002"]
    last, _ = drive(app.scan(page.next), [shown("contacts_last")])
    assert [one.record_id for one in last.records] == ["8003"]


def test_changes_begin_before_the_scan_did_in_whole_seconds(app):
    page, _ = drive(app.scan(None), [shown("contacts_empty")])
    assert page.next is None
    _, calls = drive(app.changes(page.resume), [shown("contacts_empty")])
    assert dict(calls[0].query)["filter"] == "updated_min=2026-02-11T11:59:00Z"


def test_without_a_clock_in_the_answer_the_newest_change_is_where_to_go_on(app):
    page, _ = drive(app.scan(None), [answer(shown("contacts_untold").body)])
    assert page.expected_count is None
    _, calls = drive(app.changes(page.resume), [shown("contacts_empty")])
    assert dict(calls[0].query)["filter"] == "updated_min=2026-02-11T11:47:30Z"


def test_a_total_that_is_too_high_keeps_no_listing_going(app):
    page, _ = drive(app.scan(None), [listing(range(30), total=90)])
    last, calls = drive(app.scan(page.next), [listing([29], total=90)])
    assert dict(calls[0].query) == {"batch_number": "2", "batch_size": "29"}
    assert last.resume is not None


def test_an_empty_page_where_there_is_more_is_broken(app):
    body = {"meta": {"total": 7}, "data": []}
    assert failing(app.scan(None), [answer(body, headers=NOW)]) is Meaning.BROKEN


@pytest.mark.parametrize(
    "since",
    ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-01-01T00:00:00"],
)
@pytest.mark.parametrize("name", ["since", "began"])
def test_a_cursor_of_no_time_asks_for_a_complete_scan(app, name, since):
    cursor = json.dumps({"stage": "changes", name: since})
    assert failing(app.changes(cursor)) is Meaning.CURSOR_EXPIRED


def test_a_contact_is_read_whole(zoe):
    assert zoe.record == Record(
        record_id="8001",
        modified_at=datetime.datetime(2026, 2, 11, 11, 48, 30, tzinfo=datetime.UTC),
        fields={
            "firstName": "Zoë",
            "lastName": "Brandt",
            "email": "Zoe.Brandt@example.org",
            "home": "+49 761 5550100",
            "office": "(415) 5550101",
            "fax": "(415) 5550102",
            "address": (
                Item(
                    value=Address(
                        street="Münsterplatz 1",
                        city="Freiburg",
                        region="BW",
                        postal_code="79098",
                        country="DE",
                    )
                ),
            ),
        },
    )


@pytest.mark.parametrize("name", ["contact_minimal", "contact_empties"])
def test_what_is_left_out_null_or_an_empty_text_is_empty(app, name):
    contact = shown(name)
    record_id = str(json.loads(contact.body)["data"]["id"])
    (snapshot,), _ = drive(app.get([record_id]), [contact])
    found = dict(snapshot.record.fields)
    assert found.pop("email") in ("bare@example.org", None)
    assert set(found.values()) == {None}
    assert set(snapshot.record.fields) == {field.field_id for field in fields.ALL}


@pytest.mark.parametrize(
    "missing", [shown("error_not_found", status=404), answer(status=404)]
)
def test_a_404_of_the_vendors_is_missing_and_no_deletion(app, missing):
    """The form of its body is not documented, so that an empty one counts."""
    (gone,), _ = drive(app.get(["8001"]), [missing])
    assert gone.record == Record(record_id="8001", presence=Presence.MISSING)


def test_a_404_that_is_a_page_says_nothing(app, zoe):
    page = answer("<html>", status=404)
    change = Change(fields={"home": "1"})
    for operation in (app.get(["8001"]), app.update(zoe, change)):
        assert failing(operation, [page]) is Meaning.BROKEN


def test_another_contact_than_asked_for_is_broken(app, zoe):
    for operation in (
        app.get(["8002"]),
        app.update(
            Snapshot(record=Record(record_id="8002")), Change(fields={"home": "1"})
        ),
    ):
        assert failing(operation, [shown("contact")]) is Meaning.BROKEN


def test_a_create_names_what_there_is_alone(app):
    new = NewRecord(fields={"email": "a@example.org", "home": None, "address": HOME})
    written, calls = drive(app.create(new), [shown("contact", status=201)])
    assert isinstance(written, Written)
    assert calls[0].is_write
    assert json.loads(calls[0].body) == {
        "email": "a@example.org",
        "city": "Graz",
        "zipCode": "8010",
    }


def test_an_update_sends_what_changes_and_empties_with_a_text(app, zoe):
    """A null may count as not mentioned; an address is set with all its parts."""
    change = Change(fields={"lastName": None, "address": HOME})
    written, calls = drive(app.update(zoe, change), [shown("contact")])
    assert isinstance(written, Written)
    assert (calls[0].method, calls[0].path) == ("PATCH", "/contact/8001")
    assert json.loads(calls[0].body) == {
        "lastName": "",
        "address": "",
        "city": "Graz",
        "state": "",
        "zipCode": "8010",
        "country": "",
    }
    gone = shown("error_not_found", status=404)
    assert drive(app.update(zoe, change), [gone])[0] == Missing()


@pytest.mark.parametrize(
    ("field_id", "value"),
    [
        ("age", "36"),
        ("home", True),
        ("home", (Item(value="1"),)),
        ("address", "Graz"),
        ("address", (Item(value="Graz"),)),
        ("address", (*HOME, *HOME)),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(app, zoe, field_id, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
    change = {field_id: value}
    assert drive(app.update(zoe, Change(fields=change))) == (refused, [])
    assert drive(app.create(NewRecord(fields=change))) == (refused, [])


@pytest.mark.parametrize("status", [400, 422])
def test_a_write_that_the_vendor_does_not_take_is_refused(app, zoe, status):
    refused = Refused(code=ErrorCode.VALUE_REFUSED)
    no = shown("error_unparseable_date", status=status)
    fields_ = {"email": "a@example.org"}
    assert drive(app.create(NewRecord(fields=fields_)), [no])[0] == refused
    assert drive(app.update(zoe, Change(fields=fields_)), [no])[0] == refused


@pytest.mark.parametrize(
    ("name", "status", "meaning"),
    [
        ("error_unparseable_date", 400, Meaning.REFUSED),
        ("error_invalid_token", 401, Meaning.UNAUTHORISED),
        ("error_not_found", 403, Meaning.FORBIDDEN),
        ("error_not_found", 404, Meaning.BROKEN),
        ("error_not_found", 429, Meaning.RATE_LIMITED),
        ("error_not_found", 500, Meaning.NO_ANSWER),
        ("error_not_found", 503, Meaning.UNAVAILABLE),
    ],
)
def test_every_documented_error_has_a_meaning(app, name, status, meaning):
    assert failing(app.verify(), [shown(name, status=status)], app=app) is meaning


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_page_of_something_in_between_is_not_the_vendors_word(app, status):
    assert (
        failing(app.verify(), [answer("<html>", status=status)], app=app)
        is Meaning.BROKEN
    )


NOON_S = 1_770_811_200


@pytest.mark.parametrize(
    ("reset", "wait_s"),
    [
        ("42000", 42.0),
        ("0", 1.0),
        ("3600000", 60.0),
        (str(NOON_S + 42), 42.0),
        (str((NOON_S + 42) * 1000), 42.0),
        (str(NOON_S - 7), 1.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_a_reset_counts_milliseconds_or_is_a_moment(app, reset, wait_s):
    headers = {**NOW, "x-ratelimit-reset": reset}
    failed = app.meaning_of(answer(status=429, headers=headers))
    assert failed.retry_after_s == wait_s


# The first draw reads tables from disk, which a busy machine does slowly.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.none() | st.text(min_size=1)
address = st.builds(Address, street=st.text(), city=st.text(), country=st.text())


@patient
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(fields.TEXTS, texts)),
    st.none() | address.filter(lambda one: one != Address()),
)
def test_what_is_written_reads_back(values, street):
    values = {**values, "address": None if street is None else (Item(value=street),)}
    body = fields.write(values)
    assert isinstance(body, dict)
    contact = codec.decode(codec.encode(body | {"id": 1}), wire.Contact)
    read = fields.read(contact).fields
    assert {field_id: read[field_id] for field_id in values} == values
