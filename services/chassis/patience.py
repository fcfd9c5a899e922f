"""How long a client may keep a server waiting, and how many may be connected.

A connection waits while its client sends a request, does not take the answer, or says
nothing at all. One that waits for too long is closed; where there are as many as may
be, the one that has waited longest makes room. Work that we have in hand goes on.
"""

import asyncio
import contextlib
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NamedTuple, TypeAlias, cast

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import Counter

from services.chassis import serving, shaking
from services.chassis.shaking import Shaking

log = structlog.get_logger()

CUT = Counter(
    "tandem_http_connections_cut",
    "Connections closed because their clients were slow or too many",
    ["reason"],
)
BACKLOG: Final = 1_024
"""How many connections the kernel holds that are not accepted yet."""


Runner: TypeAlias = web.AppRunner | web.ServerRunner
Answerer: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Limits(NamedTuple):
    """What one listening socket puts up with."""

    connections_max: int = 500
    """Well below the 1,024 files that a process may usually have open."""
    first_request_s: float = 20.0
    """How long the head of a connection's first request may take to arrive."""
    next_request_s: float = 75.0
    """How long after a request the next one may take to arrive, or the answer to be
    taken: longer than proxies keep a connection that they do not use."""
    look_s: float = 1.0
    """How often connections are looked at."""


USUAL: Final = Limits()


class _Wait(NamedTuple):
    since: float
    ends_at: float


class _Connection(serving.Connection):
    """One connection, known to whoever counts until it is gone."""

    __slots__ = ("_patience", "beneath")

    def __init__(self, server: web.Server, patience: "Patience") -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **server._kwargs)
        self._patience = patience
        self.beneath: socket.socket | None = None
        """What carries it while TLS does not stand yet."""

    def carry(self, beneath: socket.socket | None) -> None:
        """Note what carries it while TLS does not stand yet."""
        self.beneath = beneath

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless it had to make room in the very moment it was accepted."""
        super().connection_made(transport)
        if not self._patience.knows(self):
            cast(asyncio.Transport, transport).abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and be counted no longer."""
        super().connection_lost(exc)
        self._patience.forget(self)


class _TurnedAway(asyncio.Protocol):
    """A connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it at once."""
        cast(asyncio.Transport, transport).abort()


class Patience:
    """Keeps the connections of one server within its limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.server: web.Server | None = None
        """Whose connections they are; known before any is accepted."""
        self._waits: dict[_Connection, _Wait | None] = {}
        """Every connection; None while we are the ones who take our time."""
        self._cut = dict.fromkeys(("slow", "crowded", "refused"), 0)

    @property
    def connection_count(self) -> int:
        """How many connections there are."""
        return len(self._waits)

    def accept(self, context: ssl.SSLContext | None = None) -> asyncio.Protocol:
        """Return what serves a connection that has just been accepted.

        Without a context it is plain. With one it counts before TLS stands, too.
        """
        assert self.server is not None, "it is given before anything is accepted"
        if len(self._waits) >= self._limits.connections_max and not self._make_room():
            self._cut["refused"] += 1
            return _TurnedAway()
        connection = _Connection(self.server, self)
        self._wait(connection, self._limits.first_request_s)
        if context is None:
            return connection
        return Shaking(
            connection,
            context,
            carry=connection.carry,
            limit_s=self._limits.first_request_s,
        )

    def middleware(self) -> Middleware:
        """Return what tells a request that we work on from one that we wait for."""

        @web.middleware
        async def surround(
            request: web.Request, handler: Handler
        ) -> web.StreamResponse:
            self._work(request)
            try:
                return await handler(request)
            finally:
                self._wait_for(request)

        return surround

    def around(self, answer: Answerer) -> Answerer:
        """Return the same for a server without routes."""

        async def surround(request: web.BaseRequest) -> web.StreamResponse:
            self._work(request)
            try:
                return await answer(request)
            finally:
                self._wait_for(request)

        return surround

    @contextlib.contextmanager
    def waiting(self, request: web.Request) -> Iterator[None]:
        """Count what is done inside as the client's time: it sends a body."""
        self._wait_for(request)
        try:
            yield
        finally:
            self._work(request)

    async def watch(self) -> None:
        """Close connections that keep us waiting, until cancelled."""
        while True:
            await asyncio.sleep(self._limits.look_s)
            now = asyncio.get_running_loop().time()
            for connection, wait in list(self._waits.items()):
                if wait is not None and wait.ends_at <= now:
                    self._close(connection, reason="slow")
            self._tell()

    def knows(self, connection: _Connection) -> bool:
        """Tell whether a connection is still counted."""
        return connection in self._waits

    def forget(self, connection: _Connection) -> None:
        """Count a connection no longer."""
        self._waits.pop(connection, None)

    def _make_room(self) -> bool:
        """Close what has waited longest; False if nothing waits."""
        waiting = [(w.since, c) for c, w in self._waits.items() if w is not None]
        if not waiting:
            return False
        _since, longest = min(waiting, key=lambda found: found[0])
        self._close(longest, reason="crowded")
        return True

    def _close(self, connection: _Connection, *, reason: str) -> None:
        self._cut[reason] += 1
        self.forget(connection)
        transport, beneath = connection.transport, connection.beneath
        connection.force_close()
        if transport is not None:
            # To close it in order would wait for a client that takes nothing.
            transport.abort()
        elif beneath is not None:
            shaking.cut(beneath)

    def _wait(self, connection: _Connection, limit_s: float) -> None:
        now = asyncio.get_running_loop().time()
        self._waits[connection] = _Wait(now, now + limit_s)

    def _wait_for(self, request: web.BaseRequest) -> None:
        connection = cast(_Connection, request.protocol)
        if connection in self._waits:
            self._wait(connection, self._limits.next_request_s)

    def _work(self, request: web.BaseRequest) -> None:
        connection = cast(_Connection, request.protocol)
        if connection in self._waits:
            self._waits[connection] = None

    def _tell(self) -> None:
        """Count and log what was cut since the last look, not each one by itself."""
        for reason, count in self._cut.items():
            if count:
                CUT.labels(reason).inc(count)
                log.warning("connections_cut", reason=reason, count=count)
        self._cut = dict.fromkeys(self._cut, 0)


PATIENCE: web.AppKey[Patience] = web.AppKey("patience", Patience)


@contextlib.contextmanager
def waiting(request: web.Request) -> Iterator[None]:
    """Count what is done inside as the client's time, where anybody counts."""
    found = request.config_dict.get(PATIENCE)
    with found.waiting(request) if found else contextlib.nullcontext():
        yield


class Site(web.BaseSite):
    """A listening socket whose connections are kept within limits."""

    def __init__(
        self,
        runner: Runner,
        patience: Patience,
        *,
        host: str,
        port: int,
        context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(runner, ssl_context=context, backlog=BACKLOG)
        self._patience = patience
        self._host = host
        self._port = port

    @property
    def name(self) -> str:
        """Return where it listens."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            functools.partial(self._patience.accept, self._ssl_context),
            self._host,
            self._port,
            backlog=BACKLOG,
        )
