"""What the supervisor keeps running: the servers and programs behind one shape."""

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from deploy.local import children, ports
from deploy.local.errors import CannotStart

STOP_TIMEOUT_S = 25.0
"""Longer than a service grants the work it has in hand."""
_ANSWER_TIMEOUT_S = 2.0
_STATUS_LINE_BYTES_MAX = 1024


class Part(ABC):
    """A process that starts again on the same address; bound to no event loop."""

    stop_signal: ClassVar[int] = signal.SIGTERM

    def __init__(self, *, port: int, log_path: Path) -> None:
        self.stop_timeout_s = STOP_TIMEOUT_S
        self.port = port
        self.log_path = log_path
        self._child: children.Child | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        child = self._child
        return child.pid if child and child.exit_code is None else None

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL, ours or another's."""
        return self._child is not None and self._child.exit_code == -signal.SIGKILL

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers."""

    @abstractmethod
    async def start(self) -> None:
        """Start it, unless it runs; a server also takes connections then."""

    @abstractmethod
    async def is_ready(self) -> bool:
        """Tell whether it can do its work now."""

    async def wait(self) -> int:
        """Wait until the running process ends; return its exit code."""
        assert self._child is not None, "a process is started before it is waited for"
        exit_code = await self._child.wait()
        assert exit_code is not None, "an unlimited wait ends with the process"
        return exit_code

    async def stop(self) -> None:
        """Stop it in order, and by force after a time."""
        if self._child is not None:
            await self._child.stop(
                signal_number=self.stop_signal, timeout_s=self.stop_timeout_s
            )

    async def kill(self) -> None:
        """End it, and what it has started, as a power cut would."""
        if self._child is not None:
            await self._child.kill()


def port_taken(part: str, port: int) -> CannotStart:
    """Say that somebody else listens on a part's port."""
    return CannotStart(
        part=part,
        reason=f"port {port} of {ports.LOOPBACK} is taken.",
        remedy="Stop the program that listens there, or choose another port.",
    )


class Ready(NamedTuple):
    """Where a program says that it is ready; without a path, by listening."""

    path: str
    port: int


class Program(Part):
    """A process that says over HTTP, or by listening, that it is ready."""

    def __init__(
        self,
        name: str,
        *,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        directory: Path,
        log_path: Path,
        port: int,
        ready: Ready | None = None,
    ) -> None:
        super().__init__(port=port, log_path=log_path)
        self.name = name
        self._command = command
        self._environment = environment
        self._directory = directory
        self._ready = ready or Ready("", port)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    @property
    def operations_url(self) -> str:
        """Where it answers those who run it."""
        return f"http://{ports.LOOPBACK}:{self._ready.port}"

    async def start(self) -> None:
        """Start the process; whether it is ready shows later."""
        if self.pid is not None:
            return
        for port in (self.port, self._ready.port):
            if not ports.is_free(port):
                raise port_taken(self.name, port)
        self._child = children.spawn(
            self._command,
            name=self.name,
            log_path=self.log_path,
            environment=self._environment,
            directory=self._directory,
        )

    async def is_ready(self) -> bool:
        """Ask the readiness page, or else try to connect."""
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                return await self._answers()
        except (OSError, TimeoutError):
            return False

    async def _answers(self) -> bool:
        path, port = self._ready
        reader, writer = await asyncio.open_connection(ports.LOOPBACK, port)
        try:
            if not path:
                return True
            request = f"GET {path} HTTP/1.1\r\nHost: {ports.LOOPBACK}\r\n"
            writer.write(f"{request}Connection: close\r\n\r\n".encode())
            status_line = await reader.read(_STATUS_LINE_BYTES_MAX)
            return status_line.split(b" ")[1:2] == [b"200"]
        finally:
            writer.close()
