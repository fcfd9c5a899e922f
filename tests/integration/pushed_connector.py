"""A connector with the made-up apps that push, as a process of its own."""

import asyncio
import sys

from services.chassis import process
from services.chassis.process import Runtime
from services.connector import service
from services.connector.config import Config
from tests.integration import connector_pushing


async def serve(runtime: Runtime[Config], stopping: asyncio.Event) -> None:
    apps = connector_pushing.registry()
    await service.serve_apps(runtime, stopping, apps=apps)


if __name__ == "__main__":
    sys.exit(process.run("connector", Config, serve=serve))
