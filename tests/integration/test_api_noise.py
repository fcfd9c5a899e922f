"""Requests that nobody thought of: whatever comes, the answer is as described."""

import asyncio
import json
import random
from typing import Any

import pytest
import structlog.testing

from services.api import routes
from services.api.requests.routing import Route
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 25
WORDS = (
    *("app", "account_id", "name", "left", "right", "scopes", "winner", "direction"),
    *("client_id", "client_secret", "base_url", "username", "password", "token_url"),
    *("email", "role", "owner", "ana@example.org", "current_password"),
    *("mappings_off", "expires_at", "read", "carddav", "constant_contact", "both"),
    *("https://x.example", "", "é", "\x00", "\ud83d\ude00", "'; --", "x" * 300, "%00"),
)


def value(source: random.Random, depth: int = 0) -> Any:
    """Return some JSON."""
    kind = source.randrange(9 if depth < 4 else 6)
    if kind < 3:
        return source.choice(WORDS)
    if kind < 6:
        return source.choice((None, True, 0, -1, 1e300, 2**70))
    if kind == 6:
        return [value(source, depth + 1) for _ in range(source.randrange(4))]
    return {
        source.choice(WORDS): value(source, depth + 1)
        for _ in range(source.randrange(6))
    }


def body(source: random.Random) -> bytes:
    """Return JSON, or what is left of it after an accident."""
    data = json.dumps(value(source)).encode()
    if source.random() < 0.3 and data:
        place = source.randrange(len(data))
        data = data[:place] + source.randbytes(1) + data[place + 1 :]
    return data


def raw(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire, which a client would not send."""
    lines = [
        (b"POST " if body else b"GET ") + path + b" HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join((*lines, b"", body))


async def answer_to(system: System, request: bytes) -> tuple[bytes, bytes]:
    """Send bytes; return the answer's head and body."""
    port = system.runtime.settings.http_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(5):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return head, body


KEY = b"Authorization: Bearer %s"
JSON = b"Content-Type: application/json"


@pytest.mark.parametrize(
    ("status", "path", "headers", "body"),
    [
        (401, b"/v1/apps", (b"Authorization: Bearer \xff",), b""),
        (
            401,
            b"/v1/apps",
            (b"Authorization: Bearer tdm_" + b"0" * 43 + b"\xff" * 6,),
            b"",
        ),
        (404, b"/v1/accounts/%ff%ed%a0%80", (KEY,), b""),
        (404, b"/v1/%ff", (KEY,), b""),
        (422, b"/v1/apps?%ff=%ff", (KEY,), b""),
        (422, b"/v1/accounts?after=%ff", (KEY,), b""),
        (422, b"/v1/accounts?limit=" + b"9" * 5_000, (KEY,), b""),
        (200, b"/v1/apps", (KEY, b"X-Request-Id: \xff", b"If-Match: \xff"), b""),
        (415, b"/v1/api-keys", (KEY, b"Content-Type: \xff\xfe"), b"{}"),
        (422, b"/v1/api-keys", (KEY, JSON), b'{"name": "a", "name": 1}'),
        (400, b"/v1/api-keys", (KEY, JSON), b'{"\\ud800": "\\ud800"}'),
        (
            422,
            b"/v1/api-keys",
            (KEY, JSON),
            b'{"name": "a", "expires_at": "9999-12-31T23:59:59-23:59"}',
        ),
        (422, b"/v1/api-keys", (KEY, JSON), b'{"name": ' + b"9" * 9_999 + b"}"),
        (415, b"/v1/api-keys", (KEY, JSON, b"Content-Encoding: gzip"), b"xxxx"),
        (401, b"/v1/session", (b"Cookie: tandem_session=\xff\xed\xa0\x80",), b""),
        (403, b"/v1/session", (JSON, b"Origin: \xff"), b"{}"),
        (422, b"/v1/session", (JSON,), b'{"email": "a\\u0000", "password": "p"}'),
        (400, b"/v1/session", (JSON,), b'{"email": "\\ud800", "password": "p"}'),
        (422, b"/v1/session", (JSON,), b'{"email": "a\\u202e@b", "password": "p"}'),
    ],
)
async def test_odd_bytes_are_answered_with_a_problem(
    system: System, status: int, path: bytes, headers: tuple[bytes, ...], body: bytes
) -> None:
    """Bytes that are no UTF-8 in a key, and a time beyond the calendar, were 500."""
    key = str((await system.client()).key).encode()
    sent = [line.replace(b"%s", key) for line in headers]
    head, text = await answer_to(system, raw(path, *sent, body=body))
    assert head.split(b" ")[1] == b"%d" % status, text
    if status != 200:
        assert b"Content-Type: application/problem+json" in head
        assert json.loads(text)["status"] == status


async def test_odd_bytes_in_a_browser_are_answered_with_a_page(system: System) -> None:
    client = await system.client()
    begun = await client(
        "POST", "/v1/accounts/authorisations", {"app": "constant_contact"}
    )
    link = begun.body["authorise_url"].partition("#")[2].encode()
    number = begun.body["authorisation_id"][-12:].encode()
    start, form = b"/oauth/start", b"Content-Type: application/x-www-form-urlencoded"
    for path, sent, status in (
        (start, b"secret=" + link, b"200"),
        # Opened before, and the cookie is of somebody who has none.
        (start, b"secret=" + link, b"409"),
        (start, b"secret=%ff%ed%a0%80", b"400"),
        (start, b"secret=", b"410"),
        (b"/oauth/start/%ff%ed%a0%80", b"", b"404"),
        (b"/oauth/callback/constant_contact?state=%ff", b"", b"410"),
    ):
        cookie = b"Cookie: tandem_authorisation_" + number + b"=\xff"
        own = b"Sec-Fetch-Site: same-origin"
        head, text = await answer_to(system, raw(path, cookie, own, form, body=sent))
        assert head.split(b" ")[1] == status, text


async def test_whoever_leaves_while_sending_is_no_fault(system: System) -> None:
    """Each upload that was broken off was logged as a fault, with a traceback."""
    key = str((await system.client()).key).encode()
    path, headers = b"/v1/api-keys", [KEY.replace(b"%s", key), JSON]
    whole = raw(path, *headers, body=b'{"name": "left"}' + b" " * 60_000)
    with structlog.testing.capture_logs() as logs:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", system.runtime.settings.http_port
        )
        writer.write(whole[:-50_000])
        await writer.drain()
        writer.close()
        while not (served := [e for e in logs if e["event"] == "request_served"]):
            await asyncio.sleep(0.01)
    assert [event["status"] for event in served] == [400]
    assert "request_failed" not in {event["event"] for event in logs}


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_noise_is_answered_as_described(system: System, route: Route) -> None:
    """The client holds each answer against openapi.yaml; a fault of ours is 500."""
    source = random.Random(f"{route.method} {route.path}")
    client = await system.reaching(route)
    connection = system.others.add_connection(client.tenant_id)
    ids = {
        "app": "carddav",
        "account_id": connection.settings.left.account_id,
        "connection_id": connection.connection_id,
        "authorisation_id": "athz_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "key_id": "key_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "link_id": "link_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "person_id": "pers_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "session_id": "sess_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "invitation_id": "inv_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "erasure_id": "eras_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "part": "api_keys",
    }
    for _ in range(ROUNDS):
        path = route.path.format(**ids)
        if source.random() < 0.3:
            name = source.choice(("limit", "after", "state", "email", "x%00", "%ff"))
            path += f"?{name}={source.choice(('', '1', 'x', '%00', '%ff', '9' * 40))}"
        sent = None if route.method == "GET" else body(source)
        answer = await client(route.method, path, sent)
        assert answer.status < 500, (path, sent)
        if route.name == "DELETE /v1/session" and answer.status == 204:
            client = await system.reaching(route)
