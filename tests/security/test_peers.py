"""Services and their Postgres and NATS prove to each other who they are (ASVS 12.3)."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession

from deploy.local import databases, keys, nats, ports, postgres
from services.chassis import bus, database
from services.chassis.clock import SystemClock
from services.chassis.errors import (
    BadConfiguration,
    BusUnavailable,
    DatabaseUnavailable,
)
from services.chassis.tls import Papers as Shown
from tests.security import certificates, peers
from tests.security.conftest import Figures
from tests.security.peers import ELSEWHERE, HOST, Front, Papers
from tests.servers import Database
from tests.tidy.tree import ROOT

TRY_S = 1.5
WITHOUT = peers.debian_programs() is None
NEEDS_DEBIANS = pytest.mark.skipif(WITHOUT, reason="no Postgres of Debian is installed")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return peers.papers(tmp_path_factory.mktemp("papers"))


class Place(NamedTuple):
    """Where a Postgres is that wants TLS."""

    port: int
    name: str

    def url(self, *, role: str = "tandem_auth", host: str = HOST) -> str:
        end = "?sslmode=verify-full" if host == HOST else ""
        return f"postgresql://{role}@{host}:{self.port}/{self.name}{end}"


@pytest.fixture(scope="module")
def debians(
    papers: Papers, servers_directory: Path
) -> Iterator[postgres.Server | None]:
    programs = peers.debian_programs()
    if programs is None:
        yield None
        return
    loop = asyncio.new_event_loop()
    stack = contextlib.AsyncExitStack()
    opened = peers.postgres_with_tls(
        servers_directory / "debians", papers=papers, programs=programs
    )
    try:
        yield loop.run_until_complete(stack.enter_async_context(opened))
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()


@pytest_asyncio.fixture(params=["front", "debian"])
async def place(
    request: pytest.FixtureRequest,
    papers: Papers,
    database: Database,
    debians: postgres.Server | None,
) -> AsyncIterator[Place]:
    """A Postgres of each kind, which shows a certificate for this machine."""
    if request.param == "debian":
        if debians is None:
            pytest.skip("no Postgres of Debian is installed")
        yield Place(debians.port, "tandem")
        return
    shown = papers.of(HOST, file="front")
    front = Front(papers, shown, behind=database.server.port)
    async with front.running():
        yield Place(front.port, database.name)


def shown(papers: Papers, name: str = "tandem_auth") -> Shown:
    file = papers.of(name)
    return Shown(papers.authority_file, file, file)


async def who(url: str, with_papers: Shown | None) -> str:
    """Log in, and return as whom; or why not."""
    opening = database.connect(
        url, schema="auth", clock=SystemClock(), timeout_s=TRY_S, papers=with_papers
    )
    try:
        async with opening as opened:
            row = await opened.fetch_row(
                database.Query("who", "SELECT current_user::text AS name", ())
            )
    except (DatabaseUnavailable, BadConfiguration) as err:
        return str(err)
    assert row is not None
    return str(row["name"])


async def test_postgres_and_a_service_know_each_other(
    place: Place, papers: Papers
) -> None:
    """Without a password, by nothing but what one authority has signed."""
    assert await who(place.url(), shown(papers)) == "tandem_auth"


async def test_a_postgres_that_is_another_one_is_told_nothing(
    place: Place, papers: Papers, tmp_path: Path, figures: Figures
) -> None:
    """Of another authority, or of another name; it is never asked whether it minds."""
    stranger = peers.papers(tmp_path / "stranger")
    file = papers.of("tandem_auth")
    for wrong, url in (
        (Shown(stranger.authority_file, file, file), place.url()),
        (Shown(None, file, file), place.url()),
        (shown(papers), place.url(host=ELSEWHERE)),
    ):
        assert await who(url, wrong) == "SSLCertVerificationError"
        figures["postgres_refused"] = int(figures.get("postgres_refused", 0)) + 1


async def test_a_service_without_its_own_certificate_does_not_get_in(
    place: Place, papers: Papers, tmp_path: Path
) -> None:
    stranger = peers.papers(tmp_path / "stranger").of("tandem_auth")
    for wrong in (
        Shown(papers.authority_file),
        Shown(papers.authority_file, stranger, stranger),
    ):
        assert await who(place.url(), wrong) not in ("tandem_auth", "")


@NEEDS_DEBIANS
async def test_a_certificate_is_good_for_one_role(
    debians: postgres.Server, papers: Papers
) -> None:
    """Nobody becomes another service, nor the owner of its own tables."""
    place = Place(debians.port, "tandem")
    for role in ("tandem_connector", "tandem_auth_owner"):
        refused = await who(place.url(role=role), shown(papers))
        assert "has a role or password that Postgres refuses" in refused
    url = f"postgresql://tandem_auth@127.0.0.1:{debians.port}/tandem?sslmode=disable"
    assert "has a role or password that Postgres refuses" in await who(url, None)


async def test_files_are_read_for_each_connection(
    place: Place, papers: Papers, tmp_path: Path
) -> None:
    """A certificate and an authority that are replaced are used from then on."""
    file, authority_file = tmp_path / "own.pem", tmp_path / "authority.pem"
    stranger = peers.papers(tmp_path / "stranger")
    authority_file.write_bytes(papers.authority_file.read_bytes())
    certificates.write(certificates.issued("tandem_auth", by=stranger.authority), file)
    given = Shown(authority_file, file, file)
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await database.open_one(place.url(), papers=given)

    certificates.write(certificates.issued("tandem_auth", by=papers.authority), file)
    opened = await database.open_one(place.url(), papers=given)
    assert await opened.fetchval("SELECT 1") == 1

    authority_file.write_bytes(stranger.authority_file.read_bytes())
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        await database.open_one(place.url(), papers=given)
    # Who is in stays in: what is open was judged when it was opened.
    assert await opened.fetchval("SELECT 1") == 1
    await opened.close()


@NEEDS_DEBIANS
async def test_a_password_is_read_for_each_connection(
    servers_directory: Path, tmp_path: Path
) -> None:
    programs = peers.debian_programs()
    assert programs is not None
    async with postgres.running(
        servers_directory / "passwords", programs=programs, durable=False
    ) as server:
        await server.execute("CREATE ROLE own LOGIN PASSWORD 'first-one'")
        hba = server.data_directory / "pg_hba.conf"
        hba.write_text("host all own 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
        await server.execute("SELECT pg_reload_conf()")
        file, url = tmp_path / "password", server.dsn(role="own")

        async def is_let_in() -> bool:
            with contextlib.suppress(asyncpg.InvalidPasswordError):
                opened = await database.open_one(url, password_file=file)
                await opened.close()
                return True
            return False

        file.write_text("first-one\n")
        assert await is_let_in()
        await server.execute("ALTER ROLE own PASSWORD 'second-one'")
        assert not await is_let_in()
        file.write_text("second-one\n")
        assert await is_let_in()


async def bus_answers(
    url: str, with_papers: Shown | None, service: str = "auth"
) -> str:
    """Connect to NATS and return nothing; or why not."""
    opening = bus.connect(
        url,
        service=service,
        seed_file=None,
        papers=with_papers,
        clock=SystemClock(),
        timeout_s=TRY_S,
    )
    try:
        async with opening as opened:
            return "" if opened.is_connected else "away"
    except (BusUnavailable, BadConfiguration) as err:
        return str(err)


async def test_nats_and_a_service_know_each_other(
    papers: Papers, tmp_path: Path, figures: Figures
) -> None:
    """By certificates alone, each for its own name, and without a key that lasts."""
    stranger = peers.papers(tmp_path / "stranger")
    own, foreign = papers.of("tandem_auth"), stranger.of("tandem_auth")
    async with peers.nats_with_tls(tmp_path, papers=papers) as server:
        url = f"tls://{HOST}:{server.port}"
        assert await bus_answers(url, shown(papers)) == ""
        refused = {
            "of an unknown authority": await bus_answers(
                url, Shown(stranger.authority_file, own, own)
            ),
            "of nobody's authority": await bus_answers(url, Shown(None, own, own)),
            "of another name": await bus_answers(
                f"tls://{ELSEWHERE}:{server.port}", shown(papers)
            ),
        }
        assert set(refused.values()) == {"SSLCertVerificationError"}, refused
        figures["nats_refused"] = len(refused)
        for wrong in (
            Shown(papers.authority_file),
            Shown(papers.authority_file, foreign, foreign),
        ):
            assert await bus_answers(url, wrong) != ""
        unknown = "BrokenPipe"
        async with asyncio.timeout(20):
            # NATS may hang up before what it says is read: then it is asked again.
            while "BrokenPipe" in unknown or "ConnectionReset" in unknown:
                unknown = await bus_answers(url, shown(papers, "tandem_nobody"))
        assert "NATS refuses this service's key" in unknown
        assert "AUTH_PEER_CERTIFICATE_FILE" in unknown


async def test_nats_lets_a_certificate_say_what_its_service_may(
    papers: Papers, tmp_path: Path
) -> None:
    """The api's certificate does not make the streams of auth."""
    async with peers.nats_with_tls(tmp_path, papers=papers) as server:
        url = f"tls://{HOST}:{server.port}"
        assert await bus_answers(url, shown(papers, "tandem_api")) != ""
        assert await bus_answers(url, shown(papers, "tandem_api"), "api") == ""


async def test_a_connection_that_comes_back_shows_what_the_files_hold_now(
    papers: Papers, tmp_path: Path
) -> None:
    """The client of NATS would go on with those that it was begun with."""
    file = tmp_path / "own.pem"
    certificates.write(certificates.issued("tandem_auth", by=papers.authority), file)
    authority_file = tmp_path / "authority.pem"
    authority_file.write_bytes(papers.authority_file.read_bytes())
    renewed = peers.papers(tmp_path / "renewed")
    back = asyncio.Event()

    async def reconnected() -> None:
        back.set()

    async with peers.nats_with_tls(tmp_path / "old", papers=papers) as server:
        port = server.port
        opening = bus.connect(
            f"tls://{HOST}:{port}",
            service="auth",
            seed_file=None,
            papers=Shown(authority_file, file, file),
            clock=SystemClock(),
            on_reconnected=reconnected,
        )
        async with contextlib.AsyncExitStack() as stack:
            opened = await stack.enter_async_context(opening)
            await server.stop()
            second = peers.nats_with_tls(tmp_path / "new", papers=renewed, port=port)
            await stack.enter_async_context(second)
            await asyncio.sleep(0.5)
            assert not opened.is_connected, "the new server is of another authority"
            certificates.write(
                certificates.issued("tandem_auth", by=renewed.authority), file
            )
            authority_file.write_bytes(renewed.authority_file.read_bytes())
            async with asyncio.timeout(20):
                await back.wait()
            assert opened.is_connected
            await opened.drain(timeout_s=1)


@NEEDS_DEBIANS
async def test_a_service_lives_without_any_password_or_key(
    debians: postgres.Server, papers: Papers, tmp_path: Path
) -> None:
    """It is migrated and serves at addresses that do not even say that TLS is meant."""
    place = Place(debians.port, "tandem")
    shown_by_postgres = debians.data_directory / "server.pem"
    before = shown_by_postgres.read_bytes()
    certificates.write(
        certificates.issued(ELSEWHERE, by=papers.authority), shown_by_postgres
    )
    await debians.stop()
    await debians.start()
    port = ports.free_port()
    opened = peers.nats_with_tls(tmp_path, papers=papers, name=ELSEWHERE)
    try:
        async with opened as broker:
            env = {
                "PATH": os.environ["PATH"],
                "AUTH_NATS_URL": f"tls://{ELSEWHERE}:{broker.port}",
                "AUTH_KEY_RING_FILE": str(keys.key_ring(tmp_path / "keys", "auth")),
                "AUTH_HTTP_PORT": str(port),
                "AUTH_START_TIMEOUT_S": "5",
            }
            owner = databases.owner_role("auth")
            as_owner = {
                "AUTH_DATABASE_URL": place.url(host=ELSEWHERE),
                "AUTH_MIGRATION_DATABASE_URL": place.url(role=owner, host=ELSEWHERE),
                **papers.settings("auth", role=owner),
            }
            child = await _spawn("migrate", env=env | as_owner)
            assert await child.wait() == 0
            as_service = {
                "AUTH_DATABASE_URL": place.url(host=ELSEWHERE),
                **papers.settings("auth"),
            }
            child = await _spawn("serve", env=env | as_service)
            try:
                await _until_ready(child, port)
            finally:
                child.terminate()
            assert await child.wait() == 0
    finally:
        shown_by_postgres.write_bytes(before)
        await debians.stop()
        await debians.start()


async def test_a_service_does_not_start_where_others_could_read_along(
    nats_server: nats.Server,
) -> None:
    """Postgres and NATS elsewhere, without TLS: both are named, and what to do."""
    env = {
        "PATH": os.environ["PATH"],
        "API_DATABASE_URL": "postgresql://tandem_api@db.example/x?sslmode=prefer",
        "API_NATS_URL": "nats://bus.example:4222",
        "API_NATS_SEED_FILE": str(nats_server.seed_file("api")),
        "API_KEY_RING_FILE": "not read",
    }
    for command in ("serve", "migrate", "dead-letters"):
        child = await _spawn(command, env=env, service="api")
        assert child.stderr is not None
        said = (await child.stderr.read()).decode().splitlines()
        assert await child.wait() == 78
        assert [line.split()[1].rstrip(":") for line in said] == [
            "API_DATABASE_URL",
            "API_NATS_URL",
        ]
        assert all("API_UNENCRYPTED" in line for line in said)


async def _spawn(
    command: str, *, env: dict[str, str], service: str = "auth"
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", command),
        cwd=ROOT,
        env=env,
        stderr=asyncio.subprocess.PIPE if service == "api" else None,
    )


async def _until_ready(child: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(30), ClientSession() as session:
        while child.returncode is None:
            with contextlib.suppress(ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise AssertionError("it ended instead of serving")
