"""Constant Contact's import against its emulator: what it says, and how it ends."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from proto.fields import Address, Item
from proto.record import Consent, Presence
from services.connector.apps.constant_contact.imports import (
    BYTES_MAX,
    TOGETHER_MIN,
    WAITS_S,
)
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Alone,
    BatchResult,
    Call,
    Exists,
    NewRecord,
    Unsure,
    Written,
)
from tests.contract.constant_contact import app_that_knows_its_account, shown
from tests.contract.constant_contact_account import people
from tests.contract.constant_contact_caller import swagger
from tests.contract.constant_contact_imports import (
    IMPORT,
    LIST,
    SOME,
    YES,
    Account,
    connected,
    email_of,
    new_person,
)
from tests.contract.driving import answer, drive

PHONES, ADDRESSES = "phone_numbers", "street_addresses"


async def test_some_are_made_by_five_calls_and_told_once_they_were_read():
    async with connected(import_queue_s=1, import_s=3) as vendor:
        results = await vendor.make(vendor.some())
        asked = [path.partition("?")[0] for path in vendor.asked()]
        looks = [
            path for path in asked if "/activities/" in path and IMPORT not in path
        ]
        assert [path for path in asked if path not in looks] == [
            "GET /contact_custom_fields",
            "GET /activities",
            "GET /contacts",
            f"POST {IMPORT}",
            "GET /contacts",
        ]
        assert len(looks) == 3, "after 1, 3 and 6 seconds"
        for new, result in zip(vendor.some(), results, strict=True):
            assert isinstance(result, Written)
            assert result.is_read_after, "an edit since would show as ours"
            assert result.record.fields["email"] == new.fields["email"]
            assert result.record.consent is YES
            assert result.record.containers == (vendor.default_list,)
            assert (await vendor.read(result.record.record_id))[0].record == (
                result.record
            )


async def test_a_row_says_all_that_is_known_of_somebody():
    async with connected() as vendor:
        await vendor.define("Shoe size", type="string")
        (field,) = [
            one.field_id
            for one in await vendor.run(vendor.app.describe_fields())
            if one.label == "Shoe size"
        ]
        fields = {
            "last_name": "Брандт",
            "birthday": "--02-29",
            "anniversary": "2019-06-05",
            PHONES: (Item(value="617-555-0100", label="mobile"),),
            ADDRESSES: (
                Item(
                    value=Address(
                        street="1 Elm St",
                        city="Boston",
                        region="MA",
                        postal_code="02110",
                        country="USA",
                    ),
                    label="work",
                ),
            ),
            field: "42",
            "job_title": None,
        }
        fair = await vendor.new_list("Fair")
        lists = (vendor.default_list, fair)
        news = [new_person(n, lists=lists, **fields) for n in range(SOME)]
        results = await vendor.make(news)
        (sent,) = [call for call in vendor.calls if call.is_write]
        assert sent.body is not None
        body = json.loads(sent.body)
        check_described(body)
        assert body["list_ids"] == [*lists]
        assert body["import_data"][7] == {
            "email": email_of(7),
            "first_name": "Person",
            "last_name": "Брандт",
            "birthday_month": 2,
            "birthday_day": 29,
            "anniversary": "2019-06-05",
            "mobile_phone": "617-555-0100",
            "work_street": "1 Elm St",
            "work_city": "Boston",
            "work_state": "MA",
            "work_zip": "02110",
            "work_country": "USA",
            "cf:Shoe_size": "42",
        }
        for new, result in zip(news, results, strict=True):
            assert isinstance(result, Written)
            shown = result.record.fields
            assert {name: shown[name] for name in new.fields} == new.fields
            assert set(result.record.containers) == set(lists)


def check_described(body: Any) -> None:
    """Check the body of an import against the vendor's description, if it is there."""
    if (description := swagger()) is None:
        return
    for row in body["import_data"]:
        # The description has one such name, as an example of them all.
        named = {"cf:custom_field_name": row["cf:Shoe_size"]}
        others = {name: row[name] for name in row if name != "cf:Shoe_size"}
        description.check_definition("JsonImportContact", others | named)
    description.check_definition("ContactsJsonImport", {**body, "import_data": []})


async def test_no_address_is_remembered_as_such_or_told():
    """In memory they are numbers that no other process can make of them."""
    async with connected() as vendor:
        vendor.seed(people(range(100, 110)))
        vendor.fault(kind="timeout", method="POST", delay_s=0.0, count=1)
        with pytest.raises(CallFailed) as failure:
            await vendor.make(vendor.some())
        assert "person" not in f"{failure.value} {failure.value.detail}"
        vendor.restart()
        await vendor.make(vendor.some())
        known = vars(vendor.app._imports._addresses)
        assert email_of(3) in vendor.app._imports._addresses
        assert not any("@" in repr(value) for value in known.values())


async def test_more_than_the_vendor_would_take_in_silence_is_not_sent():
    """Beyond 4 MB it drops them; those left over are created alone."""
    async with connected() as vendor:
        labels = [f"Field {number}" for number in range(24)]
        for label in labels:
            await vendor.define(label, type="text_area")
        described = await vendor.run(vendor.app.describe_fields())
        long = {
            one.field_id: "\U00020000" * 255 for one in described if one.label in labels
        }
        results = await vendor.make([vendor.new(n, **long) for n in range(400)])
        made = [one for one in results if isinstance(one, Written)]
        assert 100 < len(made) < 200
        (sent,) = [call for call in vendor.calls if call.is_write]
        assert sent.body is not None
        assert len(sent.body) < BYTES_MAX + 1_000 < 4_000_000
        assert len(vendor.emails()) == len(made)
        assert results.count(Alone()) == 400 - len(made)


# Nobody who is there is written over or brought back


async def test_who_is_there_or_was_deleted_is_left_alone():
    async with connected() as vendor:
        vendor.seed(people((3, 4, 5)))
        vendor.act("delete", email=email_of(4))
        vendor.act("unsubscribe", email=email_of(5))
        before = {n: vendor.contact(email_of(n)) for n in (3, 4, 5)}
        results = await vendor.make(vendor.some())
        assert [n for n, one in enumerate(results) if one == Alone()] == [3, 4, 5]
        assert sum(isinstance(one, Written) for one in results) == SOME - 3
        assert {n: vendor.contact(email_of(n)) for n in (3, 4, 5)} == before
        (groups,) = vendor.app.together([vendor.new(n) for n in range(3, SOME * 2)])
        assert [3 + place for place in groups] == [*range(SOME, SOME * 2)], (
            "nor are they looked for again, nor who was just made"
        )


async def test_a_second_import_looks_at_what_changed_alone():
    async with connected() as vendor:
        vendor.seed(people(range(100, 1_700)))
        await vendor.make(vendor.some())
        assert len([one for one in vendor.asked() if one == "GET /contacts"]) == 2
        vendor.act(
            "create", contact=people((SOME + 3,))[0] | {"create_source": "Account"}
        )
        results = await vendor.make([vendor.new(n) for n in range(SOME, 2 * SOME)])
        assert results[3] == Alone()
        assert len([one for one in vendor.asked() if one == "GET /contacts"]) == 2


async def test_who_comes_while_a_long_look_lasts_is_seen_by_another():
    """Here on a page that was read by then."""
    async with connected() as vendor:
        vendor.seed(people(range(1_000, 4_000)))

        def change(call: Call) -> None:
            if call.from_origin:
                vendor.before = None
                vendor.act("change_email", email=email_of(1_000), address=email_of(3))
                vendor.emulator.clock.advance(6)

        vendor.before = change
        results = await vendor.make(vendor.some())
        assert vendor.before is None
        assert [n for n, one in enumerate(results) if one == Alone()] == [3]
        assert vendor.contact(email_of(3))["last_name"] == "1000"


async def test_an_account_is_not_gone_through_where_that_costs_more_than_it_saves():
    async with connected() as vendor:
        vendor.seed(people(range(1_000, 13_000)))
        few = vendor.some(TOGETHER_MIN + 5)
        assert set(await vendor.make(few)) == {Alone()}
        assert vendor.asked()[-1] == "GET /contacts"
        assert vendor.app.together(few) == [], "which is remembered"
        assert isinstance((await vendor.make(vendor.some(60)))[0], Written)


def entered(number: int) -> dict[str, Any]:
    return {
        "email_address": {"address": email_of(number), "permission_to_send": "not_set"},
        "first_name": "Entered",
        "create_source": "Account",
    }


async def met(
    vendor: Account, happen: Callable[[], object], *, at: Callable[[Call], bool]
) -> BatchResult:
    """Import some, have something happen before a call; return the third's result."""

    def watch(call: Call) -> None:
        if at(call):
            vendor.before = None
            happen()

    vendor.before = watch
    results = await vendor.make(vendor.some())
    assert vendor.before is None
    assert all(isinstance(one, Written) for one in results[:3] + results[4:])
    return results[3]


def at_import(call: Call) -> bool:
    return call.is_write


def at_reading(call: Call) -> bool:
    return ("status", "all") in call.query and "include" in dict(call.query)


async def test_who_comes_after_the_look_is_not_told_to_be_made_by_us():
    """They are written over, as by any write without a condition; see the README."""
    async with connected(import_queue_s=1) as vendor:

        def enter() -> None:
            vendor.act("create", contact=entered(3))
            vendor.emulator.clock.advance(2)

        result = await met(vendor, enter, at=at_import)
        assert result == Exists(record_id=vendor.contact(email_of(3))["contact_id"])


@pytest.mark.parametrize(
    ("act", "about"),
    [
        ("edit", {"changes": {"first_name": "Edited"}}),
        ("edit", {"changes": {"list_memberships": []}}),
        ("delete", {}),
    ],
)
async def test_who_is_changed_before_they_were_read_is_met_as_somebody_else(act, about):
    async with connected() as vendor:
        result = await met(
            vendor,
            lambda: vendor.act(act, email=email_of(3), **about),
            at=at_reading,
        )
        (there,) = [
            one["contact"]
            for one in vendor.shown()
            if one["contact"]["email_address"]["address"] == email_of(3)
        ]
        assert result == Exists(record_id=there["contact_id"])
        (snapshot,) = await vendor.read(there["contact_id"])
        is_gone = snapshot.record.presence is Presence.DELETED
        assert is_gone == (act == "delete"), "and nobody is brought back"


async def test_who_opts_out_before_they_were_read_is_told_to_have():
    async with connected() as vendor:
        result = await met(
            vendor,
            lambda: vendor.act("unsubscribe", email=email_of(3)),
            at=at_reading,
        )
        assert isinstance(result, Written)
        assert result.record.consent is Consent.UNSUBSCRIBED


# How an import ends, or does not


@pytest.mark.parametrize("state", ["completed", "cancelled", "failed", "timed_out"])
async def test_who_is_not_there_once_it_is_over_is_created_alone(state):
    async with connected(imports_end_as=state, imports_stop_after=7) as vendor:
        results = await vendor.make(vendor.some())
        assert all(isinstance(one, Written) for one in results[:7])
        assert set(results[7:]) == {Alone()}
        assert vendor.app.together(vendor.some()) == [], "and by no other import"


async def test_one_that_is_not_over_in_time_tells_of_nobody():
    async with connected(import_s=600) as vendor:
        results = await vendor.make(vendor.some())
        assert set(results) == {Unsure()}
        others = [vendor.new(n) for n in range(SOME, 2 * SOME)]
        assert vendor.app.together(others) == [], "the next would last as long"
        looks = [call for call in vendor.calls if call.path.startswith("/activities/")]
        assert len(looks) == 1 + len(WAITS_S)
        assert [call.wait_s for call in looks[1:]] == [*WAITS_S]
        (there, *_), absent = sorted(vendor.emails()), email_of(SOME - 1)
        assert len(await vendor.run(vendor.app.find_by_email([there]))) == 1
        for _ in range(2):
            with pytest.raises(CallFailed) as failure:
                await vendor.run(vendor.app.find_by_email([there, absent]))
            assert failure.value.meaning is Meaning.UNSETTLED
            vendor.restart()
        assert set(await vendor.make(others)) == {Alone()}, "not two at once"
        assert vendor.posts() == [IMPORT]
        vendor.emulator.clock.advance(600)
        found = await vendor.run(vendor.app.find_by_email([there, absent]))
        assert len(found) == 2


@pytest.mark.parametrize("is_queued", [True, False])
async def test_a_lost_answer_is_settled_by_the_list_of_activities(is_queued):
    """Also by another process: nothing has to be remembered."""
    async with connected(import_queue_s=60) as vendor:
        kind = "applied_but_lost" if is_queued else "timeout"
        vendor.fault(kind=kind, method="POST", delay_s=0.0)
        with pytest.raises(CallFailed) as failure:
            await vendor.make(vendor.some())
        assert failure.value.meaning is Meaning.NO_ANSWER
        assert vendor.posts() == [IMPORT]
        vendor.restart()
        look = vendor.app.find_by_email
        if is_queued:
            with pytest.raises(CallFailed) as failure:
                await vendor.run(look([email_of(3)]))
            assert failure.value.meaning is Meaning.UNSETTLED
            vendor.emulator.clock.advance(60)
        found = await vendor.run(look([email_of(3)]))
        assert len(found) == is_queued


async def test_an_import_that_is_refused_leaves_everybody_to_be_created_alone():
    async with connected() as vendor:
        news = [new_person(n, lists=("no-list",)) for n in range(SOME)]
        assert set(await vendor.make(news)) == {Alone()}
        assert vendor.app.together(news) == []
        assert vendor.emails() == set()


@pytest.mark.parametrize("path", ["/activities", IMPORT])
async def test_who_may_not_import_creates_one_by_one(path):
    """No permission for imports is none of a person's faults."""
    async with connected() as vendor:
        vendor.fault(kind="status", path=f"/v3{path}", status=403)
        assert set(await vendor.make(vendor.some())) == {Alone()}
        assert vendor.emails() == set()


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_what_is_no_matter_of_imports_keeps_everybody_waiting(status):
    async with connected() as vendor:
        vendor.fault(kind="status", path="/v3/activities", status=status)
        with pytest.raises(CallFailed):
            await vendor.make(vendor.some())


async def test_too_many_that_wait_at_the_vendor_are_no_reason_to_wait():
    async with connected() as vendor:
        vendor.fault(kind="status", method="POST", status=429)
        body = {"error_key": "too_many_activities", "error_message": "..."}
        news = vendor.some()
        assert set(refused(vendor, news, body)) == {Alone()}


@pytest.mark.parametrize(
    ("body", "meaning"),
    [
        ({"error_key": "throttled"}, Meaning.RATE_LIMITED),
        ({"error_key": "quota_exceeded"}, Meaning.QUOTA_EXHAUSTED),
        ("<html>", Meaning.RATE_LIMITED),
    ],
)
async def test_too_many_calls_are_what_they_are_everywhere(body, meaning):
    async with connected() as vendor:
        with pytest.raises(CallFailed) as failure:
            refused(vendor, vendor.some(), body)
        assert failure.value.meaning is meaning
        assert vendor.app.together(vendor.some()), "they may go by the next one"


def refused(vendor: Account, news: list[NewRecord], body: object) -> Any:
    """Drive an import up to its call, and refuse that with 429."""
    empty = {"contacts": [], "contacts_count": 0}
    now = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
    results, _ = drive(
        vendor.app.create_many(news),
        [
            answer({"custom_fields": []}),
            answer({"activities": []}),
            answer(empty, headers=now),
            answer(body, status=429),
        ],
        app=vendor.app,
    )
    return results


def test_answers_as_the_contract_has_them_are_understood():
    """All are met who are there, and none of them was made; one is not there."""
    app = app_that_knows_its_account()
    news = [new_person(number) for number in range(SOME - 1)]
    news.append(new_person(SOME, email="li.wei@example.net"))
    results, calls = drive(
        app.create_many(news),
        [
            shown("activities"),
            shown("contacts_empty"),
            shown("activity_queued", status=201),
            shown("activity_queued"),
            shown("activity_completed"),
            shown("contacts_last"),
        ],
    )
    assert set(results[:-1]) == {Alone()}
    assert isinstance(results[-1], Exists), "who was made long before"
    assert ("updated_after", "2026-02-11T11:59:58.000Z") in calls[-1].query


def test_who_is_deleted_was_not_made_whatever_they_show():
    deleted = {
        "contact_id": LIST,
        "email_address": {"address": email_of(3), "permission_to_send": "implicit"},
        "first_name": "Person",
        "list_memberships": [LIST],
        "created_at": "2026-02-11T12:00:05Z",
        "deleted_at": "2026-02-11",
    }
    for about, kind in (({}, Exists), ({"deleted_at": None}, Written)):
        results, _ = drive(
            app_that_knows_its_account().create_many(
                [new_person(number) for number in range(SOME)]
            ),
            [
                shown("activities"),
                shown("contacts_empty"),
                shown("activity_queued", status=201),
                shown("activity_completed"),
                answer({"contacts": [deleted | about]}),
            ],
        )
        assert isinstance(results[3], kind)


async def test_without_the_vendors_clock_nobody_is_imported():
    """Nothing tells then from when on to look the next time."""
    async with connected() as vendor:
        results, _ = drive(
            vendor.app.create_many(vendor.some()),
            [
                answer({"custom_fields": []}),
                answer({"activities": []}),
                answer({"contacts": [], "contacts_count": 0}),
            ],
        )
        assert set(results) == {Alone()}


async def test_an_account_that_was_not_shown_whole_has_nobody_imported():
    """Whoever was left out would be written over, or brought back (hazard 25)."""
    (one,) = people((7,))
    page = {"contacts": [one | {"contact_id": LIST}], "contacts_count": 2}
    now = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
    app = app_that_knows_its_account()
    news = [new_person(number) for number in range(SOME)]
    answers = [shown("activities"), answer(page, headers=now)]
    results, _ = drive(app.create_many(news), answers)
    assert set(results) == {Alone()}
    assert app.together(news) == []


async def test_after_one_whose_end_is_not_told_nobody_is_imported_for_a_while():
    """Each of them would be looked for by a call, and they would be no fewer."""
    async with connected() as vendor:
        rule = {"kind": "status", "method": "GET", "status": 500}

        def spoil(call: Call) -> None:
            if call.is_write:
                vendor.fault(**rule)

        vendor.before = spoil
        with pytest.raises(CallFailed):
            await vendor.make(vendor.some())
        others = [vendor.new(n) for n in range(SOME, 2 * SOME)]
        assert vendor.app.together(others) == []
        vendor.restart()
        assert vendor.app.together(others) != []


async def test_a_state_that_nobody_knows_is_not_over():
    async with connected() as vendor:
        found = {"activity_id": LIST, "state": "paused"}
        results, _ = drive(
            vendor.app.create_many(vendor.some()),
            [answer({"custom_fields": []}), answer({"activities": [found]})],
        )
        assert set(results) == {Alone()}
