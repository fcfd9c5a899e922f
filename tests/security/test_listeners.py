"""What clients are shown over TLS, and what is answered without it (ASVS 12.1, .2)."""

import asyncio
import base64
import contextlib
import datetime
import json
import os
import signal
import ssl
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from aiohttp import ClientSession, TCPConnector, web
from cryptography.hazmat.primitives.asymmetric import rsa

from deploy.local import nats, ports
from services.api import config as api
from services.chassis import certificates as shown
from services.chassis import health
from services.chassis.certificates import Certificate, Files
from services.chassis.errors import BadConfiguration
from services.chassis.patience import Limits
from services.connector import config as connector
from services.connector import registry, service
from tests.integration.test_connector_service import runtime_of
from tests.security import certificates, peers
from tests.security.certificates import DAY, NOW
from tests.security.conftest import Figures
from tests.security.peers import Papers
from tests.security.test_logs import environment, run
from tests.servers import Database

HOST = "localhost"
LOOP = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return peers.papers(tmp_path / "papers")


def files(papers: Papers, *, host: str = HOST, file: Path | None = None) -> Files:
    own = file or papers.of(HOST)
    return Files(own, own, host, papers.authority_file, "API_TLS")


def trusting(papers: Papers, **changes: Any) -> ssl.SSLContext:
    """Return how a client connects, weaker than usual where that is asked for."""
    context = ssl.create_default_context(cafile=papers.authority_file)
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    for name, value in changes.items():
        if name == "suites":
            context.set_ciphers(f"{value}:@SECLEVEL=0")
        else:
            with warnings.catch_warnings(action="ignore"):
                setattr(context, name, value)
    return context


@contextlib.asynccontextmanager
async def serving(
    certificate: Certificate, **limits: Any
) -> AsyncIterator[tuple[int, web.Application]]:
    application = web.Application()

    async def hello(request: web.Request) -> web.Response:
        assert (request.remote, request.secure) == ("127.0.0.1", True)
        return web.Response(text=f"hello {(await request.read()).decode()}")

    application.add_routes([web.route("*", "/", hello)])
    async with health.listening(
        application,
        host="127.0.0.1",
        port=0,
        certificate=certificate,
        limits=Limits(**limits),
    ) as port:
        yield port, application


async def shake(port: int, context: ssl.SSLContext) -> tuple[str, str] | None:
    """Return the version and the suite that a client gets; None if it is refused."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=HOST
        )
    except OSError:
        return None
    made: ssl.SSLObject = writer.get_extra_info("ssl_object")
    version, suite = made.version(), made.cipher()
    writer.transport.abort()
    assert version is not None
    assert suite is not None
    return version, suite[0]


async def test_what_is_weak_is_not_spoken(papers: Papers, figures: Figures) -> None:
    """Older versions, and suites without secrecy for later or without integrity."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    one = certificates.issued(HOST, by=papers.authority, key=key)
    rsas = certificates.write(one, papers.folder / "rsa.pem")
    second, third = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    for file in (rsas, papers.of(HOST)):
        async with serving(Certificate(files(papers, file=file))) as (port, _):
            made = await shake(port, trusting(papers))
            assert made is not None
            assert made[0] == "TLSv1.3"
            offered = trusting(papers, maximum_version=second).get_ciphers()
            names = {each["name"] for each in offered if each["protocol"] != "TLSv1.3"}
            taken = set()
            for name in names:
                weak = trusting(papers, maximum_version=second, suites=name)
                if await shake(port, weak):
                    taken.add(name)
            assert taken
            kind = "ECDHE-RSA-" if file is rsas else "ECDHE-ECDSA-"
            assert all(name.startswith(kind) for name in taken), taken
            assert all("GCM" in name or "POLY1305" in name for name in taken), taken
            assert {n for n in names if n.startswith(("AES", "DHE", "RC4"))} - taken
            figures["suites_refused"] = len(names - taken)
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                old = trusting(papers, minimum_version=version, maximum_version=version)
                assert await shake(port, old) is None
            only = trusting(papers, minimum_version=third)
            assert await shake(port, only) is not None


@pytest.mark.parametrize("loop", LOOP)
def test_a_renewed_certificate_is_shown_without_a_restart(
    papers: Papers, loop: str
) -> None:
    """Also to a client that names no server; one that is wrong is never shown."""

    async def numbers(port: int) -> set[int]:
        found = set()
        for name in (HOST, None):
            context = trusting(papers)
            context.check_hostname = name is not None
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, server_hostname=name or "127.0.0.1"
            )
            peer = writer.get_extra_info("peercert")
            found.add(int(peer["serialNumber"], 16))
            writer.transport.abort()
        return found

    async def play() -> None:
        first = certificates.issued(HOST, by=papers.authority)
        file = certificates.write(first, papers.folder / "own.pem")
        certificate = Certificate(files(papers, file=file))
        async with serving(certificate) as (port, _):
            assert await numbers(port) == {first.certificate.serial_number}
            other = certificates.issued("other.example", by=papers.authority)
            certificates.write(other, file)
            await certificate.look()
            assert await numbers(port) == {first.certificate.serial_number}
            file.write_text("half of one")
            await certificate.look()
            assert await numbers(port) == {first.certificate.serial_number}
            second = certificates.issued(HOST, by=papers.authority)
            certificates.write(second, file)
            await certificate.look()
            assert await numbers(port) == {second.certificate.serial_number}

    with asyncio.Runner(loop_factory=LOOP[loop]) as runner:
        runner.run(play())


async def test_the_files_are_looked_at_while_it_listens(
    papers: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "LOOK_S", 0.05)
    file = papers.of(HOST)
    certificate = Certificate(files(papers, file=file))
    async with serving(certificate):
        before = certificate._shown
        certificates.write(certificates.issued(HOST, by=papers.authority), file)
        async with asyncio.timeout(5):
            while certificate._shown is before:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("loop", LOOP)
@pytest.mark.parametrize("size", [0, 10, 300_000])
def test_requests_come_through_whole(papers: Papers, loop: str, size: int) -> None:
    """Also what is sent in the same breath as the end of the handshake."""

    async def play() -> None:
        async with serving(Certificate(files(papers))) as (port, _):
            for _ in range(20):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=trusting(papers), server_hostname=HOST
                )
                head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
                writer.write(head.encode() + b"x" * size)
                answer = await reader.readuntil(b"hello ")
                assert answer.startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(size) == b"x" * size
                writer.close()

    with asyncio.Runner(loop_factory=LOOP[loop]) as runner:
        runner.run(play())


@pytest.mark.parametrize("loop", LOOP)
def test_who_never_shakes_hands_makes_room_and_is_closed(
    papers: Papers, loop: str
) -> None:
    """Before TLS stands a connection counts like any other one."""

    async def connected(
        port: int, count: int
    ) -> list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        found = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        await asyncio.sleep(0.2)
        return found

    async def is_closed(reader: asyncio.StreamReader) -> bool:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(5):
                return await reader.read() == b""
        return True

    async def play() -> None:
        certificate = Certificate(files(papers))
        crowded = {"connections_max": 5, "first_request_s": 60.0, "look_s": 0.1}
        async with serving(certificate, **crowded) as (port, application):
            silent = await connected(port, 12)
            kept = application[health.PATIENCE]
            assert kept.connection_count == 5
            for reader, _ in silent[:7]:
                assert await is_closed(reader)
            assert not silent[-1][0].at_eof()
            assert await shake(port, trusting(papers)) is not None
            for _, writer in silent:
                writer.close()
        slow = {"first_request_s": 1.0, "look_s": 0.1}
        async with serving(certificate, **slow) as (port, application):
            silent = await connected(port, 3)
            for reader, writer in silent:
                assert await is_closed(reader)
                writer.close()
            async with asyncio.timeout(5):
                while application[health.PATIENCE].connection_count:
                    await asyncio.sleep(0.05)

    with asyncio.Runner(loop_factory=LOOP[loop]) as runner:
        runner.run(play())


def test_a_certificate_that_clients_would_not_take_is_refused_at_start(
    papers: Papers, tmp_path: Path
) -> None:
    """Of another name, over, of an unknown authority, and no certificate at all."""
    stranger = peers.papers(tmp_path / "stranger")
    over = certificates.issued(HOST, by=papers.authority, begins=NOW - 9 * DAY)
    early = certificates.issued(HOST, by=papers.authority, begins=NOW + DAY)
    written = {
        name: certificates.write(one, tmp_path / f"{name}.pem")
        for name, one in (("over", over), ("early", early))
    }
    nothing = tmp_path / "nothing"
    for given, reason in (
        (files(papers, host="tandem.example"), "Hostname mismatch"),
        (files(papers, host="127.0.0.1"), "IP address mismatch"),
        (files(papers, file=written["over"]), "certificate has expired"),
        (files(papers, file=written["early"]), "certificate is not yet valid"),
        (files(papers, file=stranger.of(HOST)), "certificate signature failure"),
        (files(papers, file=nothing), "No such file"),
        (files(papers)._replace(key_file=stranger.of(HOST)), "KEY_VALUES_MISMATCH"),
        (files(papers)._replace(authority_file=None), "API_TLS_AUTHORITY_FILE"),
    ):
        with pytest.raises(BadConfiguration) as refused:
            Certificate(given)
        (fault,) = refused.value.faults
        assert fault.startswith("API_TLS_CERTIFICATE_FILE: ")
        assert reason in fault
    assert Certificate(files(papers))


def test_its_end_can_be_watched(papers: Papers) -> None:
    file = papers.of(HOST)
    Certificate(files(papers, file=file))
    found = shown.ENDS.labels("API_TLS_CERTIFICATE_FILE")._value.get()
    ends = datetime.datetime.fromtimestamp(found, datetime.UTC)
    assert DAY / 2 < ends - NOW < DAY * 1.5


def test_settings_of_a_certificate_fit_each_other(tmp_path: Path) -> None:
    file = tmp_path / "x"

    def of_api(**changes: Any) -> list[str]:
        with pytest.raises(BadConfiguration) as refused:
            api.Config(database_url="x", nats_url="x", key_ring_file=file, **changes)
        return refused.value.faults

    both = {"tls_certificate_file": file, "tls_key_file": file}
    (fault,) = of_api(tls_certificate_file=file)
    assert "need each other" in fault
    (fault,) = of_api(**both)
    assert "is not https" in fault
    (fault,) = of_api(redirect_port=80)
    assert "API_REDIRECT_PORT" in fault
    with pytest.raises(BadConfiguration) as refused:
        connector.Config(
            database_url="x",
            nats_url="x",
            push_port=1,
            push_key_file=file,
            push_url="http://tandem.example.org",
            push_tls_certificate_file=file,
            push_tls_key_file=file,
        )
    assert "CONNECTOR_PUSH_TLS_CERTIFICATE_FILE" in str(refused.value)


def test_nothing_listens_to_others_without_tls(tmp_path: Path) -> None:
    """Unless the operator lists the address; each service has its own listeners."""
    file = tmp_path / "x"
    usual: dict[str, Any] = {"database_url": "x", "nats_url": "x"}
    url = "https://tandem.example.org"
    push = {"push_port": 1, "push_key_file": file, "push_url": url}
    tls = {"tls_certificate_file": file, "tls_key_file": file, "public_url": url}
    push_tls = {"push_tls_certificate_file": file, "push_tls_key_file": file}
    own = usual | {"key_ring_file": file}
    for settings, name, names in (
        (api.Config(**own), "api", []),
        (api.Config(**own, http_host="0.0.0.0"), "api", ["API_HTTP_HOST"]),
        (api.Config(**own, http_host="0.0.0.0", **tls), "api", []),
        (
            api.Config(**own, **tls, operations_host="10.0.0.1"),
            "api",
            ["API_OPERATIONS_HOST"],
        ),
        (
            api.Config(**own, http_host="0.0.0.0", unencrypted=("0.0.0.0",)),
            "api",
            [],
        ),
        (connector.Config(**usual, push_host="0.0.0.0"), "connector", []),
        (
            connector.Config(**usual, push_host="0.0.0.0", **push),
            "connector",
            ["CONNECTOR_PUSH_HOST"],
        ),
        (
            connector.Config(**usual, push_host="0.0.0.0", **push, **push_tls),
            "connector",
            [],
        ),
        (
            connector.Config(**usual, http_host="::"),
            "connector",
            ["CONNECTOR_HTTP_HOST"],
        ),
    ):
        found = shown.plain_listeners(settings, service=name)
        assert [fault.split()[0] for fault in found] == names


@pytest_asyncio.fixture
async def served(
    database: Database, nats_server: nats.Server, papers: Papers, tmp_path: Path
) -> AsyncIterator[tuple[int, int]]:
    """An api with TLS and a port that redirects, as a process of its own."""
    own, port, plain = papers.of(HOST), ports.free_port(), ports.free_port()
    env = environment(
        database,
        nats_server,
        API_PUBLIC_URL=f"https://{HOST}:{port}",
        API_HTTP_PORT=str(port),
        API_REDIRECT_PORT=str(plain),
        API_TLS_CERTIFICATE_FILE=str(own),
        API_TLS_KEY_FILE=str(own),
        API_TLS_AUTHORITY_FILE=str(papers.authority_file),
    )
    assert (await run("migrate", env=env))[0] == 0
    with (tmp_path / "log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.api"), env=env, stdout=log
        )
    try:
        async with asyncio.timeout(30):
            while await shake(port, trusting(papers)) is None:
                assert child.returncode is None
                await asyncio.sleep(0.1)
        yield port, plain
    finally:
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0


async def test_the_api_speaks_tls_and_sends_nobody_on_but_browsers(
    served: tuple[int, int], papers: Papers
) -> None:
    port, plain = served
    connector = TCPConnector(ssl=trusting(papers))
    async with ClientSession(connector=connector) as session:
        async with session.get(f"https://{HOST}:{port}/v1/apps") as answer:
            assert answer.status == 401
            assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
        async with session.get(f"https://{HOST}:{port}/sign-in") as answer:
            assert answer.status == 200

        async def without(method: str, path: str) -> tuple[int, str, str]:
            url = f"http://127.0.0.1:{plain}{path}"
            headers = {"Authorization": "Bearer s3cr3t"}
            async with session.request(
                method, url, allow_redirects=False, headers=headers
            ) as answer:
                assert answer.headers["Connection"] == "close"
                where = answer.headers.get("Location", "")
                return answer.status, where, await answer.text()

        for method, path in (("GET", "/sign-in"), ("HEAD", "/account")):
            status, where, _ = await without(method, path + "?note=x&tenant=y")
            assert (status, where) == (308, f"https://{HOST}:{port}{path}")
        for method, path in (
            ("GET", "/v1/apps"),
            ("POST", "/v1/apps"),
            ("POST", "/sign-in"),
            ("GET", "/oauth/callback/acme?code=x&state=y"),
            ("GET", "/sign-in/oidc/callback?code=x&state=y"),
            ("GET", "//evil.example/sign-in"),
            ("GET", "/"),
            ("GET", "/nowhere"),
        ):
            status, where, text = await without(method, path)
            assert (status, where) == (403, ""), path
            problem = json.loads(text)
            assert problem["code"] == "tls_needed"
            assert "revoke or replace" in problem["detail"]


async def test_the_connector_hears_pushes_over_tls(
    database: Database, nats_server: nats.Server, papers: Papers, tmp_path: Path
) -> None:
    """And answers at that port to nobody who comes without it."""
    own, key, port = papers.of(HOST), tmp_path / "push.keys", ports.free_port()
    key.write_bytes(base64.b64encode(os.urandom(32)))
    stopping = asyncio.Event()
    async with (
        runtime_of(
            "connector",
            database,
            nats_server,
            push_port=port,
            push_url=f"https://{HOST}:{port}",
            push_key_file=key,
            push_tls_certificate_file=own,
            push_tls_key_file=own,
            push_tls_authority_file=papers.authority_file,
        ) as runtime,
        asyncio.TaskGroup() as group,
        ClientSession(connector=TCPConnector(ssl=trusting(papers))) as session,
    ):
        group.create_task(service.serve_apps(runtime, stopping, apps=registry.load()))
        async with asyncio.timeout(20):
            while await shake(port, trusting(papers)) is None:
                await asyncio.sleep(0.05)
        async with session.post(f"https://{HOST}:{port}/push/x") as answer:
            assert answer.status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /push/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        second = ssl.TLSVersion.TLSv1_1
        old = trusting(papers, minimum_version=second, maximum_version=second)
        assert await shake(port, old) is None
        stopping.set()


async def test_the_api_does_not_start_with_what_browsers_refuse(
    database: Database, nats_server: nats.Server, papers: Papers
) -> None:
    own = papers.of(HOST)
    env = environment(
        database,
        nats_server,
        API_PUBLIC_URL="https://tandem.example.org",
        API_TLS_CERTIFICATE_FILE=str(own),
        API_TLS_KEY_FILE=str(own),
        API_TLS_AUTHORITY_FILE=str(papers.authority_file),
        PATH=os.environ["PATH"],
    )
    assert (await run("migrate", env=env))[0] == 0
    code, _, said = await run(env=env)
    assert code == 78
    assert "clients at tandem.example.org would not take it: Hostname mismatch" in said


async def test_a_service_that_would_listen_in_clear_does_not_start(
    database: Database, nats_server: nats.Server
) -> None:
    env = environment(database, nats_server, API_OPERATIONS_HOST="0.0.0.0")
    assert (await run("migrate", env=env))[0] == 0
    code, _, said = await run(env=env)
    assert code == 78
    assert "API_OPERATIONS_HOST" in said
    assert "API_UNENCRYPTED" in said
