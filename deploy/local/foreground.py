"""Runs the local system until a signal asks it to stop, and shows it meanwhile."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from deploy.local import screen
from deploy.local.layout import Layout
from deploy.local.programs import Options
from deploy.local.supervisor import Supervisor

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_INSIST_AFTER_S = 1.0
"""A signal this long after the first one means: at once. `make` may repeat one."""


Greeting = Callable[[Supervisor], Awaitable[str]]
"""Says what a person can do with the system that has just started."""


async def _address(system: Supervisor) -> str:
    return f"Tandem is up: {system.url('api')}"


async def run(
    layout: Layout, options: Options, *, greeting: Greeting = _address
) -> None:
    """Start everything, wait for Ctrl-C or a signal, stop everything in order."""
    stopping = asyncio.Event()
    _listen_for_signals(stopping)
    with screen.Screen() as shown:
        system = Supervisor(layout, options, report=shown.hear)
        shown.watch(system.keepers)
        asked = asyncio.create_task(stopping.wait())
        try:
            if await _entered(system, unless=asked):
                shown.say(f"{await greeting(system)}\nStop it with Ctrl-C.")
                await asked
                shown.say("Stopping ...")
        finally:
            asked.cancel()
            await system.stop()
    print("Stopped.")


def _listen_for_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    first_at: list[float] = []

    def hear() -> None:
        if first_at and loop.time() - first_at[0] > _INSIST_AFTER_S:
            # The kernel ends our children when we are gone.
            print("Stopped at once.", flush=True)
            os._exit(128 + signal.SIGINT)
        first_at.append(loop.time())
        stopping.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, hear)


async def _entered(system: Supervisor, *, unless: "asyncio.Task[bool]") -> bool:
    """Start the system; give up, in order, when asked to stop in the middle."""
    entering = asyncio.create_task(system.__aenter__())
    await asyncio.wait({entering, unless}, return_when=asyncio.FIRST_COMPLETED)
    if not entering.done():
        entering.cancel()
        await asyncio.wait({entering})
        return False
    entering.result()
    return True
