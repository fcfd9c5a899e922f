"""The log of a real api as a machine reads it, while strangers try to write to it."""

import asyncio
import contextlib
import datetime
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio

from deploy.local import nats, ports
from deploy.local.keys import key_ring
from tests.security.conftest import Figures
from tests.servers import Database
from tests.tidy import operations
from tests.tidy.tree import read

pytestmark = pytest.mark.integration

FORGED = '{"event": "started", "level": "info", "service": "forged"}'
BROKEN = f"a\n{FORGED}\r\n{FORGED}\x85{FORGED}\u2028{FORGED}"
PARTS = ("%0a", "%0d%0a", "%c2%85", "%e2%80%a8", "%1b%5b2K")
JSON = {"Content-Type": "application/json"}
HEADERS = (b"X-Request-Id", b"User-Agent", b"Cookie", b"Authorization", b"Origin")


@dataclass
class Api:
    """A process of the api, and what it has written."""

    url: str
    port: int
    key: str
    process: asyncio.subprocess.Process
    out: Path
    errors: Path
    folder: Path
    answers: list[tuple[int, str]] = field(default_factory=list)
    """The status and the id of each request that was answered."""

    async def send(self, method: str, path: str, **options: Any) -> int:
        """Send a request and return the status of its answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method, self.url + path, allow_redirects=False, **options
            ) as answer,
        ):
            self.answers.append((answer.status, answer.headers["X-Request-Id"]))
            return answer.status

    async def send_raw(self, data: bytes) -> bytes:
        """Send what no client would; return the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        async with asyncio.timeout(5):
            head, _, _ = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        return head

    def lines(self) -> list[dict[str, Any]]:
        """Return the log, each line of which has to be one object."""
        return [json.loads(line) for line in self.out.read_bytes().splitlines()]

    async def logged(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the lines of an event, when there are so many."""
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(json.JSONDecodeError):
                    found = [line for line in self.lines() if line["event"] == event]
                    if len(found) >= count:
                        return found
                await asyncio.sleep(0.02)


def environment(database: Database, broker: nats.Server, **changes: str) -> Any:
    """Return what an api needs to start."""
    usual = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path.cwd()),
        "API_DATABASE_URL": database.service_url("api"),
        "API_MIGRATION_DATABASE_URL": database.owner_url("api"),
        "API_NATS_URL": broker.url,
        "API_NATS_SEED_FILE": str(broker.seed_file("api")),
        "API_KEY_RING_FILE": str(key_ring(broker.seed_file("api").parent, "api")),
        "API_REQUESTS_PER_MINUTE_MAX": "40",
        "API_START_TIMEOUT_S": "20",
    }
    return usual | changes


async def run(*arguments: str, env: Any) -> tuple[int, str, str]:
    """Run a command of the api to its end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", *arguments),
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate()
    return child.returncode or 0, out.decode(), err.decode()


@pytest_asyncio.fixture
async def api(
    database: Database, nats_server: nats.Server, tmp_path: Path
) -> AsyncIterator[Api]:
    """A running api in a folder of its own."""
    port, folder = ports.free_port(), tmp_path / "place"
    folder.mkdir()
    env = environment(database, nats_server, API_HTTP_PORT=str(port))
    assert (await run("migrate", env=env))[0] == 0
    key = (await run("create-key", "--tenant", "acme", env=env))[1].strip()
    out, errors = tmp_path / "out.log", tmp_path / "errors.log"
    with out.open("wb") as to, errors.open("wb") as beside:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.api"),
            env=env,
            cwd=folder,
            stdout=to,
            stderr=beside,
        )
    made = Api(f"http://127.0.0.1:{port}", port, key, child, out, errors, folder)
    try:
        await made.logged("started")
        yield made
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGKILL)
            await child.wait()


async def stopped(api: Api) -> list[dict[str, Any]]:
    """Let an api end; return its whole log."""
    api.process.terminate()
    async with asyncio.timeout(30):
        assert await api.process.wait() == 0
    return api.lines()


async def write_into(api: Api) -> None:
    """Send line ends and a forged line in each place that a request has."""
    bearer, forged = {"Authorization": f"Bearer {api.key}"}, FORGED.encode()
    for part in PARTS:
        await api.send("GET", f"/v1/accounts/a{part}{FORGED}", headers=bearer)
        await api.send("GET", f"/v1/{part}x?after={part}{FORGED}", headers=bearer)
    body = json.dumps({"email": BROKEN, "password": BROKEN, BROKEN: BROKEN})
    await api.send("POST", "/v1/session", data=body, headers=JSON)
    body = json.dumps({"app": BROKEN, "base_url": BROKEN})
    await api.send("POST", "/v1/accounts", data=body, headers={**JSON, **bearer})
    for name in HEADERS:
        for between in (b"\x85", b"\xe2\x80\xa8", b"\x0b", b"\t"):
            lines = (
                b"GET /v1/apps HTTP/1.1",
                b"Host: x",
                b"Connection: close",
                name + b": a" + between + forged,
            )
            await api.send_raw(b"\r\n".join((*lines, b"", b"")))
    for data in (b"G\rET / HTTP/1.1", forged, b"GET /\x85" + forged + b" HTTP/1.1"):
        await api.send_raw(data + b"\r\n\r\n")
    await api.logged("request_malformed")


async def test_a_log_is_read_line_by_line_and_nobody_else_writes_into_it(
    api: Api, figures: Figures
) -> None:
    """Hazard 118."""
    began = datetime.datetime.now(datetime.UTC)
    await write_into(api)
    log = await stopped(api)
    ended = datetime.datetime.now(datetime.UTC)
    known = {event.name for event in operations.listed(read(operations.PAGE).text)}
    second = datetime.timedelta(seconds=1)
    for line in log:
        assert line["event"] in known
        assert line["service"] == "api"
        assert line["level"] in ("info", "warning", "error")
        assert line["timestamp"].endswith("Z")
        at = datetime.datetime.fromisoformat(line["timestamp"])
        assert began - 60 * second <= at <= ended + second
    assert [line["event"] for line in log].count("started") == 1
    served = {
        line["request_id"]: line["status"]
        for line in log
        if line["event"] == "request_served"
    }
    # Each answer is found again by its request's id.
    assert len(api.answers) == 12
    assert {number: served[number] for _, number in api.answers} == {
        number: status for status, number in api.answers
    }
    text = api.out.read_text()
    assert text.isascii()
    assert "forged" not in text
    assert api.key not in text
    assert api.errors.read_bytes() == b""
    assert list(api.folder.iterdir()) == []
    figures["log_lines"] = len(log)


def attempts(api: Api) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return what is refused, by the rule that refuses it."""
    bearer = {"Authorization": f"Bearer {api.key}"}
    ours, odd = {**JSON, **bearer}, {"Authorization": "Bearer tdm_" + "0" * 49}
    guess = {"email": "ana@example.org", "password": "nobody's"}
    foreign = {**JSON, "Origin": "https://evil.example"}
    cookie = {"Cookie": "tandem_session=x"}
    keys = "/v1/api-keys"
    return {
        "key_missing": ("GET", "/v1/apps", {}),
        "key_malformed": ("GET", "/v1/apps", {"headers": odd}),
        "session_over": ("GET", "/v1/session", {"headers": cookie}),
        "foreign_page": (
            "POST",
            "/v1/session",
            {"data": json.dumps(guess), "headers": foreign},
        ),
        "person_missing": ("GET", "/v1/sessions", {"headers": bearer}),
        "body_malformed": ("POST", keys, {"data": b"{", "headers": ours}),
        "body_invalid": ("POST", keys, {"data": b"{}", "headers": ours}),
        "query_invalid": ("GET", f"{keys}?limit=x", {"headers": bearer}),
        "body_too_large": ("POST", keys, {"data": bytes(1_100_000), "headers": ours}),
        "media_type_unsupported": (
            "POST",
            keys,
            {"data": b"x", "headers": {**ours, "Content-Encoding": "gzip"}},
        ),
        "no_such_route": ("GET", "/.git/config", {}),
        "method_not_allowed": ("TRACE", "/v1/apps", {}),
        "authorisation_expired": ("GET", "/oauth/callback/carddav?state=x", {}),
        "sign_in_refused": (
            "POST",
            "/sign-in",
            {"data": guess, "headers": {"Origin": api.url}},
        ),
    }


async def test_attempts_are_in_the_log_with_the_rule_that_refused_them(
    api: Api, figures: Figures
) -> None:
    tried = attempts(api)
    for method, path, options in tried.values():
        assert await api.send(method, path, **options) >= 400
    bearer = {"Authorization": f"Bearer {api.key}"}
    for _ in range(40):
        await api.send("GET", "/v1/api-keys", headers=bearer)
    await api.logged("sign_in_refused")
    log = await stopped(api)
    codes = {line["code"] for line in log if line["event"] == "request_served"}
    assert codes == {*tried, "too_many_requests", ""}
    figures["attempts_seen"] = len(codes) - 1


async def test_a_fault_of_ours_is_told_with_its_frames(
    api: Api, database: Database
) -> None:
    """With the request's id, and without the words of an error: they hold values."""
    connection = await asyncpg.connect(database.admin_url)
    try:
        await connection.execute("ALTER TABLE api.people RENAME TO away")
    finally:
        await connection.close()
    bearer = {"Authorization": f"Bearer {api.key}"}
    assert await api.send("GET", "/v1/people", headers=bearer) == 500
    (line,) = await api.logged("request_failed")
    assert line["request_id"] == api.answers[-1][1]
    assert (line["level"], line["error_type"]) == ("error", "UndefinedTableError")
    assert any(frame.endswith(" list_people") for frame in line["exception"])
    assert "does not exist" not in api.out.read_text()
    (served,) = await api.logged("request_served")
    assert (served["status"], served["code"]) == (500, "unknown")


@pytest.mark.parametrize(
    ("setting", "start_s", "event", "reason"),
    [
        ("API_DATABASE_URL", 1, "waiting_for_database", "ConnectionError"),
        ("API_NATS_URL", 6, "waiting_for_bus", "WithoutTls"),
    ],
)
async def test_a_server_without_tls_is_told_where_tls_is_wanted(
    database: Database,
    nats_server: nats.Server,
    setting: str,
    start_s: int,
    event: str,
    reason: str,
) -> None:
    """The client of NATS took what came, and signed in without TLS."""
    port = ports.free_port()
    changes = {"API_START_TIMEOUT_S": str(start_s), "API_HTTP_PORT": str(port)}
    env = environment(database, nats_server, **changes)
    assert (await run("migrate", env=env))[0] == 0
    url = env[setting]
    with_tls = {
        "API_DATABASE_URL": f"{url}{'&' if '?' in url else '?'}sslmode=require",
        "API_NATS_URL": url.replace("nats://", "tls://"),
    }
    code, out, err = await run(env={**env, setting: with_tls[setting]})
    assert (code, setting in err) == (69, True), err
    lines = [json.loads(line) for line in out.splitlines()]
    assert {line["event"] for line in lines} == {event}
    assert {line["reason"] for line in lines} == {reason}
    assert f"cannot be reached ({reason})" in err
