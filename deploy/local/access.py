"""The first key to the REST API of a local installation."""

import asyncio
import sys
from typing import Final

from deploy.local import environment, keys
from deploy.local.errors import CannotStart
from deploy.local.layout import REPOSITORY, Layout
from deploy.local.supervisor import Supervisor

TIMEOUT_S: Final = 60.0


async def create_key(layout: Layout, system: Supervisor, *, tenant: str) -> str:
    """Return the installation's own key; the first time, make it and its tenant."""
    path = layout.keys / "api.key"
    if path.exists():
        return path.read_text()
    key = await new_key(layout, system, tenant=tenant)
    keys.write_secret(path, key.encode())
    return key


async def new_key(layout: Layout, system: Supervisor, *, tenant: str) -> str:
    """Return one more key of a tenant, who is made if there is none of this name."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", "create-key", "--tenant", tenant),
        cwd=REPOSITORY,
        env={**environment.inherited(), **system.settings("api")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(TIMEOUT_S):
        output, said = await process.communicate()
    lines = output.decode().split()
    if process.returncode or not lines:
        raise CannotStart(
            part="api",
            reason=f"no key could be made: {said.decode().strip() or 'no word why'}",
            remedy=f"Its log is {layout.log('api')}.",
        )
    return lines[-1]
