"""What services log is kept on another machine, too (ASVS 16.4.3).

A real rsyslog with the configuration of `deploy/logs`, and a collector that speaks
RFC 5425. Where rsyslog is not installed these tests are skipped, and say so.
"""

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local import ports
from tests.security import peers
from tests.security.peers import HOST, Papers
from tests.tidy.tree import ROOT

CONFIGURATION = ROOT / "deploy" / "logs" / "rsyslog.conf"
PROGRAM = shutil.which("rsyslogd", path="/usr/sbin:/usr/local/sbin")
DRIVER = sorted(Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"))

pytestmark = pytest.mark.skipif(
    PROGRAM is None or not DRIVER, reason="rsyslog with OpenSSL is not installed"
)


class Collector:
    """Takes messages by RFC 5425 from who shows a certificate of its authority."""

    def __init__(self, papers: Papers, *, name: str = HOST) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(papers.of(name, file="collector"))
        self._context.load_verify_locations(papers.authority_file)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.lines: list[str] = []
        self.connection_count = 0

    @contextlib.asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator["Collector"]:
        server = await asyncio.start_server(
            self._take, "127.0.0.1", port, ssl=self._context
        )
        async with server:
            yield self

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection_count += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                length = int(await reader.readuntil(b" "))
                message = (await reader.readexactly(length)).decode()
                head, _, text = message.partition(" - - - ")
                assert head.startswith("<"), message
                assert " tandem" in head
                self.lines.append(text.rstrip("\n"))
        writer.close()

    async def until(self, lines: list[str]) -> None:
        """Wait until all of some lines are there."""
        async with asyncio.timeout(30):
            while set(lines) - set(self.lines):
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def rsyslog(
    folder: Path, *, papers: Papers, port: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    own = papers.of("tandem-machine")
    (folder / "spool").mkdir(exist_ok=True)
    text = CONFIGURATION.read_text()
    for old, new in {
        "/var/spool/rsyslog": str(folder / "spool"),
        "/var/log/tandem": str(folder / "logs"),
        "/etc/tandem/logs-authority.pem": str(papers.authority_file),
        "/etc/tandem/logs-certificate.pem": str(own),
        "/etc/tandem/logs-key.pem": str(own),
        'target="logs.example.org"': 'target="127.0.0.1"',
        'Peers="logs.example.org"': f'Peers="{HOST}"',
        'port="6514"': f'port="{port}"',
        'resumeInterval="5"': 'resumeInterval="1"',
    }.items():
        assert old in text, f"the configuration has no {old}"
        text = text.replace(old, new)
    (folder / "rsyslog.conf").write_text(text)
    assert PROGRAM is not None
    with (folder / "rsyslog.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *(PROGRAM, "-n", "-f", str(folder / "rsyslog.conf")),
            *("-i", str(folder / "rsyslog.pid")),
            stdout=log,
            stderr=log,
        )
    try:
        await asyncio.sleep(0.5)
        assert child.returncode is None, (folder / "rsyslog.log").read_text()
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()


async def log_something(folder: Path) -> list[str]:
    """Have a real service write some lines; return all that its file holds."""
    path = folder / "logs" / "api.log"
    path.parent.mkdir(exist_ok=True)
    nobody = f"postgresql://tandem_api@127.0.0.1:{ports.free_port()}/x"
    with path.open("ab") as file:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.api"),
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "API_DATABASE_URL": nobody,
                "API_NATS_URL": "nats://127.0.0.1:1",
                "API_KEY_RING_FILE": "not read",
                "API_START_TIMEOUT_S": "1",
            },
            stdout=file,
            stderr=file,
        )
        assert await child.wait() == 69
    lines = path.read_text().splitlines()
    assert len(lines) >= 3
    return lines


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return peers.papers(tmp_path / "papers")


async def test_lines_reach_another_machine_whole_and_in_order(
    papers: Papers, tmp_path: Path
) -> None:
    port = ports.free_port()
    collector = Collector(papers)
    async with (
        collector.listening(port),
        rsyslog(tmp_path, papers=papers, port=port),
    ):
        await log_something(tmp_path)
        lines = await log_something(tmp_path)
        await collector.until(lines)
    assert collector.lines == lines
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert {event["event"] for event in events} == {"waiting_for_database"}


async def test_what_is_written_while_the_other_machine_is_away_follows(
    papers: Papers, tmp_path: Path
) -> None:
    """Also if rsyslog itself is started anew meanwhile; no service waits for it."""
    port = ports.free_port()
    async with rsyslog(tmp_path, papers=papers, port=port):
        await log_something(tmp_path)
        await asyncio.sleep(1)
    lines = await log_something(tmp_path)
    collector = Collector(papers)
    async with (
        rsyslog(tmp_path, papers=papers, port=port),
        collector.listening(port),
    ):
        await collector.until(lines)
    # After an outage a line may come twice, and no other one comes.
    assert set(collector.lines) == set(lines)


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_nobody_else_is_told(papers: Papers, tmp_path: Path, wrong: str) -> None:
    """Who cannot prove to be the collector gets not a line, and the right one all."""
    port = ports.free_port()
    stranger = peers.papers(tmp_path / "stranger")
    other = (
        Collector(stranger)
        if wrong == "authority"
        else Collector(papers, name="other.example")
    )
    async with rsyslog(tmp_path, papers=papers, port=port):
        async with other.listening(port):
            lines = await log_something(tmp_path)
            await asyncio.sleep(3)
        assert other.lines == []
        right = Collector(papers)
        async with right.listening(port):
            await right.until(lines)
    assert set(right.lines) == set(lines)
