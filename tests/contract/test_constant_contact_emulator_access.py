"""Logging in to the Constant Contact emulator, tokens, call limits, plain refusals."""

import json
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
import pytest

from tests.contract.constant_contact_caller import Caller, authorize_query, calling
from tests.contract.emulator_caller import CLIENT_ID, REDIRECT_URI, VERIFIER, Form
from tests.emulators.constant_contact.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
)
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.core.oauth import Client

DAY_S = 86_400
DEAD = {
    "error": "invalid_grant",
    "error_description": "The refresh token is invalid or expired.",
}


@pytest.fixture
async def cc() -> AsyncIterator[Caller]:
    """Yield a caller without a token; limits are the vendor's, time stands still."""
    async with calling(Settings(accounts=("Bakery", "Bookshop"))) as caller:
        yield caller


async def is_let_in(cc: Caller, token: str) -> bool:
    """Tell whether a token opens the API, at most four times a second."""
    cc.token = token
    cc.emulator.clock.advance(1)
    answer = await cc.call("GET", "/v3/account/summary")
    assert answer.status in (200, 401)
    return answer.status == 200


async def test_a_person_chooses_an_account_and_approves(cc: Caller) -> None:
    page = await cc.send("GET", f"{AUTHORIZE_PATH}?{urlencode(authorize_query())}")
    assert Form(page.body).options == list(cc.emulator.accounts)
    cc.account = list(cc.emulator.accounts.values())[1]
    back = await cc.consent({})
    assert back["state"] == "a state & more"
    tokens = (await cc.exchange(back["code"])).body
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == DAY_S
    assert 1000 <= len(tokens["access_token"]) <= 1200
    assert set(tokens["scope"].split()) == set(authorize_query()["scope"].split())
    cc.token = tokens["access_token"]
    summary = await cc.get("/v3/account/summary")
    assert summary["organization_name"] == "Bookshop"


async def test_a_person_may_deny(cc: Caller) -> None:
    back = await cc.consent({}, decision="deny")
    assert back == {"error": "access_denied", "state": "a state & more"}


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": REDIRECT_URI + "/"},
        {"redirect_uri": REDIRECT_URI + "?more=1"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": ""},
        {"client_id": "someone-else"},
    ],
)
async def test_an_unknown_redirect_is_never_followed(
    cc: Caller, changes: dict[str, str]
) -> None:
    query = authorize_query() | changes
    for answer in (
        await cc.send("GET", f"{AUTHORIZE_PATH}?{urlencode(query)}"),
        await cc.send("POST", AUTHORIZE_PATH, data=query | {"decision": "approve"}),
    ):
        assert answer.status == 400
        assert answer.location is None


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "contact_data everything"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_a_wrong_request_goes_back_with_its_error(
    cc: Caller, changes: dict[str, str], error: str
) -> None:
    query = authorize_query() | changes
    answer = await cc.send("GET", f"{AUTHORIZE_PATH}?{urlencode(query)}")
    assert answer.status == 302
    back = dict(parse_qsl(urlsplit(answer.location or "").query))
    assert back == {"error": error, "state": "a state & more"}


async def test_what_was_asked_is_escaped_on_the_page(cc: Caller) -> None:
    query = authorize_query() | {"state": "\"><script>alert('x')</script>"}
    page = await cc.send("GET", f"{AUTHORIZE_PATH}?{urlencode(query)}")
    assert "<script>" not in page.body
    assert Form(page.body).fields["state"] == query["state"]


async def test_a_code_is_good_for_one_exchange(cc: Caller) -> None:
    back = await cc.consent({})
    assert (await cc.exchange(back["code"])).status == 200
    answer = await cc.exchange(back["code"])
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": ""},
        {"redirect_uri": REDIRECT_URI + "/"},
        {"code": "nonsense"},
    ],
)
async def test_a_wrong_exchange_is_refused(cc: Caller, changes: dict[str, str]) -> None:
    back = await cc.consent({})
    answer = await cc.exchange(**{"code": back["code"]} | changes)
    assert (answer.status, answer.body["error"]) == (400, "invalid_grant")


async def test_a_code_dies_of_age(cc: Caller) -> None:
    back = await cc.consent({})
    cc.emulator.clock.advance(301)
    assert (await cc.exchange(back["code"])).status == 400


async def test_pkce_may_be_left_out_by_a_client_with_a_secret(cc: Caller) -> None:
    back = await cc.consent({"code_challenge": "", "code_challenge_method": ""})
    answer = await cc.exchange(back["code"], code_verifier="")
    assert answer.status == 200


async def test_a_public_client_needs_pkce_and_no_secret(cc: Caller) -> None:
    cc.emulator.server.register(
        Client(client_id="spa", client_secret=None, redirect_uris=(REDIRECT_URI,))
    )
    fields = {
        "grant_type": "authorization_code",
        "client_id": "spa",
        "redirect_uri": REDIRECT_URI,
    }
    back = await cc.consent({"client_id": "spa"})
    fields |= {"code": back["code"], "code_verifier": VERIFIER}
    assert (await cc.send("POST", TOKEN_PATH, data=fields)).status == 200
    back = await cc.consent({"client_id": "spa", "code_challenge": ""})
    fields |= {"code": back["code"], "code_verifier": ""}
    assert (await cc.send("POST", TOKEN_PATH, data=fields)).status == 400


async def test_the_client_has_to_prove_itself(cc: Caller) -> None:
    fields = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = await cc.ask_token(**fields, secret="wrong")
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    fields["client_id"] = CLIENT_ID
    assert (await cc.send("POST", TOKEN_PATH, data=fields)).status == 401
    answer = await cc.ask_token(grant_type="password")
    assert (answer.status, answer.body["error"]) == (400, "unsupported_grant_type")


async def test_without_offline_access_there_is_no_refresh_token(cc: Caller) -> None:
    tokens = (await cc.authorize("contact_data")).body
    assert "refresh_token" not in tokens
    assert "refresh_token" in (await cc.authorize()).body


async def test_each_refresh_kills_all_earlier_refresh_tokens(cc: Caller) -> None:
    first = (await cc.authorize()).body["refresh_token"]
    second = (await cc.authorize()).body["refresh_token"]
    third = (await cc.refresh(second)).body["refresh_token"]
    for dead in (first, second):
        answer = await cc.refresh(dead)
        assert (answer.status, answer.body) == (400, DEAD)
    assert (await cc.refresh(third)).status == 200


async def test_the_token_parameters_may_be_in_the_query(cc: Caller) -> None:
    token = (await cc.authorize()).body["refresh_token"]
    query = urlencode({"grant_type": "refresh_token", "refresh_token": token})
    headers = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, "emulated-secret")}
    answer = await cc.send("POST", f"{TOKEN_PATH}?{query}", headers=headers)
    assert answer.status == 200


async def test_long_lived_refresh_tokens_stay_the_same(cc: Caller) -> None:
    await cc.admin("PATCH", "/settings", {"tokens": {"is_rotating": False}})
    token = (await cc.authorize()).body["refresh_token"]
    for _ in range(2):
        assert (await cc.refresh(token)).body["refresh_token"] == token


async def test_a_refresh_token_dies_unused_after_half_a_year(cc: Caller) -> None:
    token = (await cc.authorize()).body["refresh_token"]
    cc.emulator.clock.advance(180 * DAY_S)
    assert (await cc.refresh(token)).body == DEAD


async def test_access_tokens_expire_and_can_be_made_short(cc: Caller) -> None:
    tokens = (await cc.authorize()).body
    assert await is_let_in(cc, tokens["access_token"])
    cc.emulator.clock.advance(DAY_S)
    assert not await is_let_in(cc, tokens["access_token"])
    change = {"tokens": {"access_token_lifetime_s": 5}}
    await cc.admin("PATCH", "/settings", change)
    tokens = (await cc.refresh(tokens["refresh_token"])).body
    assert tokens["expires_in"] == 5
    assert await is_let_in(cc, tokens["access_token"])
    cc.emulator.clock.advance(4)
    assert not await is_let_in(cc, tokens["access_token"])


async def test_tokens_of_one_account_can_be_revoked(cc: Caller) -> None:
    mine = (await cc.authorize()).body
    own, cc.account = cc.account, list(cc.emulator.accounts.values())[1]
    others = (await cc.authorize()).body
    cc.account = own
    await cc.of_account("POST", "/revoke", {"tokens": "access"})
    assert not await is_let_in(cc, mine["access_token"])
    mine = (await cc.refresh(mine["refresh_token"])).body
    assert await is_let_in(cc, mine["access_token"])
    await cc.of_account("POST", "/revoke")
    assert not await is_let_in(cc, mine["access_token"])
    assert (await cc.refresh(mine["refresh_token"])).body == DEAD
    assert await is_let_in(cc, others["access_token"])
    assert (await cc.refresh(others["refresh_token"])).status == 200


async def test_tokens_can_be_had_without_walking(cc: Caller) -> None:
    order = {"client_id": CLIENT_ID}
    tokens = await cc.of_account("POST", "/tokens", order)
    assert await is_let_in(cc, tokens["access_token"])
    assert (await cc.refresh(tokens["refresh_token"])).status == 200


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic eDp5"])
async def test_no_token_no_entry(cc: Caller, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = await cc.send("GET", "/v3/contacts", headers=headers)
    cc.check("GET", "/v3/contacts", answer)
    assert answer.status == 401
    assert answer.body == {
        "error_key": "unauthorized",
        "error_message": "Unauthorized",
    }


async def test_a_scope_opens_only_what_it_names(cc: Caller) -> None:
    cc.token = (await cc.authorize("account_read")).body["access_token"]
    assert (await cc.call("GET", "/v3/account/summary")).status == 200
    assert (await cc.call("GET", "/v3/contacts")).status == 403


async def test_the_fifth_call_in_a_second_is_throttled(cc: Caller) -> None:
    cc.token = (await cc.authorize()).body["access_token"]
    statuses = [(await cc.call("GET", "/v3/contacts")).status for _ in range(4)]
    assert statuses == [200] * 4
    answer = await cc.call("GET", "/v3/contacts")
    assert answer.status == 429
    assert answer.body == {
        "error_key": "throttled",
        "error_message": "Too Many Requests",
    }
    cc.emulator.clock.advance(1)
    assert (await cc.call("GET", "/v3/contacts")).status == 200
    assert (await cc.admin("GET", "/statistics"))["throttled"] == 1


async def test_a_day_has_its_quota_until_midnight_utc(cc: Caller) -> None:
    limits = {"requests_per_second": None, "requests_per_day": 3}
    await cc.admin("PATCH", "/settings", {"limits": limits})
    cc.token = (await cc.authorize()).body["access_token"]
    for _ in range(3):
        assert (await cc.call("GET", "/v3/contacts")).status == 200
    cc.emulator.clock.advance(DAY_S / 2 - 1)
    answer = await cc.call("GET", "/v3/contacts")
    assert answer.status == 429
    assert answer.body == {
        "error_key": "quota_exceeded",
        "error_message": "Limit Exceeded",
    }
    cc.emulator.clock.advance(1)
    assert (await cc.call("GET", "/v3/contacts")).status == 200


async def test_limits_are_per_application_not_per_account(cc: Caller) -> None:
    first = (await cc.authorize()).body["access_token"]
    cc.account = list(cc.emulator.accounts.values())[1]
    second = (await cc.authorize()).body["access_token"]
    statuses = []
    for cc.token in (first, second, first, second, first):
        statuses.append((await cc.call("GET", "/v3/contacts")).status)
    assert statuses == [200] * 4 + [429]


async def test_only_json_is_understood(cc: Caller) -> None:
    cc.token = (await cc.authorize()).body["access_token"]
    headers = {"Authorization": f"Bearer {cc.token}"}
    body = json.dumps({"create_source": "Account", "first_name": "A"})
    answer = await cc.send("POST", "/v3/contacts", data=body, headers=headers)
    cc.check("POST", "/v3/contacts", answer)
    assert answer.status == 415
    headers["Content-Type"] = "application/json; charset=utf-8"
    for bad in ("", "{", "[]", "[" * 5000, '"\\ud800"', "null"):
        cc.emulator.clock.advance(1)
        answer = await cc.send("POST", "/v3/contacts", data=bad, headers=headers)
        cc.check("POST", "/v3/contacts", answer)
        assert answer.status == 400
    answer = await cc.send("POST", "/v3/contacts", data=body, headers=headers)
    assert answer.status == 201


async def test_the_vendors_clock_is_in_every_answer(cc: Caller) -> None:
    url = f"{cc.emulator.url}/v3/contacts"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.headers["Date"] == "Tue, 10 Mar 2026 12:00:00 GMT"


async def test_unknown_paths_and_methods(cc: Caller) -> None:
    assert (await cc.send("GET", "/v3/photos")).status == 404
    assert (await cc.send("GET", "/")).status == 404
    assert (await cc.send("PATCH", "/v3/contacts")).status == 405
