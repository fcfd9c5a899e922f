"""A user of a real Xandikos server as a stage: it keeps books in git repositories."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar, Self

from tests.contract import xandikos
from tests.contract.conformance.stages.carddav import USERS, CardDAV, Server, running


class CardDAVOnXandikos(CardDAV):
    """One address book of one user."""

    _server: xandikos.Server
    scanned_max: ClassVar[int | None] = None

    @staticmethod
    def serving(_shared: Path, own: Path) -> AbstractContextManager[Server]:
        """Run a server that makes a book for a user who calls."""
        return running(xandikos.Server(own, users=USERS))

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, server: Server) -> AsyncIterator[Self]:
        """Take a user whom no other test has, and have the server make their book."""
        async with super().opened(server) as stage:
            await stage._call("OPTIONS", f"/{stage.username}/")
            yield stage

    def _keep(self, files: Iterable[tuple[str, str]]) -> None:
        self._server.put(self.username, files)
