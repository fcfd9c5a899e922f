"""The emulator answers as Dotloop's guide and the reports of its clients demand.

The shape of its answers is compared with the guide's sample bodies, as a client's test
suite repeats them.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from tests.contract import emulator_caller, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.emulators.core.emulator import serving
from tests.emulators.core.limits import Limits
from tests.emulators.dotloop.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    Emulator,
)
from tests.emulators.dotloop.settings import Settings

CALLBACK = "http://127.0.0.1/callback"
NOON_S = 1_770_811_200
CONTACT = "/public/v2/contact"
FULL = {
    "firstName": "Ann",
    "lastName": "Émond",
    "email": "ann@example.org",
    "home": "(415) 5550100",
    "office": "(415) 5550101",
    "fax": "(415) 5550102",
    "address": "1 Elm St",
    "city": "Boston",
    "zipCode": "02110",
    "state": "MA",
    "country": "US",
}


class Caller(emulator_caller.Caller):
    """One authorised application."""

    emulator_kind = Emulator

    async def listed(self, query: str = "") -> list[dict[str, Any]]:
        reply = await self.call("GET", f"{CONTACT}?{query}")
        assert reply.status == 200, reply
        return reply.body["data"]

    async def authorise(self, decision: str = "approve", **changes: str) -> Reply:
        """Open the consent page as a browser would, and decide."""
        query = {
            "response_type": "code",
            "client_id": "emulated-client",
            "redirect_uri": CALLBACK,
            "state": "a state & more",
        } | changes
        page = await self.send("GET", f"{AUTHORIZE_PATH}?{urlencode(query)}")
        if page.status != 200:
            return page
        account_id = self.account.account_id
        form = query | {"account_id": account_id, "decision": decision}
        return await self.send("POST", AUTHORIZE_PATH, data=form)

    async def ask_token(self, *, secret: str = "emulated-secret", **fields: str):
        """Send the parameters in the query, as the guide's samples have it."""
        login = aiohttp.encode_basic_auth("emulated-client", secret)
        path = f"{TOKEN_PATH}?{urlencode(fields)}"
        return await self.send("POST", path, headers={"Authorization": login})

    async def log_in(self) -> dict[str, Any]:
        code = back(await self.authorise())["code"]
        reply = await self.ask_token(
            grant_type="authorization_code", code=code, redirect_uri=CALLBACK
        )
        assert reply.status == 200, reply
        self.token = reply.body["access_token"]
        return reply.body


def back(reply: Reply) -> dict[str, str]:
    """Return what a redirect to the application carries."""
    assert reply.status == 302, reply
    assert reply.headers["Location"].startswith(CALLBACK)
    return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


@pytest.fixture
async def vendor() -> AsyncIterator[Caller]:
    """Yield an authorised caller; time stands still, and calls are not limited."""
    settings = Settings(limits=Limits(window_s=60.0))
    async with (
        serving(Emulator(settings)) as emulator,
        aiohttp.ClientSession() as session,
    ):
        emulator.clock.freeze(NOON_S)
        caller = Caller(emulator, session)
        await caller.log_in()
        yield caller


def shape(value: Any) -> Any:
    """Return a body with types in the place of values, the first row for all."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    return type(value)


@pytest.mark.parametrize(
    ("sample", "method", "path", "status"),
    [
        ("get__account", "GET", "/public/v2/account", 200),
        ("get__contact", "GET", CONTACT, 200),
        ("get__contact__3603862", "GET", f"{CONTACT}/3603862", 200),
        ("post__contact", "POST", CONTACT, 201),
        ("patch__contact__3603862", "PATCH", f"{CONTACT}/3603862", 200),
    ],
)
async def test_answers_have_the_shape_of_the_guides_samples(
    vendor, sample, method, path, status
):
    name = f"fixtures-dotloop-ruby/{sample}.json"
    found = vendor_specs.needed(vendor_specs.find("dotloop", name))
    made = await vendor.call("POST", CONTACT, FULL)
    assert made.body["data"]["id"] == 3603862
    reply = await vendor.call(method, path, FULL if method[0] == "P" else None)
    assert reply.status == status
    assert shape(reply.body) == shape(json.loads(found.read_text()))


async def test_a_change_touches_what_it_mentions_alone(vendor):
    made = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    vendor.emulator.clock.advance(60)
    path = f"{CONTACT}/{made['id']}"
    body = {"city": "", "fax": None, "home": "1", "nickname": "A"}
    changed = (await vendor.call("PATCH", path, body)).body["data"]
    expected = made | {"home": "1", "updated": "2026-02-11T12:01:00Z"}
    del expected["city"]
    assert changed == expected
    assert (await vendor.call("GET", path)).body["data"] == changed


async def test_an_address_may_be_in_several_contacts(vendor):
    ids = {
        (await vendor.call("POST", CONTACT, FULL)).body["data"]["id"] for _ in range(2)
    }
    assert len(ids) == 2


async def test_a_deletion_is_for_good_and_shows_nowhere(vendor):
    made = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    path = f"{CONTACT}/{made['id']}"
    reply = await vendor.call("DELETE", path)
    assert (reply.status, reply.body) == (204, "")
    for method in ("GET", "PATCH", "DELETE"):
        assert (await vendor.call(method, path, {})).status == 404
    assert await vendor.listed() == []
    assert await vendor.listed("filter=updated_min=2020-01-01T00:00:00Z") == []
    again = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    assert again["id"] != made["id"]


async def test_batches_have_numbers_and_a_greatest_size(vendor):
    for number in range(120):
        await vendor.call("POST", CONTACT, {"firstName": str(number)})
    for size, counts in ((50, (50, 50, 20, 0)), (100, (50, 50, 20, 0)), (7, (7,))):
        for number, count in enumerate(counts, 1):
            query = f"batch_size={size}&batch_number={number}"
            reply = await vendor.call("GET", f"{CONTACT}?{query}")
            assert len(reply.body["data"]) == count
            assert reply.body["meta"] == {"total": 120}


async def test_changes_are_those_from_a_second_on(vendor):
    first = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    vendor.emulator.clock.advance(60)
    second = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    for since, expected in (
        ("2026-02-11T12:00:00Z", [first, second]),
        ("2026-02-11T12:00:01Z", [second]),
        ("2026-02-11T12:01:01Z", []),
    ):
        assert await vendor.listed(f"filter=updated_min={since}") == expected
        assert await vendor.listed(f"filter=updated_min%3D{since}") == expected


@pytest.mark.parametrize(
    "query",
    [
        "filter=updated_min=2026-02-11T12:00:00.000Z",
        "filter=updated_min=2026-02-30T12:00:00Z",
        "filter=updated_min=",
        "filter=email=ann@example.org",
        "batch_size=0",
        "batch_number=0",
        "batch_number=x",
        "limit=5",
    ],
)
async def test_a_query_that_is_none_is_refused(vendor, query):
    assert (await vendor.call("GET", f"{CONTACT}?{query}")).status == 400


@pytest.mark.parametrize("body", [{"home": 7}, [], "text", {"email": {"a": "b"}}])
async def test_a_body_that_is_none_is_refused_and_leaves_no_trace(vendor, body):
    assert (await vendor.call("POST", CONTACT, body)).status == 400
    assert await vendor.listed() == []


async def test_a_user_has_a_hundred_calls_a_minute(vendor):
    vendor.emulator.limiter.limits.requests_per_window = 100
    vendor.emulator.limiter.reset()
    for left in range(99, -1, -1):
        reply = await vendor.call("GET", "/public/v2/account")
        assert reply.headers["X-RateLimit-Remaining"] == str(left)
    vendor.emulator.clock.advance(20)
    reply = await vendor.call("GET", "/public/v2/account")
    assert reply.status == 429
    assert reply.headers["X-RateLimit-Limit"] == "100"
    assert reply.headers["X-RateLimit-Reset"] == "40000"
    vendor.emulator.clock.advance(40)
    assert (await vendor.call("GET", "/public/v2/account")).status == 200


async def test_a_user_and_a_client_have_one_access_token(vendor):
    first = await vendor.log_in()
    assert first["scope"] == (
        "account:read, contact:*, loop:*, profile:*, template:read"
    )
    assert first["expires_in"] == 43_199
    fields = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await vendor.ask_token(**fields)).body
    assert second["refresh_token"] == first["refresh_token"]
    for token, status in ((first, 401), (second, 200)):
        vendor.token = token["access_token"]
        assert (await vendor.call("GET", CONTACT)).status == status
    third = await vendor.log_in()
    vendor.token = second["access_token"]
    reply = await vendor.call("GET", CONTACT)
    assert (reply.status, reply.body["error"]) == (401, "invalid_token")
    assert (await vendor.ask_token(**fields)).status == 200
    vendor.token = third["access_token"]
    assert (await vendor.call("GET", CONTACT)).status == 401


async def test_the_client_has_to_prove_itself(vendor):
    fields = {"grant_type": "refresh_token", "refresh_token": "x"}
    reply = await vendor.ask_token(secret="wrong", **fields)
    assert (reply.status, reply.body["error"]) == (401, "invalid_client")


async def test_who_denies_goes_back_only_where_that_was_asked_for(vendor):
    stays = await vendor.authorise("deny")
    assert (stays.status, "Location" in stays.headers) == (200, False)
    goes = await vendor.authorise("deny", redirect_on_deny="true")
    assert back(goes) == {"error": "access_denied", "state": "a state & more"}


async def test_a_wish_for_scopes_is_refused(vendor):
    assert back(await vendor.authorise(scope="contact:read"))["error"] == (
        "invalid_scope"
    )


async def test_another_users_contacts_are_not_shown(vendor):
    made = (await vendor.call("POST", CONTACT, FULL)).body["data"]
    vendor.account = vendor.emulator.open_account("Somebody Else")
    await vendor.log_in()
    assert await vendor.listed() == []
    path = f"{CONTACT}/{made['id']}"
    assert (await vendor.call("GET", path)).status == 404


async def test_people_do_things_in_the_vendors_own_pages(vendor):
    path = f"/_emulator/accounts/{vendor.account.account_id}"
    seeded = await vendor.send(
        "POST", f"{path}/contacts", json=[FULL | {"updated": "2020-01-01T00:00:00Z"}]
    )
    (one,) = seeded.body["contact_ids"]
    done = await vendor.send(
        "POST",
        f"{path}/acts",
        json=[
            {"act": "create", "contact": {"firstName": "Bob"}},
            {"act": "edit", "contact_id": one, "changes": {"city": ""}},
        ],
    )
    bob, edited = done.body["contact_ids"]
    assert edited == one
    assert [each["id"] for each in await vendor.listed()] == [one, bob]
    gone = [{"act": "delete", "contact_id": bob}]
    assert (await vendor.send("POST", f"{path}/acts", json=gone)).status == 200
    assert (await vendor.send("POST", f"{path}/acts", json=gone)).status == 404
    journal = (await vendor.send("GET", f"{path}/journal?after=1")).body
    assert [(line["operation"], line["who"]) for line in journal] == [
        ("create", "user"),
        ("edit", "user"),
        ("delete", "user"),
    ]
    assert journal[1]["fields"] == ["city"]
