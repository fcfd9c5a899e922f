"""``/livez``, ``/readyz`` and ``/metrics`` of a service.

Live: the loop turns. Ready: Postgres answers in time, the connection to NATS stands,
and nothing has failed that only an operator mends.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeAlias

import prometheus_client
import structlog
from aiohttp import web

from proto import codec
from services.chassis import patience
from services.chassis.certificates import Certificate
from services.chassis.errors import BadConfiguration
from services.chassis.patience import PATIENCE, Limits, Patience

log = structlog.get_logger()

CHECK_TIMEOUT_S: Final = 2.0
"""How long a check may take: who asks for readiness does not wait for long."""

Server: TypeAlias = web.Server
# It would unpack to the end what strangers send, also what was refused.
_AS_SENT: Final[dict[str, Any]] = {"access_log": None, "auto_decompress": False}

Check = Callable[[], Awaitable[str]]
"""Returns what is wrong in a word or two, or nothing."""


class Health:
    """The checks of one service, and the routes that show them."""

    def __init__(self, *, timeout_s: float = CHECK_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._checks: dict[str, Check] = {}
        self._faults: set[str] = set()

    def add(self, name: str, check: Check) -> None:
        """Add a check that readiness depends on."""
        self._checks[name] = check

    def fail(self, fault: str) -> None:
        """Note a fault that only a restart or an operator mends."""
        self._faults.add(fault)

    async def faults(self) -> dict[str, str]:
        """Return what is wrong now, by check."""
        said = await asyncio.gather(*map(self._in_time, self._checks.values()))
        found = zip(self._checks, said, strict=True)
        failed = dict.fromkeys(self._faults, "failed")
        return failed | {name: fault for name, fault in found if fault}

    async def _in_time(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await check()
        except TimeoutError:
            return "no answer"

    def routes(self) -> list[web.RouteDef]:
        """Return the three routes."""
        return [
            web.get("/livez", self._live),
            web.get("/readyz", self._ready),
            web.get("/metrics", self._metrics),
        ]

    async def _live(self, _request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        faults = await self.faults()
        body = codec.encode({"ready": not faults, "faults": faults})
        return web.Response(
            body=body, status=503 if faults else 200, content_type="application/json"
        )

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(
            body=prometheus_client.generate_latest(),
            headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
        )


def server(
    answer: Callable[[web.BaseRequest], Awaitable[web.Response]],
    *,
    body_bytes_max: int,
) -> Server:
    """Return what answers every request in one way, without routes."""
    request = functools.partial(
        web.BaseRequest,
        loop=asyncio.get_running_loop(),
        client_max_size=body_bytes_max,
    )
    return web.Server(answer, request_factory=request, **_AS_SENT)


@contextlib.asynccontextmanager
async def listening(
    application: web.Application | Server,
    *,
    host: str,
    port: int,
    setting: str = "HTTP_PORT",
    limits: Limits = patience.USUAL,
    certificate: Certificate | None = None,
) -> AsyncIterator[int]:
    """Serve an application; yields the port, of use where 0 was asked for.

    Args:
        application: What answers.
        host: At which address of this machine.
        port: At which of its ports.
        setting: What an operator changes where the port is taken.
        limits: What it puts up with.
        certificate: What it shows; None: it is plain.

    Raises:
        BadConfiguration: The port is taken or may not be used.
    """
    kept = Patience(limits)
    runner: patience.Runner
    if isinstance(application, web.Application):
        application[PATIENCE] = kept
        application.middlewares.insert(0, kept.middleware())
        runner = web.AppRunner(application, handle_signals=False, **_AS_SENT)
    else:
        application.request_handler = kept.around(application.request_handler)
        runner = web.ServerRunner(application, handle_signals=False)
    await runner.setup()
    kept.server = runner.server
    watching = {asyncio.create_task(kept.watch())}
    if certificate is not None:
        watching.add(asyncio.create_task(certificate.watch()))
    try:
        context = None if certificate is None else certificate.context
        site = patience.Site(runner, kept, host=host, port=port, context=context)
        try:
            await site.start()
        except OSError as err:
            reason = err.strerror or "refused"
            raise BadConfiguration(
                [f"cannot listen on {host}:{port}: {reason}; choose another {setting}"]
            ) from err
        chosen = int(runner.addresses[0][1])
        log.info("listening", host=host, port=chosen)
        yield chosen
    finally:
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        await runner.cleanup()
