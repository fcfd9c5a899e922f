"""Child processes that can be waited for from any event loop and never outlive us.

A child runs in its own session, so that Ctrl-C reaches only the parent, which then
stops its children in order; the kernel signals a child whose parent was killed.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_KILL_WAIT_S = 10.0


class Child:
    """One running (or ended) child process with its output in a log file."""

    def __init__(
        self, *, name: str, process: "subprocess.Popen[bytes]", log_path: Path
    ) -> None:
        self.name = name
        self.log_path = log_path
        self._process = process

    @property
    def pid(self) -> int:
        """The process id, which is also that of its session."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, or None while it runs."""
        return self._process.poll()

    async def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the end; return the exit code, or None if it still runs."""
        if self._process.poll() is None:
            await wait_until_gone(self.pid, timeout_s=timeout_s)
        return self._process.poll()

    async def stop(self, *, signal_number: int, timeout_s: float) -> int:
        """Ask the process to end, then insist with SIGKILL to its whole session."""
        if self._process.poll() is None:
            self.signal(signal_number)
            await self.wait(timeout_s)
        return await self.kill()

    async def kill(self) -> int:
        """End the process and all that share its session at once."""
        self._signal_session(signal.SIGKILL)
        exit_code = await self.wait(_KILL_WAIT_S)
        if exit_code is None:
            raise TimeoutError(f"{self.name} (pid {self.pid}) survived SIGKILL")
        return exit_code

    def signal(self, signal_number: int) -> None:
        """Send a signal to the process itself, if it still runs."""
        self._process.send_signal(signal_number)

    def _signal_session(self, signal_number: int) -> None:
        try:
            os.killpg(self.pid, signal_number)
        except ProcessLookupError:
            return

    def log_tail(self, line_count: int = 5) -> str:
        """Return the last lines of the log, for a message about a failed start."""
        return tail(self.log_path, line_count)


def spawn(
    command: Sequence[str | Path],
    *,
    name: str,
    log_path: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    death_signal: int = signal.SIGKILL,
) -> Child:
    """Start a process whose output is appended to `log_path`.

    The kernel sends `death_signal` when the thread that called this ends, so call
    it from one that lives as long as the child should.
    """
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            cwd=directory,
            start_new_session=True,
            # Safe here: between fork and exec only two system calls are made.
            preexec_fn=_leash(death_signal),  # noqa: PLW1509
        )
    return Child(name=name, process=process, log_path=log_path)


def tail(path: Path, line_count: int) -> str:
    """Return the last lines of a text file; nothing if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-line_count:])


def descendants(pid: int) -> list[int]:
    """Return the processes started by `pid` and by those, as they are now."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = _parent_of(int(entry.name))
            parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found.extend(children)
        todo.extend(children)
    return found


def _parent_of(pid: int) -> int:
    """Return the parent's id, or 0 if the process has just ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    # The second column is the program's name, which may contain anything but is
    # closed by the last parenthesis of the line.
    return int(text.rpartition(")")[2].split()[1])


async def wait_until_gone(pid: int, *, timeout_s: float | None) -> bool:
    """Wait until a process has ended; tell whether it did within the limit."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def note_end() -> None:
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(descriptor, note_end)
    try:
        async with asyncio.timeout(timeout_s):
            await ended
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True


def _leash(death_signal: int) -> Callable[[], None] | None:
    """Make the step between fork and exec that ties a child to its parent."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, death_signal)
        # The parent may have been killed before the line above took effect.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return tie
