"""Where an installation keeps its things, who may use them, and its written state."""

import fcntl
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.local.errors import CannotStart

REPOSITORY = Path(__file__).resolve().parents[2]


class Layout:
    """The folders and files of one installation, by default `.local/`."""

    def __init__(self, root: Path = REPOSITORY / ".local") -> None:
        self.root = root.absolute()
        self.keys = self.root / "keys"
        self.postgres = self.root / "data" / "postgres"
        self.nats = self.root / "data" / "nats"
        self.radicale = self.root / "data" / "radicale"
        self.state = self.root / "state.json"
        self.lock = self.root / "lock"

    def log(self, name: str) -> Path:
        """Return the log file of one process."""
        return self.root / "logs" / f"{name}.log"

    def command(self, verb: str) -> str:
        """Return the command line that does something with this installation."""
        place = f" --directory {shlex.quote(str(self.root))}"
        if self.root == Layout().root:
            place = ""
        return f"python -m deploy.local{place} {verb}"

    def prepare(self) -> None:
        """Create the root, for this user alone: logs and data lie below it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.lock.touch(mode=0o600)
        except OSError as err:
            raise CannotStart(
                part="Tandem",
                reason=f"{self.root} cannot be written ({err.strerror}).",
                remedy="Make it writable for this user, or name another --directory.",
            ) from err

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the installation, which one supervisor at a time may run."""
        self.prepare()
        with self.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                raise CannotStart(
                    part="Tandem",
                    reason=f"it already runs in {self.root} (process {file.read()}).",
                    remedy=(
                        f"See `{self.command('status')}`, stop it with"
                        f" `{self.command('down')}`, or name another --directory."
                    ),
                ) from err
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def holder(self) -> int | None:
        """Return the process id of the running supervisor, if there is one."""
        try:
            with self.lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = self.lock.read_text()
            return int(text) if text.isdigit() else None
        except OSError:
            return None
        return None

    def write_state(self, state: Mapping[str, object]) -> None:
        """Replace the state file in one step."""
        draft = self.state.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(state, indent=2) + "\n")
        draft.replace(self.state)

    def read_state(self) -> dict[str, Any]:
        """Return what was last written, or nothing if that cannot be read."""
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}
