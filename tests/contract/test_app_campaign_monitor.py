"""Campaign Monitor's operations on its fixtures: what is asked, what answers mean."""

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import FieldKind, Item, Role
from proto.record import Consent, Presence, Record
from services.connector import vendors
from services.connector.apps.campaign_monitor import values, wire
from services.connector.apps.campaign_monitor.cursors import Progress, Stage, State
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Answer,
    Change,
    Exists,
    Identity,
    Missing,
    NewRecord,
    Refused,
    Unsure,
    Written,
)
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, answer, drive, failing

FOLDER = emulated_account.folder_of("campaign_monitor")
NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
NOON = datetime.datetime(2026, 2, 11, 12, tzinfo=datetime.UTC)
S = datetime.timedelta(seconds=1)
LIST = "0f2d1b7c9a3e4d5f8a6b7c8d9e0f1a2b"
OTHER = "5c4b3a29180f7e6d5c4b3a29180f7e6d"
ZOE = f"{LIST}/zoe.brandt@example.org"
DAYS, SIZE = "MultiSelectMany:days", "Text:größe"


KNOWN = (shown("clients"), shown("lists"))


@pytest.fixture
def app():
    return emulated_account.new_app("campaign_monitor")


@pytest.fixture
def zoe(app):
    answers = [*KNOWN, shown("subscriber"), shown("custom_fields")]
    (snapshot,), _ = drive(app.get([ZOE]), answers)
    return snapshot


def new(email: str = "a@example.org", **more) -> NewRecord:
    fields = {"EmailAddress": email, **more.pop("fields", {})}
    return NewRecord(fields=fields, consent=Consent.SUBSCRIBED, **more)


def test_an_account_is_known_by_the_first_of_its_clients(app):
    identity, calls = drive(app.verify(), [shown("clients")])
    assert identity == Identity(
        vendor_account_id="3b9aca00d1e2f3a4b5c6d7e8f9a0b1c2",
        display_name="Main Street Bakery",
    )
    assert [call.path for call in calls] == ["/clients.json"]
    agency, _ = drive(app.verify(), [shown("clients_of_an_agency")])
    assert agency.vendor_account_id == identity.vendor_account_id
    assert agency.display_name == "Main Street Bakery and 1 more"


def test_an_account_without_clients_is_of_no_use(app):
    assert failing(app.verify(), [answer([])]) is Meaning.FORBIDDEN


def test_lists_are_containers_and_an_agencys_say_whose_they_are(app):
    found, _ = drive(app.list_containers(), KNOWN)
    assert found == (Container(container_id=LIST, name="Newsletter"),)
    answers = [shown("clients_of_an_agency"), answer([]), shown("lists_two")]
    found, _ = drive(app.list_containers(), answers)
    assert [one.name for one in found] == [
        "Main Street Bakery: Newsletter",
        "Main Street Bakery: Offers",
    ]


def test_custom_fields_of_all_lists_are_typed(app):
    same = [
        {"FieldName": "bread", "Key": "[bread]", "DataType": "MultiSelectOne"}
        | {"FieldOptions": ["Spelt", "Corn"]},
        {"FieldName": "age", "Key": "[age]", "DataType": "Text", "FieldOptions": []},
    ]
    answers = [shown("clients"), shown("lists_two"), shown("custom_fields")]
    fields, _ = drive(app.describe_fields(), [*answers, answer(same)])
    found = {one.field_id: one for one in fields}
    assert len(found) == len(fields)
    assert found["EmailAddress"].role is Role.EMAIL
    assert found["Name"].role is Role.NAME_FULL
    kinds = {field_id: one.kind for field_id, one in found.items()}
    assert kinds["Text:website"] is FieldKind.TEXT
    assert kinds["Number:age"] is FieldKind.NUMBER
    assert kinds["Date:subscriptiondate"] is FieldKind.DATE
    assert found["Text:website"].length_max == 250
    bread = found["MultiSelectOne:bread"]
    assert bread.kind is FieldKind.CHOICE
    assert [one.label for one in bread.options] == ["Rye", "Spelt", "Corn"]
    assert found[DAYS].is_multiple
    assert {one.label for one in fields if "age" in one.label} == {
        "age (Number)",
        "age (Text)",
    }
    read_only = {key for key, one in found.items() if not one.is_writable}
    assert read_only == {"Country:land", SIZE}


def test_a_subscriber_is_read_whole(zoe):
    assert zoe.record == Record(
        record_id=ZOE,
        containers=(LIST,),
        consent=Consent.SUBSCRIBED,
        fields={
            "EmailAddress": "Zoe.Brandt@example.org",
            "Name": "Zoë Brandt",
            "Text:website": "https://example.org/zoe",
            "Number:age": "41",
            "Date:subscriptiondate": "2026-02-10",
            "MultiSelectOne:bread": "Rye",
            DAYS: (Item(value="Monday"), Item(value="Friday")),
            "Country:land": "Germany",
            SIZE: "L",
        },
    )


def test_who_has_an_address_alone_is_read_as_empty(app):
    answers = [*KNOWN, shown("subscriber_minimal"), shown("custom_fields")]
    (snapshot,), _ = drive(app.get([f"{LIST}/bare@example.org"]), answers)
    found = dict(snapshot.record.fields)
    assert found.pop("EmailAddress") == "bare@example.org"
    assert set(found.values()) == {None}
    assert len(found) == 8


@pytest.mark.parametrize(
    ("state", "consent"),
    [
        ("Active", Consent.SUBSCRIBED),
        ("Unconfirmed", Consent.UNKNOWN),
        ("Unsubscribed", Consent.UNSUBSCRIBED),
        ("Bounced", Consent.SUPPRESSED),
        ("Spam", Consent.SUPPRESSED),
        ("Suppressed", Consent.SUPPRESSED),
        ("Snoozed", Consent.UNSUBSCRIBED),
    ],
)
def test_a_state_is_a_consent_and_one_that_is_unknown_forbids(app, state, consent):
    one = {"EmailAddress": "a@example.org", "State": state}
    answers = [*KNOWN, answer(one), shown("custom_fields")]
    (snapshot,), _ = drive(app.get([f"{LIST}/a@example.org"]), answers)
    assert (snapshot.record.presence, snapshot.record.consent) == (
        Presence.LIVE,
        consent,
    )


def test_a_field_that_was_defined_since_is_read_of(app, zoe):
    one = {"EmailAddress": "a@example.org", "State": "Active"}
    more = one | {"CustomFields": [{"Key": "shoe size", "Value": "39"}]}
    defined = [{"FieldName": "shoe size", "Key": "[shoesize]", "DataType": "Text"}]
    answers = [answer(more), answer(defined)]
    (snapshot,), calls = drive(app.get([f"{LIST}/a@example.org"]), answers)
    assert snapshot.record.fields["Text:shoesize"] == "39"
    assert calls[-1].path == f"/lists/{LIST}/customfields.json"


def test_who_is_not_on_the_list_is_missing(app):
    gone = shown("error_not_in_list", status=400)
    (snapshot,), calls = drive(app.get([f"{LIST}/x+y@example.org"]), [*KNOWN, gone])
    assert snapshot.record.presence is Presence.MISSING
    assert calls[-1].query == (("email", "x+y@example.org"),)
    (snapshot,), calls = drive(app.get([f"{OTHER}/x@example.org"]))
    assert snapshot.record.presence is Presence.MISSING


def test_another_subscriber_than_asked_for_is_broken(app):
    answers = [*KNOWN, shown("subscriber"), shown("custom_fields")]
    assert failing(app.get([f"{LIST}/x@example.org"]), answers) is Meaning.BROKEN


def test_an_account_with_one_list_is_asked_for_an_address_at_once(app):
    answers = [*KNOWN, shown("subscriber"), shown("custom_fields")]
    found, calls = drive(app.find_by_email(["ZOE.brandt@example.org"]), answers)
    assert [one.record_id for one in found] == [ZOE]
    assert calls[2].path == f"/subscribers/{LIST}.json"


def test_one_with_several_lists_is_asked_on_which_an_address_is(app):
    answers = [shown("clients"), shown("lists_two"), shown("lists_of_email")]
    answers += [shown("subscriber_unsubscribed"), answer([])]
    found, calls = drive(app.find_by_email(["no@example.org"]), answers)
    assert [one.record_id for one in found] == [f"{OTHER}/no@example.org"]
    assert found[0].consent is Consent.UNSUBSCRIBED
    assert calls[2].path.endswith("/listsforemail.json")
    assert calls[3].path == f"/subscribers/{OTHER}.json"


def test_people_are_imported_and_nobody_is_subscribed_anew(app):
    news = [new(), new("b@example.org", fields={"Name": "B", "Number:age": "7"})]
    answers = [*KNOWN, shown("custom_fields"), shown("imported", status=201)]
    results, calls = drive(app.create_many(news), answers)
    assert [one.record.record_id for one in results] == [
        f"{LIST}/a@example.org",
        f"{LIST}/b@example.org",
    ]
    assert {one.record.consent for one in results} == {Consent.SUBSCRIBED}
    assert (calls[-1].path, calls[-1].is_write) == (
        f"/subscribers/{LIST}/import.json",
        True,
    )
    assert json.loads(calls[-1].body) == {
        "Subscribers": [
            {
                "EmailAddress": "a@example.org",
                "CustomFields": [],
                "ConsentToTrack": "No",
            },
            {
                "EmailAddress": "b@example.org",
                "Name": "B",
                "CustomFields": [{"Key": "[age]", "Value": "7"}],
                "ConsentToTrack": "No",
            },
        ],
        "Resubscribe": False,
        "QueueSubscriptionBasedAutoresponders": False,
        "RestartSubscriptionBasedAutoresponders": False,
    }


def test_of_an_import_each_is_answered_for_itself(app):
    emails = ("a@example.org", "bad@example", "NO@example.org", "old@example.org")
    news = [*map(new, emails), new("A@example.org"), new("")]
    answers = [*KNOWN, shown("custom_fields"), shown("imported_partly", status=400)]
    results, calls = drive(app.create_many(news), answers)
    assert len(json.loads(calls[-1].body)["Subscribers"]) == 4
    assert isinstance(results[0], Written)
    assert results[1:] == (
        Refused(code=ErrorCode.VALUE_REFUSED, field_id="EmailAddress"),
        Exists(record_id=f"{LIST}/no@example.org"),
        Refused(code=ErrorCode.APP_REFUSED),
        Refused(code=ErrorCode.ALREADY_EXISTS, field_id="EmailAddress"),
        Refused(code=ErrorCode.VALUE_REFUSED, field_id="EmailAddress"),
    )


def test_an_import_of_others_than_were_sent_is_broken(app):
    answers = [*KNOWN, shown("custom_fields"), shown("imported", status=201)]
    assert failing(app.create(new()), answers) is Meaning.BROKEN


def test_an_import_that_is_refused_as_a_whole_is_refused(app):
    answers = [*KNOWN, shown("custom_fields"), shown("error_too_many", status=400)]
    assert failing(app.create(new()), answers, app=app) is Meaning.REFUSED


@pytest.mark.parametrize(
    "consent", [Consent.UNKNOWN, Consent.UNSUBSCRIBED, Consent.SUPPRESSED]
)
def test_who_is_not_known_to_have_agreed_is_put_on_no_list(app, consent):
    record = NewRecord(fields={"EmailAddress": "a@example.org"}, consent=consent)
    result, calls = drive(app.create(record), KNOWN)
    assert result == Refused(code=ErrorCode.APP_REFUSED)
    assert not any(call.is_write for call in calls)


@pytest.mark.parametrize("containers", [(), (LIST, OTHER), ("elsewhere",)])
def test_where_the_list_is_not_clear_nobody_is_made(app, containers):
    answers = [shown("clients"), shown("lists_two")]
    result, _ = drive(app.create(new(containers=containers)), answers)
    assert result == Refused(code=ErrorCode.VALUE_REFUSED)


def test_the_list_that_is_named_is_the_one(app):
    answers = [shown("clients"), shown("lists_two"), answer([])]
    one = {"FailureDetails": [], "TotalUniqueEmailsSubmitted": 1}
    answers.append(answer(one | {"TotalNewSubscribers": 1}, status=201))
    result, calls = drive(app.create(new(containers=(OTHER,))), answers)
    assert result.record.containers == (OTHER,)
    assert calls[-1].path == f"/subscribers/{OTHER}/import.json"


def test_an_update_names_what_changes_and_keeps_the_rest(app, zoe):
    change = {"Text:website": None, "Date:subscriptiondate": None, "Number:age": "42"}
    written, (call,) = drive(app.update(zoe, Change(fields=change)), [answer()])
    assert (call.method, call.path) == ("PUT", f"/subscribers/{LIST}.json")
    assert call.query == (("email", "Zoe.Brandt@example.org"),)
    assert json.loads(call.body) == {
        "EmailAddress": "Zoe.Brandt@example.org",
        "Name": "Zoë Brandt",
        "CustomFields": [
            {"Key": "[website]", "Value": "", "Clear": True},
            {"Key": "[subscriptiondate]", "Value": "0000-00-00"},
            {"Key": "[age]", "Value": "42"},
        ],
        "Resubscribe": False,
        "RestartSubscriptionBasedAutoresponders": False,
        "ConsentToTrack": "Unchanged",
    }
    assert written.record.fields == {**zoe.record.fields, **change}


def test_options_that_go_are_taken_away_by_name(app, zoe):
    days = (Item(value="Friday"), Item(value="Tuesday"))
    written, (call,) = drive(app.update(zoe, Change(fields={DAYS: days})), [answer()])
    assert json.loads(call.body)["CustomFields"] == [
        {"Key": "[days]", "Value": "Monday", "Clear": True},
        {"Key": "[days]", "Value": "Friday"},
        {"Key": "[days]", "Value": "Tuesday"},
    ]
    assert written.record.fields[DAYS] == days


def test_an_address_is_changed_by_the_old_one_and_is_another_id(app, zoe):
    change = Change(fields={"EmailAddress": "Zoe@example.org"})
    written, (call,) = drive(app.update(zoe, change), [answer()])
    assert call.query == (("email", "Zoe.Brandt@example.org"),)
    assert json.loads(call.body)["EmailAddress"] == "Zoe@example.org"
    assert written.record.record_id == f"{LIST}/zoe@example.org"


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("error_not_in_list", Missing()),
        (
            "error_already_subscribed",
            Refused(code=ErrorCode.ALREADY_EXISTS, field_id="EmailAddress"),
        ),
        (
            "error_invalid_email",
            Refused(code=ErrorCode.VALUE_REFUSED, field_id="EmailAddress"),
        ),
        ("error_too_many", Refused(code=ErrorCode.VALUE_REFUSED)),
    ],
)
def test_an_update_that_is_not_taken_says_why(app, zoe, name, result):
    no = shown(name, status=400)
    assert drive(app.update(zoe, Change(fields={"Name": "Z"})), [no])[0] == result


def test_a_no_goes_ahead_by_the_vendors_own_call(app, zoe):
    change = Change(fields={"Name": "Z"}, consent=Consent.SUPPRESSED)
    written, calls = drive(app.update(zoe, change), [answer(), answer()])
    assert [(call.method, call.path) for call in calls] == [
        ("POST", f"/subscribers/{LIST}/unsubscribe.json"),
        ("PUT", f"/subscribers/{LIST}.json"),
    ]
    assert json.loads(calls[0].body) == {"EmailAddress": "Zoe.Brandt@example.org"}
    assert written.record.consent is Consent.UNSUBSCRIBED
    half = [answer(), shown("error_invalid_email", status=400)]
    assert drive(app.update(zoe, change), half)[0] == Unsure()


def test_who_said_no_is_not_asked_again(app):
    answers = [*KNOWN, shown("subscriber_unsubscribed"), shown("custom_fields")]
    (no,), _ = drive(app.get([f"{LIST}/no@example.org"]), answers)
    for consent in (Consent.UNSUBSCRIBED, Consent.SUBSCRIBED):
        written, calls = drive(app.update(no, Change(consent=consent)))
        assert (written.record, calls) == (no.record, [])


@pytest.mark.parametrize(
    ("field_id", "value"),
    [
        ("EmailAddress", None),
        ("Name", True),
        ("Name", (Item(value="1"),)),
        ("Text:website", "x" * 251),
        ("Text:website", True),
        ("Number:age", "seven"),
        ("Date:subscriptiondate", "1899-12-31"),
        ("Date:subscriptiondate", "2076-06-07"),
        ("Date:subscriptiondate", "soon"),
        ("MultiSelectOne:bread", "Corn"),
        (DAYS, "Monday"),
        (DAYS, (Item(value="Sunday"),)),
        ("Country:land", "Austria"),
        (SIZE, "M"),
        ("Text:nobody", "1"),
    ],
)
def test_a_value_without_a_form_is_refused_without_a_call(app, zoe, field_id, value):
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
    change = Change(fields={field_id: value})
    assert drive(app.update(zoe, change)) == (refused, [])


@pytest.mark.parametrize(
    ("name", "status", "meaning"),
    [
        ("error_too_many", 400, Meaning.REFUSED),
        ("error_expired_token", 401, Meaning.UNAUTHORISED),
        ("error_no_permission", 401, Meaning.FORBIDDEN),
        ("error_no_permission", 403, Meaning.FORBIDDEN),
        ("error_not_found", 404, Meaning.BROKEN),
        ("error_rate_limit", 429, Meaning.RATE_LIMITED),
        ("error_server", 500, Meaning.NO_ANSWER),
        ("error_server", 503, Meaning.UNAVAILABLE),
    ],
)
def test_every_documented_error_has_a_meaning(app, name, status, meaning):
    assert failing(app.verify(), [shown(name, status=status)], app=app) is meaning


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_page_of_something_in_between_is_not_the_vendors_word(app, status):
    assert (
        failing(app.verify(), [answer("<html>", status=status)], app=app)
        is Meaning.BROKEN
    )


def listing(people, *, total, size=1000, number=1) -> Answer:
    results = [{"EmailAddress": one, "State": "Active"} for one in people]
    body = {
        "Results": results,
        "PageNumber": number,
        "PageSize": size,
        "TotalNumberOfRecords": total,
    }
    return answer(body, headers=NOW)


def test_a_scan_reads_the_states_that_people_go_through_in_their_order(app):
    answers = [*KNOWN, shown("subscribers_none"), shown("custom_fields")]
    answers += [shown("subscribers_active")]
    page, calls = drive(app.scan(None), answers)
    assert [one.record_id for one in page.records] == [f"{LIST}/bare@example.org", ZOE]
    assert calls[-1].path == f"/lists/{LIST}/active.json"
    assert dict(calls[-1].query) == {
        "page": "1",
        "pagesize": "1000",
        "orderfield": "email",
        "orderdirection": "asc",
    }
    answers = [shown("subscribers_none"), shown("subscribers_bounced")]
    last, calls = drive(app.scan(page.next), answers)
    assert [one.consent for one in last.records] == [Consent.SUPPRESSED]
    assert [call.path.rpartition("/")[2] for call in calls] == [
        "unsubscribed.json",
        "bounced.json",
    ]
    assert vendors.decode_cursor(last.resume, Progress) == Progress(
        stage=Stage.CHANGES, since=NOON, swept=NOON
    )


def test_changes_read_everybody_and_the_deleted_of_lately(app):
    cursor = vendors.encode_cursor(
        Progress(stage=Stage.CHANGES, since=NOON, swept=NOON)
    )
    answers = [*KNOWN, shown("subscribers_none"), shown("custom_fields")]
    answers += [shown("subscribers_none")] * 3 + [shown("subscribers_deleted")]
    page, calls = drive(app.changes(cursor), answers)
    assert page.is_reread
    assert [one.presence for one in page.records] == [Presence.DELETED]
    assert page.resume is not None
    asked = [
        dict(call.query).get("date") for call in calls if "page" in dict(call.query)
    ]
    # Twelve hours, and ten minutes, before the last pass.
    assert asked == [None, None, None, None, "2026-02-10 23:50"]


@pytest.mark.parametrize(("ago_s", "is_due"), [(3_599, False), (3_600, True)])
def test_a_long_list_is_read_whole_the_more_seldom_the_longer_it_is(app, ago_s, is_due):
    since = Progress(
        stage=Stage.CHANGES,
        since=NOON - 300 * S,
        swept=NOON - ago_s * S,
        more_pages=120,
    )
    someone = listing(["a@example.org"], total=1)
    answers = [*KNOWN, someone, shown("custom_fields")]
    page, calls = drive(app.changes(vendors.encode_cursor(since)), answers)
    assert dict(calls[2].query)["date"] == "2026-02-10 23:45"
    following = vendors.decode_cursor(page.next, Progress)
    assert following.is_sweep is is_due
    assert following.state is (State.UNCONFIRMED if is_due else State.ACTIVE)
    assert following.more_pages == (0 if is_due else 120)


def test_pages_overlap_and_lead_back_where_people_have_moved(app):
    people = [f"p{n:04}@example.org" for n in range(2_000)]
    answers = [*KNOWN, shown("subscribers_none"), shown("custom_fields")]
    answers += [listing(people[:1000], total=2_000)]
    page, _ = drive(app.scan(None), answers)
    # Two of those who were shown are gone.
    there = people[2:]
    moved = [
        listing(there[999:1998], total=1_998, size=999, number=2),
        listing(there[995:1990], total=1_998, size=995, number=2),
    ]
    back, calls = drive(app.scan(page.next), moved)
    assert [dict(call.query)["pagesize"] for call in calls] == ["999", "995"]
    shown_ = [one.record_id.partition("/")[2] for one in back.records]
    assert shown_ == people[1000:1992]
    assert back.next is not None


def test_a_page_beyond_the_end_leads_back(app):
    people = [f"p{n:04}@example.org" for n in range(1_001)]
    answers = [*KNOWN, shown("subscribers_none"), shown("custom_fields")]
    page, _ = drive(app.scan(None), [*answers, listing(people[:1000], total=1_001)])
    there = people[3:]
    beyond = shown("error_invalid_page", status=400)
    answers = [beyond, listing(there[995:998], total=998, size=995, number=2)]
    back, _ = drive(app.scan(page.next), answers)
    assert [one.record_id.partition("/")[2] for one in back.records] == people[1000:]


@pytest.mark.parametrize(
    "bad",
    [
        listing(["a@example.org"], total=2),
        listing(["a@example.org"], total=1, size=999),
        listing(["a@example.org"], total=1, number=2),
        answer({"Results": []}),
    ],
)
def test_a_page_that_is_not_the_one_asked_for_is_broken(app, bad):
    assert failing(app.scan(None), [*KNOWN, bad]) is Meaning.BROKEN


def test_a_list_that_is_gone_is_gone_by(app):
    gone = "1" * 32
    progress = Progress(
        stage=Stage.SCAN, began=NOON, is_sweep=True, list_id=gone, offset=7
    )
    answers = [shown("clients"), shown("lists_two"), shown("subscribers_active")]
    answers.append(shown("custom_fields"))
    page, calls = drive(app.scan(vendors.encode_cursor(progress)), answers)
    assert calls[2].path == f"/lists/{OTHER}/unconfirmed.json"
    assert len(page.records) == 2


@pytest.mark.parametrize("cursor", ['{"stage": "scan", "offset": -1}', "[]"])
def test_a_cursor_of_no_place_asks_for_a_complete_scan(app, cursor):
    with pytest.raises(CallFailed) as failure:
        app.scan(cursor)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED


days = st.dates(*values.DATES).map(lambda day: day.isoformat())
numbers = st.integers().map(str) | st.decimals(
    allow_nan=False, allow_infinity=False, places=2
).map(lambda one: f"{one:f}")
SAMPLES = {
    "Text": st.text(min_size=1, max_size=250),
    "Date": days,
    "Number": numbers,
    "MultiSelectOne": st.sampled_from(["Rye", "Spelt"]),
    "MultiSelectMany": st.lists(
        st.sampled_from(["Rye", "Spelt"]), min_size=1, unique=True
    ).map(lambda texts: tuple(Item(value=text) for text in texts)),
}


@given(
    st.sampled_from(sorted(SAMPLES)).flatmap(
        lambda kind: st.tuples(st.just(kind), SAMPLES[kind])
    )
)
def test_a_value_that_is_written_reads_back(kind_and_value):
    kind, value = kind_and_value
    field = wire.Definition(
        field_name="f", key="[f]", data_type=kind, field_options=("Rye", "Spelt")
    )
    entries = values.write(field, value)
    assert entries is not None
    assert values.read(field, [str(one["Value"]) for one in entries]) == value
