"""What the REST interface refuses, and that every refusal says what to do."""

import asyncio
import datetime
import json
import os
import time
import zlib

import pytest

from proto.connector import ListApps
from proto.errors import ErrorCode
from proto.reconciler import ListRecords
from services.api import routes
from services.api.proofs import keys
from services.api.requests.permissions import SCOPES
from services.api.requests.routing import Route
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = "0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11"
NOBODY = {
    "app": "carddav",
    "account_id": f"acct_{ID}",
    "authorisation_id": f"athz_{ID}",
    "connection_id": f"conn_{ID}",
    "link_id": f"link_{ID}",
    "key_id": f"key_{ID}",
    "person_id": f"pers_{ID}",
    "session_id": f"sess_{ID}",
    "invitation_id": f"inv_{ID}",
    "erasure_id": f"eras_{ID}",
    "part": "api_keys",
}
VALID = {
    "/v1/apps/{app}/client": {"client_id": "i", "client_secret": "s"},
    "/v1/accounts/authorisations": {"app": "constant_contact"},
    "/v1/accounts": {
        "app": "carddav",
        "base_url": "https://dav.example.org",
        "username": "u",
        "password": "p",
    },
    "/v1/connections": {
        "name": "n",
        "left": {"account_id": f"acct_{ID}"},
        "right": {"account_id": f"acct_{ID}"},
    },
    "/v1/connections/{connection_id}": {"name": "n"},
    "/v1/connections/{connection_id}/records/search": {"email": "ana@example.org"},
    "/v1/connections/{connection_id}/links": {
        "left_record_id": "l",
        "right_record_id": "r",
    },
    "/v1/api-keys": {"name": "n"},
    "/v1/erasures": {"email": "ana@example.org"},
    "/v1/suppressions/lift": {"email": "ana@example.org"},
    "/v1/people/{person_id}": {"role": "viewer"},
    "/v1/invitations": {"email": "ana@example.org", "role": "viewer"},
    "/v1/tenant": {"requires_second_factor": False},
    "/v1/password": {"current_password": "p", "password": "seven quiet lighthouses"},
}
WITH_BODY = [
    route
    for route in routes.ROUTES
    if route.method in ("POST", "PUT", "PATCH") and route.path in VALID
]
WITHOUT_BODY = [
    route
    for route in routes.ROUTES
    if route.method in ("POST", "DELETE") and route not in WITH_BODY
]
WITH_ID = [route for route in routes.ROUTES if "_id}" in route.path]


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def path_of(route: Route, **ids: str) -> str:
    return route.path.format(**{**NOBODY, **ids})


@pytest.mark.parametrize("route", routes.ROUTES, ids=named)
async def test_every_route_wants_a_key(system: System, route: Route) -> None:
    answer = await system.stranger()(route.method, path_of(route))
    assert (answer.status, answer.code) == (401, "key_missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", routes.ROUTES, ids=named)
async def test_every_route_wants_its_scope(system: System, route: Route) -> None:
    others = [scope for scope in SCOPES if scope != route.scope]
    client = await system.client(*others)
    answer = await client(route.method, path_of(route))
    assert (answer.status, answer.code) == (403, "scope_missing")
    assert 'scope="' in answer.headers["WWW-Authenticate"]


async def test_keys_that_are_not_good_are_told_apart(system: System) -> None:
    tenant_id = await system.tenant()
    now = datetime.datetime.now(datetime.UTC)
    good = await system.key(tenant_id)
    expired = await system.key(tenant_id, expires_at=now)
    for key, code in (
        ("tdm_short", "key_malformed"),
        (good[:-1] + ("a" if good[-1] != "a" else "b"), "key_malformed"),
        (good.swapcase(), "key_malformed"),
        ("x" * 5_000, "key_malformed"),
        (keys.generate(), "key_unknown"),
        (expired, "key_expired"),
    ):
        answer = await system.stranger(key)("GET", "/v1/apps")
        assert (answer.status, answer.code) == (401, code)
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    for scheme in ("Basic", "bearer"):
        headers = {"Authorization": f"{scheme} {good}"}
        answer = await system.stranger()("GET", "/v1/apps", headers=headers)
        assert answer.status == (200 if scheme == "bearer" else 401)


@pytest.mark.parametrize("route", WITH_BODY, ids=named)
async def test_bodies_are_checked_to_the_last_field(
    system: System, route: Route
) -> None:
    client = await system.reaching(route)
    path, good = path_of(route), VALID[route.path]
    first = next(iter(good))
    asked = len(system.others.asked)
    for body, status, code, pointer in (
        (b"{", 400, "body_malformed", None),
        (b"", 400, "body_malformed", None),
        (b"\xff\xfe", 400, "body_malformed", None),
        (b"[" * 200_000, 422, "body_invalid", ""),
        (json.dumps({first: 1}).encode()[:-1] + b',"x":' + b"[" * 100_000, 400, "", ""),
        (b"[]", 422, "body_invalid", ""),
        (b"null", 422, "body_invalid", ""),
        ({**good, "extra": 1}, 422, "body_invalid", "/extra"),
        ({**good, first: [1]}, 422, "body_invalid", f"/{first}"),
        ({**good, first: None}, 422, "body_invalid", f"/{first}"),
        ({**good, first: ""}, 422, "body_invalid", f"/{first}"),
        (b'{"x": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large", None),
    ):
        answer = await client(route.method, path, body)
        shown = body if isinstance(body, dict) else body[:20]
        if not code:
            assert answer.status in (400, 422), shown
            continue
        assert (answer.status, answer.code) == (status, code), shown
        if pointer is not None:
            assert answer.faults == [pointer], shown
    assert len(system.others.asked) == asked


@pytest.mark.parametrize("route", WITH_BODY, ids=named)
async def test_bodies_are_json_and_say_so(system: System, route: Route) -> None:
    client = await system.reaching(route)
    for media_type in ("text/plain", "application/x-www-form-urlencoded", "x"):
        answer = await client(
            route.method, path_of(route), b"{}", headers={"Content-Type": media_type}
        )
        assert (answer.status, answer.code) == (415, "media_type_unsupported")


@pytest.mark.parametrize("route", WITHOUT_BODY, ids=named)
async def test_where_nothing_is_to_be_said_nothing_may_be(
    system: System, route: Route
) -> None:
    client = await system.reaching(route)
    answer = await client(route.method, path_of(route), {"x": 1})
    assert (answer.status, answer.code) == (422, "body_invalid")
    answer = await client(route.method, path_of(route), {})
    expected = (404,) if "_id}" in route.path else (200, 204)
    assert answer.status in expected


@pytest.mark.parametrize("route", routes.ROUTES, ids=named)
async def test_queries_are_checked_too(system: System, route: Route) -> None:
    client = await system.reaching(route)
    answer = await client(route.method, path_of(route) + "?nonsense=1")
    assert (answer.status, answer.code) == (422, "query_invalid")
    assert answer.faults == ["nonsense"]


async def test_pages_have_limits(system: System) -> None:
    client = await system.client()
    connection = system.others.add_connection(client.tenant_id).connection_id
    for path in (
        "/v1/accounts",
        "/v1/connections",
        "/v1/api-keys",
        "/v1/people",
        "/v1/invitations",
        f"/v1/connections/{connection}/records",
    ):
        for limit in ("0", "201", "-1", "x", "1e2", "²", "9" * 30):
            answer = await client("GET", f"{path}?limit={limit}")
            assert (answer.status, answer.faults) == (422, ["limit"]), limit
        for twice in ("limit=1&limit=2", "limit=&limit=2", "limit=1&limit="):
            answer = await client("GET", f"{path}?{twice}")
            assert (answer.status, answer.faults) == (422, ["limit"])
        answer = await client("GET", f"{path}?after={'x' * 501}")
        assert (answer.status, answer.faults) == (422, ["after"])
        assert (await client("GET", f"{path}?limit=200")).status == 200
    for path in ("/v1/accounts", "/v1/api-keys", "/v1/people", "/v1/invitations"):
        assert (await client("GET", f"{path}?after=x")).faults == ["after"]
    records = f"/v1/connections/{connection}/records"
    assert (await client("GET", f"{records}?state=odd")).faults == ["state"]
    answer = await client("POST", f"{records}/search", {"email": "a\n@b"})
    assert answer.faults == ["/email"]
    # An address of a person has no place in an address (ASVS 14.2.1).
    assert (await client("GET", f"{records}?email=a@b")).faults == ["email"]
    found = await client("POST", f"{records}/search?limit=2", {"email": "a@b.example"})
    assert (found.status, found.body["items"]) == (200, [])
    assert system.others.last(ListRecords).email == "a@b.example"
    assert system.others.last(ListRecords).limit == 2
    asked = len(system.others.asked)
    answer = await client("GET", f"/v1/connections?account_id=conn_{ID}")
    assert (answer.status, answer.code) == (422, "query_invalid")
    assert answer.faults == ["account_id"]
    assert len(system.others.asked) == asked


async def test_values_that_are_none_of_a_choice_are_refused(system: System) -> None:
    client = await system.client()
    good = VALID["/v1/connections"]
    for change, pointer in (
        ({"winner": "both"}, "/winner"),
        ({"direction": "unknown"}, "/direction"),
        ({"left": {"account_id": 1}}, "/left/account_id"),
        ({"left": {}}, "/left/account_id"),
        ({"left": {"account_id": "a", "b": 1}}, "/left/b"),
        ({"mappings_off": ["a", 1]}, "/mappings_off/1"),
        ({"mappings_off": ["a"] * 501}, "/mappings_off"),
        ({"avoids_duplicates": "yes"}, "/avoids_duplicates"),
        ({"left_rules": [{}]}, "/left_rules/0/rule_id"),
        ({"left_rules": [{"rule_id": ""}]}, "/left_rules/0/rule_id"),
        ({"left_rules": [{"rule_id": "r"}] * 51}, "/left_rules"),
        ({"right_rules": [{"rule_id": "r", "x": 1}]}, "/right_rules/0/x"),
        (
            {"right_rules": [{"rule_id": "r", "conditions": [{"operator": "odd"}]}]},
            "/right_rules/0/conditions/0/operator",
        ),
        (
            {"right_rules": [{"rule_id": "r", "actions": [{"kind": "delete"}]}]},
            "/right_rules/0/actions/0/kind",
        ),
        ({"leaving": "unknown"}, "/leaving"),
        ({"unsubscribes": "both"}, "/unsubscribes"),
        ({"tags_deletions": "yes"}, "/tags_deletions"),
        ({"deletion_tag": ""}, "/deletion_tag"),
        ({"unsubscribe_tag": "x" * 256}, "/unsubscribe_tag"),
        ({"winners": {"email": "both"}}, "/winners"),
        ({"winners": {"": "left"}}, "/winners"),
        (
            {"custom_mappings": [{"left": {"field_id": ""}}]},
            "/custom_mappings/0/left/field_id",
        ),
    ):
        answer = await client("POST", "/v1/connections", {**good, **change})
        assert (answer.status, answer.faults) == (422, [pointer])
    key = {"name": "k", "scopes": ["admin"]}
    assert (await client("POST", "/v1/api-keys", key)).faults == ["/scopes/0"]
    for at in ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "soon"):
        key = {"name": "k", "expires_at": at}
        assert (await client("POST", "/v1/api-keys", key)).faults == ["/expires_at"]


@pytest.mark.parametrize("route", WITH_ID, ids=named)
async def test_what_cannot_be_an_id_is_not_found_without_asking(
    system: System, route: Route
) -> None:
    client = await system.reaching(route)
    asked = len(system.others.asked)
    body = VALID.get(route.path)
    for text in ("x", f"link_{ID}", f"acct_{ID}x", ID, "acct_%00", "9" * 900):
        path = path_of(route, **dict.fromkeys(NOBODY, text))
        answer = await client(route.method, path, body)
        assert (answer.status, answer.code) == (404, "not_found"), text
    assert len(system.others.asked) == asked


async def test_ids_in_bodies_are_checked_before_asking(system: System) -> None:
    client = await system.client()
    asked = len(system.others.asked)
    for path, body, pointer in (
        ("/v1/accounts", {**VALID["/v1/accounts"], "account_id": "x"}, "/account_id"),
        (
            "/v1/accounts/authorisations",
            {"app": "constant_contact", "account_id": f"conn_{ID}"},
            "/account_id",
        ),
        (
            "/v1/connections",
            {**VALID["/v1/connections"], "right": {"account_id": ""}},
            "/right/account_id",
        ),
    ):
        answer = await client("POST", path, body)
        assert (answer.status, answer.faults) == (404, [pointer])
    assert len(system.others.asked) == asked


async def test_unknown_paths_and_methods_are_problems_too(system: System) -> None:
    client = await system.client()
    for path in ("/", "/v1", "/v2/apps", "/v1/apps/", "/v1/nothing", "/favicon.ico"):
        answer = await client("GET", path)
        assert (answer.status, answer.code) == (404, "no_such_route")
    answer = await client("DELETE", "/v1/accounts")
    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    assert (await client("GET", "/v1/apps/Bad-Name/client")).status == 405
    body = VALID["/v1/apps/{app}/client"]
    answer = await client("PUT", "/v1/apps/Bad-Name/client", body)
    assert (answer.status, answer.code) == (404, "unknown_app")


async def test_a_page_says_which_methods_it_takes(system: System) -> None:
    """RFC 9110 wants `Allow` in each 405; pages of an authorisation left it out."""
    for path in ("/oauth/callback/carddav", "/account"):
        async with system.session.put(system.url + path) as page:
            assert (page.status, page.headers["Allow"]) == (405, "GET")
            assert page.content_type == "text/html"


async def test_a_service_that_is_away_is_said_in_time(system: System) -> None:
    client = await system.client()
    with system.others.refusing(ListApps, ErrorCode.SERVICE_UNAVAILABLE):
        answer = await client("GET", "/v1/apps")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    for code, status in (
        (ErrorCode.UNKNOWN, 500),
        (ErrorCode.MALFORMED, 500),
        (ErrorCode.QUOTA_EXHAUSTED, 503),
    ):
        with system.others.refusing(ListApps, code):
            answer = await client("GET", "/v1/apps")
        assert (answer.status, answer.code) == (status, code)


async def test_a_request_has_an_id_of_its_own(system: System) -> None:
    client = await system.client()
    given = await client("GET", "/v1/apps", headers={"X-Request-Id": "trace-0001.a"})
    assert given.headers["X-Request-Id"] == "trace-0001.a"
    # A key in its place would be told in logs and in the audit log.
    odd_ones = ("a b c d e f", "x" * 65, "short", '{"a": 1234567}', str(client.key))
    for odd in odd_ones:
        answer = await client("GET", "/v1/apps", headers={"X-Request-Id": odd})
        assert answer.headers["X-Request-Id"].startswith("req_")
    problem = await client("GET", "/v1/nothing")
    assert problem.body["request_id"] == problem.headers["X-Request-Id"]


async def test_the_operators_routes_answer_at_a_port_of_their_own(
    system: System,
) -> None:
    """Who reaches the interface learns nothing of how it is (ASVS 13.4.5)."""
    port = system.runtime.settings.operations_port
    for path, shown in (
        ("/livez", "live\n"),
        ("/readyz", '{"ready":true,"faults":{}}'),
        ("/metrics", "tandem_"),
    ):
        async with system.session.get(f"http://127.0.0.1:{port}{path}") as answer:
            assert (answer.status, shown in await answer.text()) == (200, True)
        for client in (system.stranger(), await system.person()):
            assert (await client("GET", path)).code == "no_such_route"
    async with system.session.get(f"http://127.0.0.1:{port}/v1/apps") as answer:
        assert answer.status == 404


async def test_header_and_body_faults_of_http_itself_show_no_traceback(
    system: System,
) -> None:
    port = system.runtime.settings.http_port
    key = (await system.client()).key
    for raw in (
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + str(key).encode() + b"\r\n\r\n",
        str(key).encode() + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"POST /v1/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + str(key).encode()
        + b"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        b"\r\nxxxxx\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        async with asyncio.timeout(5):
            head = await reader.read(2_000)
        writer.close()
        assert head.split(b" ")[1] == b"400", head
        assert b"Traceback" not in head
        # What was sent may be a secret, in a place where it does not belong.
        assert str(key).encode() not in head
        assert b"aiohttp" not in head


@pytest.fixture(scope="module")
def bomb() -> tuple[bytes, float]:
    """A little that unpacks to much, and how long the processor is busy with that."""
    packing = zlib.compressobj(wbits=31)
    some = bytes(1024 * 1024)
    packed = b"".join([packing.compress(some) for _ in range(256)]) + packing.flush()
    began, unpacking = time.process_time(), zlib.decompressobj(wbits=31)
    rest = packed
    while rest:
        unpacking.decompress(rest, len(some))
        rest = unpacking.unconsumed_tail
    return packed, time.process_time() - began


@pytest.mark.parametrize(
    ("status", "path", "media_type"),
    [
        (415, "/v1/api-keys", "application/json"),
        (415, "/v1/session", "application/json"),
        (415, "/sign-in", "application/x-www-form-urlencoded"),
        (404, "/v1/nothing", "application/json"),
    ],
)
async def test_a_packed_body_is_not_unpacked(
    system: System,
    bomb: tuple[bytes, float],
    status: int,
    path: str,
    media_type: str,
) -> None:
    """Hazard 127: half a megabyte, of anybody, kept all callers waiting for seconds.

    What was refused was unpacked to its end all the same, before the next request.
    """
    packed, unpacking_s = bomb
    client = await system.client()
    headers = {
        "Content-Encoding": "gzip",
        "Content-Type": media_type,
        "Origin": system.url,
    }
    assert (await client("POST", path, b"x", headers=headers)).status == status
    began = time.process_time()
    answer = await client("POST", path, packed, headers=headers)
    assert answer.status == status
    assert (await client("GET", "/v1/apps")).status == 200
    assert time.process_time() - began < unpacking_s / 2


async def test_requests_leave_nothing_open(system: System) -> None:
    """Answered, refused, broken off or never finished: no descriptor stays behind."""
    client, port = await system.client(), system.runtime.settings.http_port

    async def round_of_all() -> None:
        await client("GET", "/v1/apps")
        await client("POST", "/v1/api-keys", b"{")
        for raw in (b"GARBAGE\r\n\r\n", b"POST /v1/api-keys HTTP/1.1\r\nHost: x\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    await round_of_all()
    before = len(os.listdir("/dev/fd"))
    for _ in range(20):
        await round_of_all()
    async with asyncio.timeout(10):
        while len(os.listdir("/dev/fd")) > before:
            await asyncio.sleep(0.05)
