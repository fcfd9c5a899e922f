"""The HubSpot emulator's door: logging in, tokens, call limits, searching."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from tests.contract import vendor_specs
from tests.contract.hubspot_caller import (
    CONTACTS,
    PROPERTIES,
    Caller,
    calling,
    description,
)
from tests.contract.vendor_openapi import OpenApi
from tests.emulators.core.limits import Limits
from tests.emulators.hubspot.settings import Settings

LIFETIME_S = 1800
CHANGED = "lastmodifieddate"


@pytest.fixture
async def hs() -> AsyncIterator[Caller]:
    """Yield an authorised caller; limits are the vendor's, time stands still."""
    async with calling(Settings()) as caller:
        yield caller


async def test_a_token_lives_half_an_hour_and_a_refresh_token_stays(hs: Caller) -> None:
    back = await hs.consent()
    assert back["state"] == "a state & more"
    tokens = (await hs.exchange(back["code"])).body
    assert tokens["expires_in"] == LIFETIME_S
    assert tokens["hub_id"] == hs.account.portal_id
    hs.token = tokens["access_token"]
    assert (await hs.call("GET", CONTACTS)).status == 200
    hs.emulator.clock.advance(LIFETIME_S)
    assert (await hs.call("GET", CONTACTS)).status == 401
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    for _ in range(2):
        renewed = (await hs.ask_token(**refresh)).body
        assert renewed["refresh_token"] == tokens["refresh_token"]
    hs.token = renewed["access_token"]
    assert (await hs.call("GET", CONTACTS)).status == 200


async def test_a_secret_that_is_wrong_gets_no_token(hs: Caller) -> None:
    code = (await hs.consent())["code"]
    refused = await hs.ask_token(
        grant_type="authorization_code", code=code, client_secret="guessed"
    )
    assert refused.status == 401


async def test_a_token_opens_what_was_agreed_to(hs: Caller) -> None:
    hs.token = hs.new_token(frozenset({"oauth", "crm.objects.contacts.read"}))
    assert (await hs.call("GET", CONTACTS)).status == 200
    body = {"properties": {"email": "ann@example.com"}}
    assert (await hs.call("POST", CONTACTS, body)).status == 403
    assert (await hs.call("GET", PROPERTIES)).status == 403


async def test_calls_are_counted_in_ten_seconds_and_the_answers_say_so(
    hs: Caller,
) -> None:
    hs.emulator.limiter.limits.requests_per_window = 2
    first = await hs.call("GET", CONTACTS)
    assert first.headers["X-HubSpot-RateLimit-Max"] == "2"
    assert first.headers["X-HubSpot-RateLimit-Remaining"] == "1"
    assert first.headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    assert (await hs.call("GET", CONTACTS)).status == 200
    refused = await hs.call("GET", CONTACTS)
    assert refused.status == 429
    assert refused.body["errorType"] == "RATE_LIMIT"
    assert refused.body["policyName"] == "TEN_SECONDLY_ROLLING"
    hs.emulator.clock.advance(10)
    assert (await hs.call("GET", CONTACTS)).status == 200
    hs.emulator.limiter.limits.requests_per_day = 0
    assert (await hs.call("GET", CONTACTS)).body["policyName"] == "DAILY"


async def test_searches_are_counted_by_the_second_and_say_nothing_of_it(
    hs: Caller,
) -> None:
    body: dict[str, Any] = {"limit": 1, "filterGroups": []}
    for _ in range(5):
        reply = await hs.call("POST", f"{CONTACTS}/search", body)
        assert reply.status == 200
        assert not any(name.startswith("X-HubSpot") for name in reply.headers)
    refused = await hs.call("POST", f"{CONTACTS}/search", body)
    assert (refused.status, refused.body["policyName"]) == (429, "SECONDLY")
    assert not any(name.startswith("X-HubSpot") for name in refused.headers)
    assert (await hs.call("GET", CONTACTS)).status == 200


async def test_a_search_ends_at_ten_thousand_results(hs: Caller) -> None:
    body: dict[str, Any] = {"limit": 200, "filterGroups": [], "after": "9800"}
    assert (await hs.call("POST", f"{CONTACTS}/search", body)).status == 200
    body["after"] = "9801"
    assert (await hs.call("POST", f"{CONTACTS}/search", body)).status == 400


async def test_a_search_finds_by_time_and_id_in_that_order(hs: Caller) -> None:
    ids = []
    for number in range(4):
        ids.append(await hs.create(f"p{number}@example.com"))
        hs.emulator.clock.advance(number % 2)
    at = (await hs.read(ids[1]))["properties"][CHANGED]
    since = {"propertyName": CHANGED, "operator": "GTE", "value": at}
    found = await hs.search(filterGroups=[{"filters": [since]}], sorts=[CHANGED])
    assert [one["id"] for one in found["results"]] == ids, (
        "the first two are of one time"
    )
    behind = {"propertyName": "hs_object_id", "operator": "GT", "value": ids[0]}
    groups = [{"filters": [since | {"operator": "LTE"}, behind]}]
    found = await hs.search(filterGroups=groups, sorts=["hs_object_id"])
    assert [one["id"] for one in found["results"]] == ids[1:2]
    page = await hs.search(limit=3)
    assert (page["total"], page["paging"]["next"]["after"]) == (4, "3")


async def test_a_search_is_behind_what_is_true(hs: Caller) -> None:
    hs.emulator.behaviour.search_lag_s = 60.0
    ann = await hs.create("ann@example.com")
    assert (await hs.search())["total"] == 0
    hs.emulator.clock.advance(60)
    assert (await hs.search())["total"] == 1
    await hs.done("PATCH", f"{CONTACTS}/{ann}", {"properties": {"city": "Graz"}})
    (found,) = (await hs.search(properties=["city"]))["results"]
    assert "city" not in found["properties"]
    assert (await hs.read(ann, "city"))["properties"]["city"] == "Graz"
    await hs.call("DELETE", f"{CONTACTS}/{ann}")
    assert (await hs.search())["total"] == 1
    hs.emulator.clock.advance(60)
    assert (await hs.search())["total"] == 0


# That the answers are checked.


@pytest.fixture
def described() -> OpenApi:
    """Return the vendor's descriptions, or skip the test that needs them."""
    return vendor_specs.needed(description())


async def test_every_route_was_checked(described: OpenApi) -> None:
    described.checked.clear()
    async with calling(Settings(limits=Limits())) as hs:
        ann, bob = [await hs.create(f"{name}@example.com") for name in ("ann", "bob")]
        await hs.done("GET", CONTACTS)
        await hs.done("GET", f"{CONTACTS}?archived=true")
        await hs.read(ann)
        await hs.done("PATCH", f"{CONTACTS}/{ann}", {"properties": {"city": "Graz"}})
        await hs.search()
        batch = {"inputs": [{"id": ann}], "properties": [], "propertiesWithHistory": []}
        await hs.done("POST", f"{CONTACTS}/batch/read", batch)
        batch = {"inputs": [{"id": ann, "properties": {"city": "Linz"}}]}
        await hs.done("POST", f"{CONTACTS}/batch/update", batch)
        new = {"properties": {"email": "eve@example.com"}, "associations": []}
        await hs.done("POST", f"{CONTACTS}/batch/create", {"inputs": [new]})
        await hs.done("GET", PROPERTIES)
        define = {"name": "a", "label": "A", "type": "string", "fieldType": "text"}
        await hs.done("POST", PROPERTIES, define)
        body = {"primaryObjectId": ann, "objectIdToMerge": bob}
        merged = await hs.done("POST", f"{CONTACTS}/merge", body)
        batch = {"inputs": [{"id": merged["id"]}]}
        await hs.done("POST", f"{CONTACTS}/batch/archive", batch)
        assert (await hs.call("DELETE", f"{CONTACTS}/{ann}")).status == 204
        expected = {
            (route.method, route.template.replace("contacts", "{objectType}"))
            if route.template == PROPERTIES
            else (route.method, route.template)
            for route in hs.emulator.host.routes()
            if route.template.startswith((CONTACTS, PROPERTIES))
        }
    assert {(method, path) for method, path, _ in described.checked} == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 17},
        {"createdAt": "yesterday"},
        {"properties": {"city": None}},
        {"nickname": "Ann"},
        {"archived": "no"},
    ],
)
def test_a_wrong_answer_would_be_noticed(
    described: OpenApi, changes: dict[str, Any]
) -> None:
    contact = {
        "id": "17",
        "properties": {"city": "Graz"},
        "createdAt": "2026-03-10T12:00:00.000Z",
        "updatedAt": "2026-03-10T12:00:00.000Z",
        "archived": False,
    }
    path = f"{CONTACTS}/17"
    described.check(method="GET", path=path, status=200, body=contact)
    with pytest.raises(jsonschema.ValidationError):
        described.check(method="GET", path=path, status=200, body=contact | changes)
