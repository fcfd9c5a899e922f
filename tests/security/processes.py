"""Real processes of auth: started until they serve, killed, and read."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from aiohttp import ClientError, ClientSession

from deploy.local import ports
from tests.integration.auth_world import World

START_S_MAX = 30.0


class Processes:
    """Processes of auth beside a world, each with the same key ring."""

    def __init__(self, world: World, *, ring: Path, log: Path) -> None:
        self._world = world
        self._ring = ring
        self.log = log
        """What all of them wrote."""
        self._children: list[asyncio.subprocess.Process] = []

    async def start(self, count: int, **settings: str) -> None:
        """Start processes and wait until each can serve."""
        await asyncio.gather(*(self._start(settings) for _ in range(count)))

    async def end(self, number: signal.Signals) -> None:
        """Send a signal to all processes and wait for their end."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
        await asyncio.gather(*(child.wait() for child in self._children))
        self._children.clear()

    async def refusal(self, **settings: str) -> str:
        """Start one that must not serve; return what it says when it has ended."""
        child = await self._spawn(ports.free_port(), settings)
        try:
            async with asyncio.timeout(START_S_MAX):
                assert await child.wait() != 0, "it ended as if all were well"
        finally:
            await self.end(signal.SIGKILL)
        return self.log.read_text()

    async def _start(self, settings: dict[str, str]) -> None:
        port = ports.free_port()
        child = await self._spawn(port, settings)
        async with asyncio.timeout(START_S_MAX), ClientSession() as session:
            while not await _is_ready(session, port):
                assert child.returncode is None, "it ended instead of serving"
                await asyncio.sleep(0.05)

    async def _spawn(
        self, port: int, settings: dict[str, str]
    ) -> asyncio.subprocess.Process:
        usual = {
            "PATH": os.environ["PATH"],
            "AUTH_DATABASE_URL": self._world.database.service_url("auth"),
            "AUTH_NATS_URL": self._world.broker.url,
            "AUTH_NATS_SEED_FILE": str(self._world.broker.seed_file("auth")),
            "AUTH_KEY_RING_FILE": str(self._ring),
            "AUTH_HTTP_PORT": str(port),
            "AUTH_PRIVATE_ADDRESSES": "127.0.0.0/8",
        }
        with self.log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.auth", "serve"),
                env={
                    name: value for name, value in (usual | settings).items() if value
                },
                stdout=output,
                stderr=output,
            )
        self._children.append(child)
        return child


async def _is_ready(session: ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except ClientError:
        return False
