"""What goes over the wire: bytes that two servers could read in two ways, and headers.

Requests are written by hand, because a client would not send them.
"""

import asyncio
import json
import re
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from services.api import routes, service
from services.api.requests.routing import Page, Route
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System
from tests.security.test_people import path_of

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Reply(NamedTuple):
    """One answer, as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


async def exchange(system: System, sent: bytes) -> list[Reply]:
    """Send bytes on one connection; return every answer until the server closes it."""
    port = system.runtime.settings.http_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(10):
        data = await reader.read()
    writer.close()
    replies = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        replies.append(Reply(int(status.split()[1]), headers, rest[:length]))
        data = rest[length:]
    return replies


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((line + b" HTTP/1.1", b"Host: x", *headers, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    "framing",
    [
        (b"Content-Length: 5", CHUNKED),
        (CHUNKED, b"Content-Length: 5"),
        (b"Content-Length: 0", b"Content-Length: 5"),
        (b"Content-Length: 0, 5",),
        (b"Content-Length: +5",),
        (b"Content-Length: 0x5",),
        (b"Content-Length: -5",),
        (b"Content-Length: 5 5",),
        (b"Content-Length:\xc2\xb2",),
        (b"Content-Length : 5",),
        (b"Transfer-Encoding : chunked",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunked, identity",),
        (CHUNKED, CHUNKED),
        (b"X: y\r\n " + CHUNKED,),
        (b"X: y\rTransfer-Encoding: chunked",),
        (b"X: y\nTransfer-Encoding: chunked",),
        (b"X: \x00",),
    ],
)
async def test_no_request_hides_in_another_one(
    system: System, framing: tuple[bytes, ...], figures: dict[str, int]
) -> None:
    """A proxy and we could disagree where it ends (ASVS 4.2.1): then it has no end."""
    body = b"0\r\n\r\n" + SMUGGLED
    sent = request(b"POST /v1/session", *framing, body=body)
    replies = await exchange(system, sent)
    assert [reply.status for reply in replies] == [400], replies
    assert b"smuggled" not in replies[0].body
    figures["framings_refused"] = figures.get("framings_refused", 0) + 1


async def test_what_follows_a_request_is_the_next_one(system: System) -> None:
    """The same bytes, framed in one way alone, are two requests: the test can see."""
    sent = request(b"POST /v1/session", b"Content-Length: 5", body=b"0\r\n\r\n")
    replies = await exchange(system, sent + SMUGGLED)
    assert [reply.status for reply in replies] == [415, 404]


@pytest.mark.parametrize("size", [b"", b"-1", b"0x1", b"g", b"\xb2"])
async def test_a_chunk_of_no_size_ends_the_connection(
    system: System, size: bytes
) -> None:
    sent = request(
        b"POST /v1/session",
        CHUNKED,
        b"Content-Type: application/json",
        body=size + b"\r\nhello\r\n0\r\n\r\n" + SMUGGLED,
    )
    replies = await exchange(system, sent)
    assert {reply.status for reply in replies} == {400}
    assert not any(b"smuggled" in reply.body for reply in replies)


MALFORMED = (
    b"GARBAGE\r\n\r\n",
    b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    request(b"POST /v1/session", b"Content-Length: x"),
)


@pytest.mark.parametrize("sent", MALFORMED)
async def test_what_is_no_request_is_answered_as_safely(
    system: System, sent: bytes
) -> None:
    """The parser answers before any route does, and says the same to a browser."""
    (reply,) = await exchange(system, sent)
    assert reply.status == 400
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["server"] == "tandem"
    # Nothing of what was sent, and nothing of ours.
    assert reply.body == b"This is no request of HTTP that is understood here.\n"


@pytest.mark.parametrize("method", [b"TRACE", b"TRACK", b"CONNECT", b"OPTIONS", b"X"])
async def test_no_method_sends_back_what_came(system: System, method: bytes) -> None:
    """TRACE would show a script what a browser sends along."""
    for path in (b"/v1/apps", b"/sign-in", b"/", b"*"):
        sent = request(method + b" " + path, b"X-Canary: 4c1d", b"Connection: close")
        replies = await exchange(system, sent)
        assert all(reply.status in (400, 404, 405) for reply in replies), replies
        assert replies, (method, path)
        assert not any(b"4c1d" in reply.body for reply in replies)


async def test_each_answer_says_its_type_and_is_kept_nowhere(system: System) -> None:
    """JSON is UTF-8 by itself (RFC 8259); pages say it. None is for a cache."""
    person, stranger = await system.person(), system.stranger()
    page = "text/html; charset=utf-8"
    for client, path, kind in (
        (person, "/v1/session", "application/json"),
        (person, "/v1/nothing", "application/problem+json"),
        (person, "/v1/accounts", "application/json"),
        (person, "/v1/people", "application/json"),
        (person, "/account", page),
        (stranger, "/sign-in", page),
        (stranger, "/oauth/callback/carddav", page),
    ):
        answer = await client("GET", path)
        assert answer.headers["Content-Type"] == kind, path
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "route",
    [
        *(route for route in routes.ROUTES if route.method == "GET"),
        *(page for page in routes.PAGES if "callback" not in page.path),
    ],
    ids=lambda route: route.path,
)
async def test_no_safe_method_changes_anything(
    system: System, route: Route | Page
) -> None:
    """ASVS 3.5.3: the tables are afterwards as before, and nobody has a new cookie."""
    person = await system.person()
    before = await _contents(system)
    answer = await person("GET", path_of(route))
    assert answer.status in (200, 303, 404, 410, 422)
    assert answer.cookies == {}
    if isinstance(route, Page):
        assert await _contents(system) == before
        return
    headers = {"Cookie": person.cookie}
    url = system.url + path_of(route)
    async with system.session.head(url, headers=headers) as head:
        assert head.status == answer.status
    assert await _contents(system) == before
    assert not [one for one in system.others.asked if _changes(type(one).__name__)]


def _changes(command: str) -> bool:
    return not re.match("(Get|List|Describe|Read|Export)[A-Z]", command)


async def _contents(system: System) -> dict[str, list[str]]:
    names = await system.rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'api' ORDER BY 1"
    )
    tables = [row["tablename"] for row in names]
    assert len(tables) > 10
    return {
        name: [
            row["row"]
            for row in await system.rows(
                f"SELECT one::text AS row FROM {name} AS one ORDER BY 1"
            )
        ]
        for name in tables
    }


@pytest.mark.parametrize(
    "path",
    [
        "/v1/accounts/%2561cct_x",
        "/v1/accounts/acct_0197f3a0%252d5a51-7c07-9a56-3f2c1f2b9d11",
        "/v1/apps/carddav%252fclient",
        "/v1/connections/%252e%252e%252faccounts",
        "/v1/%2561ccounts",
        "/%252e%252e/v1/accounts",
    ],
)
async def test_what_is_encoded_twice_is_decoded_once(system: System, path: str) -> None:
    """What is left after that is text, and the id or the route of nothing."""
    key = (await system.client()).key
    asked = len(system.others.asked)
    head = (f"Authorization: Bearer {key}".encode(), b"Connection: close")
    (reply,) = await exchange(system, request(b"GET " + path.encode(), *head))
    assert reply.status in (404, 405)
    assert len(system.others.asked) == asked


async def test_a_name_that_looks_encoded_is_stored_as_it_is(system: System) -> None:
    client = await system.client()
    name = "50%25 %3Cb%3E &lt;b&gt; \\u003cb\\u003e"
    made = await client("POST", "/v1/api-keys", {"name": name})
    listed = await client("GET", "/v1/api-keys")
    assert made.body["name"] == name
    assert json.dumps(name) in json.dumps(listed.body)


async def test_no_address_holds_a_secret_or_a_person(system: System) -> None:
    """Paths are of ids, and queries of pages and filters (ASVS 14.2.1)."""
    built = service.application(system.parts).router.routes()
    paths = {route.resource.canonical for route in built if route.resource}
    steps = {step for path in paths for step in re.findall(r"{(\w+)}", path)}
    assert {step for step in steps if not step.endswith("_id")} == {"app", "part"}
    queries = {name for route in routes.ROUTES for name in route.query}
    assert queries == {
        *("limit", "after", "state", "account_id"),
        *("actor", "act", "object_id", "from", "until"),
    }
    shown = {name for page in routes.PAGES for name in page.query}
    assert shown == {"state", "code", "iss", "error", "tenant", "note"}
    client = await system.client()
    begun = await client(
        "POST", "/v1/accounts/authorisations", {"app": "constant_contact"}
    )
    where = urlsplit(begun.body["authorise_url"])
    assert (where.path, where.query, len(where.fragment)) == ("/oauth/start", "", 43)
