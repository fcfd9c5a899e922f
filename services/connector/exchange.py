"""One HTTP request to an app, and its answer within bounds. Decides nothing.

Only the account's own origin is ever asked, redirects are not followed, answers are
cut at a size, also after decompression. What fails says whether it had been sent.
"""

import contextlib
import datetime
import email.utils
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Final
from urllib.parse import urlencode, urlsplit

import aiohttp
from yarl import URL

from proto.auth import CredentialKind, Token
from services.chassis.addresses import Guard, GuardedConnector
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import ANSWER_BYTES_MAX, TAKEN_BYTES_MAX, Answer, Call

CONNECT_TIMEOUT_S: Final = 10.0
KEPT_ALIVE_S: Final = 4.0
"""Shorter than what servers keep, or a write meets a connection just closed."""
HEADER_BYTES_MAX: Final = 16 * 1024
_READ_BYTES: Final = 64 * 1024
_SCHEMES: Final = ("https", "http")
_ABSOLUTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f]")
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


class NotSent(Exception):
    """Nothing reached the app."""


class NoAnswer(Exception):
    """It was sent, and no whole answer came back."""


class TooLarge(NoAnswer):
    """The answer is longer than what we take."""


def url_of(call: Call, *, base_url: str) -> URL:
    """Return where a call goes.

    Raises:
        CallFailed: It leads away from the account's own origin.
    """
    try:
        found = _joined(call, base_url=base_url)
    except ValueError:
        # What an app hands on may be a server's link, and any text at all.
        found = None
    if found is None:
        raise CallFailed(Meaning.BROKEN, "the call leads away from the app's address")
    return found


def _joined(call: Call, *, base_url: str) -> URL | None:
    """Return where a call goes; nothing if that is at another origin.

    Raises:
        ValueError: It is not even an address.
    """
    base = urlsplit(base_url)
    origin = f"{base.scheme}://{base.netloc}"
    path = call.path
    is_absolute = _ABSOLUTE.match(path) is not None
    if is_absolute:
        text = path
    elif call.from_origin:
        text = origin + path
    else:
        text = base_url.rstrip("/") + path
    if call.query:
        text += ("&" if "?" in path else "?") + urlencode(call.query)
    found = urlsplit(text)
    if (
        base.scheme not in _SCHEMES
        or not base.hostname
        or _UNSAFE.search(text)
        or "\\" in text
        or "@" in found.netloc
        or (found.scheme, found.netloc.lower()) != (base.scheme, base.netloc.lower())
        or not (is_absolute or path == "" or path[0] in "/?")
        or not found.path.startswith("/")
    ):
        return None
    return URL(text, encoded=True)


def authorisation_of(token: Token, *, manifest: Manifest) -> tuple[str, str]:
    """Return the header that proves who a call is for, by name and text."""
    if token.kind is CredentialKind.API_KEY:
        return manifest.key_header, f"{manifest.key_prefix}{token.secret}"
    if token.kind is CredentialKind.BASIC:
        encoded = aiohttp.encode_basic_auth(token.username, token.secret)
        return "Authorization", encoded
    return "Authorization", f"Bearer {token.secret}"


@contextlib.asynccontextmanager
async def session(guard: Guard) -> AsyncIterator[aiohttp.ClientSession]:
    """Open the one session that all calls go through; it goes where the guard lets."""
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_sent)
    # The number of calls at once is bounded by the transport. A limit here would
    # let a call wait inside its own timeout, and look unanswered.
    connector = GuardedConnector(
        guard, limit=0, ttl_dns_cache=60, keepalive_timeout=KEPT_ALIVE_S
    )
    opened = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[trace],
        max_line_size=HEADER_BYTES_MAX,
        max_field_size=HEADER_BYTES_MAX,
    )
    # The client repeats a PUT or DELETE by itself when a kept-alive connection
    # breaks; a write must never be repeated, and there is no public switch.
    opened._retry_connection = False
    async with opened:
        yield opened


async def exchange(
    opened: aiohttp.ClientSession,
    call: Call,
    *,
    url: URL,
    headers: dict[str, str],
    timeout_s: float,
) -> Answer:
    """Make one request.

    Raises:
        AddressRefused: The address is one that must not be called.
        NotSent: Nothing reached the app.
        NoAnswer: It may have reached the app.
    """
    note = SimpleNamespace(is_sent=False)
    if call.body is not None:
        headers = {**headers, "Content-Type": call.content_type}
    try:
        async with opened.request(
            call.method,
            url,
            data=call.body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s)
            ),
            trace_request_ctx=note,
        ) as response:
            headers_in = headers_of(response.headers)
            if call.take is not None and response.status < 300:
                taker = call.take()
                await _read(response, taker.feed, bytes_max=TAKEN_BYTES_MAX)
                return Answer(
                    status=response.status, headers=headers_in, body=b"", taken=taker
                )
            parts: list[bytes] = []
            await _read(response, parts.append, bytes_max=ANSWER_BYTES_MAX)
            return Answer(
                status=response.status, headers=headers_in, body=b"".join(parts)
            )
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as err:
        kind = NoAnswer if note.is_sent else NotSent
        raise kind(type(err).__name__) from err


def headers_of(received: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer with names in lower case, as whole characters.

    The client keeps bytes that are no UTF-8 as halves of characters, which neither the
    bus nor the database can hold: an entity tag with one would stop its account.
    """
    return {
        name.lower(): text.encode(errors="surrogateescape").decode(errors="replace")
        for name, text in received.items()
    }


def retry_after_s(answer: Answer, *, now: datetime.datetime) -> float | None:
    """Return the seconds a ``Retry-After`` header asks for, in either form."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        return None
    return max(0.0, (until - now).total_seconds())


async def _note_sent(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: object
) -> None:
    context.trace_request_ctx.is_sent = True


async def _read(
    response: aiohttp.ClientResponse,
    take: Callable[[bytes], object],
    *,
    bytes_max: int,
) -> None:
    """Hand on a body piece by piece, unpacked and within a size."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    unpack = None
    if encoding in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
    elif encoding not in ("identity", ""):
        raise NoAnswer("an encoding that was not offered")
    left, is_empty = bytes_max, True
    async for chunk in response.content.iter_chunked(_READ_BYTES):
        try:
            part = unpack.decompress(chunk, left + 1) if unpack else chunk
        except zlib.error as err:
            raise NoAnswer("an answer that does not unpack") from err
        left, is_empty = left - len(part), False
        if left < 0:
            raise TooLarge(f"more than {bytes_max} bytes")
        take(part)
    if unpack is not None and not unpack.eof and not is_empty:
        raise NoAnswer("an answer that ends too early")
