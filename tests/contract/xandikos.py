"""A real Xandikos server for tests: users with passwords, and books as it keeps them.

Each book is a git repository with its cards as files.
"""

import asyncio
import base64
import hashlib
import signal
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Final

from dulwich.index import index_entry_from_stat, locked_index
from dulwich.objects import Blob
from dulwich.repo import Repo

from deploy.local import children, ports, server

BOOK: Final = "contacts/addressbook"
"""The address book that the server makes for every user."""
RUNNER: Final = Path(__file__).with_name("xandikos_runner.py")


class Server(server.Server):
    """One server with the users it knows, whose books it makes when they first call."""

    title: ClassVar[str] = "Xandikos"
    remedy: ClassVar[str] = "It is in the development requirements."

    def __init__(self, directory: Path, *, users: Mapping[str, str]) -> None:
        self.directory = directory.absolute()
        super().__init__(port=None, log_path=self.directory / "xandikos.log")
        self._users = dict(users)

    @property
    def url(self) -> str:
        """The server's address, without a slash at its end."""
        return f"http://{ports.LOOPBACK}:{self.port}"

    def book_path(self, user: str) -> str:
        """Return the path of a user's address book on the server."""
        return f"/{user}/{BOOK}/"

    def book_directory(self, user: str) -> Path:
        """Return where the server keeps a user's address book."""
        return self.directory / "data" / user / BOOK

    def put(self, user: str, cards: Iterable[tuple[str, str]]) -> None:
        """Put cards where the server keeps them, by name, all in one commit."""
        directory = self.book_directory(user)
        with Repo(str(directory)) as repo:
            blobs = []
            with locked_index(repo.index_path()) as index:
                for name, text in cards:
                    path = directory / name
                    path.write_bytes(text.encode())
                    blob = Blob.from_string(text.encode())
                    blobs.append((blob, None))
                    index[name.encode()] = index_entry_from_stat(path.stat(), blob.id)
                repo.object_store.add_objects(blobs)
                tree = index.commit(repo.object_store)
            repo.get_worktree().commit(message=b"Restore a backup", tree=tree)

    def forget_sync_tokens(self, user: str) -> None:
        """Drop earlier states of a book, as somebody who shortens its history would."""
        with Repo(str(self.book_directory(user))) as repo:
            trees = {each.commit.tree for each in repo.get_walker()}
            for tree in trees - {repo[repo.head()].tree}:
                name = tree.decode()
                place = Path(repo.object_store.path, name[:2], name[2:])
                place.unlink(missing_ok=True)

    async def _prepare(self) -> None:
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        lines = (f"{name}:{_hash(secret)}\n" for name, secret in self._users.items())
        (self.directory / "users").write_text("".join(lines))

    def _launch(self) -> children.Child:
        places = (self.directory / "data", self.directory / "users")
        return children.spawn(
            # Not this folder's module of the same name.
            [sys.executable, "-P", RUNNER, *places, str(self.port)],
            name="xandikos",
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


def _hash(secret: str) -> str:
    """Return a password as the server's file has it: cheap to check, for tests."""
    digest = hashlib.sha1(secret.encode()).digest()
    return "{SHA}" + base64.b64encode(digest).decode()
