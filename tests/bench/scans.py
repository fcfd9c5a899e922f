"""A scan of very many records of each app, by the connector's own process.

Each on the servers of its stages. What is told is the process's own memory and
processor time, and its calls beside the least. Nobody keeps a vendor's limits here, so
that the seconds are the machine's; how long they would draw it out is told by the
manifest.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from services.chassis import logs
from services.connector import registry
from tests.bench import alone
from tests.bench.alone import Servers
from tests.contract.conformance import least, stages
from tests.contract.conformance.proxy import Proxy
from tests.contract.conformance.stage import Stage

MEMORY_MAX_MIB: Final = 300.0
SCAN_TIMEOUT_S: Final = 900.0
MEMORY: Final = Path("/dev/shm")
"""A server that waits for its disk is not what is measured."""
HOUR_S: Final = 3600


def measure(*, count: int, apps: Sequence[str] = ()) -> dict[str, Any]:
    """Scan ``count`` records of some apps, or of every one, and return the figures."""
    logs.configure("bench", "error")
    chosen = {
        name: kind
        for name, kind in stages.every().items()
        if kind.app in apps or not apps
    }
    with (
        tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder,
        _started(chosen, Path(folder)) as own,
    ):
        found = asyncio.run(_measured(chosen, own, Path(folder), count=count))
    # Neither memory nor calls depend on how busy the machine is.
    is_right = all(figures["is_within_target"] for figures in found.values())
    return {**found, "is_right": is_right}


async def _measured(
    chosen: Mapping[str, type[Stage]],
    own: Mapping[str, Any],
    folder: Path,
    *,
    count: int,
) -> dict[str, dict[str, Any]]:
    async with Servers(folder).running() as servers:
        return {
            name: await _scan(
                kind,
                own[name],
                servers,
                name=name,
                count=min(count, kind.scanned_max or count),
            )
            for name, kind in chosen.items()
        }


async def _scan(
    kind: type[Stage], server: object, servers: Servers, *, name: str, count: int
) -> dict[str, Any]:
    async with (
        kind.opened(server) as stage,
        Proxy(stage.base_url).listening() as proxy,
    ):
        began_s = time.monotonic()
        await stage.fill(stage.full(number) for number in range(count))
        filled_s = time.monotonic() - began_s
        async with alone.standing(servers, stage, name=name, proxy=proxy) as (
            spent,
            peers,
        ):
            at_start = spent.cpu_s(), spent.memory_mib(is_peak=False)
            began_s = time.monotonic()
            await peers.follow()
            try:
                async with asyncio.timeout(SCAN_TIMEOUT_S):
                    while not peers.is_done:
                        await asyncio.sleep(0.05)
            except TimeoutError:
                raise RuntimeError(
                    f"{name}: {len(peers.seen)} of {count} after {SCAN_TIMEOUT_S} s;"
                    f" the connector said: {spent.log_tail()}"
                ) from None
            seconds = time.monotonic() - began_s
            cpu_s = spent.cpu_s() - at_start[0]
            memory_mib = spent.memory_mib(is_peak=True)
        calls = len(proxy.seen)
    fewest = stage.least.scan(count) if stage.least is not None else None
    return {
        "records": count,
        "seconds_to_fill": round(filled_s, 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_s, 2),
        "cpu_microseconds_per_record": round(cpu_s / count * 1_000_000),
        "memory_mib_at_start": round(at_start[1], 1),
        "peak_memory_mib": round(memory_mib, 1),
        "calls": calls,
        "least_calls": fewest,
        **allowed(stage.app, calls=calls),
        "is_within_target": len(peers.seen) == count
        and memory_mib <= MEMORY_MAX_MIB
        and (fewest is None or calls <= fewest * least.FIRST_SYNC_MAX),
    }


def allowed(app: str, *, calls: int) -> dict[str, Any]:
    """Return what the app's manifest allows, and for how long it draws out calls."""
    (limits,) = (
        entry.manifest.limits for entry in registry.load() if entry.manifest.app == app
    )
    return {
        "calls_allowed_per_hour": round(limits.calls_per_second * HOUR_S),
        "calls_allowed_per_day": limits.calls_per_day,
        "limits_counted_by": limits.counted_by.value,
        "minutes_at_the_allowed_rate": round(calls / limits.calls_per_second / 60, 1),
    }


@contextlib.contextmanager
def _started(
    chosen: Mapping[str, type[Stage]], folder: Path
) -> Iterator[dict[str, Any]]:
    """Start real servers, by stage; they are bound to no event loop."""
    with contextlib.ExitStack() as stack:
        where = MEMORY if MEMORY.is_dir() else folder
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=where)))
        found = {}
        for name, kind in chosen.items():
            (own := made / name).mkdir()
            found[name] = stack.enter_context(kind.serving(made, own))
        yield found
