"""Google's operations, driven with fixtures, without a socket."""

import json
from typing import Any

import pytest

from proto.errors import ErrorCode
from proto.fields import Address, Field, Item, Role
from proto.ids import FieldId, RecordId
from proto.record import Memberships, Presence, Record
from services.connector import vendors
from services.connector.apps.google_contacts import fields, wire
from services.connector.apps.google_contacts.app import App
from services.connector.apps.google_contacts.reading import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Facts,
    Missing,
    Moved,
    NewRecord,
    Refused,
    Snapshot,
    Unsure,
    Update,
    Written,
)
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, answer, drive

FOLDER = emulated_account.folder_of("google_contacts")
shown = Fixtures(FOLDER)
MANIFEST = emulated_account.manifest_of("google_contacts")
ZOE = RecordId("people/c1885000000000000011")
BOB = RecordId("people/c1885000000000000022")
EVE = RecordId("people/c1885000000000000033")
FORMER = RecordId("people/c1885000000000000044")
NOBODY = RecordId("people/c1885000000000000099")
MARK = "01890a5d-ac96-774b-bcce-b302099a8057"
JOB, EMAILS, NOTE = FieldId("job_title"), FieldId("emails"), FieldId("note")
BAKER = Change(fields={JOB: "Baker"})
SYNC = vendors.encode_cursor(Progress(stage=Stage.CHANGES, sync="sync-1"))


@pytest.fixture
def app() -> App:
    return App(MANIFEST, Facts(base_url=MANIFEST.base_url))


@pytest.fixture
def both(app: App) -> tuple[Snapshot, ...]:
    found, _ = drive(app.get([BOB, ZOE]), [shown("batch_get"), shown("groups")])
    return found


@pytest.fixture
def bob(both: tuple[Snapshot, ...]) -> Snapshot:
    return both[0]


@pytest.fixture
def zoe(both: tuple[Snapshot, ...]) -> Snapshot:
    return both[1]


def sent(call: Any) -> Any:
    return json.loads(call.body or b"")


# Facts and fields


def test_the_manifest_asks_for_a_refresh_token_and_claims_no_consent():
    assert MANIFEST.oauth is not None
    assert "access_type=offline" in MANIFEST.oauth.authorise_url
    assert "prompt=consent" in MANIFEST.oauth.authorise_url
    assert not MANIFEST.oauth.rotates_refresh_tokens
    can = MANIFEST.capabilities
    assert not any((can.has_consent, can.can_unsubscribe, can.detects_unsubscribes))
    assert MANIFEST.limits.concurrent_calls == 1, "writes one after the other"


def test_the_account_is_known_by_its_number_and_shown_by_its_address(app):
    identity, _ = drive(app.verify(), [shown("me")])
    assert identity.vendor_account_id == "117900000000000000001"
    assert identity.display_name == "ana@example.com"
    nameless = answer({"resourceName": "people/5", "etag": "e"})
    assert drive(app.verify(), [nameless])[0].display_name == "5"
    with pytest.raises(CallFailed) as caught:
        drive(app.verify(), [answer({"resourceName": "people/me"})])
    assert caught.value.meaning is Meaning.BROKEN


def test_every_field_of_a_contact_is_read(zoe):
    read = zoe.record.fields
    assert read == {
        "full_name": "Dr. Zoë Ngọc Brandt, MBA",
        "given_name": "Zoë",
        "family_name": "Brandt",
        "middle_name": "Ngọc",
        "prefix_name": "Dr.",
        "suffix_name": "MBA",
        "nickname": "Zo",
        "emails": (
            Item(value="zoe.brandt@example.org", label="other"),
            Item(value="zoe@home.example", label="home"),
        ),
        "phones": (
            Item(value="+49 170 5550101", label="mobile"),
            Item(value="0761 5550104", label="fax"),
        ),
        "addresses": (
            Item(
                value=Address(
                    street="Münsterplatz 1",
                    city="Freiburg",
                    region="BW",
                    postal_code="79098",
                    country="Germany",
                ),
                label="home",
            ),
        ),
        "websites": (Item(value="https://example.org/zoe", label="other"),),
        "company": "Bäckerei Süß",
        "department": "Sales",
        "job_title": "Head",
        "birthday": "--02-29",
        "anniversary": "2011-06-15",
        "note": "likes rye",
    }
    assert zoe.record.tags == ("VIP & Co",)
    assert zoe.record.marker == MARK
    assert zoe.record.version == "%EgUBAgMu1="
    assert zoe.record.modified_at is not None


def test_labels_are_declared_for_all_that_has_some(app):
    found, _ = drive(app.describe_fields())
    several = {one.role for one in found if one.is_multiple}
    assert several == {Role.EMAIL, Role.PHONE, Role.ADDRESS, Role.WEBSITE}
    assert all(one.labels[-1] == "other" for one in found if one.is_multiple)
    assert [one.role for one in found if not one.is_writable] == [Role.NAME_FULL]
    assert all(isinstance(one, Field) for one in found)


@pytest.mark.parametrize(
    "birthday",
    [{"text": "in spring"}, {"date": {"year": 1984}}, {"date": {"month": 2}}, {}],
)
def test_what_is_not_exactly_a_day_is_not_known(birthday):
    person = wire.Person(resource_name=ZOE, birthdays=(birthday,))
    assert "birthday" not in fields.read(person, {}).fields


def test_a_value_of_another_type_is_broken(app):
    body = json.loads(shown("batch_get").body)
    body["responses"][0]["person"]["emailAddresses"][0]["value"] = 17
    with pytest.raises(CallFailed) as caught:
        drive(app.get([BOB, ZOE]), [answer(body), shown("groups")])
    assert caught.value.meaning is Meaning.BROKEN


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", "Zoë"),
        ("emails", "zoe@example.org"),
        ("emails", (Item(value=Address(city="Graz")),)),
        ("addresses", (Item(value="Graz"),)),
        ("birthday", "yesterday"),
        ("birthday", True),
        ("note", (Item(value="x"),)),
        ("no_such_field", "x"),
    ],
)
def test_a_value_without_a_form_is_refused_before_it_is_sent(app, zoe, field, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=FieldId(field))
    asked = {FieldId(field): value}
    assert drive(app.update(zoe, Change(fields=asked))) == (refused, [])
    assert drive(app.create(NewRecord(fields=asked))) == (refused, [])


# Passes


def test_a_scan_ends_in_the_token_of_its_last_page(app):
    answers = [shown("connections_page"), shown("groups")]
    page, (call, _) = drive(app.scan(None), answers)
    first = dict(call.query)
    assert (first["pageSize"], first["requestSyncToken"]) == ("1000", "true")
    assert first["sources"] == "READ_SOURCE_TYPE_CONTACT"
    assert "metadata" in first["personFields"].split(",")
    assert [one.record_id for one in page.records] == [ZOE, BOB]
    assert page.expected_count is None
    last, (call,) = drive(app.scan(page.next), [shown("connections_last")])
    assert dict(call.query) == first | {"pageToken": "page-2"}
    assert vendors.decode_cursor(last.resume, Progress).sync == "sync-1"
    quiet, (call,) = drive(app.changes(last.resume), [shown("sync_quiet")])
    assert dict(call.query) == first | {"syncToken": "sync-1"}
    assert quiet.records == ()
    assert vendors.decode_cursor(quiet.resume, Progress).sync == "sync-2"


def test_deletions_and_merges_are_told_apart(app):
    page, _ = drive(app.changes(SYNC), [shown("sync_changes")])
    by_id = {one.record_id: one for one in page.records}
    assert by_id[BOB].presence is Presence.LIVE
    assert by_id[EVE] == Record(record_id=EVE, presence=Presence.DELETED)
    assert by_id[FORMER] == Record(
        record_id=FORMER, presence=Presence.MERGED, merged_into=BOB
    )


def test_a_token_that_is_refused_asks_for_a_scan(app):
    refused = shown("error_expired_sync_token", status=400)
    for read in (app.changes(SYNC), app.scan('{"stage":"scan","page":"p"}')):
        with pytest.raises(CallFailed) as caught:
            drive(read, [refused])
        assert caught.value.meaning is Meaning.CURSOR_EXPIRED
    with pytest.raises(CallFailed) as caught:
        drive(app.changes(SYNC), [answer(b"<html>", status=400)])
    assert caught.value.meaning is Meaning.BROKEN
    with pytest.raises(CallFailed) as caught:
        drive(app.scan(None), [refused], app=app)
    assert caught.value.meaning is Meaning.REFUSED, "no token was sent"


@pytest.mark.parametrize("cursor", [SYNC, '{"stage":"changes"}'])
def test_a_cursor_is_good_for_its_own_pass(app, cursor):
    wrong = app.scan if cursor == SYNC else app.changes
    with pytest.raises(CallFailed) as caught:
        drive(wrong(cursor))
    assert caught.value.meaning is Meaning.CURSOR_EXPIRED


def test_a_page_that_leads_to_itself_or_nowhere_is_broken(app):
    again = {"connections": [], "nextPageToken": "p"}
    for body in (again, {"connections": []}, {}):
        with pytest.raises(CallFailed) as caught:
            drive(app.scan('{"stage":"scan","page":"p"}'), [answer(body)])
        assert caught.value.meaning is Meaning.BROKEN


def test_who_has_another_name_by_now_is_merged_and_who_is_unknown_is_missing(app):
    asked = [ZOE, NOBODY, FORMER, RecordId("people/me"), RecordId("x")]
    found, (call, _) = drive(
        app.get(asked), [shown("batch_get_partly"), shown("groups")]
    )
    names = [text for name, text in call.query if name == "resourceNames"]
    assert names == [ZOE, NOBODY, FORMER], "the user is no contact"
    presences = [one.record.presence for one in found]
    missing = Presence.MISSING
    assert presences == [Presence.LIVE, missing, Presence.MERGED, missing, missing]
    assert found[2].record.merged_into == BOB


def test_a_batch_that_is_refused_because_of_somebody_is_read_one_by_one(app):
    gone = shown("error_not_found", status=404)
    answers = [gone, shown("contact"), gone, shown("groups")]
    (zoe, nobody), calls = drive(app.get([ZOE, NOBODY]), answers)
    assert zoe.record.presence is Presence.LIVE
    assert nobody.record.presence is Presence.MISSING
    assert [call.path for call in calls[1:3]] == [f"/{ZOE}", f"/{NOBODY}"]
    with pytest.raises(CallFailed) as caught:
        drive(app.get([ZOE]), [answer(b"<html>", status=404)])
    assert caught.value.meaning is Meaning.BROKEN


def test_who_is_not_told_of_in_a_batch_is_not_missing(app):
    body = json.loads(shown("batch_get").body)
    del body["responses"][0]
    failed = json.loads(shown("batch_get_partly").body)
    failed["responses"][1] |= {"httpStatusCode": 500, "status": {"code": 13}}
    for asked, told in (([BOB, ZOE], body), ([ZOE, NOBODY, FORMER], failed)):
        with pytest.raises(CallFailed) as caught:
            drive(app.get(asked), [answer(told)])
        assert caught.value.meaning is Meaning.BROKEN


# Writes


def test_an_update_says_which_fields_and_as_whose_state(app, zoe):
    result, (call,) = drive(app.update(zoe, BAKER), [shown("contact")])
    assert isinstance(result, Written)
    assert result.record == zoe.record
    assert (call.method, call.path) == ("PATCH", f"/{ZOE}:updateContact")
    assert dict(call.query)["updatePersonFields"] == "organizations"
    assert call.is_write
    held = json.loads(zoe.raw)
    assert sent(call) == {
        "etag": held["etag"],
        "metadata": {"sources": held["metadata"]["sources"]},
        "organizations": [
            {
                "name": "Bäckerei Süß",
                "department": "Sales",
                "title": "Baker",
                "current": True,
                "metadata": {"sourcePrimary": True},
            },
            {"name": "Choir", "title": "Alto"},
        ],
    }


def test_a_name_in_one_piece_is_not_sent_beside_changed_parts(app, zoe):
    change = Change(fields={FieldId("family_name"): "Brandt-Nováková"})
    _, (call,) = drive(app.update(zoe, change), [shown("contact")])
    (name,) = sent(call)["names"]
    assert name["familyName"] == "Brandt-Nováková"
    assert name["phoneticGivenName"] == "tsoh-eh"
    assert not name.keys() & {"displayName", "displayNameLastFirst", "unstructuredName"}


def test_items_keep_what_else_they_hold(app, zoe):
    emails = (
        Item(value="new@example.org", label="work"),
        Item(value="zoe.brandt@example.org", label="other"),
    )
    street = Address(street="Rathausgasse 2", city="Freiburg", country="Germany")
    change = Change(
        fields={
            EMAILS: emails,
            FieldId("addresses"): (Item(value=street, label="home"),),
        }
    )
    _, (call,) = drive(app.update(zoe, change), [shown("contact")])
    body = sent(call)
    assert body["emailAddresses"] == [
        {
            "value": "new@example.org",
            "type": "work",
            "metadata": {"sourcePrimary": True},
        },
        {
            "value": "zoe.brandt@example.org",
            "type": "Choir",
            "displayName": "Zoë sings",
        },
    ]
    first, country_alone = body["addresses"]
    assert first == {
        "streetAddress": "Rathausgasse 2",
        "extendedAddress": "2nd floor",
        "city": "Freiburg",
        "country": "Germany",
        "countryCode": "DE",
        "type": "home",
        "metadata": {"sourcePrimary": True},
    }
    assert country_alone == {"formattedValue": "DE", "countryCode": "DE"}


def test_dates_are_written_with_and_without_a_year(app, zoe):
    asked = {FieldId("birthday"): "1984-02-29", FieldId("anniversary"): None}
    _, (call,) = drive(app.update(zoe, Change(fields=asked)), [shown("contact")])
    body = sent(call)
    assert body["birthdays"] == [{"date": {"year": 1984, "month": 2, "day": 29}}]
    assert body["events"] == [
        {"date": {"year": 2020, "month": 5, "day": 1}, "type": "other"}
    ]
    asked = {FieldId("anniversary"): "--06-16"}
    _, (call,) = drive(app.update(zoe, Change(fields=asked)), [shown("contact")])
    assert sent(call)["events"][0] == {
        "date": {"month": 6, "day": 16},
        "type": "anniversary",
        "metadata": {"sourcePrimary": True},
    }


def test_what_is_emptied_is_in_the_mask_and_not_in_the_body(app, zoe):
    change = Change(fields={NOTE: None})
    _, (call,) = drive(app.update(zoe, change), [shown("contact")])
    assert dict(call.query)["updatePersonFields"] == "biographies"
    assert "biographies" not in sent(call)


def test_labels_change_beside_the_groups_that_are_none(app, zoe):
    change = Change(
        memberships=Memberships(tags_add=("PieSync Trash",), tags_remove=("VIP & Co",))
    )
    answers = [shown("groups"), shown("group_created"), shown("contact")]
    _, (_, made, call) = drive(app.update(zoe, change), answers)
    assert sent(made) == {"contactGroup": {"name": "PieSync Trash"}}
    groups = [one["contactGroupMembership"] for one in sent(call)["memberships"]]
    assert groups == [
        {"contactGroupResourceName": "contactGroups/myContacts"},
        {"contactGroupResourceName": "contactGroups/5f3a0002"},
    ]


def test_a_label_that_somebody_else_made_meanwhile_is_used(app, zoe):
    there = json.loads(shown("groups").body)
    there["contactGroups"][2] |= {
        "resourceName": "contactGroups/9",
        "name": "PieSync Trash",
    }
    change = Change(memberships=Memberships(tags_add=("PieSync Trash",)))
    taken = shown("error_group_taken", status=409)
    answers = [shown("groups"), taken, answer(there), shown("contact")]
    _, calls = drive(app.update(zoe, change), answers)
    named = [one["contactGroupMembership"] for one in sent(calls[-1])["memberships"]]
    assert {"contactGroupResourceName": "contactGroups/9"} in named


def test_the_last_label_of_somebody_in_no_other_group_stays(app):
    body = json.loads(shown("batch_get").body)
    person = body["responses"][1]["person"]
    person["memberships"] = person["memberships"][1:]
    (zoe,), _ = drive(app.get([ZOE]), [answer(body), shown("groups")])
    change = Change(memberships=Memberships(tags_remove=("VIP & Co",)))
    refused = Refused(code=ErrorCode.VALUE_REFUSED)
    assert drive(app.update(zoe, change)) == (refused, [])


def test_a_change_of_nothing_makes_no_call(app, zoe):
    for change in (
        Change(memberships=Memberships(tags_add=("VIP & Co",))),
        Change(memberships=Memberships(tags_remove=("nobody has it",))),
    ):
        assert drive(app.update(zoe, change)) == (Written(record=zoe.record), [])


def test_a_new_contact_is_among_my_contacts_and_carries_our_mark(app):
    new = NewRecord(
        fields={EMAILS: (Item(value="n@example.org"),), NOTE: None}, marker=MARK
    )
    made, (call,) = drive(app.create(new), [shown("contact")])
    assert isinstance(made, Written)
    assert sent(call) == {
        "emailAddresses": [{"value": "n@example.org"}],
        "clientData": [{"key": "tandem", "value": MARK}],
        "memberships": [
            {
                "contactGroupMembership": {
                    "contactGroupResourceName": "contactGroups/myContacts"
                }
            }
        ],
    }


def test_what_became_of_a_write_is_the_vendors_own_word(app, zoe):
    update = app.update(zoe, BAKER)
    assert drive(update, [shown("error_moved", status=400)])[0] == Moved()
    gone = shown("error_not_found", status=404)
    assert drive(app.update(zoe, BAKER), [gone])[0] == Missing()
    invalid = shown("error_invalid", status=400)
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=JOB)
    assert drive(app.update(zoe, BAKER), [invalid])[0] == refused
    assert drive(app.create(NewRecord(fields={JOB: "x"})), [invalid])[0] == refused
    for status in (400, 404):
        with pytest.raises(CallFailed) as caught:
            drive(app.update(zoe, BAKER), [answer(b"<html>", status=status)])
        assert caught.value.meaning is Meaning.BROKEN


def test_several_changes_go_with_the_fields_of_all(app, zoe, bob):
    note = Change(fields={NOTE: "new"})
    updates = [
        Update(snapshot=zoe, change=BAKER),
        Update(snapshot=bob, change=note),
        Update(snapshot=Snapshot(record=Record(record_id=EVE)), change=Change()),
    ]
    updates[2] = Update(
        snapshot=Snapshot(record=Record(record_id=EVE, presence=Presence.MISSING)),
        change=note,
    )
    results, (call,) = drive(app.update_many(updates), [shown("batch_updated")])
    assert [type(one) for one in results] == [Written, Written, Missing]
    body = sent(call)
    assert body["updateMask"] == "biographies,organizations"
    assert body["contacts"].keys() == {ZOE, BOB}
    assert body["contacts"][ZOE]["biographies"][0]["value"] == "likes rye"
    assert "organizations" not in body["contacts"][BOB]


def test_of_a_batch_that_is_refused_the_others_are_sent_again(app, zoe, bob):
    updates = [Update(snapshot=one, change=BAKER) for one in (bob, zoe)]
    refused = shown("error_batch_update", status=400)
    results, calls = drive(app.update_many(updates), [refused, shown("batch_updated")])
    assert results[0] == Moved()
    assert isinstance(results[1], Written)
    assert sent(calls[1])["contacts"].keys() == {ZOE}


def test_who_is_refused_in_a_batch_is_tried_with_their_own_fields(app, zoe, bob):
    note = Change(fields={NOTE: "new"})
    updates = [
        Update(snapshot=bob, change=note),
        Update(snapshot=zoe, change=BAKER),
    ]
    body = json.loads(shown("error_batch_update").body)
    errors = body["error"]["details"][0]["contactErrors"]
    errors[BOB] = {"code": 3}
    refused = answer(body, status=400)
    answers = [refused, shown("batch_updated"), shown("contact")]
    results, calls = drive(app.update_many(updates), answers)
    assert dict(calls[2].query)["updatePersonFields"] == "biographies"
    assert all(isinstance(one, Written) for one in results)
    answers[2] = shown("error_invalid", status=400)
    results, _ = drive(app.update_many(updates), answers)
    assert results[0] == Refused(code=ErrorCode.VALUE_REFUSED, field_id=NOTE)
    failed = CallFailed(Meaning.RATE_LIMITED, "too many calls")
    results, _ = drive(app.update_many(updates), [*answers[:2], failed])
    assert results[0] == Unsure()
    assert isinstance(results[1], Written)


def test_a_batch_that_is_refused_without_a_name_is_refused(app, zoe, bob):
    updates = [Update(snapshot=one, change=BAKER) for one in (bob, zoe)]
    with pytest.raises(CallFailed) as caught:
        drive(app.update_many(updates), [shown("error_invalid", status=400)])
    assert caught.value.meaning is Meaning.REFUSED


def test_several_new_contacts_are_told_apart_by_our_marks(app):
    news = [
        NewRecord(fields={NOTE: "1"}, marker=MARK),
        NewRecord(fields={NOTE: "2"}, marker=MARK.replace("8057", "8058")),
    ]
    results, _ = drive(app.create_many(news), [shown("batch_created")])
    assert results[0].record.record_id == ZOE
    assert results[1] == Unsure(), "nobody carries its mark"
    bare = [NewRecord(fields={NOTE: str(number)}) for number in range(2)]
    results, _ = drive(app.create_many(bare), [shown("batch_created")])
    assert [one.record.record_id for one in results] == [BOB, ZOE]
    results, _ = drive(app.create_many([*bare, bare[0]]), [shown("batch_created")])
    assert results == (Unsure(), Unsure(), Unsure()), "there are two of three"


def test_of_several_new_contacts_one_may_be_refused(app):
    news = [NewRecord(fields={NOTE: str(number)}) for number in range(3)]
    refused = shown("error_batch_create", status=400)
    results, calls = drive(app.create_many(news), [refused, shown("batch_created")])
    assert results[0] == Refused(code=ErrorCode.VALUE_REFUSED, field_id=NOTE)
    assert isinstance(results[1], Written)
    assert len(sent(calls[1])["contacts"]) == 2


# Errors


@pytest.mark.parametrize(
    ("name", "status", "meaning", "wait_s"),
    [
        ("error_quota", 429, Meaning.RATE_LIMITED, 60.0),
        ("error_quota_old", 403, Meaning.RATE_LIMITED, 60.0),
        ("error_scope", 403, Meaning.FORBIDDEN, None),
        ("error_unauthenticated", 401, Meaning.UNAUTHORISED, None),
        ("error_not_found", 404, Meaning.BROKEN, None),
        ("error_invalid", 400, Meaning.REFUSED, None),
        ("error_moved", 400, Meaning.REFUSED, None),
        ("error_group_taken", 409, Meaning.REFUSED, None),
        ("error_invalid", 503, Meaning.UNAVAILABLE, None),
        ("error_invalid", 500, Meaning.NO_ANSWER, None),
    ],
)
def test_every_documented_error_has_a_meaning(app, name, status, meaning, wait_s):
    failed = app.meaning_of(shown(name, status=status))
    assert (failed.meaning, failed.retry_after_s) == (meaning, wait_s)


def test_a_pause_that_is_told_is_the_one_to_make(app):
    told = answer(b"{}", status=429, headers={"retry-after": "7"})
    assert app.meaning_of(told).retry_after_s is None, "the transport reads it"
