"""Programs that end by themselves: what they print is kept to be searched."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.local import environment
from tests.security.canaries.running import World

WAIT_S: Final = 60.0


async def errand(world: World, service: str, *arguments: str, said: str = "") -> int:
    """Run a service's command, keep what it printed, and return its exit code."""
    command = (sys.executable, "-m", f"services.{service}", *arguments)
    settings = {**environment.inherited(), **world.system.settings(service)}
    world.notes.hear(f"{arguments} {said}".encode())
    name = f"{service} {arguments[0]}"
    return await run(world, name, command, env=settings, said=said)


async def run(
    world: World,
    name: str,
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    said: str = "",
) -> int:
    """Run a program, keep what it printed, and return its exit code."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(WAIT_S):
        output, _ = await process.communicate(said.encode())
    world.notes.note("errand", name, output)
    return process.returncode or 0
