"""The supervisor starts everything, keeps it running, and leaves nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest

from deploy.local import children, nats, ports, postgres
from deploy.local.errors import CannotStart
from deploy.local.keeper import Report, State
from deploy.local.layout import Layout
from deploy.local.programs import Options
from deploy.local.supervisor import Supervisor
from proto.subjects import SERVICES

_STAND_IN = Path(__file__).with_name("stand_in.py")
_PARTS = {"postgres", "nats", *SERVICES}
_WAIT_S = 30.0


def _options(**changes: Any) -> Options:
    commands = {name: (sys.executable, _STAND_IN, name) for name in SERVICES}
    return Options(commands=commands, durable=False, **changes)


def _misbehaving(service: str, how: str) -> Mapping[str, Mapping[str, str]]:
    return {service: {"STAND_IN": how}}


class _Heard:
    """The supervisor's reports, which a test can wait for."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._more = asyncio.Event()

    def take(self, report: Report) -> None:
        self.reports.append(report)
        self._more.set()

    async def until(self, name: str, state: State) -> None:
        async with asyncio.timeout(_WAIT_S):
            while (name, state) not in [(r.name, r.state) for r in self.reports]:
                self._more.clear()
                await self._more.wait()


async def _assert_gone(pids: Sequence[int]) -> None:
    for pid in pids:
        assert await children.wait_until_gone(pid, timeout_s=_WAIT_S), pid


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=_WAIT_S) as reply:
        return reply.status


async def test_everything_is_ready_inside_and_gone_after(tmp_path: Path):
    """Servers, migrations, services; then nothing, and the state file says so."""
    layout = Layout(tmp_path)
    async with Supervisor(layout, _options()) as system:
        pids = system.pids()
        assert set(pids) == _PARTS
        for service in SERVICES:
            url = f"{system.operations_url(service)}/readyz"
            assert await asyncio.to_thread(_get, url) == 200
        assert system.operations_url("api") != system.url("api")
        shown = layout.read_state()["processes"]
        assert {name: part["pid"] for name, part in shown.items()} == pids
        assert {part["state"] for part in shown.values()} == {"ready"}
        assert layout.holder() == os.getpid()
    await _assert_gone(list(pids.values()))
    shown = layout.read_state()["processes"]
    assert {part["state"] for part in shown.values()} == {"down"}
    assert layout.holder() is None


async def test_addresses_and_data_stay_from_run_to_run(tmp_path: Path):
    """A bookmark, and a redirect URI registered with a vendor, go on working."""
    async with Supervisor(Layout(tmp_path), _options()) as system:
        first = {name: system.url(name) for name in _PARTS}
        connection = await asyncpg.connect(system.admin_url)
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        await connection.close()
    async with Supervisor(Layout(tmp_path), _options()) as system:
        assert {name: system.url(name) for name in _PARTS} == first
        connection = await asyncpg.connect(system.admin_url)
        assert await connection.fetchval("SELECT answer FROM kept") == 42
        await connection.close()


async def test_a_service_that_dies_is_started_again_and_it_is_said(tmp_path: Path):
    """Which, how it ended, in how many seconds, and where its log is."""
    heard = _Heard()
    layout = Layout(tmp_path)
    async with Supervisor(layout, _options(), report=heard.take) as system:
        before = system.pids()
        os.kill(before["auth"], signal.SIGKILL)
        await heard.until("auth", State.DIED)
        await system.until_ready("auth")
        assert system.pids() == {**before, "auth": system.pids()["auth"]}
    (died,) = (report for report in heard.reports if report.state is State.DIED)
    assert died.name == "auth"
    assert died.said == (
        f"ended with signal 9; starts again in 0.5 s; its log is {layout.log('auth')}"
    )


@pytest.mark.parametrize("name", ["postgres", "nats", "connector-2", "api"])
async def test_each_part_can_be_killed_and_comes_back(tmp_path: Path, name: str):
    """Also the servers, on the same address; the other parts go on."""
    options = _options(replicas={"connector": 2})
    async with Supervisor(Layout(tmp_path), options) as system:
        before, url = system.pids(), system.url(name)
        await system.kill(name)
        await system.until_ready()
        after = system.pids()
        assert {part for part in after if after[part] != before[part]} == {name}
        assert system.url(name) == url


async def test_a_part_stays_down_as_long_as_it_is_held_down(tmp_path: Path):
    """So a test can delete the broker's store, or stop Postgres for a while."""
    reports: list[Report] = []
    async with Supervisor(
        Layout(tmp_path), _options(), report=reports.append
    ) as system:
        async with system.down("nats"):
            assert "nats" not in system.pids()
            await system.nats.delete_store()
        async with system.down("postgres", kill=False):
            assert "postgres" not in system.pids()
        await system.restart("reconciler")
        await system.until_ready()
        assert set(system.pids()) == _PARTS
    assert not [report for report in reports if report.state is State.DIED]


async def test_a_second_supervisor_is_refused(tmp_path: Path):
    """Two over the same data would harm it; the message says who and what to do."""
    async with Supervisor(Layout(tmp_path), _options()) as system:
        with pytest.raises(CannotStart, match="already runs") as told:
            async with Supervisor(Layout(tmp_path), _options()):
                pass
        assert str(os.getpid()) in str(told.value)
        await system.until_ready()
        assert set(system.pids()) == _PARTS
        assert Layout(tmp_path).holder() == os.getpid()


async def test_a_service_that_cannot_start_is_told_with_its_own_words(tmp_path: Path):
    """Its name, its last words and its log; and nothing is left running."""
    options = _options(environment=_misbehaving("reconciler", "crash"))
    system = Supervisor(Layout(tmp_path), options)
    with pytest.raises(CannotStart, match=r"exit code 7 .*wrong phase") as told:
        await system.__aenter__()
    assert told.value.part == "reconciler"
    assert system.pids() == {}
    assert Layout(tmp_path).holder() is None


async def test_a_failed_migration_is_told_and_no_service_starts(tmp_path: Path):
    """Services over a half-migrated schema would do harm."""
    reports: list[Report] = []
    options = _options(environment=_misbehaving("api", "crash-migrate"))
    system = Supervisor(Layout(tmp_path), options, report=reports.append)
    with pytest.raises(CannotStart, match=r"migration ended .*no luck") as told:
        await system.__aenter__()
    assert told.value.part == "api"
    assert {report.name for report in reports} == {"postgres", "nats"}
    assert system.pids() == {}


async def test_a_service_deaf_to_sigterm_is_killed_after_its_time(tmp_path: Path):
    """Stopping ends, whatever a service does."""
    reports: list[Report] = []
    options = _options(
        environment=_misbehaving("connector", "deaf"), stop_timeout_s=0.3
    )
    async with Supervisor(Layout(tmp_path), options, report=reports.append) as system:
        pids = list(system.pids().values())
    await _assert_gone(pids)
    told = [report.said for report in reports if "was killed" in report.said]
    assert told == ["did not stop in 0.3 s and was killed"]


async def test_a_full_disk_stops_nothing_that_runs(tmp_path: Path):
    """The state cannot be written here, as a folder has its name."""
    layout = Layout(tmp_path)
    async with Supervisor(layout, _options()) as system:
        layout.state.unlink()
        layout.state.mkdir()
        (layout.state / "in the way").touch()
        before = system.pids()
        await system.kill("auth")
        await system.until_ready()
        assert system.pids()["auth"] != before["auth"]


async def test_parts_stop_in_order(tmp_path: Path):
    """What asks goes before what answers; the servers go last."""
    reports: list[Report] = []
    async with Supervisor(Layout(tmp_path), _options(), report=reports.append):
        pass
    order = [report.name for report in reports if report.state is State.DOWN]
    assert order == ["api", "connector", "reconciler", "auth", "nats", "postgres"]


async def test_servers_of_the_users_own_replace_the_embedded_ones(
    tmp_path: Path, postgres_server: postgres.Server, open_nats_server: nats.Server
):
    """DATABASE_URL and NATS_URL: nothing is embedded, roles get passwords."""
    await postgres_server.create_database("outside")
    options = _options(
        database_url=postgres_server.dsn(database="outside"),
        nats_url=open_nats_server.url,
    )
    async with Supervisor(Layout(tmp_path), options) as system:
        assert set(system.pids()) == set(SERVICES)
        environ = Path(f"/proc/{system.pids()['auth']}/environ").read_bytes()
    settings = dict(line.split("=", 1) for line in environ.decode().split("\0") if line)
    address = settings["AUTH_DATABASE_URL"]
    where = f"{ports.LOOPBACK}:{postgres_server.port}/outside"
    assert address == f"postgresql://tandem_auth@{where}"
    assert Path(settings["AUTH_DATABASE_PASSWORD_FILE"]).read_text()
    assert settings["AUTH_NATS_URL"] == open_nats_server.url
    assert "DATABASE_URL" not in settings


async def test_a_taken_api_port_is_named(tmp_path: Path, open_nats_server: nats.Server):
    """Asked for by number, it is not silently replaced."""
    options = _options(api_port=open_nats_server.port)
    with pytest.raises(CannotStart, match=f"api .*port {open_nats_server.port} "):
        async with Supervisor(Layout(tmp_path), options):
            pass


_IN_FRONT = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from deploy.local import foreground
    from deploy.local.layout import Layout
    from deploy.local.programs import Options
    from proto.subjects import SERVICES

    root, stand_in = Path(sys.argv[1]), sys.argv[2]
    commands = {name: (sys.executable, stand_in, name) for name in SERVICES}
    options = Options(commands=commands, durable=False)
    asyncio.run(foreground.run(Layout(root), options))
    """
)


class _InFront:
    """A supervisor in a process of its own, as `make up` runs it."""

    def __init__(self, root: Path, *, until: str) -> None:
        command = [sys.executable, "-c", _IN_FRONT, str(root), str(_STAND_IN)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if until in line:
                break
        self.pids = children.descendants(self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """A test that fails leaves nothing running either."""
        self.process.kill()
        self.process.wait(_WAIT_S)
        self.process.stdout.close()

    def end(self, signal_number: int) -> int:
        self.process.send_signal(signal_number)
        self.said += self.process.communicate(timeout=_WAIT_S)[0]
        return self.process.returncode


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_in_order(tmp_path: Path, signal_number: int):
    """Ctrl-C: plain lines where there is no terminal, exit code 0, no process left."""
    with _InFront(tmp_path, until="Tandem is up") as supervisor:
        assert len(supervisor.pids) >= len(_PARTS)
        assert supervisor.end(signal_number) == 0
    await _assert_gone(supervisor.pids)
    assert "auth: ready at http://" in supervisor.said
    assert supervisor.said.endswith("postgres: down\nStopped.\n")


async def test_a_signal_in_the_middle_of_the_start_stops_it(tmp_path: Path):
    """Impatience leaves nothing behind either."""
    with _InFront(tmp_path, until="nats: ready") as supervisor:
        assert supervisor.end(signal.SIGINT) == 0
    await _assert_gone(supervisor.pids)
    assert "Tandem is up" not in supervisor.said


async def test_nothing_is_left_when_the_supervisor_is_killed(tmp_path: Path):
    """And the next start, at once, finds its servers' data and address free."""
    with _InFront(tmp_path, until="Tandem is up") as supervisor:
        supervisor.end(signal.SIGKILL)
    async with Supervisor(Layout(tmp_path), _options()) as system:
        await _assert_gone(supervisor.pids)
        assert set(system.pids()) == _PARTS


def _command(root: Path, *arguments: str, **environment: str):
    return subprocess.run(
        [sys.executable, "-m", "deploy.local", "--directory", str(root), *arguments],
        capture_output=True,
        text=True,
        timeout=_WAIT_S,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://admin:hunter2@127.0.0.1:1/tandem"),
        ("DATABASE_URL", "not an address"),
        ("NATS_URL", "nats://127.0.0.1:1"),
        ("NATS_URL", "nats://[broken"),
    ],
)
def test_a_server_that_is_not_there_is_told_in_one_paragraph(
    tmp_path: Path, variable: str, url: str
):
    """No traceback, no password; which variable, and what to do."""
    done = _command(tmp_path, "up", **{variable: url})
    assert done.returncode == 1
    assert f"unset {variable}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr + done.stdout
    assert "hunter2" not in done.stderr + done.stdout


def test_the_commands_say_when_nothing_runs(tmp_path: Path):
    """`status` tells it by its exit code too; `down` has nothing to do."""
    status, down = _command(tmp_path, "status"), _command(tmp_path, "down")
    assert (status.returncode, down.returncode) == (3, 0)
    assert status.stdout == down.stdout == f"Tandem is not running in {tmp_path}.\n"


def test_status_and_down_speak_to_the_running_supervisor(tmp_path: Path):
    """Another shell sees what runs, and stops it."""
    with _InFront(tmp_path, until="Tandem is up") as supervisor:
        status = _command(tmp_path, "status")
        assert status.returncode == 0
        assert all(part in status.stdout for part in _PARTS)
        assert _command(tmp_path, "down").returncode == 0
        assert supervisor.process.wait(_WAIT_S) == 0


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path):
    """A file stands where the directory should be."""
    (tmp_path / "file").touch()
    done = _command(tmp_path / "file", "up")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
