"""A Radicale CardDAV server for the demo and tests: a real peer, not an emulator.

Runs the `radicale` package on a free loopback port, with users from an htpasswd
file and an empty address book for each of them. Not for production.
"""

import asyncio
import importlib.util
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local import children, ports, server
from deploy.local.errors import CannotStart

BOOK = "contacts"
"""The name of the address book that every user has from the start."""

_CONFIGURATION = """\
[server]
hosts = {host}:{port}
max_connections = 32
timeout = 30
[auth]
type = htpasswd
htpasswd_filename = {directory}/users
htpasswd_encryption = plain
delay = 0
[rights]
type = owner_only
[storage]
filesystem_folder = {directory}/collections
max_sync_token_age = 2592000
[web]
type = none
[logging]
level = warning
"""


class Server(server.Server):
    """One Radicale server that keeps its directory and port across restarts."""

    title = "Radicale"
    remedy = "Its configuration lies beside its collections."

    def __init__(
        self,
        directory: Path,
        *,
        users: Mapping[str, str],
        port: int | None = None,
        log_path: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        beside = self.directory / "radicale.log"
        super().__init__(port=port, log_path=log_path or beside)
        self._users = dict(users)

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def book_path(self, user: str, book: str = BOOK) -> str:
        """Return the path of a user's address book on the server."""
        return f"/{user}/{book}/"

    def book_directory(self, user: str, book: str = BOOK) -> Path:
        """Return where the server keeps a user's address book: a file for each card."""
        return self.directory / "collections" / "collection-root" / user / book

    def forget_sync_tokens(self, user: str, book: str = BOOK) -> None:
        """Drop what the server knows of earlier states, as its clean-up would."""
        folder = self.book_directory(user, book) / ".Radicale.cache" / "sync-token"
        for path in folder.glob("*"):
            path.unlink()

    async def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        users = "".join(f"{name}:{secret}\n" for name, secret in self._users.items())
        path = self.directory / "users"
        path.touch(mode=0o600)
        path.write_text(users)
        for name in self._users:
            book = self.book_directory(name, BOOK)
            book.mkdir(parents=True, exist_ok=True)
            properties = {"tag": "VADDRESSBOOK", "D:displayname": "Contacts"}
            (book / ".Radicale.props").write_text(json.dumps(properties))

    def _launch(self) -> children.Child:
        configuration = self.directory / "radicale.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                host=ports.LOOPBACK,
                port=self.port,
                directory=self.directory,
            )
        )
        return children.spawn(
            [_python(), "-m", "radicale", "--config", configuration],
            name="radicale",
            log_path=self.log_path,
            death_signal=signal.SIGTERM,
        )

    async def _has_started(self, pid: int) -> bool:
        try:
            _, writer = await asyncio.open_connection(ports.LOOPBACK, self.port)
        except OSError:
            return False
        writer.close()
        return True


@asynccontextmanager
async def running(
    directory: Path,
    *,
    users: Mapping[str, str],
    port: int | None = None,
) -> AsyncIterator[Server]:
    """Run a server over a directory, which is made if it is missing.

    `users` are names and passwords.
    """
    started = Server(directory, users=users, port=port)
    try:
        await started.start()
        yield started
    finally:
        await started.stop()


def _python() -> str:
    """Return this Python, once it is clear that it has the server."""
    # Only located, never imported: deploy starts programs and shares no code.
    if importlib.util.find_spec("radicale") is None:
        raise CannotStart(
            part="Radicale",
            reason="the radicale package is not installed in this Python environment.",
            remedy="Install the development requirements (`make up` does).",
        )
    return sys.executable
