"""The real servers that stages are on, by the name that a stage calls its server by."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from deploy.local import radicale
from tests.contract.conformance.stages.carddav import PASSWORD

USERS_MAX: Final = 400


@contextlib.contextmanager
def _radicale(directory: Path) -> Iterator[radicale.Server]:
    """Run a server with many users, who each have one empty book."""
    users = {f"user{number}": PASSWORD for number in range(USERS_MAX)}
    server = radicale.Server(directory, users=users)
    try:
        asyncio.run(server.start())
        yield server
    finally:
        asyncio.run(server.stop())


STARTED: Final[Mapping[str, Callable[[Path], AbstractContextManager[Any]]]] = {
    "radicale": _radicale,
}
"""Each is bound to no event loop, and keeps its things in a folder that is empty."""
