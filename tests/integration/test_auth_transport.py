"""What auth makes of a token endpoint's bytes, and of their absence."""

import asyncio
import base64
import contextlib
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qs

import msgspec
import pytest

from services.auth import oauth, transport
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why
from services.chassis.addresses import Guard

BODY = b'{"access_token": "a", "refresh_token": "r"}'
UNPACKED_BYTES = 64 * 1024 * 1024
PACKED = gzip.compress(b" " * UNPACKED_BYTES)
LOCAL = Guard(("127.0.0.0/8",))
REGISTRATION = Registration(
    client_id="id:of us",
    client_secret="geheim/ß",
    client_auth="basic",
    authorise_url="",
    token_url="",
    api_url="",
    scopes=(),
    issuer="",
    sends_issuer=False,
)
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def head(status: str, length: int) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve one kind of answer; yield the address and what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        length = int(request.lower().partition(b"content-length: ")[2].split()[0])
        asked.append(request + await reader.readexactly(length))
        with contextlib.suppress(ConnectionError):
            await answer(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/token", asked


async def post(
    url: str,
    *,
    client_auth: str = "basic",
    timeout_s: float = 5.0,
    guard: Guard = LOCAL,
) -> TokenGrant | NoGrant:
    registration = msgspec.structs.replace(
        REGISTRATION, token_url=url, client_auth=client_auth
    )
    async with transport.open_endpoint(timeout_s, guard=guard) as endpoint:
        return await endpoint.post(registration, oauth.refresh_form("old & worn"))


async def whole(writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", len(BODY)) + BODY)


async def in_pieces(writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", len(BODY)))
    for place in range(0, len(BODY), 10):
        writer.write(BODY[place : place + 10])
        await writer.drain()
        await asyncio.sleep(0.01)


async def in_part(writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", len(BODY)) + BODY[:20])


async def nothing(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def too_much(writer: asyncio.StreamWriter) -> None:
    writer.write(head("200 OK", 1 << 30))
    for _ in range(64):
        writer.write(b" " * 65_536)
        await writer.drain()


async def packed(writer: asyncio.StreamWriter) -> None:
    """Sixty-four kilobytes that unpack to as many megabytes."""
    told = head("200 OK", len(PACKED)).replace(
        b"Content-Type", b"Content-Encoding: gzip\r\nContent-Type"
    )
    writer.write(told + PACKED)
    await writer.drain()


async def silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1)


async def elsewhere(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 307 Go\r\nLocation: /token\r\n")
    writer.write(b"Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("answer", [whole, in_pieces])
async def test_an_answer_is_read_to_its_end(answer: Answer):
    """Tokens once were lost when an answer came in more than one packet."""
    async with answering(answer) as (url, _asked):
        grant = await post(url)
    assert grant == TokenGrant(access_token="a", refresh_token="r")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (in_part, Why.LOST),
        (nothing, Why.LOST),
        (too_much, Why.LOST),
        (silence, Why.LOST),
        (elsewhere, Why.NOT_TAKEN),
    ],
)
async def test_what_is_no_answer_is_told_apart(answer: Answer, why: Why):
    async with answering(answer) as (url, asked):
        found = await post(url, timeout_s=0.3)
        assert len(asked) == 1
    assert isinstance(found, NoGrant)
    assert found.why is why


async def test_a_packed_answer_is_cut_off_as_it_is_unpacked():
    """Hazard 127: what little is sent never fills the memory."""
    async with answering(packed) as (url, asked):
        tracemalloc.start()
        found = await post(url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(asked) == 1
    assert isinstance(found, NoGrant)
    assert found.why is Why.LOST
    assert peak < UNPACKED_BYTES // 8


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/token",
        "http://[::1/",
        "token",
        "http://somebody@127.0.0.1:1/token",
        "http://127.0.0.1:1\\@example.org/token",
    ],
)
async def test_what_was_never_sent_is_known(url: str):
    found = await post(url)
    assert isinstance(found, NoGrant)
    assert found.why is Why.NOT_TAKEN


async def test_a_private_token_endpoint_is_sent_nothing():
    """Hazard 114: stored when it was allowed, or moved there since."""
    async with answering(whole) as (url, asked):
        for private in (url, url.replace("127.0.0.1", "localhost")):
            found = await post(private, guard=Guard())
            assert found == NoGrant(why=Why.NOT_TAKEN, reason="AddressRefused")
    assert asked == []


async def test_the_client_names_itself_in_the_header():
    """RFC 6749 section 2.3.1: both parts are encoded before they are joined."""
    async with answering(whole) as (url, asked):
        await post(url)
    request, _, form = asked[0].partition(b"\r\n\r\n")
    pair = base64.b64encode(b"id%3Aof%20us:geheim%2F%C3%9F")
    assert b"Authorization: Basic " + pair in request
    assert parse_qs(form.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["old & worn"],
    }


async def test_the_client_names_itself_in_the_form():
    async with answering(whole) as (url, asked):
        await post(url, client_auth="body")
    request, _, form = asked[0].partition(b"\r\n\r\n")
    assert b"Authorization" not in request
    assert parse_qs(form.decode())["client_id"] == ["id:of us"]
    assert parse_qs(form.decode())["client_secret"] == ["geheim/ß"]
