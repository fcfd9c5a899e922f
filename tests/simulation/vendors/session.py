"""Stands in for aiohttp's client session, over lines to made-up vendors.

It has what ``connector.exchange`` and ``auth.transport`` use of it and no more, so
that their code runs as it is.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import parse_qs

import aiohttp
from yarl import URL

from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.connector.registry import Registry
from tests.fakes import loop
from tests.simulation.vendors import catalogue
from tests.simulation.vendors.line import Broken, Line, Unreachable
from tests.simulation.vendors.messages import Request, Response

CONNECT_S: Final = 0.05


class TokenCall:
    """One call of a token endpoint, as long as its sender waits."""

    def __init__(self, refresh_token: str, sent_at: float) -> None:
        self.refresh_token = refresh_token
        self.sent_at = sent_at
        self.ended_at: float | None = None


class Outside:
    """The vendors, as far as the services reach them."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = {line.vendor.host: line for line in lines}
        self.apps: Registry = catalogue.registry(line.vendor for line in lines)
        self.token_calls: list[TokenCall] = []

    def open_session(self, _guard: Guard) -> AbstractAsyncContextManager[Any]:
        """Open what the connector makes its calls with."""
        return contextlib.nullcontext(Session(self))

    @contextlib.asynccontextmanager
    async def open_endpoint(
        self, timeout_s: float, *, guard: Guard
    ) -> AsyncIterator[TokenEndpoint]:
        """Open what auth calls token endpoints with."""
        del guard
        session: Any = Session(self, timeout_s=timeout_s)
        yield TokenEndpoint(session)


class Session:
    """A client session of one process."""

    def __init__(self, outside: Outside, *, timeout_s: float | None = None) -> None:
        self._outside = outside
        self._timeout_s = timeout_s

    def request(
        self,
        method: str,
        url: URL,
        *,
        data: bytes | None,
        headers: Mapping[str, str],
        allow_redirects: bool,
        timeout: aiohttp.ClientTimeout,
        trace_request_ctx: SimpleNamespace,
    ) -> "_Exchange":
        """Return an exchange to be entered."""
        assert not allow_redirects
        request = Request(
            method=method,
            path=url.path,
            query=parse_qs(url.raw_query_string, keep_blank_values=True),
            headers={name.lower(): text for name, text in headers.items()},
            body=data or b"",
            errand=loop.present_parent(),
        )
        return _Exchange(
            self._line(url), request, timeout_s=timeout.total, note=trace_request_ctx
        )

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str],
        headers: Mapping[str, str],
        allow_redirects: bool,
    ) -> "_Exchange":
        """Return the exchange of a form, to be entered."""
        assert not allow_redirects
        where = URL(url)
        request = Request(
            method="POST",
            path=where.path,
            headers={name.lower(): text for name, text in headers.items()},
            form=dict(data),
        )
        exchange = _Exchange(
            self._line(where),
            request,
            timeout_s=self._timeout_s,
            note=SimpleNamespace(is_sent=False),
        )
        exchange.calls = self._outside.token_calls
        return exchange

    def _line(self, url: URL) -> Line:
        assert url.scheme == "https"
        return self._outside.lines[str(url.host)]


class Answered:
    """What is used of aiohttp's response."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content = Content(response.body)


class Content:
    """What is used of aiohttp's stream."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """Yield the body."""
        if self._body:
            yield self._body

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        if self._body:
            yield self._body


class _Exchange:
    """One request and the wait for its answer."""

    def __init__(
        self,
        line: Line,
        request: Request,
        *,
        timeout_s: float | None,
        note: SimpleNamespace,
    ) -> None:
        self._line = line
        self._request = request
        self._timeout_s = timeout_s
        self._note = note
        self.calls: list[TokenCall] | None = None

    async def __aenter__(self) -> Answered:
        life = loop.present_life()
        if life is not None:
            life.pass_by(f"call {self._request.method}")
        now = self._line.vendor.now
        self._request.sent_at = now()
        self._request.sender = life
        call = None
        if self.calls is not None:
            token = self._request.form.get("refresh_token", "")
            call = TokenCall(token, now())
            self.calls.append(call)
        try:
            return Answered(await self._answer())
        finally:
            if call is not None:
                call.ended_at = now()

    async def __aexit__(self, *_error: object) -> None:
        """Have nothing to close."""

    async def _answer(self) -> Response:
        try:
            future = self._line.send(self._request)
        except Unreachable:
            await asyncio.sleep(CONNECT_S)
            raise _not_connected() from None
        self._note.is_sent = True
        try:
            async with asyncio.timeout(self._timeout_s):
                return await future
        except Broken:
            raise aiohttp.ServerDisconnectedError from None


def _not_connected() -> aiohttp.ClientConnectorError:
    where: Any = SimpleNamespace(host="sim.example", port=443, ssl=True)
    return aiohttp.ClientConnectorError(where, OSError("connection refused"))
