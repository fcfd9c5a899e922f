"""What the embedded servers share: a directory and a port that outlast restarts."""

import asyncio
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from deploy.local import children, part, ports
from deploy.local.errors import CannotStart
from deploy.local.part import Part

START_TIMEOUT_S = 60.0
_READY_POLL_S = 0.004
_START_TRIES_MAX = 5


class Server(Part):
    """A server on loopback that takes connections when its start returns."""

    title: ClassVar[str]
    remedy: ClassVar[str]
    """What else a person can do when the server cannot start."""

    def __init__(self, *, port: int | None, log_path: Path) -> None:
        super().__init__(port=port or ports.free_port(), log_path=log_path)
        self._may_move = port is None

    async def start(self) -> None:
        """Start on the same directory and port; return when it takes connections."""
        if self.pid is not None:
            return
        await self._prepare()
        for _ in range(_START_TRIES_MAX):
            if ports.is_free(self.port) and await self._start_once():
                # Clients know the port from now on.
                self._may_move = False
                return
            if not self._may_move or ports.is_free(self.port):
                break
            self.port = ports.free_port()
        raise self._failure()

    async def is_ready(self) -> bool:
        """Tell whether it runs; it was ready when its start returned."""
        return self.pid is not None

    @abstractmethod
    async def _prepare(self) -> None:
        """Make what the server needs on disk before it starts."""

    @abstractmethod
    def _launch(self) -> children.Child:
        """Start the process."""

    @abstractmethod
    async def _has_started(self, pid: int) -> bool:
        """Tell whether the process takes connections."""

    async def _start_once(self) -> bool:
        """Start and wait until ready; False when that did not happen."""
        child = self._child = self._launch()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while not await self._has_started(child.pid):
                    if child.exit_code is not None:
                        return False
                    await asyncio.sleep(_READY_POLL_S)
        except TimeoutError:
            await child.kill()
            return False
        except BaseException:
            await child.kill()
            raise
        return True

    def _failure(self) -> CannotStart:
        if not ports.is_free(self.port):
            return part.port_taken(self.title, self.port)
        said = " ".join(children.tail(self.log_path, 3).split())
        return CannotStart(
            part=self.title,
            reason=f"it said: {said or 'nothing'}.",
            remedy=f"Its log is {self.log_path}. {self.remedy}",
        )
