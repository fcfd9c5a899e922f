"""Requests that cannot be meant so: each refused in words, and nothing is changed.

Broken JSON, unknown fields, ids of nobody and of others, accounts that an app does
not let in. One installation; the agreement of both sides is the last question.
"""

from typing import Any

import pytest

from deploy.demo.browser import Browser, LostTheWay
from deploy.local import ports
from tests.e2e import plain
from tests.e2e.installation import Installation, installation
from tests.e2e.plain import send

NOBODY = "conn_01a00000-0000-7000-8000-000000000000"
NO_ACCOUNT = "acct_01a00000-0000-7000-8000-000000000000"
WRONG_IDS = (NOBODY, "conn_1", "acct_", "..", "%00", "%2e%2e%2f", "a" * 3_000, "ü")
HANDLED = ("start", "pause", "resume", "sync")


@pytest.mark.timeout(180)
async def test_bad_requests_are_refused_in_words_and_change_nothing():
    """Behaviours 5 and 44; the connection goes on as if nobody had asked."""
    async with installation(left_count=8, right_count=6, shared_count=3) as system:
        before = await _everything(system)
        await _bodies_that_are_no_json(system)
        await _bodies_of_another_shape(system)
        await _ids_of_nobody(system)
        await _ids_of_another_tenant(system)
        await _keys_that_are_none(system)
        await _accounts_that_are_not_let_in(system)
        await _an_authorisation_without_an_end(system)
        assert await _everything(system) == before

        await system.start()
        await system.until_live()
        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        plain.assert_logs_are_clean(system)


async def _everything(system: Installation) -> list[Any]:
    """Return what the tenant has, and what both apps hold."""
    shown = [
        (await send(system, "GET", path)).body
        for path in ("/v1/accounts", "/v1/connections", "/v1/apps")
    ]
    return [*shown, await system.left.contacts(), await system.right.cards()]


async def _bodies_that_are_no_json(system: Installation) -> None:
    cases = (
        b'{"name": ',
        b"",
        b"\x00\x01\xff",
        b'{"name": "\xed\xa0\x80"}',
        "name=ä".encode("utf-16"),
    )
    path = "/v1/connections"
    for data in cases:
        answer = await send(system, "POST", path, data=data)
        answer.assert_problem(400, "body_malformed", "JSON")
    for data in (b"[" * 100_000, b'{"name": ' * 50_000):
        # Refused for its shape before its end or its depth is reached.
        answer = await send(system, "POST", path, data=data)
        assert answer.status in (400, 422), answer
        answer.assert_problem(answer.status, answer.body["code"], "Correct|deep")
    answer = await send(system, "POST", path, data=b" " * 1_100_000)
    answer.assert_problem(413, "body_too_large", "Send less")
    answer = await send(
        system, "POST", path, data=b"{}", headers={"Content-Type": "text/xml"}
    )
    answer.assert_problem(415, "media_type_unsupported", "application/json")


async def _bodies_of_another_shape(system: Installation) -> None:
    account_id = (await system.tandem.pages("/v1/accounts"))[0]["account_id"]
    end = {"account_id": account_id}
    whole = {"name": "Another", "left": end, "right": end}
    cases: tuple[tuple[object, str], ...] = (
        ({**whole, "winer": "left"}, "/winer"),
        ({**whole, "left": {**end, "folder": "x"}}, "/left/folder"),
        ({**whole, "winner": "both"}, "/winner"),
        ({**whole, "name": ""}, "/name"),
        ({**whole, "name": 7}, "/name"),
        ({**whole, "avoids_duplicates": "yes"}, "/avoids_duplicates"),
        ({"name": "Another", "left": end}, "/right"),
        ([whole], ""),
        (None, ""),
    )
    for body, pointer in cases:
        data = None if body is not None else b"null"
        answer = await send(system, "POST", "/v1/connections", body=body, data=data)
        answer.assert_problem(422, "body_invalid", "errors")
        assert answer.body["errors"][0]["pointer"] == pointer, answer
    answer = await send(system, "POST", "/v1/connections", body=whole)
    answer.assert_problem(422, "invalid", "same account")
    answer = await send(system, "GET", "/v1/connections?limit=9999&sort=name")
    answer.assert_problem(422, "query_invalid", "no such parameter")
    path = f"/v1/connections/{system.story.connection_id}/records?state=lost"
    answer = await send(system, "GET", path)
    answer.assert_problem(422, "query_invalid", "in_sync")


async def _ids_of_nobody(system: Installation) -> None:
    for wrong in WRONG_IDS:
        for method, path in (
            ("GET", f"/v1/connections/{wrong}"),
            ("DELETE", f"/v1/connections/{wrong}"),
            ("GET", f"/v1/connections/{wrong}/records"),
            ("POST", f"/v1/connections/{wrong}/start"),
            ("GET", f"/v1/accounts/{wrong}"),
        ):
            answer = await send(system, method, path)
            assert answer.status in (404, 405), (path[:80], answer)
            answer.assert_problem(answer.status, answer.body["code"], r"\w")
    answer = await send(system, "PUT", "/v1/apps/nothing/client", body={})
    answer.assert_problem(422, "body_invalid", "client_id")
    answer = await send(
        system, "POST", "/v1/accounts/authorisations", body={"app": "nothing"}
    )
    answer.assert_problem(404, "unknown_app", "/v1/apps")
    account_id = (await system.tandem.pages("/v1/accounts"))[0]["account_id"]
    body = {
        "name": "Another",
        "left": {"account_id": account_id},
        "right": {"account_id": NO_ACCOUNT},
    }
    answer = await send(system, "POST", "/v1/connections", body=body)
    answer.assert_problem(404, "not_found", "right")


async def _ids_of_another_tenant(system: Installation) -> None:
    """Another tenant's things are not there: not to see, to use or to change."""
    other = await plain.new_key(system, tenant="other")
    mine = system.story.connection_id
    accounts = await system.tandem.pages("/v1/accounts")
    for path in ("/v1/connections", "/v1/accounts"):
        answer = await send(system, "GET", path, key=other)
        assert (answer.status, answer.body["items"]) == (200, [])
    asked = [
        ("GET", f"/v1/connections/{mine}", None),
        ("PATCH", f"/v1/connections/{mine}", {"name": "Theirs"}),
        ("DELETE", f"/v1/connections/{mine}", None),
        ("GET", f"/v1/connections/{mine}/status", None),
        ("GET", f"/v1/connections/{mine}/records", None),
        *(("POST", f"/v1/connections/{mine}/{act}", None) for act in HANDLED),
    ]
    for account in accounts:
        path = f"/v1/accounts/{account['account_id']}"
        asked += [
            ("GET", path, None),
            ("GET", f"{path}/description", None),
            ("DELETE", path, None),
        ]
    ends = [{"account_id": account["account_id"]} for account in accounts]
    asked += [
        (
            "POST",
            "/v1/connections",
            {"name": "Theirs", "left": ends[0], "right": ends[1]},
        ),
        (
            "POST",
            "/v1/accounts",
            {
                "app": "carddav",
                **system.story.card_login,
                "account_id": _of(accounts, "carddav"),
            },
        ),
    ]
    for method, path, body in asked:
        answer = await send(system, method, path, body=body, key=other)
        answer.assert_problem(404, "not_found")
        assert system.story.card_login["password"] not in answer.text


async def _keys_that_are_none(system: Installation) -> None:
    whole = system.key
    changed = whole[:-1] + ("A" if whole[-1] != "A" else "B")
    for key, code in (
        ("nonsense", "key_malformed"),
        (changed, "key_malformed"),
        ("ü" * 40, "key_malformed"),
    ):
        answer = await send(system, "GET", "/v1/accounts", key=key)
        answer.assert_problem(401, code, "again|key")
        assert key not in answer.text
    answer = await send(
        system, "GET", "/v1/accounts", headers={"Authorization": "Basic eDp5"}
    )
    answer.assert_problem(401, "key_missing", "Bearer")


async def _accounts_that_are_not_let_in(system: Installation) -> None:
    """Tried before stored: a wrong password, nobody there, no CardDAV there."""
    login = system.story.card_login
    password = "not-the-password-7"
    nobody = f"http://{ports.LOOPBACK}:{ports.free_port()}"
    emulator = system.system.url("constant_contact")
    cases = (
        ({"password": password}, 422, "credentials_refused", "[Cc]heck"),
        ({"username": "nobody"}, 422, "credentials_refused", "[Cc]heck"),
        ({"base_url": nobody}, 502, "app_unreachable", "[Cc]heck its address"),
        ({"base_url": emulator}, 409, "app_refused", "[Cc]heck its address"),
        ({"base_url": "ftp://example.org"}, 422, "body_invalid", "base_url"),
        ({"app": "constant_contact"}, 422, "invalid", "authorisations"),
        ({"app": "nothing"}, 404, "unknown_app", "/v1/apps"),
    )
    for change, status, code, word in cases:
        body = {"app": "carddav", **login, **change}
        answer = await send(system, "POST", "/v1/accounts", body=body)
        answer.assert_problem(status, code, word)
        assert password not in answer.text
        assert login["password"] not in answer.text


async def _an_authorisation_without_an_end(system: Installation) -> None:
    """The app's token endpoint answers with a page for people."""
    path = "/v1/accounts/authorisations"
    begun = await system.tandem.call("POST", path, body={"app": "constant_contact"})
    await system.fault("html", path="/oauth2/default/v1/token")
    async with Browser() as browser:
        with pytest.raises(LostTheWay, match="answered 502"):
            await browser.agree(begun["authorise_url"])
    await system.no_faults()
    found = await system.tandem.call("GET", f"{path}/{begun['authorisation_id']}")
    assert (found["state"], found["reason"]) == ("failed", "app_unreachable")


def _of(accounts: list[dict[str, Any]], app: str) -> str:
    return next(str(one["account_id"]) for one in accounts if one["app"] == app)
