"""HubSpot's operations, driven with fixtures, without a socket."""

import json

import pytest

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Address, FieldKind, Item, Role
from proto.ids import FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector import vendors
from services.connector.apps.hubspot.app import App
from services.connector.apps.hubspot.cursors import OVERLAP_MS, Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Exists,
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
    NOW,
    NOW_MS,
    ZOE,
    app_that_knows_its_account,
    shown,
)
from tests.contract.hubspot_account import FOLDER, MANIFEST

EMAIL = FieldId("email")
BAKER = Change(fields={JOB: "Baker"})


@pytest.fixture
def app() -> App:
    """An app that knows its account's properties, and that it has no lists."""
    return app_that_knows_its_account(lists="lists_none")


@pytest.fixture
def zoe(app: App) -> Snapshot:
    (snapshot,), _ = drive(app.get([ZOE]), [shown("batch_read")])
    return snapshot


def cursor(**progress: object) -> str:
    return vendors.encode_cursor(Progress(**{"stage": Stage.CHANGED, **progress}))


# Facts and fields


def test_the_manifest_is_valid_and_named_for_its_folder():
    assert MANIFEST.app == FOLDER.name
    assert MANIFEST.oauth is not None
    assert not MANIFEST.oauth.rotates_refresh_tokens
    assert MANIFEST.oauth.client_auth == "body"


def test_an_account_without_a_name_is_shown_by_its_number(app):
    identity, _ = drive(app.verify(), [shown("account")])
    assert identity.vendor_account_id == "64380360"
    assert identity.display_name == "64380360 (app-eu1.hubspot.com)"


def test_properties_are_described_by_what_users_may_fill_in():
    fields, _ = drive(new_app("hubspot").describe_fields(), [shown("properties")])
    by_label = {one.label: one for one in fields}
    assert by_label["Phone Number"].role is Role.PHONE
    assert by_label["Postal address"].count_max == 1
    assert by_label["Favourite bread"].is_multiple
    assert by_label["Favourite bread"].kind is FieldKind.CHOICE
    assert by_label["Member since"].kind is FieldKind.DATE
    assert by_label["Last visit"].kind is FieldKind.DATETIME
    assert by_label["Balance"].kind is FieldKind.NUMBER
    assert by_label["Is a member"].kind is FieldKind.BOOLEAN
    assert by_label["Is a member"].options == ()
    assert not by_label["Score"].is_writable, "it is calculated"
    assert not by_label["Place"].is_writable, "nobody knows its type"
    assert by_label["Date of birth"].role is Role.UNKNOWN, "it is any text"
    internal = {"Create Date", "Unsubscribed from all email", "City"}
    assert internal.isdisjoint(by_label), "of the vendor's own, or part of an address"
    assert {"Contact owner", "Hidden"}.isdisjoint(by_label)


def test_a_day_of_birth_plays_its_role_where_it_is_a_day():
    body = {"results": [{"name": "date_of_birth", "label": "B", "type": "date"}]}
    (field,), _ = drive(new_app("hubspot").describe_fields(), [answer(body)])
    assert (field.kind, field.role) == (FieldKind.DATE, Role.BIRTHDAY)


def test_every_field_of_a_contact_is_read(zoe):
    record = zoe.record
    assert record.fields[EMAIL] == "zoe.brandt@example.org"
    assert record.fields[FieldId("address.postal")] == (
        Item(
            value=Address(
                street="Münsterplatz 1",
                city="Freiburg",
                region="BW",
                postal_code="79098",
                country="Germany",
            )
        ),
    )
    assert record.fields[FieldId("favourite_bread")] == (
        Item(value="rye"),
        Item(value="spelt"),
    )
    assert record.fields[FieldId("member_since")] == "2024-02-29"
    assert record.fields[FieldId("last_visit")] == "2026-01-31T08:15:00Z"
    assert record.fields[FieldId("balance")] == "-12.50"
    assert record.fields[FieldId("is_member")] is True
    assert record.fields[FieldId("date_of_birth")] is None
    assert record.consent is Consent.UNKNOWN, "not to have opted out is no consent"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("member_since", "1709164800000", "2024-02-29"),
        ("last_visit", "1769847300000", "2026-01-31T08:15:00Z"),
        ("last_visit", "2026-01-31T09:15:00.500+01:00", "2026-01-31T08:15:00.500Z"),
        ("is_member", "FALSE", False),
        ("favourite_bread", ";rye;", (Item(value="rye"),)),
    ],
)
def test_values_are_read_in_every_notation(app, name, text, value):
    body = json.loads(shown("batch_read").body)
    body["results"][0]["properties"][name] = text
    (snapshot,), _ = drive(app.get([ZOE]), [answer(body)])
    assert snapshot.record.fields[FieldId(name)] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("member_since", "soon"),
        ("member_since", "2024-02-30"),
        ("last_visit", "2026-01-31T08:15:00"),
        ("last_visit", "9999999999999999"),
        ("balance", "a lot"),
        ("is_member", "perhaps"),
    ],
)
def test_a_value_that_is_not_of_its_type_is_not_known(app, name, text):
    body = json.loads(shown("batch_read").body)
    body["results"][0]["properties"][name] = text
    (snapshot,), _ = drive(app.get([ZOE]), [answer(body)])
    assert name not in snapshot.record.fields


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (EMAIL, True),
        ("is_member", "true"),
        ("size", (Item(value="small"),)),
        ("favourite_bread", "rye"),
        ("favourite_bread", (Item(value="rye;spelt"),)),
        ("address.postal", "Münsterplatz 1"),
        ("address.postal", (Item(value="Münsterplatz 1"),)),
        ("address.postal", (Item(value=Address(city="A")), Item(value=Address()))),
        ("no_such_property", "x"),
    ],
)
def test_a_value_without_a_form_is_refused_before_it_is_sent(app, zoe, field, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=FieldId(field))
    fields = {FieldId(field): value}
    assert drive(app.update(zoe, Change(fields=fields)))[0] == refused
    assert drive(app.create(NewRecord(fields=fields)))[0] == refused


@pytest.mark.parametrize(
    ("field", "value", "properties"),
    [
        (JOB, None, {"jobtitle": ""}),
        ("is_member", False, {"is_member": "false"}),
        ("favourite_bread", (Item(value="rye"),), {"favourite_bread": "rye"}),
        ("favourite_bread", None, {"favourite_bread": ""}),
        (
            "address.postal",
            (Item(value=Address(city="Graz")),),
            {"address": "", "city": "Graz", "state": "", "zip": "", "country": ""},
        ),
        (
            "address.postal",
            None,
            {"address": "", "city": "", "state": "", "zip": "", "country": ""},
        ),
    ],
)
def test_what_is_written_is_what_was_asked(app, zoe, field, value, properties):
    change = Change(fields={FieldId(field): value})
    _, (call,) = drive(app.update(zoe, change), [shown("contact_updated")])
    assert (call.method, call.path) == ("PATCH", "/crm/v3/objects/contacts/30151")
    assert json.loads(call.body or b"") == {"properties": properties}
    assert call.is_write


# Passes


def test_a_scan_goes_on_where_the_vendor_says_and_ends_in_changes(app):
    page, (call,) = drive(app.scan(None), [shown("contacts_page")])
    assert dict(call.query)["limit"] == "100"
    assert "jobtitle" in dict(call.query)["properties"].split(",")
    assert [one.consent for one in page.records] == [
        Consent.UNKNOWN,
        Consent.UNSUBSCRIBED,
    ]
    page, (call,) = drive(app.scan(page.next), [shown("contacts_last")])
    assert dict(call.query)["after"] == "30202"
    progress = vendors.decode_cursor(page.resume or "", Progress)
    assert (progress.stage, progress.since) == (Stage.CHANGED, NOW_MS)


def test_changes_are_asked_for_from_before_the_last_pass_on(app):
    answers = [shown("lists_none"), shown("search_page"), shown("contacts_archived")]
    page, (_, *calls) = drive(app.changes(cursor(since=NOW_MS)), answers)
    asked = json.loads(calls[0].body or b"")
    (group,) = asked["filterGroups"]
    assert group["filters"] == [
        {
            "propertyName": "lastmodifieddate",
            "operator": "GTE",
            "value": str(NOW_MS - OVERLAP_MS),
        }
    ]
    assert (asked["sorts"], asked["after"]) == (["lastmodifieddate"], "0")
    assert ("archived", "true") in calls[1].query
    presences = {one.record_id: one.presence for one in page.records}
    assert presences == {
        "30201": Presence.LIVE,
        "30251": Presence.MERGED,
        "30252": Presence.MERGED,
        "30301": Presence.LIVE,
        "30401": Presence.DELETED,
    }
    assert page.resume is not None


def test_fewer_results_than_asked_for_are_no_end_where_there_are_more(app):
    body = json.loads(shown("search_page").body)
    body["paging"] = {"next": {"after": "2"}}
    body["results"][1]["properties"]["lastmodifieddate"] = "2026-02-10T18:00:00.000Z"
    answers = [shown("lists_none"), answer(body, headers=NOW)]
    page, _ = drive(app.changes(cursor()), answers)
    assert vendors.decode_cursor(page.next or "", Progress).at == 1_770_746_400_000


def test_a_search_that_shows_the_same_again_and_again_is_given_up(app):
    body = json.loads(shown("search_page").body)
    body["paging"] = {"next": {"after": "2"}}
    stuck = cursor(stage=Stage.TIED, at=NOW_MS, last_id=30301, began=NOW_MS)
    with pytest.raises(CallFailed) as caught:
        drive(app.changes(stuck), [answer(body)])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_deletion_that_was_told_long_ago_is_not_told_again(app):
    answers = [shown("lists_none"), shown("contacts_empty"), shown("contacts_archived")]
    progress = cursor(since=NOW_MS, swept=NOW_MS + OVERLAP_MS)
    page, _ = drive(app.changes(progress), answers)
    assert page.records == ()


def test_a_cursor_of_a_page_that_is_refused_asks_for_a_scan(app):
    going_on = vendors.encode_cursor(Progress(stage=Stage.SCAN, after="30202"))
    refused = shown("error_validation", status=400)
    with pytest.raises(CallFailed) as caught:
        drive(app.scan(going_on), [refused])
    assert caught.value.meaning is Meaning.CURSOR_EXPIRED
    with pytest.raises(CallFailed) as caught:
        drive(app.scan(going_on), [answer(b"<html>", status=400)])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_page_that_leads_to_itself_is_broken(app):
    going_on = vendors.encode_cursor(Progress(stage=Stage.SCAN, after="30202"))
    with pytest.raises(CallFailed) as caught:
        drive(app.scan(going_on), [shown("contacts_page")])
    assert caught.value.meaning is Meaning.BROKEN


def test_who_is_missing_in_a_batch_that_failed_in_part_is_not_missing(app):
    with pytest.raises(CallFailed) as caught:
        drive(app.get([ZOE, RecordId("30999")]), [shown("batch_read_failed")])
    assert caught.value.meaning is Meaning.BROKEN


# Writes


def test_a_new_contact_is_made_of_what_is_not_empty(app):
    new = NewRecord(fields={EMAIL: "new@example.org", JOB: None, FieldId("size"): ""})
    made, (call,) = drive(app.create(new), [shown("contact_created", status=201)])
    assert isinstance(made, Written)
    assert made.record.fields[JOB] is None
    body = {"properties": {"email": "new@example.org"}, "associations": []}
    assert json.loads(call.body or b"") == body


def test_who_is_there_already_is_named_by_a_sentence(app):
    new = NewRecord(fields={EMAIL: "zoe.brandt@example.org"})
    conflict = shown("error_conflict", status=409)
    assert drive(app.create(new), [conflict])[0] == Exists(record_id=ZOE)
    nameless = answer({"category": "CONFLICT", "message": "no"}, status=409)
    with pytest.raises(CallFailed) as caught:
        drive(app.create(new), [nameless])
    assert caught.value.meaning is Meaning.BROKEN


def test_a_refusal_names_the_field_it_is_about(app, zoe):
    refused, _ = drive(app.update(zoe, BAKER), [shown("error_validation", status=400)])
    assert refused == Refused(
        code=ErrorCode.VALUE_REFUSED, field_id=FieldId("lifecyclestage")
    )
    part = {
        "category": "VALIDATION_ERROR",
        "errors": [{"context": {"propertyName": ["zip"]}}],
    }
    refused, _ = drive(app.update(zoe, BAKER), [answer(part, status=400)])
    assert refused.field_id == "address.postal"


def test_who_is_gone_is_missing_only_by_the_vendors_own_word(app, zoe):
    gone = shown("error_not_found", status=404)
    assert drive(app.update(zoe, BAKER), [gone])[0] == Missing()
    with pytest.raises(CallFailed) as caught:
        drive(app.update(zoe, BAKER), [answer(b"<html>", status=404)])
    assert caught.value.meaning is Meaning.BROKEN


def test_an_answer_about_somebody_else_is_broken(app, zoe):
    other = shown("contact_created")
    with pytest.raises(CallFailed) as caught:
        drive(app.update(zoe, BAKER), [other])
    assert caught.value.meaning is Meaning.BROKEN


def test_an_update_keeps_what_its_answer_does_not_tell(app, zoe):
    result, _ = drive(app.update(zoe, BAKER), [shown("contact_updated")])
    assert result.record.fields == {**zoe.record.fields, JOB: "Baker"}
    assert result.record.modified_at > zoe.record.modified_at


def test_several_new_contacts_are_told_apart_by_their_traces(app):
    emails = ("zoe.brandt@example.org", "new@example.org", "x", "y@example.org")
    news = [NewRecord(fields={EMAIL: email}) for email in emails]
    partly = shown("batch_created_partly", status=207)
    results, (call,) = drive(app.create_many(news), [partly])
    inputs = json.loads(call.body or b"")["inputs"]
    assert [one["objectWriteTraceId"] for one in inputs] == ["0", "1", "2", "3"]
    there, made, odd, silence = results
    assert there == Exists(record_id=ZOE)
    assert isinstance(made, Written)
    assert odd == Refused(code=ErrorCode.VALUE_REFUSED, field_id=EMAIL)
    assert silence == Unsure(), "the vendor told nothing of it"


def test_several_changes_are_told_apart_by_ids_where_there_are_no_traces(app, zoe):
    bob = Snapshot(
        record=Record(record_id=RecordId("30201")),
        raw=codec.encode(json.loads(zoe.raw) | {"id": "30201"}),
    )
    updates = [Update(snapshot=each, change=BAKER) for each in (bob, zoe)]
    results, _ = drive(app.update_many(updates), [shown("batch_updated")])
    assert results[0] == Unsure()
    assert results[1].record.fields[JOB] == "Baker"


def test_nothing_is_sent_for_several_who_are_gone(app):
    gone = Snapshot(record=Record(record_id=ZOE, presence=Presence.MISSING))
    results, calls = drive(app.update_many([Update(snapshot=gone, change=BAKER)] * 2))
    assert (results, calls) == ((Missing(), Missing()), [])


def test_unsubscribing_asks_for_the_address_alone(app, zoe):
    change = Change(consent=Consent.SUPPRESSED)
    result, (call,) = drive(app.update(zoe, change), [shown("unsubscribed")])
    assert result.record.consent is Consent.UNSUBSCRIBED
    assert result.record.fields == zoe.record.fields
    assert call.path.endswith("/statuses/zoe.brandt%40example.org/unsubscribe-all")
    assert (call.query, call.is_write) == ((("channel", "EMAIL"),), True)


# Errors


@pytest.mark.parametrize(
    ("name", "status", "meaning", "wait_s"),
    [
        ("error_ten_secondly", 429, Meaning.RATE_LIMITED, 10.0),
        ("error_secondly", 429, Meaning.RATE_LIMITED, 1.0),
        ("error_daily", 429, Meaning.QUOTA_EXHAUSTED, None),
        ("error_locked", 423, Meaning.UNAVAILABLE, 2.0),
        ("error_locked", 477, Meaning.UNAVAILABLE, None),
        ("error_unauthorised", 401, Meaning.UNAUTHORISED, None),
        ("error_forbidden", 403, Meaning.FORBIDDEN, None),
        ("error_not_found", 404, Meaning.BROKEN, None),
        ("error_conflict", 409, Meaning.REFUSED, None),
        ("error_validation", 400, Meaning.REFUSED, None),
        ("error_validation", 500, Meaning.NO_ANSWER, None),
    ],
)
def test_every_documented_error_has_a_meaning(app, name, status, meaning, wait_s):
    failed = app.meaning_of(shown(name, status=status))
    assert (failed.meaning, failed.retry_after_s) == (meaning, wait_s)


def test_the_window_of_a_limit_is_as_long_as_the_answer_says(app):
    header = {"x-hubspot-ratelimit-interval-milliseconds": "4000"}
    failed = app.meaning_of(shown("error_ten_secondly", status=429, **header))
    assert failed.retry_after_s == 4.0
