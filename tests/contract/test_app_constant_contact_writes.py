"""Constant Contact's writing operations, driven with fixtures, without a socket."""

import json

import pytest

from proto.errors import ErrorCode
from proto.fields import Item
from proto.record import Consent
from services.connector.apps.constant_contact.app import App
from services.connector.errors import Meaning
from services.connector.port import (
    Change,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Refused,
    Written,
)
from tests.contract.constant_contact import (
    ZOE,
    app_that_knows_its_account,
    fixture,
    read,
    sent,
    shown,
)
from tests.contract.driving import answer, drive, failing


@pytest.fixture
def app() -> App:
    return app_that_knows_its_account()


# Creating


@pytest.mark.parametrize(
    ("consent", "permission"),
    [
        (Consent.UNKNOWN, "not_set"),
        (Consent.SUBSCRIBED, "implicit"),
        (Consent.UNSUBSCRIBED, "unsubscribed"),
        (Consent.SUPPRESSED, "unsubscribed"),
    ],
)
def test_a_create_never_claims_more_permission_than_is_known(app, consent, permission):
    new = NewRecord(
        fields={
            "email": "zoe.brandt@example.org",
            "first_name": "Zoë",
            "last_name": None,
        },
        containers=("d1000001-0000-4000-8000-000000000001",),
        consent=consent,
    )
    result, calls = drive(app.create(new), [shown("contact_full", status=201)])
    assert isinstance(result, Written)
    assert calls[0].is_write
    assert sent(calls[0]) == {
        "email_address": {
            "address": "zoe.brandt@example.org",
            "permission_to_send": permission,
        },
        "first_name": "Zoë",
        "list_memberships": ["d1000001-0000-4000-8000-000000000001"],
        "create_source": "Account",
    }


def test_a_create_for_an_email_that_exists_names_the_contact(app):
    new = NewRecord(fields={"email": "zoe.brandt@example.org"})
    result, _ = drive(app.create(new), [shown("error_conflict", status=409)])
    assert result == Exists(record_id=ZOE)


@pytest.mark.parametrize("body", ["<html>", "[]", [{"error_key": "x.conflict"}]])
def test_a_conflict_that_names_nobody_is_broken(app, body):
    new = NewRecord(fields={"email": "a@b.org"})
    assert failing(app.create(new), [answer(body, status=409)]) is Meaning.BROKEN


def test_a_refused_create_names_the_field(app):
    new = NewRecord(fields={"first_name": "x" * 51})
    result, _ = drive(app.create(new), [shown("error_validation", status=400)])
    assert result == Refused(code=ErrorCode.VALUE_REFUSED, field_id="first_name")


@pytest.mark.parametrize(
    ("field_id", "value"),
    [
        ("birthday", "1990-01-01"),
        ("birthday", True),
        ("phone_numbers", "+1"),
        ("email", (Item(value="a@b.org"),)),
        ("first_name", False),
        ("no_such_field", "x"),
        ("custom_field.c0000006-0000-4000-8000-000000000006", "yes"),
        ("custom_field.c0000004-0000-4000-8000-000000000004", "11"),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(app, field_id, value):
    fields = {"first_name": "A", field_id: value}
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
    assert drive(app.create(NewRecord(fields=fields))) == (refused, [])
    assert drive(app.update(read(app), Change(fields=fields))) == (refused, [])


# Updating


def test_an_update_resends_what_would_be_emptied_and_nothing_else(app):
    snapshot = read(app)
    _, calls = drive(
        app.update(snapshot, Change(fields={"job_title": "Master"})),
        [shown("contact_full")],
    )
    assert (calls[0].method, calls[0].path) == ("PUT", f"/contacts/{ZOE}")
    assert calls[0].is_write
    assert sent(calls[0]) == {
        "update_source": "Account",
        "email_address": {
            "address": "zoe.brandt@example.org",
            "permission_to_send": "implicit",
        },
        "first_name": "Zoë",
        "last_name": "Brandt",
        "job_title": "Master",
        "company_name": "Glashütte Süd",
        "birthday_month": 2,
        "birthday_day": 29,
        "anniversary": "6/5/2019",
        "sms_channel": {
            "full_sms_address": "491705550101",
            "sms_channel_consents": [
                {
                    "sms_consent_permission": "explicit",
                    "consent_type": "promotional_sms",
                }
            ],
        },
    }


def test_a_property_that_the_vendor_added_since_is_resent_as_it_was(app):
    raw = json.loads(fixture("contact_full")) | {"nickname": {"deep": [1, None]}}
    (snapshot,), _ = drive(app.get([ZOE]), [answer(raw)])
    _, calls = drive(
        app.update(snapshot, Change(fields={"job_title": None})),
        [shown("contact_full")],
    )
    assert sent(calls[0])["nickname"] == {"deep": [1, None]}
    assert "job_title" not in sent(calls[0]), "left out, and so emptied"


@pytest.mark.parametrize(
    "permission", ["explicit", "pending_confirmation", "temp_hold", "unsubscribed"]
)
def test_an_update_leaves_the_permission_as_it_is_also_with_a_new_email(
    app, permission
):
    raw = json.loads(fixture("contact_unsubscribed"))
    raw["email_address"]["permission_to_send"] = permission
    (snapshot,), _ = drive(app.get([raw["contact_id"]]), [answer(raw)])
    fields = {"email": "wei.li@example.net"}
    _, calls = drive(
        app.update(snapshot, Change(fields=fields)), [shown("contact_unsubscribed")]
    )
    assert sent(calls[0])["email_address"] == {
        "address": "wei.li@example.net",
        "permission_to_send": permission,
        "opt_out_reason": "Too many mails",
    }


def test_a_first_email_gets_the_weakest_permission(app):
    snapshot = read(app, "contact_minimal")
    fields = {"email": "ngozi@example.org"}
    _, calls = drive(
        app.update(snapshot, Change(fields=fields)), [shown("contact_minimal")]
    )
    assert sent(calls[0])["email_address"]["permission_to_send"] == "not_set"


def test_an_email_is_not_cleared_because_the_optout_would_go_with_it(app):
    snapshot = read(app, "contact_unsubscribed")
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id="email")
    assert drive(app.update(snapshot, Change(fields={"email": None}))) == (refused, [])


def test_in_a_changed_array_what_stays_keeps_its_id(app):
    mobile = Item(value="+49 170 555 0101", label="home")
    added = Item(value="+49 170 555 0199", label="fax")
    fields = {"phone_numbers": (mobile, added)}
    _, calls = drive(
        app.update(read(app), Change(fields=fields)), [shown("contact_full")]
    )
    body = sent(calls[0])
    assert body["phone_numbers"] == [
        {
            "phone_number": "+49 170 555 0101",
            "kind": "home",
            "phone_number_id": "a1000002-0000-4000-8000-000000000002",
        },
        {"phone_number": "+49 170 555 0199", "kind": "other"},
    ]
    assert "street_addresses" not in body


def test_a_changed_custom_field_takes_the_others_with_it(app):
    """The array replaces the contact's: what is not in it would be lost."""
    fields = {
        "custom_field.c0000001-0000-4000-8000-000000000001": None,
        "custom_field.c0000003-0000-4000-8000-000000000003": "1",
    }
    _, calls = drive(
        app.update(read(app), Change(fields=fields)), [shown("contact_full")]
    )
    entries = {
        one["custom_field_id"][:8]: one for one in sent(calls[0])["custom_fields"]
    }
    assert "c0000001" not in entries
    assert entries["c0000003"]["choice_ids"] == ["1"]
    assert entries["c0000002"]["value"] == "12/31/2025", "resent as it was"
    assert len(entries) == 5


def test_half_a_birthday_is_not_resent(app):
    raw = json.loads(fixture("contact_full"))
    del raw["birthday_day"]
    (snapshot,), _ = drive(app.get([ZOE]), [answer(raw)])
    _, calls = drive(
        app.update(snapshot, Change(fields={"job_title": "X"})), [shown("contact_full")]
    )
    assert "birthday_month" not in sent(calls[0])


def test_a_deleted_contact_is_never_put_because_that_would_revive_it(app):
    snapshot = read(app, "contact_deleted")
    assert drive(app.update(snapshot, Change(fields={"job_title": "X"}))) == (
        Missing(),
        [],
    )


def test_an_answer_without_sub_resources_takes_them_from_the_contact_as_read(app):
    body = json.loads(fixture("contact_without_sub_resources"))
    result, _ = drive(
        app.update(read(app), Change(fields={"job_title": "X"})), [answer(body)]
    )
    assert isinstance(result, Written)
    assert result.record.containers == read(app).record.containers
    fields = {"phone_numbers": None}
    result, _ = drive(app.update(read(app), Change(fields=fields)), [answer(body)])
    assert isinstance(result, Written)
    assert "phone_numbers" not in result.record.fields, "written, and not shown"


def test_an_update_of_a_contact_that_is_gone_is_missing(app):
    gone = shown("error_not_found", status=404)
    assert (
        drive(app.update(read(app), Change(fields={"job_title": "X"})), [gone])[0]
        == Missing()
    )


def test_an_email_of_another_contact_is_refused_as_taken(app):
    conflict = fixture("error_conflict").replace(b"5a0f6e3c", b"99999999")
    fields = {"email": "taken@example.org"}
    result, _ = drive(
        app.update(read(app), Change(fields=fields)), [answer(conflict, status=409)]
    )
    assert result == Refused(code=ErrorCode.ALREADY_EXISTS, field_id="email")


def test_a_conflict_with_a_write_at_the_same_time_is_moved(app):
    body = [{"error_key": "contacts.api.conflict", "error_message": "Try again"}]
    answers = [answer(body, status=409)]
    assert (
        drive(app.update(read(app), Change(fields={"job_title": "X"})), answers)[0]
        == Moved()
    )
