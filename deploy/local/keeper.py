"""Keeps one part running: starts it again when it dies, with growing pauses."""

import asyncio
import enum
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from deploy.local import children
from deploy.local.errors import CannotStart
from deploy.local.part import Part

PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 30.0
STEADY_AFTER_S = 60.0
"""A part that ran this long starts again with the first pause."""
LOG_BYTES_MAX = 50 * 1024 * 1024


class State(enum.StrEnum):
    """Where a part is in its life."""

    DOWN = "down"
    STARTING = "starting"
    READY = "ready"
    NOT_READY = "not ready"
    DIED = "died"
    STOPPING = "stopping"


_POLL_SLOW_S = 2.0
_POLL_S = {State.STARTING: 0.05, State.NOT_READY: 0.25}
"""How long to wait before the next look, where a change is expected soon."""


class Report(NamedTuple):
    """One change of one part, for the screen and the state file."""

    name: str
    state: State
    said: str = ""


class Keeper:
    """One part, the task that keeps it running, and what is known of it."""

    def __init__(
        self, name: str, part: Part, *, report: Callable[[Report], None]
    ) -> None:
        self.name = name
        self.part = part
        self.state = State.DOWN
        self.restart_count = 0
        self.deaths_in_a_row = 0
        self.last_words = ""
        """How the part ended, or why it did not start, the last time."""
        self._report = report
        self._wanted = asyncio.Event()
        self._unwanted = asyncio.Event()
        self._resting = asyncio.Event()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the part, and again whenever it dies."""
        assert self._task is None, "a part has one keeper"
        self._wanted.set()
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def until_ready(self, *, deaths_max: int | None = None) -> bool:
        """Wait until the part is ready; False when it died too often before."""
        while self.state is not State.READY:
            if deaths_max is not None and self.deaths_in_a_row >= deaths_max:
                return False
            if self._task is not None and self._task.done():
                # A fault of ours, raised here rather than waited for.
                self._task.result()
            self._changed.clear()
            await self._changed.wait()
        return True

    def explain(self) -> CannotStart:
        """Say why a part that keeps dying at its first start does so."""
        log_path = self.part.log_path
        said = " ".join(children.tail(log_path, 3).split()) or "nothing"
        return CannotStart(
            part=self.name,
            reason=(
                f"tried {self.deaths_in_a_row} times, it {self.last_words}"
                f" and said: {said}."
            ),
            remedy=f"Its whole log is {log_path}.",
        )

    async def finish(self) -> None:
        """Stop the part in order and for good."""
        if self._task is None and self.part.pid is None:
            return
        self._wanted.clear()
        self._unwanted.set()
        self._tell(State.STOPPING)
        was_running = self.part.pid is not None
        await self.part.stop()
        said = ""
        if was_running and self.part.was_killed:
            said = f"did not stop in {self.part.stop_timeout_s:g} s and was killed"
        if self._task is not None:
            await _ended(self._task)
            self._task = None
        self._tell(State.DOWN, said)

    async def end_at_once(self) -> None:
        """Kill the part; it starts again by itself."""
        self.state = State.DOWN
        await self.part.kill()

    @asynccontextmanager
    async def down(self, *, kill: bool = True) -> AsyncIterator[None]:
        """Keep the part down inside of the block and start it after."""
        self._wanted.clear()
        self._unwanted.set()
        await (self.part.kill() if kill else self.part.stop())
        await self._resting.wait()
        self._tell(State.DOWN)
        try:
            yield
        finally:
            self._unwanted.clear()
            self._resting.clear()
            self._wanted.set()

    async def _keep(self) -> None:
        try:
            while True:
                self._resting.set()
                await self._wanted.wait()
                self._resting.clear()
                started_at = time.monotonic()
                self.last_words = await self._run_once()
                if self._wanted.is_set():
                    await self._pause(ran_s=time.monotonic() - started_at)
        finally:
            self._changed.set()

    async def _run_once(self) -> str:
        """Run the part to its end; return how it ended."""
        self._tell(State.STARTING)
        bound_log(self.part.log_path)
        try:
            await self.part.start()
        except (CannotStart, OSError) as err:
            # A full disk or process table may pass; the next try will tell.
            return str(err)
        if not self._wanted.is_set():
            # It was to go down before there was a process to stop.
            await self.part.kill()
        watching = asyncio.create_task(self._watch())
        try:
            exit_code = await self.part.wait()
        finally:
            await _ended(watching)
        return f"ended with {_in_words(exit_code)}"

    async def _watch(self) -> None:
        while True:
            # It may have been killed while it was asked.
            if await self.part.is_ready() and self.part.pid is not None:
                self._tell(State.READY)
            elif self.state is State.READY:
                self._tell(State.NOT_READY)
            await asyncio.sleep(_POLL_S.get(self.state, _POLL_SLOW_S))
            bound_log(self.part.log_path)

    async def _pause(self, *, ran_s: float) -> None:
        if ran_s >= STEADY_AFTER_S:
            self.deaths_in_a_row = 0
        pause_s = min(PAUSE_FIRST_S * 2**self.deaths_in_a_row, PAUSE_MAX_S)
        self.deaths_in_a_row += 1
        self.restart_count += 1
        log_path = self.part.log_path
        again = f"starts again in {pause_s:g} s; its log is {log_path}"
        self._tell(State.DIED, f"{self.last_words}; {again}")
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._unwanted.wait()

    def _tell(self, state: State, said: str = "") -> None:
        if state is self.state and not said:
            return
        self.state = state
        self._changed.set()
        self._report(Report(self.name, state, said))


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait for its end; a fault in it is raised here."""
    task.cancel()
    # To await the task itself would hide a cancellation of the one who waits.
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


def bound_log(path: Path) -> None:
    """Move a log that has grown too long aside; one older piece is kept."""
    with suppress(OSError):
        if path.stat().st_size > LOG_BYTES_MAX:
            # The process goes on writing at the end of the same, now empty, file.
            shutil.copyfile(path, path.with_suffix(".log.1"))
            os.truncate(path, 0)


def _in_words(exit_code: int) -> str:
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"
