"""The emulator imports contacts as Constant Contact's description and guide say.

Whatever the caller receives under `/v3` is validated on the way.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.constant_contact_caller import Caller, calling
from tests.emulators.constant_contact.settings import Behaviour, Settings
from tests.emulators.core.limits import Limits

IMPORT = "/v3/activities/contacts_json_import"
ALL_SUBS = "custom_fields,list_memberships,phone_numbers,street_addresses"
NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def cc() -> AsyncIterator[Caller]:
    """Yield a caller of an account whose imports wait 10 s and take 20 s more."""
    behaviour = Behaviour(import_queue_s=10, import_s=20)
    async with calling(Settings(limits=Limits(), behaviour=behaviour)) as caller:
        caller.token = (await caller.authorize()).body["access_token"]
        yield caller


def order(cc: Caller, *rows: dict[str, Any]) -> dict[str, Any]:
    return {"import_data": rows, "list_ids": [cc.account.default_list.list_id]}


def emails(count: int) -> list[dict[str, Any]]:
    return [{"email": f"person{number}@example.com"} for number in range(count)]


async def started(cc: Caller, *rows: dict[str, Any]) -> str:
    reply = await cc.call("POST", IMPORT, order(cc, *rows))
    assert reply.status == 201, reply
    assert reply.body["state"] == "initialized"
    return f"/v3/activities/{reply.body['activity_id']}"


async def done(cc: Caller, *rows: dict[str, Any]) -> dict[str, Any]:
    """Import rows, wait until that is over, and return what is told of it."""
    path = await started(cc, *rows)
    cc.emulator.clock.advance(30)
    return await cc.get(path)


async def contact(cc: Caller, email: str) -> dict[str, Any]:
    (found,) = await cc.listed(f"status=all&email={email}&include={ALL_SUBS}")
    return found


async def test_an_import_is_queued_then_under_way_then_over(cc: Caller) -> None:
    path = await started(cc, *emails(4))
    assert (await cc.get(path))["state"] == "initialized"
    assert await cc.ids() == []
    cc.emulator.clock.advance(20)
    half = await cc.get(path)
    assert (half["state"], half["percent_done"]) == ("processing", 50)
    assert len(await cc.ids()) == 2, "rows are taken one after the other"
    cc.emulator.clock.advance(10)
    over = await cc.get(path)
    assert (over["state"], over["percent_done"]) == ("completed", 100)
    assert over["status"]["person_count"] == 4
    assert len(await cc.ids()) == 4


async def test_an_import_goes_on_whoever_looks(cc: Caller) -> None:
    await started(cc, *emails(2))
    cc.emulator.clock.advance(30)
    assert len(await cc.ids()) == 2


async def test_a_new_contact_may_be_mailed_and_is_on_the_lists(cc: Caller) -> None:
    await cc.call(
        "POST", "/v3/contact_custom_fields", {"label": "A b", "type": "string"}
    )
    row = {
        "email": "ann@example.com",
        "first_name": "Ann",
        "birthday_month": 2,
        "birthday_day": 29,
        "anniversary": "3/7/2015",
        "work_phone": "617-555-0100",
        "phone": "617-555-0101",
        "work_street": "1 Elm St",
        "work_street2": "Apt. 3",
        "work_zip": "02110",
        "city": "Graz",
        "home country": "Austria",
        "cf:A_b": "gold",
    }
    await done(cc, row)
    ann = await contact(cc, "ann@example.com")
    assert ann["email_address"]["permission_to_send"] == "implicit"
    assert ann["email_address"]["opt_in_source"] == "Account"
    assert ann["create_source"] == "Account"
    assert ann["list_memberships"] == [cc.account.default_list.list_id]
    assert ann["anniversary"] == "2015-03-07"
    phones = {one["kind"]: one["phone_number"] for one in ann["phone_numbers"]}
    assert phones == {"work": "617-555-0100", "other": "617-555-0101"}
    (work,) = (one for one in ann["street_addresses"] if one["kind"] == "work")
    assert (work["street"], work["postal_code"]) == ("1 Elm St Apt. 3", "02110")
    assert [one["value"] for one in ann["custom_fields"]] == ["gold"]


async def test_who_is_there_is_written_over_in_part(cc: Caller) -> None:
    before = await cc.create("ann@example.com", first_name="Ann", last_name="Émond")
    await done(cc, {"email": "ANN@example.com", "first_name": "Other"})
    ann = await contact(cc, "ann@example.com")
    assert ann["contact_id"] == before["contact_id"]
    assert (ann["first_name"], ann["last_name"]) == ("Other", "Émond")
    assert ann["created_at"] == before["created_at"]


async def test_who_was_deleted_is_brought_back(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    await cc.act("delete", email="ann@example.com")
    await done(cc, {"email": "ann@example.com"})
    assert await cc.ids() == [ann["contact_id"]]


async def test_who_opted_out_is_put_on_no_list(cc: Caller) -> None:
    await cc.create("ann@example.com")
    await cc.act("unsubscribe", email="ann@example.com")
    told = await done(cc, {"email": "ann@example.com", "first_name": "Ann"})
    assert told["status"]["cannot_add_to_list_count"] == 1
    ann = await contact(cc, "ann@example.com")
    assert ann["email_address"]["permission_to_send"] == "unsubscribed"
    assert ann["list_memberships"] == []


async def test_what_is_wrong_with_rows_is_counted_and_the_others_are_taken(
    cc: Caller,
) -> None:
    told = await done(
        cc,
        {"email": "nobody"},
        {"first_name": "Ann"},
        {"email": "a@example.com", "birthday_month": 2},
        {"email": "b@example.com", "anniversary": "soon"},
        {"email": "c@example.com", "last_name": "x" * 51},
        {"email": f"{'d' * 50}@example.com"},
        {"email": "e@example.com", "cf:no_such": "x"},
        {"email": "f@example.com", "home_phone": "+43 316 555 0100"},
    )
    assert told["state"] == "completed"
    assert told["status"]["correctable_count"] == 4
    assert told["status"]["error_count"] == 3
    (taken,) = await cc.listed("include=phone_numbers")
    assert taken["email_address"]["address"] == "f@example.com"
    assert taken["phone_numbers"] == [], "no numbers from abroad"


async def test_what_is_beyond_four_megabytes_is_dropped_in_silence(cc: Caller) -> None:
    rows = [
        {"email": f"person{number}@example.com", "street": "x" * 255}
        for number in range(14_000)
    ]
    told = await done(cc, *rows)
    assert told["state"] == "completed"
    assert 12_000 < told["status"]["person_count"] < 14_000
    assert told["status"]["error_count"] == 0


@pytest.mark.parametrize("state", ["cancelled", "failed", "timed_out"])
async def test_an_import_may_end_half_done(cc: Caller, state: str) -> None:
    cc.emulator.behaviour.imports_end_as = state  # type: ignore[assignment]
    cc.emulator.behaviour.imports_stop_after = 3
    told = await done(cc, *emails(5))
    assert told["state"] == state
    assert told["activity_errors"]
    assert len(await cc.ids()) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"list_ids": []},
        {"list_ids": [NO_SUCH_ID]},
        {"import_data": []},
        {"import_data": ["ann@example.com"]},
        {"import_data": [{"email": ["ann@example.com"]}]},
    ],
)
async def test_an_order_without_sense_is_refused(
    cc: Caller, changes: dict[str, Any]
) -> None:
    reply = await cc.call("POST", IMPORT, order(cc, *emails(1)) | changes)
    assert reply.status == 400
    assert (await cc.get("/v3/activities"))["activities"] == []


async def test_too_many_that_wait_are_told_from_too_many_calls(cc: Caller) -> None:
    for _ in range(1_000):
        await started(cc, *emails(1))
    reply = await cc.call("POST", IMPORT, order(cc, *emails(1)))
    assert reply.status == 429
    assert reply.body["error_key"] not in ("throttled", "quota_exceeded")


async def test_activities_are_listed_by_page_and_state_for_ten_days(cc: Caller) -> None:
    for _ in range(3):
        await started(cc, *emails(1))
    page = await cc.get("/v3/activities?limit=2")
    assert [one["state"] for one in page["activities"]] == ["initialized"] * 2
    rest = await cc.get(page["_links"]["next"]["href"])
    assert len(rest["activities"]) == 1
    cc.emulator.clock.advance(15)
    running = await cc.get("/v3/activities?state=processing")
    assert len(running["activities"]) == 3
    refused = await cc.call("GET", "/v3/activities?state=initialized")
    assert refused.status == 400, "the contract has no such filter"
    cc.emulator.clock.advance(11 * 86_400)
    cc.token = cc.emulator.issue(cc.account, frozenset({"contact_data"})).access_token
    assert (await cc.get("/v3/activities"))["activities"] == []
