"""Tryton's operations, driven with answers of a real server, without a socket."""

import json
from typing import Any

import pytest

from proto.errors import ErrorCode
from proto.fields import Address, Item
from proto.ids import FieldId, RecordId
from proto.record import Memberships, Presence, Record
from services.connector import vendors
from services.connector.apps.tryton.app import App
from services.connector.apps.tryton.reading import OVERLAP_S, Progress
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
from tests.contract.driving import Fixtures, answer, drive
from tests.contract.emulated_account import folder_of, manifest_of

FOLDER, MANIFEST = folder_of("tryton"), manifest_of("tryton")
NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
ZOE, BOB, EVE, SAM = (RecordId(str(number)) for number in (11, 12, 13, 14))
NAME, EMAILS, PHONES = FieldId("name"), FieldId("emails"), FieldId("phones")
ADDRESSES = FieldId("addresses")
FREIBURG = Address(
    street="Münsterplatz 1",
    city="Freiburg",
    region="Baden-Württemberg",
    postal_code="79098",
    country="Germany",
)
RENAMED = Change(fields={NAME: "Zoë Sample"})


@pytest.fixture
def app() -> App:
    return App(MANIFEST, Facts(base_url="https://Erp.example.org/db/", username="ann"))


@pytest.fixture
def zoe(app: App) -> Snapshot:
    (snapshot,), _ = drive(app.get([ZOE]), [shown("party")])
    return snapshot


@pytest.mark.parametrize("year", [0, 10_000, 10**30])
def test_a_party_of_a_year_that_cannot_be_is_a_broken_answer(app: App, year: int):
    body = shown("party").body.replace(b"2026", str(year).encode())
    assert body != shown("party").body
    with pytest.raises(CallFailed) as failed:
        drive(app.get([ZOE]), [answer(body, headers=NOW)])
    assert failed.value.meaning is Meaning.BROKEN


def asked(call: Any) -> tuple[str, list[Any]]:
    """Return which method was called, with what."""
    body = json.loads(call.body)
    assert set(body) == {"id", "method", "params"}, "or errors had other statuses"
    assert (call.method, call.path) == ("POST", "/rpc/")
    return body["method"], body["params"]


def change(app: App, of: Snapshot, wanted: Change, *more: str) -> list[Any]:
    """Return with what a party is written."""
    answers = [*map(shown, more), shown("written"), shown("party")]
    _, calls = drive(app.update(of, wanted), answers)
    method, params = asked(calls[-2])
    assert method == "model.party.party.write"
    assert calls[-2].is_write
    return params


# Facts and fields


def test_calls_come_one_after_the_other():
    assert MANIFEST.limits.concurrent_calls == 1, "or two creates are given one code"


def test_an_account_is_known_by_server_database_and_login(app):
    identity, (call,) = drive(app.verify(), [shown("preferences")])
    assert asked(call)[0] == "model.res.user.get_preferences"
    assert identity.vendor_account_id == "erp.example.org/db:ann"
    assert identity.display_name == "ann at erp.example.org/db"


def test_every_field_of_a_party_is_read(zoe):
    assert zoe.record.fields == {
        "name": "Zoë Brandt",
        "code": "11",
        "emails": (Item(value="zoe@example.org"), Item(value="second@example.org")),
        "phones": (
            Item(value="+49 761 5550103", label="other"),
            Item(value="+49 170 5550101", label="mobile"),
        ),
        "websites": (Item(value="https://example.org/zoe"),),
        "addresses": (Item(value=FREIBURG),),
    }
    assert zoe.record.tags == ("VIP & Co", "Trade / Bakers")
    assert str(zoe.record.created_at) == "2026-02-11 12:00:00.123456+00:00"


@pytest.mark.parametrize("part", ["contact_mechanisms.", "addresses."])
def test_another_stamp_of_a_part_is_another_version(app, zoe, part):
    body = json.loads(shown("party").body)
    body["result"][0][part][0]["_timestamp"] = "1999999999.0"
    (now,), _ = drive(app.get([ZOE]), [answer(body)])
    assert now.record.version != zoe.record.version
    assert now.record.fields == zoe.record.fields


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", "17"),
        ("name", True),
        ("name", "a\x00b"),
        ("emails", "zoe@example.org"),
        ("emails", (Item(value="a\x00b"),)),
        ("emails", (Item(value=Address(city="Graz")),)),
        ("addresses", (Item(value="Graz"),)),
        ("addresses", (Item(value=Address(region="BW")),)),
        ("no_such_field", "x"),
    ],
)
def test_a_value_without_a_form_is_refused_before_it_is_sent(app, zoe, field, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=FieldId(field))
    fields = {FieldId(field): value}
    assert drive(app.update(zoe, Change(fields=fields))) == (refused, [])
    result, _ = drive(app.create(NewRecord(fields=fields)))
    assert result == refused


# Passes


def test_a_scan_goes_on_behind_the_last_id_and_ends_in_changes():
    limits = MANIFEST.limits
    small = type(limits)(calls_per_second=1.0, page_size=2)
    facts = Facts(base_url="https://erp.example.org/db")
    manifest = type(MANIFEST)(
        **{name: getattr(MANIFEST, name) for name in MANIFEST.__struct_fields__}
        | {"limits": small}
    )
    app = App(manifest, facts)
    page, (call,) = drive(app.scan(None), [shown("parties")])
    domain, offset, limit, order, *_ = asked(call)[1]
    assert domain == [["id", ">", 0], ["active", "=", True]]
    assert (offset, limit, order) == (0, 2, [["id", "ASC"]])
    last, (call,) = drive(app.scan(page.next), [shown("parties_none")])
    assert asked(call)[1][0][0] == ["id", ">", 12]
    resumed = vendors.decode_cursor(last.resume, Progress)
    assert str(resumed.since) == "2026-02-11 12:00:00+00:00"
    _, (call,) = drive(app.changes(last.resume), [shown("parties_none")])
    _, changed = asked(call)[1][0]
    assert changed[0] == "OR"
    assert {name for name, _, _ in changed[1:]} == {
        f"{of}{name}"
        for of in ("", "contact_mechanisms.", "addresses.")
        for name in ("write_date", "create_date")
    }
    assert OVERLAP_S == 90
    at = changed[1][2]
    assert (at["hour"], at["minute"], at["second"]) == (11, 58, 30)


def test_who_is_deactivated_is_deleted_and_who_is_replaced_is_merged(app):
    cursor = '{"since":"2026-02-11T11:00:00Z"}'
    page, _ = drive(app.changes(cursor), [shown("parties_changed")])
    by_id = {one.record_id: one for one in page.records}
    assert by_id[EVE].presence is Presence.DELETED
    assert by_id[SAM] == Record(
        record_id=SAM, presence=Presence.MERGED, merged_into=ZOE
    )
    found, (call,) = drive(app.get([EVE, BOB, "x"]), [shown("parties_none")])
    assert asked(call)[1][0] == [["id", "in", [12, 13]]]
    assert {one.record.presence for one in found} == {Presence.MISSING}


@pytest.mark.parametrize("cursor", ["{}", '{"since":"0001-01-01T00:00:00Z"}'])
def test_a_cursor_of_no_time_asks_for_a_scan(app, cursor):
    for operation in (app.changes(cursor), app.scan(cursor)):
        with pytest.raises(CallFailed) as caught:
            drive(operation)
        assert caught.value.meaning is Meaning.CURSOR_EXPIRED


def test_signs_in_an_address_stand_for_themselves(app):
    found, (call,) = drive(app.find_by_email(["a_b%@x.example"]), [shown("parties")])
    assert found == (), "nobody has it, whatever the server found"
    (_, (_, _, (_, _, (_, is_one)))) = asked(call)[1][0]
    assert is_one == ["value", "ilike", "a\\_b\\%@x.example"]


# Writes


def test_a_change_carries_the_stamps_of_all_that_was_read(app, zoe):
    ids, values, context = change(app, zoe, RENAMED)
    assert (ids, values) == ([11], {"name": "Zoë Sample"})
    stamps = context["_timestamp"]
    assert stamps["party.party,11"] == "1770811200.12346"
    assert stamps["party.contact_mechanism,2"] == "1770811202.00001"
    assert stamps["party.address,1"] == "1770811301.00001"


def test_a_changed_item_is_the_same_record_and_one_taken_out_is_put_away(app, zoe):
    emails = (Item(value="new@example.org"),)
    phones = (
        Item(value="+49 761 5550103", label="other"),
        Item(value="+49 170 5550101", label="fax"),
    )
    wanted = Change(fields={EMAILS: emails, PHONES: phones})
    _, values, _ = change(app, zoe, wanted)
    assert values["contact_mechanisms"] == [
        ["write", [1], {"type": "email", "value": "new@example.org"}],
        ["write", [6], {"active": False}],
        ["write", [3], {"type": "fax", "value": "+49 170 5550101"}],
    ]


def test_another_order_is_told_to_the_server(app, zoe):
    emails = (Item(value="second@example.org"), Item(value="zoe@example.org"))
    _, values, _ = change(app, zoe, Change(fields={EMAILS: emails}))
    assert values["contact_mechanisms"] == [
        ["write", [6], {"sequence": 10}],
        ["write", [1], {"sequence": 20}],
    ]


def test_a_place_is_looked_up_when_it_changes(app, zoe):
    moved = Address(street="Rathausgasse 2", city="Freiburg", country="Austria")
    wanted = Change(fields={ADDRESSES: (Item(value=moved),)})
    _, values, _ = change(app, zoe, wanted, "place")
    assert values["addresses"] == [
        [
            "write",
            [1],
            {
                "street": "Rathausgasse 2",
                "postal_code": None,
                "country": 1,
                "subdivision": None,
            },
        ]
    ]
    near = Address(**{**json.loads(json.dumps(_parts(FREIBURG))), "street": "Here 1"})
    _, values, _ = change(app, zoe, Change(fields={ADDRESSES: (Item(value=near),)}))
    assert values["addresses"] == [["write", [1], {"street": "Here 1"}]]


def _parts(address: Address) -> dict[str, str]:
    return {name: getattr(address, name) for name in address.__struct_fields__}


@pytest.mark.parametrize("found", ["parties_none", "places"])
def test_a_place_that_the_server_does_not_know_is_refused(app, zoe, found):
    atlantis = (Item(value=Address(city="A", country="Atlantis")),)
    wanted = Change(fields={ADDRESSES: atlantis})
    answers = [shown(found)]
    if found == "parties_none":
        answers = [answer({"id": 1, "result": []})]
    refused, _ = drive(app.update(zoe, wanted), answers)
    assert refused == Refused(code=ErrorCode.VALUE_REFUSED, field_id=ADDRESSES)


def test_tags_are_categories_with_those_above_them(app, zoe):
    wanted = Memberships(tags_add=("PieSync Trash",), tags_remove=("Trade / Bakers",))
    more = ("categories", "category_created")
    _, values, _ = change(app, zoe, Change(memberships=wanted), *more)
    assert values == {"categories": [["add", [3]], ["remove", [2]]]}


def test_a_change_of_nothing_makes_no_call(app, zoe):
    same = Change(
        fields={EMAILS: zoe.record.fields[EMAILS]},
        memberships=Memberships(tags_add=("VIP & Co",), tags_remove=("no such",)),
    )
    assert drive(app.update(zoe, same)) == (Written(record=zoe.record), [])


def test_who_moved_is_told_apart_from_who_is_gone_and_what_is_refused(app, zoe):
    other = json.loads(shown("party").body)
    other["result"][0]["_timestamp"] = "1999999999.0"
    for error in ("error_moved", "error_user", "error_warning"):
        for read, expected in (
            (answer(other), Moved()),
            (shown("parties_none"), Missing()),
        ):
            result, _ = drive(app.update(zoe, RENAMED), [shown(error), read])
            assert result == expected
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=NAME)
    answers = [shown("error_user"), shown("party")]
    assert drive(app.update(zoe, RENAMED), answers)[0] == refused
    answers = [shown("error_moved"), shown("party")]
    assert drive(app.update(zoe, RENAMED), answers)[0] == Moved()


def test_what_cannot_be_read_after_a_write_may_be_written(app, zoe):
    failed = CallFailed(Meaning.RATE_LIMITED, "too many calls")
    new = NewRecord(fields={NAME: "Bob"})
    for operation, done in (
        (app.update(zoe, RENAMED), "written"),
        (app.create(new), "created"),
    ):
        with pytest.raises(CallFailed) as caught:
            drive(operation, [shown(done), failed])
        assert caught.value.meaning is Meaning.NO_ANSWER
    results, _ = drive(app.create_many([new, new]), [shown("created_both"), failed])
    assert results == (Unsure(), Unsure())


def test_what_is_read_after_a_write_is_told_from_an_answer(app, zoe):
    """Somebody may have edited the party in between (hazard 37)."""
    result, _ = drive(app.update(zoe, RENAMED), [shown("written"), shown("party")])
    assert result.is_read_after
    result, calls = drive(app.update(zoe, Change()), [])
    assert calls == []
    assert not result.is_read_after


def test_several_are_made_and_told_in_their_order(app):
    news = [NewRecord(fields={NAME: name}) for name in ("Zoë", "Bob")]
    results, (call, _) = drive(
        app.create_many(news), [shown("created_both"), shown("parties")]
    )
    assert all(one.is_read_after for one in results)
    assert asked(call)[1][0] == [{"name": "Zoë"}, {"name": "Bob"}]
    assert [one.record.record_id for one in results] == [ZOE, BOB]
    for operation, made in (
        (app.create(news[0]), "created_both"),
        (app.create_many(news), "created"),
    ):
        with pytest.raises(CallFailed) as caught:
            drive(operation, [shown(made)])
        assert caught.value.meaning is Meaning.BROKEN, "others than were asked for"
    for error in ("error_user", "error_server"):
        with pytest.raises(CallFailed) as caught:
            drive(app.create_many(news), [shown(error)])
        meaning = Meaning.REFUSED if error == "error_user" else Meaning.BROKEN
        assert caught.value.meaning is meaning


def test_of_several_changes_who_moved_is_left_and_the_others_are_written(app):
    both, _ = drive(app.get([ZOE, BOB]), [shown("parties")])
    updates = [Update(snapshot=one, change=RENAMED) for one in both]
    now = json.loads(shown("parties").body)
    now["result"][0]["_timestamp"] = "1999999999.0"
    answers = [shown("error_moved"), answer(now), shown("written"), shown("parties")]
    results, calls = drive(app.update_many(updates), answers)
    assert results[0] == Moved()
    assert results[1].record.record_id == BOB
    assert asked(calls[0])[1][:4] == [
        [11],
        {"name": "Zoë Sample"},
        [12],
        {"name": "Zoë Sample"},
    ]
    assert asked(calls[2])[1][0] == [12]
    with pytest.raises(CallFailed) as caught:
        drive(app.update_many(updates), [shown("error_user"), shown("parties")])
    assert caught.value.meaning is Meaning.REFUSED


# Errors


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Meaning.BROKEN),
        (401, Meaning.UNAUTHORISED),
        (403, Meaning.FORBIDDEN),
        (404, Meaning.BROKEN),
        (429, Meaning.RATE_LIMITED),
        (500, Meaning.NO_ANSWER),
        (503, Meaning.UNAVAILABLE),
        (504, Meaning.NO_ANSWER),
    ],
)
def test_every_status_has_a_meaning(app, status, meaning):
    failed = app.meaning_of(answer(b"<!doctype html>", status=status))
    assert failed.meaning is meaning


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({"id": 1}, Meaning.BROKEN),
        ({"id": 1, "error": []}, Meaning.BROKEN),
        ({"id": 1, "result": None}, Meaning.BROKEN),
        ({"id": 1, "error": ["UserError", ["no", "", None]]}, Meaning.FORBIDDEN),
        ({"id": 1, "error": ["'nonsense'", ""]}, Meaning.BROKEN),
    ],
)
def test_a_read_without_a_result_shows_nobody(app, body, meaning):
    with pytest.raises(CallFailed) as caught:
        drive(app.scan(None), [answer(body)])
    assert caught.value.meaning is meaning
