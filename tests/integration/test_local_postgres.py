"""The embedded Postgres keeps its data and address, and leaves nothing behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import asyncpg
import pytest

from deploy.local import children, databases, ports, postgres, privileges
from deploy.local.errors import CannotStart
from tests.servers import Database, fresh_database, migrated_database

pytestmark = pytest.mark.integration

_DEBIAN = Path("/usr/lib/postgresql/15/bin")
_WAIT_S = 30.0


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_killed_server_comes_back_with_what_was_committed(tmp_path: Path):
    """Same directory, same port; clients need no new address."""
    async with postgres.running(tmp_path / "data") as server:
        url, first_pid = server.dsn(), server.pid
        await server.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        backends = children.descendants(first_pid)
        await server.kill()
        assert server.pid is None
        assert all(not Path(f"/proc/{pid}/exe").exists() for pid in backends)
        await server.start()
        assert server.dsn() == url
        assert server.pid != first_pid
        assert await _value(url, "SELECT answer FROM kept") == 42


@pytest.mark.parametrize("immediate", [False, True])
async def test_a_stopped_server_leaves_no_process(tmp_path: Path, immediate: bool):
    """A client that is still connected does not hold the stop up."""
    async with postgres.running(tmp_path / "data", durable=False) as server:
        client = await asyncpg.connect(server.dsn())
        pids = [server.pid, *children.descendants(server.pid)]
        await server.stop(immediate=immediate)
        assert len(pids) > 2
        for pid in pids:
            assert await children.wait_until_gone(pid, timeout_s=0.1)
        client.terminate()


async def test_a_server_ends_with_the_process_that_started_it(tmp_path: Path):
    """SIGKILL of a test run or of the supervisor leaves nothing running."""
    script = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from deploy.local import postgres, nats

        async def main(root):
            async with postgres.running(root / "p") as p, nats.running(root / "n") as n:
                print(p.pid, n.pid, flush=True)
                await asyncio.sleep(3600)

        asyncio.run(main(Path(sys.argv[1])))
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    )
    try:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        pids += children.descendants(pids[0])
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate(timeout=_WAIT_S)
    assert len(pids) > 3
    for pid in pids:
        assert await children.wait_until_gone(pid, timeout_s=_WAIT_S)


async def test_the_server_is_for_loopback_alone(tmp_path: Path):
    """No unix socket, no other address."""
    async with postgres.running(tmp_path / "data", durable=False) as server:
        listening = await _value(server.dsn(), "SHOW listen_addresses")
        sockets = await _value(server.dsn(), "SHOW unix_socket_directories")
    assert (listening, sockets) == (ports.LOOPBACK, "")


async def test_durable_is_the_default(tmp_path: Path):
    """Only tests may trade safety for speed."""
    async with postgres.running(tmp_path / "data") as server:
        assert await _value(server.dsn(), "SHOW fsync") == "on"
        assert await _value(server.dsn(), "SHOW synchronous_commit") == "on"


async def test_a_taken_port_is_named(tmp_path: Path):
    """The message says which port, and what to do."""
    with socket.create_server((ports.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} .* is taken. Stop "):
            async with postgres.running(tmp_path / "data", port=port):
                pass


async def test_a_directory_with_other_files_is_left_alone(tmp_path: Path):
    """A wrong --directory must not cost anyone their files."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CannotStart, match="files that are not a database"):
        async with postgres.running(tmp_path):
            pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


async def test_an_interrupted_initdb_is_begun_again(tmp_path: Path):
    """A half-made directory would otherwise stop every later start."""
    data = tmp_path / "data"
    (data / "base").mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    async with postgres.running(data, durable=False) as server:
        assert await _value(server.dsn(), "SELECT 1") == 1


async def test_each_service_sees_its_own_schema_only(database: Database):
    """The service's role uses its tables, owns nothing, and sees no other's."""
    owner = await asyncpg.connect(database.owner_url("auth"))
    await owner.execute("CREATE TABLE auth.grants (id text)")
    await owner.close()
    service = await asyncpg.connect(database.service_url("auth"))
    other = await asyncpg.connect(database.service_url("connector"))
    try:
        await service.execute("INSERT INTO auth.grants VALUES ('grant_1')")
        for statement in ("DROP TABLE auth.grants", "CREATE TABLE auth.more (id text)"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await other.fetch("SELECT id FROM auth.grants")
    finally:
        await service.close()
        await other.close()


async def test_a_migrated_database_is_a_fresh_copy_each_time(
    postgres_server: postgres.Server,
):
    """What one test stores, the next one does not see."""
    for _ in range(2):
        async with migrated_database(postgres_server, "auth") as database:
            url = database.admin_url
            assert await _value(url, "SELECT count(*) FROM auth.inbox") == 0
            await _value(
                database.owner_url("auth"), "ALTER TABLE auth.inbox RENAME TO other"
            )


async def test_preparing_twice_changes_nothing(database: Database):
    """Every start of the supervisor prepares the database again."""
    await databases.prepare(database.admin_url)
    await databases.prepare(database.admin_url)


async def test_an_administrator_need_not_be_superuser(tmp_path: Path):
    """Managed servers give out a role that may create roles, and no more."""
    async with postgres.running(tmp_path / "data", durable=False) as server:
        await server.execute("CREATE ROLE keeper LOGIN CREATEROLE")
        await server.create_database("own", owner="keeper")
        await databases.prepare(server.dsn(role="keeper", database="own"))
        await databases.prepare(server.dsn(role="keeper", database="own"))
        owner_url = server.dsn(role="tandem_api_owner", database="own")
        service_url = server.dsn(role="tandem_api", database="own")
        await _value(owner_url, "CREATE TABLE api.people (id text)")
        assert await _value(service_url, "SELECT count(*) FROM api.people") == 0


async def test_an_administrator_without_the_rights_is_told(
    postgres_server: postgres.Server,
):
    """The message names the right that is missing and who could help."""
    await postgres_server.execute("CREATE ROLE guest LOGIN")
    async with fresh_database(postgres_server) as database:
        url = databases.address_for(database.admin_url, role="guest")
        with pytest.raises(CannotStart, match=r"may not prepare .*CREATEROLE"):
            await databases.prepare(url)


async def test_an_unreachable_database_is_told_without_its_password():
    """One paragraph with the address, the reason and the remedy."""
    url = f"postgresql://admin:hunter2@{ports.LOOPBACK}:{ports.free_port()}/tandem"
    with pytest.raises(CannotStart, match=r"DATABASE_URL .* cannot be reached") as told:
        await databases.prepare(url)
    assert "hunter2" not in str(told.value)
    assert "unset DATABASE_URL" in str(told.value)


@pytest.mark.skipif(not _DEBIAN.exists(), reason="Debian's Postgres 15 is not here")
async def test_the_oldest_supported_postgres_serves_too(tmp_path: Path):
    """The same launcher and the same admin.sql over Debian's server."""
    data = tmp_path / "data"
    async with postgres.running(data, programs=_DEBIAN, durable=False) as server:
        await server.create_database("tandem")
        await databases.prepare(server.dsn(database="tandem"))
        url = server.dsn(role="tandem_auth", database="tandem")
        assert str(await _value(url, "SHOW server_version")).startswith("15")


async def test_servers_start_beside_each_other(tmp_path: Path):
    """Each takes a port of its own."""
    first, second = (
        postgres.Server(
            tmp_path / name, programs=postgres.find_programs(), durable=False
        )
        for name in ("first", "second")
    )
    try:
        await asyncio.gather(first.start(), second.start())
        assert first.port != second.port
    finally:
        await first.stop(immediate=True)
        await second.stop(immediate=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
async def test_nobody_is_told_that_it_may_read_below_a_closed_folder(tmp_path: Path):
    """A checkout below a home directory that is closed to others.

    Postgres asks before it reads its programs. It was told no, and did not start.
    """
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.touch(mode=0o755)
    asks = [*privileges.AS_NOBODY.prefix, "test", "-r", str(program)]
    assert subprocess.run(asks).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
async def test_root_can_run_it_where_namespaces_are_forbidden(tmp_path: Path):
    """As in most containers; the same data serves both ways, one after the other."""
    ways = (
        privileges.AS_NOBODY,
        privileges.IN_OWN_NAMESPACE,
        privileges.AS_NOBODY,
    )
    for way in ways:
        server = postgres.Server(
            tmp_path / "data",
            programs=postgres.find_programs(),
            durable=False,
            way=way,
        )
        try:
            await server.start()
            await server.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
            await server.execute("INSERT INTO kept VALUES (1)")
            count = await _value(server.dsn(), "SELECT count(*) FROM kept")
        finally:
            await server.stop()
    assert count == len(ways)
