"""A scan of very many records of each app, by the connector's own process.

Every app that has a stage in the conformance suite is tried: on its emulator, or on a
real server whose files are put where it keeps them. What is reported is the process's
own memory and processor time, not what the vendor or the other services take; and the
calls beside the least that the vendor's API allows.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local import radicale
from services.chassis import logs
from tests.bench import alone
from tests.bench.alone import Servers
from tests.contract.conformance import least, stages
from tests.contract.conformance.proxy import Proxy

MEMORY_MAX_MIB: Final = 300.0
SCAN_TIMEOUT_S: Final = 900.0
FEWER: Final[Mapping[str, int]] = {
    # Radicale parses and stores each card when it lists a book for the first time: it
    # takes seven minutes over 30,000. That the connector takes a listing of 100,000 is
    # shown by tests/contract/test_carddav_listings.py.
    "carddav": 10_000,
}
PASSWORD: Final = "secret"
MEMORY: Final = Path("/dev/shm")
"""A server that waits for its disk is not what is measured."""


async def measure(*, count: int) -> dict[str, Any]:
    """Scan ``count`` records of every app and return the figures."""
    logs.configure("bench", "error")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        async with Servers(Path(folder)).running() as servers:
            found = {
                app: await _measure(
                    app, servers, count=min(count, FEWER.get(app, count))
                )
                for app in stages.load()
            }
    # Neither memory nor calls depend on how busy the machine is.
    is_right = all(figures["is_within_target"] for figures in found.values())
    return {**found, "is_right": is_right}


async def _measure(app: str, servers: Servers, *, count: int) -> dict[str, Any]:
    source = stages.load()[app]
    async with (
        _server(source.server, servers.directory) as server,
        source.opened(server) as stage,
        Proxy(stage.base_url).listening() as proxy,
    ):
        await stage.fill(stage.full(number) for number in range(count))
        async with alone.standing(servers, stage, proxy=proxy) as (spent, peers):
            at_start = spent.cpu_s(), spent.memory_mib(is_peak=False)
            began_s = time.monotonic()
            await peers.follow()
            try:
                async with asyncio.timeout(SCAN_TIMEOUT_S):
                    while not peers.is_done:
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise RuntimeError(
                    f"{app}: {len(peers.seen)} of {count} after {SCAN_TIMEOUT_S} s;"
                    f" the connector said: {spent.log_tail()}"
                ) from None
            seconds = time.monotonic() - began_s
            cpu_s = spent.cpu_s() - at_start[0]
            memory_mib = spent.memory_mib(is_peak=True)
        calls = len(proxy.seen)
    fewest = stage.least.scan(count) if stage.least is not None else None
    return {
        "records": count,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_s, 2),
        "cpu_microseconds_per_record": round(cpu_s / count * 1_000_000),
        "memory_mib_at_start": round(at_start[1], 1),
        "peak_memory_mib": round(memory_mib, 1),
        "calls": calls,
        "least_calls": fewest,
        "is_within_target": len(peers.seen) == count
        and memory_mib <= MEMORY_MAX_MIB
        and (fewest is None or calls <= fewest * least.FIRST_SYNC_MAX),
    }


@contextlib.asynccontextmanager
async def _server(name: str, directory: Path) -> AsyncIterator[object]:
    """Run the real server that an app's stage needs, if it needs one."""
    if name != "radicale":
        assert not name, f"no such server: {name}"
        yield None
        return
    users = {f"user{number}": PASSWORD for number in range(10)}
    with tempfile.TemporaryDirectory(
        dir=MEMORY if MEMORY.is_dir() else directory
    ) as own:
        async with radicale.running(Path(own), users=users) as server:
            yield server
