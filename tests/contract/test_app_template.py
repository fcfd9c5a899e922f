"""The template loads, works on its fixtures, and shows how an app is tested."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proto import codec
from proto.errors import ErrorCode
from proto.record import Presence, Record
from services.connector import manifest, registry
from services.connector.apps import _template
from services.connector.apps._template import fields, wire
from services.connector.apps._template.app import App
from services.connector.errors import Meaning
from services.connector.port import (
    Change,
    Exists,
    Facts,
    Missing,
    NewRecord,
    Refused,
    Snapshot,
    Written,
)
from tests.contract.driving import Fixtures, answer, drive, failing

FOLDER = Path(_template.__file__).parent
shown = Fixtures(FOLDER)


@pytest.fixture
def app() -> App:
    facts = manifest.load(FOLDER / "manifest.toml")
    return App(facts, Facts(base_url=facts.base_url))


@pytest.fixture
def ada(app) -> Snapshot:
    (snapshot,), _ = drive(app.get(["p1"]), [shown("person")])
    return snapshot


def test_the_template_is_not_in_the_catalogue():
    names = {entry.manifest.app for entry in registry.load()}
    assert "_template" not in names
    assert names


def test_a_scan_ends_with_a_cursor_for_changes_since_it_began(app):
    page, _ = drive(app.scan(None), [shown("people_page")])
    assert [one.presence for one in page.records] == [Presence.LIVE, Presence.DELETED]
    last, calls = drive(app.scan(page.next), [shown("people_last")])
    assert dict(calls[0].query)["after"] == "p2"
    _, calls = drive(app.changes(last.resume), [shown("people_last")])
    assert dict(calls[0].query) == {"since": "2026-02-11T12:05:00Z", "limit": "100"}


def test_an_unreadable_cursor_asks_for_a_complete_scan(app):
    assert failing(app.changes("nonsense")) is Meaning.CURSOR_EXPIRED


def test_a_record_tells_when_it_was_made(app, ada):
    assert ada.record.created_at is not None
    page, _ = drive(app.scan(None), [shown("people_page")])
    assert page.records[0].created_at is None


def test_empty_and_unknown_are_told_apart(app, ada):
    assert ada.record.fields["family_name"] is None
    page, _ = drive(app.scan(None), [shown("people_page")])
    assert "family_name" not in page.records[0].fields


def test_only_the_vendors_own_404_says_anything_and_is_no_deletion(app):
    (gone,), _ = drive(app.get(["p1"]), [shown("error_not_found", status=404)])
    assert gone.record == Record(record_id="p1", presence=Presence.MISSING)
    assert failing(app.get(["p1"]), [answer("<html>", status=404)]) is Meaning.BROKEN


def test_a_create_is_written_refused_or_exists(app):
    new = NewRecord(fields={"email": "ada@example.org"})
    written, calls = drive(app.create(new), [shown("person", status=201)])
    assert isinstance(written, Written)
    assert calls[0].is_write
    exists, _ = drive(app.create(new), [shown("error_duplicate", status=409)])
    assert exists == Exists(record_id="p1")
    refused, _ = drive(app.create(new), [shown("error_invalid", status=422)])
    assert refused == Refused(code=ErrorCode.VALUE_REFUSED, field_id="given_name")


def test_an_update_sends_only_what_changes(app, ada):
    _, calls = drive(
        app.update(ada, Change(fields={"given_name": None})), [shown("person")]
    )
    assert json.loads(calls[0].body) == {"given_name": None}
    gone = shown("error_not_found", status=404)
    assert (
        drive(app.update(ada, Change(fields={"given_name": "A"})), [gone])[0]
        == Missing()
    )


def test_a_value_without_a_form_is_refused_without_a_call(app, ada):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id="age")
    assert drive(app.update(ada, Change(fields={"age": "36"}))) == (refused, [])


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Meaning.REFUSED),
        (401, Meaning.UNAUTHORISED),
        (403, Meaning.FORBIDDEN),
        (429, Meaning.RATE_LIMITED),
        (500, Meaning.NO_ANSWER),
        (503, Meaning.UNAVAILABLE),
    ],
)
def test_every_documented_error_has_a_meaning(app, status, meaning):
    assert (
        failing(app.verify(), [answer({"code": "x"}, status=status)], app=app)
        is meaning
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_is_not_the_vendors_word_says_nothing_of_an_account(app, status):
    assert (
        failing(app.verify(), [answer("<h1>Sorry</h1>", status=status)], app=app)
        is Meaning.BROKEN
    )


# The first draw reads tables from disk, which a busy machine does slowly.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(
    st.fixed_dictionaries(
        {},
        optional={
            field.field_id: st.none() | st.text(min_size=1) for field in fields.ALL
        },
    )
)
def test_what_is_written_reads_back(values):
    body = fields.write(values)
    assert isinstance(body, dict)
    person = codec.decode(codec.encode(body | {"id": "p1"}), wire.Person)
    assert fields.read(person).fields == values
