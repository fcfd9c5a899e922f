"""Constant Contact's reading operations, driven with fixtures, without a socket."""

import datetime
import json

import pytest

from proto.fields import FieldKind, Item, Role
from proto.record import Consent, Presence, Record
from services.connector import manifest
from services.connector.apps.constant_contact.app import App
from services.connector.errors import CallFailed, Meaning
from tests.contract.constant_contact import (
    FOLDER,
    SINCE,
    ZOE,
    app_that_knows_its_account,
    fixture,
    new_app,
    read,
    shown,
)
from tests.contract.driving import answer, drive, failing


@pytest.fixture
def app() -> App:
    return app_that_knows_its_account()


# Reading


def test_the_manifest_is_valid_and_named_for_its_folder():
    facts = manifest.load(FOLDER / "manifest.toml")
    assert facts.app == FOLDER.name
    assert facts.oauth is not None
    assert "offline_access" in facts.oauth.scopes


def test_an_account_is_known_by_the_vendors_id_and_not_by_its_name(app):
    identity, calls = drive(app.verify(), [shown("account_summary")])
    assert identity.vendor_account_id == "p07e1l8cdif9dl"
    assert identity.display_name == "Corner Shop"
    assert [call.path for call in calls] == ["/account/summary"]


def test_custom_fields_are_described_with_kind_and_live_options():
    described, _ = drive(new_app().describe_fields(), [shown("custom_fields")])
    by_label = {field.label: field for field in described}
    assert by_label["Email"].role is Role.EMAIL
    assert by_label["Phone numbers"].count_max == 3
    assert by_label["Member since"].kind is FieldKind.DATE
    assert by_label["Balance"].kind is FieldKind.NUMBER
    assert by_label["Is a member"].kind is FieldKind.BOOLEAN
    assert by_label["Interests"].is_multiple
    options = [option.option_id for option in by_label["Size"].options]
    assert options == ["1", "2"], "a deleted choice is not offered"


def test_a_custom_field_of_an_unknown_type_is_not_writable():
    body = {"custom_fields": [{"custom_field_id": "x", "label": "L", "type": "map"}]}
    described, _ = drive(new_app().describe_fields(), [answer(body)])
    assert (described[-1].label, described[-1].is_writable) == ("L", False)


def test_lists_are_read_over_all_pages_and_deleted_ones_left_out(app):
    pages = [shown("lists_page"), shown("lists_last")]
    found, calls = drive(app.list_containers(), pages)
    assert [one.name for one in found] == ["Customers", "Fairs"]
    assert calls[1].path == "/v3/contact_lists?cursor=bmV4dD0y"
    assert calls[1].from_origin
    assert calls[1].query == ()


def test_a_collection_without_an_end_is_given_up(app):
    assert failing(app.list_containers(), [shown("lists_page")] * 10) is Meaning.BROKEN


def test_every_field_of_a_contact_is_read(app):
    record = read(app).record
    assert record.fields["email"] == "zoe.brandt@example.org"
    assert record.fields["birthday"] == "--02-29"
    assert record.fields["anniversary"] == "2019-06-05"
    assert record.fields["phone_numbers"] == (
        Item(value="+49 761 555 0100", label="work"),
        Item(value="+49 170 555 0101", label="mobile"),
    )
    custom = [
        value
        for field_id, value in record.fields.items()
        if field_id.startswith("custom_field.")
    ]
    interests = (Item(value="11"), Item(value="13"))
    assert custom == ["Gold", "2025-12-31", "2", interests, "-12.50", True, None]
    assert len(record.containers) == 2
    assert record.consent is Consent.SUBSCRIBED


def test_an_optout_moves_the_change_time_though_the_vendor_leaves_its_own_alone(app):
    record = read(app, "contact_unsubscribed").record
    assert record.consent is Consent.UNSUBSCRIBED
    assert record.modified_at == datetime.datetime(
        2026, 2, 10, 17, 30, tzinfo=datetime.UTC
    )


def test_a_contact_tells_when_it_was_made_the_same_in_every_notation(app):
    """Hazard 11: another time under one id would be taken for another contact."""
    made_at = datetime.datetime(2025, 3, 3, 15, 53, 4, tzinfo=datetime.UTC)
    body = json.loads(fixture("contact_full"))
    for notation in (
        "2025-03-03T15:53:04Z",
        "2025-03-03T15:53:04.108Z",
        "2025-03-03T10:53:04-05:00",
    ):
        (snapshot,), _ = drive(
            app.get([ZOE]), [answer(body | {"created_at": notation})]
        )
        assert snapshot.record.created_at == made_at
        assert snapshot.record.marker == ""
    for nonsense in ("", "soon", None):
        (snapshot,), _ = drive(
            app.get([ZOE]), [answer(body | {"created_at": nonsense})]
        )
        assert snapshot.record.created_at is None


def test_what_was_not_asked_for_is_unknown_and_what_is_not_set_is_empty(app):
    without = read(app, "contact_without_sub_resources").record
    assert "phone_numbers" not in without.fields
    empty = read(app, "contact_minimal").record
    assert empty.fields["phone_numbers"] is None
    assert empty.fields["email"] is None
    assert empty.fields["company_name"] is None
    assert empty.consent is Consent.UNKNOWN


def test_deleting_a_contact_is_no_wish_of_the_person_to_unsubscribe(app):
    record = read(app, "contact_deleted").record
    assert record.presence is Presence.DELETED
    assert record.consent is Consent.UNKNOWN


@pytest.mark.parametrize(
    ("permission", "consent"),
    [
        ("explicit", Consent.SUBSCRIBED),
        ("implicit", Consent.SUBSCRIBED),
        ("not_set", Consent.UNKNOWN),
        ("pending_confirmation", Consent.UNKNOWN),
        ("temp_hold", Consent.UNKNOWN),
        ("unsubscribed", Consent.UNSUBSCRIBED),
        ("something_new", Consent.UNKNOWN),
    ],
)
def test_only_a_permission_to_mail_now_reads_as_subscribed(app, permission, consent):
    body = json.loads(fixture("contact_full"))
    body["email_address"]["permission_to_send"] = permission
    (snapshot,), _ = drive(app.get([ZOE]), [answer(body)])
    assert snapshot.record.consent is consent


# Scanning and changes


def test_a_scan_follows_the_vendors_link_unchanged_and_ends_with_a_resumption(app):
    first, calls = drive(app.scan(None), [shown("contacts_page")])
    assert dict(calls[0].query)["limit"] == "500"
    assert dict(calls[0].query)["include_count"] == "true"
    assert first.expected_count == 3
    assert first.resume is None
    assert len(first.records) == 2

    last, calls = drive(app.scan(first.next), [shown("contacts_last")])
    assert calls[0].path == "/v3/contacts?cursor=bGltaXQ9NTAwJm5leHQ9Mg%3D%3D&x=1%2B1"
    assert calls[0].from_origin
    assert calls[0].query == ()
    assert last.next is None
    _, calls = drive(app.changes(last.resume), [shown("contacts_empty")] * 2)
    assert dict(calls[0].query)["updated_after"] == SINCE


def test_changes_go_on_from_the_begin_of_the_scan_not_from_its_end(app):
    """A contact edited while later pages are read must be seen by the next pass."""
    first, _ = drive(app.scan(None), [shown("contacts_page")])
    late = answer(
        fixture("contacts_last"), headers={"date": "Wed, 11 Feb 2026 13:00:00 GMT"}
    )
    last, _ = drive(app.scan(first.next), [late])
    _, calls = drive(app.changes(last.resume), [shown("contacts_empty")] * 2)
    assert dict(calls[0].query)["updated_after"] == SINCE


def test_without_a_clock_in_the_answer_the_newest_change_seen_stands_in(app):
    page = answer(fixture("contacts_last"))
    last, _ = drive(app.scan(None), [page])
    _, calls = drive(app.changes(last.resume), [answer(fixture("contacts_empty"))] * 2)
    assert dict(calls[0].query)["updated_after"] == "2026-02-10T17:29:00.000Z"


def test_an_empty_account_without_a_clock_is_read_from_the_beginning(app):
    last, _ = drive(app.scan(None), [answer(fixture("contacts_empty"))])
    _, calls = drive(app.changes(last.resume), [answer(fixture("contacts_empty"))] * 2)
    assert dict(calls[0].query)["updated_after"] == "1970-01-01T00:00:00.000Z"


def resumed(app: App) -> str:
    page, _ = drive(app.scan(None), [shown("contacts_empty")])
    assert page.resume is not None
    return page.resume


def test_no_change_costs_two_calls_and_one_page(app):
    page, calls = drive(app.changes(resumed(app)), [shown("contacts_empty")] * 2)
    assert (page.records, page.next) == ((), None)
    asked = [dict(call.query) for call in calls]
    assert (asked[0]["status"], asked[0]["updated_after"]) == ("all", SINCE)
    assert asked[1]["status"] == "unsubscribed,deleted"
    assert asked[1]["optout_after"] == SINCE


def test_a_contact_that_two_questions_show_is_told_once(app):
    both = [shown("contacts_last"), shown("contacts_last")]
    page, _ = drive(app.changes(resumed(app)), both)
    assert len(page.records) == 1


def test_a_page_of_changes_goes_on_where_it_was_also_in_a_fresh_process(app):
    page, _ = drive(app.changes(resumed(app)), [shown("contacts_page")])
    again = new_app()
    answers = [shown("contacts_last"), shown("custom_fields"), shown("contacts_empty")]
    rest, calls = drive(again.changes(page.next), answers)
    assert calls[0].path.startswith("/v3/contacts?cursor=")
    assert len(rest.records) == 1
    assert rest.next is None


def test_deleted_contacts_are_gone_through_once_a_day(app):
    """The vendor dates a deletion by day, and does not say that it is a change."""
    tomorrow = answer(
        fixture("contacts_empty"), headers={"date": "Thu, 12 Feb 2026 00:01:00 GMT"}
    )
    answers = [tomorrow, tomorrow, shown("contacts_deleted")]
    page, calls = drive(app.changes(resumed(app)), answers)
    assert dict(calls[2].query)["status"] == "deleted"
    assert [one.presence for one in page.records] == [Presence.DELETED]
    _, calls = drive(app.changes(page.resume), [tomorrow, tomorrow])
    assert len(calls) == 2


def test_contacts_deleted_long_ago_are_not_told_every_day(app):
    later = answer(
        fixture("contacts_empty"), headers={"date": "Mon, 16 Feb 2026 00:01:00 GMT"}
    )
    page, _ = drive(app.changes(resumed(app)), [later, later, later])
    much_later = answer(
        fixture("contacts_empty"), headers={"date": "Tue, 17 Feb 2026 00:01:00 GMT"}
    )
    answers = [much_later, much_later, shown("contacts_deleted")]
    page, _ = drive(app.changes(page.resume), answers)
    assert page.records == ()


def test_the_clock_of_the_vendor_going_back_does_not_lose_a_pass(app):
    earlier = answer(
        fixture("contacts_empty"), headers={"date": "Mon, 09 Feb 2026 00:01:00 GMT"}
    )
    page, _ = drive(app.changes(resumed(app)), [earlier, earlier])
    _, calls = drive(app.changes(page.resume), [shown("contacts_empty")] * 2)
    assert dict(calls[0].query)["updated_after"] == SINCE


END_OF_TIME = '{"stage": "updated", "since": "9999-12-31T23:59:59-01:00"}'


@pytest.mark.parametrize(
    "cursor",
    ["", "{}", "no json", '{"stage":"later"}', "[" * 9999, END_OF_TIME],
)
def test_an_unreadable_cursor_asks_for_a_complete_scan(app, cursor):
    assert failing(app.changes(cursor)) is Meaning.CURSOR_EXPIRED


def test_a_link_that_the_vendor_no_longer_takes_asks_for_a_complete_scan(app):
    first, _ = drive(app.scan(None), [shown("contacts_page")])
    assert (
        failing(app.scan(first.next), [shown("error_validation", status=400)])
        is Meaning.CURSOR_EXPIRED
    )


@pytest.mark.parametrize(
    "href", ["https://evil.example/v3/contacts", "//evil.example/v3/x", "/v4/contacts"]
)
def test_a_link_out_of_the_api_is_not_followed(app, href):
    body = {"contacts": [], "_links": {"next": {"href": href}}}
    assert failing(app.scan(None), [answer(body)]) is Meaning.BROKEN


def test_a_page_that_leads_to_itself_is_broken(app):
    first, _ = drive(app.scan(None), [shown("contacts_page")])
    assert failing(app.scan(first.next), [shown("contacts_page")]) is Meaning.BROKEN


@pytest.mark.parametrize(
    "body", ["<html>sorry</html>", "", "{}", "null", '{"contacts": null}', '{"cont']
)
def test_an_answer_without_contacts_is_broken_and_not_an_empty_account(app, body):
    assert failing(app.scan(None), [answer(body)]) is Meaning.BROKEN


def test_custom_fields_are_read_once_and_again_when_a_new_one_shows_up():
    app = new_app()
    answers = [shown("contact_full"), answer({"custom_fields": []}), shown("tags")]
    _, calls = drive(app.get([ZOE]), answers)
    assert len(calls) == 3
    _, calls = drive(app.get([ZOE]), [shown("contact_full")])
    assert len(calls) == 1, "an id that nobody defines is not looked up for ever"
    body = json.loads(fixture("contact_full"))
    body["custom_fields"].append({"custom_field_id": "new", "value": "x"})
    defined = {
        "custom_fields": [{"custom_field_id": "new", "label": "New", "type": "string"}]
    }
    (snapshot,), _ = drive(app.get([ZOE]), [answer(body), answer(defined)])
    assert snapshot.record.fields["custom_field.new"] == "x"


# One contact


def test_a_contact_that_the_vendor_does_not_know_is_missing_and_not_deleted(app):
    """Hazard 70: what it deletes it still shows, with the day of the deletion."""
    (snapshot,), _ = drive(app.get([ZOE]), [shown("error_not_found", status=404)])
    assert snapshot.record == Record(record_id=ZOE, presence=Presence.MISSING)


@pytest.mark.parametrize("body", ["<html>404</html>", "", '{"message": "no route"}'])
def test_a_404_of_somebody_else_deletes_nobody(app, body):
    assert failing(app.get([ZOE]), [answer(body, status=404)]) is Meaning.BROKEN


def test_the_answer_for_another_contact_is_broken(app):
    assert failing(app.get([ZOE]), [shown("contact_minimal")]) is Meaning.BROKEN


def test_emails_are_looked_up_one_a_call_and_deleted_contacts_not_found(app):
    gone, nothing = shown("contacts_deleted"), answer({"activities": []})
    answers = [shown("contacts_last"), gone, nothing, gone]
    found, calls = drive(
        app.find_by_email(["li.wei@example.net", "x+y@z.org"]), answers
    )
    assert dict(calls[1].query)["email"] == "x+y@z.org"
    assert calls[2].path == "/activities"
    assert [one.fields["first_name"] for one in found] == ["伟"]


def test_no_marker_can_be_found():
    assert drive(new_app().find_by_markers(["m"])) == ({}, [])


# Errors


@pytest.mark.parametrize(
    ("status", "name", "meaning"),
    [
        (429, "error_throttled", Meaning.RATE_LIMITED),
        (429, "error_quota_exceeded", Meaning.QUOTA_EXHAUSTED),
        (401, "error_unauthorized", Meaning.UNAUTHORISED),
        (403, "error_forbidden", Meaning.FORBIDDEN),
        (404, "error_not_found", Meaning.BROKEN),
        (400, "error_validation", Meaning.REFUSED),
        (415, "error_validation", Meaning.REFUSED),
        (503, "error_validation", Meaning.UNAVAILABLE),
        (500, "error_validation", Meaning.NO_ANSWER),
    ],
)
def test_every_documented_error_has_a_meaning(app, status, name, meaning):
    assert failing(app.verify(), [shown(name, status=status)], app=app) is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (202, Meaning.BROKEN),
        (302, Meaning.BROKEN),
        (400, Meaning.BROKEN),
        (401, Meaning.BROKEN),
        (403, Meaning.BROKEN),
        (429, Meaning.RATE_LIMITED),
        (502, Meaning.NO_ANSWER),
        (503, Meaning.UNAVAILABLE),
    ],
)
def test_a_page_of_html_never_costs_an_account_its_authorisation(app, status, meaning):
    assert failing(app.verify(), [answer("<html>", status=status)], app=app) is meaning


def test_an_exhausted_day_is_waited_out_until_midnight_utc(app):
    with pytest.raises(CallFailed) as failure:
        drive(app.verify(), [shown("error_quota_exceeded", status=429)], app=app)
    assert failure.value.retry_after_s == 12 * 3600
