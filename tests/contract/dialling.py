"""Drives an app's operations in tests against a real server, over real sockets.

Does what an app may expect of the transport and no more: credentials, the account's
host, no redirects followed. Counts the calls.
"""

import functools
from collections import Counter
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, App, Call, Operation
from tests.contract import driving

T = TypeVar("T")

TIMEOUT_S = 60.0


class Caller:
    """One account of an app, called with user and password."""

    def __init__(self, base_url: str, *, user: str, password: str) -> None:
        self._base_url = base_url.rstrip("/")
        parts = urlsplit(base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        credentials = aiohttp.encode_basic_auth(user, password)
        self._headers = {"Authorization": credentials}
        self.calls: list[Call] = []

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    @property
    def counts(self) -> Counter[str]:
        """How many calls were made, by method."""
        return Counter(call.method for call in self.calls)

    async def run(self, operation: Operation[T], *, app: App) -> T:
        """Run an operation to its end and return its result."""
        return await driving.carry_out(
            operation, functools.partial(self._reply, app=app)
        )

    async def _reply(self, call: Call, *, app: App) -> Answer | CallFailed:
        self.calls.append(call)
        try:
            answer = await self.send(call)
        except (aiohttp.ClientConnectionError, TimeoutError) as err:
            return CallFailed(Meaning.UNREACHABLE, type(err).__name__)
        return answer if answer.status in call.accepts else app.meaning_of(answer)

    async def send(self, call: Call) -> Answer:
        """Make one call, whatever its answer is."""
        url = (self._origin if call.from_origin else self._base_url) + call.path
        headers = dict(call.headers)
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        async with self._session.request(
            call.method,
            URL(url, encoded=True),
            params=list(call.query) or None,
            headers=headers,
            data=call.body,
            allow_redirects=False,
        ) as reply:
            return Answer(
                status=reply.status,
                headers={name.lower(): v for name, v in reply.headers.items()},
                body=await reply.read(),
            )
