"""Collects everything that a canary could have got to, place by place.

What belongs to vendors (the emulator, the address book) and the folder of secrets are
left out: there canaries are at home.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import asyncpg

from tests.security.canaries import belonging
from tests.security.canaries.belonging import NOTHING

_CATALOGUE: Final = """
SELECT n.nspname || '.' || c.relname AS name,
    format('%I.%I', n.nspname, c.relname) AS quoted
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1
"""
SERVERS_OWN: Final = ("pg_authid", "pg_stat_activity", "pg_db_role_setting")
"""What Postgres itself shows of passwords, statements and settings."""
_VENDORS: Final = ("constant_contact", "radicale")


class Place(NamedTuple):
    """Something that is searched."""

    kind: str
    name: str
    data: bytes
    held: frozenset[str] = NOTHING
    """The groups of canaries that may be there."""

    @property
    def told(self) -> bytes:
        """What to search: of a log each line once, since most are there many times."""
        if self.kind != "log":
            return self.data
        return b"\n".join(dict.fromkeys(self.data.splitlines()))


def logs(folder: Path) -> Iterator[Place]:
    """Return what each process but the vendors' wrote."""
    for path in sorted(folder.iterdir()):
        if path.name.split(".")[0] not in _VENDORS:
            yield Place("log", path.name, path.read_bytes())


def messages(kind: str, heard: Iterable[tuple[str, bytes]]) -> Iterator[Place]:
    """Return what was said, all messages of one subject together."""
    found: dict[str, list[bytes]] = {}
    for subject, data in heard:
        found.setdefault(subject, []).append(data)
    for subject, parts in sorted(found.items()):
        held = belonging.of_message(subject)
        data = subject.encode() + b"\n" + b"\n".join(parts)
        yield Place(kind, subject, data, held)


async def metrics(urls: Mapping[str, str]) -> AsyncIterator[Place]:
    """Return the metrics of each service, by its name."""
    async with aiohttp.ClientSession() as session:
        for name, url in urls.items():
            for path in ("/metrics", "/readyz", "/livez"):
                async with session.get(url + path) as answer:
                    yield Place("metrics", name + path, await answer.read())


async def tables(url: str) -> AsyncIterator[Place]:
    """Return each table's rows. One that nobody has declared may hold nothing."""
    connection = await asyncpg.connect(url)
    try:
        found = [
            (row["name"], row["quoted"]) for row in await connection.fetch(_CATALOGUE)
        ]
        for name, quoted in [*found, *((name, name) for name in SERVERS_OWN)]:
            rows = await connection.fetch(f"SELECT * FROM {quoted}")
            data = b"\n".join(_written(value) for row in rows for value in row)
            yield Place("table", name, data, belonging.TABLES.get(name, NOTHING))
    finally:
        await connection.close()


def processes(
    pids: Mapping[str, int], given: Mapping[str, Mapping[str, str]]
) -> Iterator[Place]:
    """Return command lines, and of each environment what its installer did not give."""
    for name, pid in pids.items():
        if name in _VENDORS:
            continue
        proc = Path(f"/proc/{pid}")
        yield Place("process", f"{name} cmdline", (proc / "cmdline").read_bytes())
        entries = (proc / "environ").read_bytes().split(b"\0")
        own = {f"{k}={v}".encode() for k, v in given.get(name, {}).items()}
        added = b"\0".join(entry for entry in entries if entry not in own)
        yield Place("process", f"{name} environ", added)


def files(root: Path, *, skip: Iterable[Path], changed: "Changes") -> Iterator[Place]:
    """Return the files of an installation; of Postgres' those that were written to."""
    left_out = tuple(skip)
    for path in sorted(root.rglob("*")):
        if not path.is_file() or any(path.is_relative_to(place) for place in left_out):
            continue
        is_postgres = path.is_relative_to(changed.folder)
        if is_postgres and not changed.has(path):
            continue
        kind, held = ("file", NOTHING)
        if is_postgres:
            kind, held = ("Postgres' file", belonging.FILES)
        yield Place(kind, str(path.relative_to(root)), _dense(path), held)


class Changes:
    """Which files of a folder have been written to since this was made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = {
            path: self._state(path) for path in folder.rglob("*") if path.is_file()
        }

    def has(self, path: Path) -> bool:
        """Tell whether a file is new or has changed."""
        return self._before.get(path) != self._state(path)

    def _state(self, path: Path) -> tuple[int, int]:
        stat = path.stat()
        return stat.st_size, stat.st_mtime_ns


async def collect_all(*sources: Any) -> list[Place]:
    """Return everything of several collectors, synchronous or not."""
    found: list[Place] = []
    for source in sources:
        if hasattr(source, "__aiter__"):
            found += [place async for place in source]
        else:
            found += await asyncio.to_thread(list, source)
    return found


def _dense(path: Path) -> bytes:
    """Return a file without its long runs of zeros: pages that nobody used."""
    return path.read_bytes().replace(bytes(512), b"")


def _written(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, list | tuple):
        return b"\n".join(map(_written, value))
    return str(value).encode()
