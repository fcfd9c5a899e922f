"""Postgres and NATS behind TLS, with authorities that a test has made.

Postgres' wheel is built without TLS. So the wheel's server stands behind a small front
that speaks TLS as Postgres does; and where Debian's Postgres is installed, that one
speaks it by itself and knows roles by their certificates, with `deploy/postgres`.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization

from deploy.local import databases, nats, postgres
from tests.security import certificates
from tests.security.certificates import Issued
from tests.tidy.tree import ROOT

HOST = "localhost"
ELSEWHERE = "127.1"
"""This machine under a name by which a service cannot know that it is this machine."""
_REQUEST = bytes.fromhex("0000000804d2162f")
"""What a client says that wants TLS."""


class Papers(NamedTuple):
    """An authority, and the folder with what it has signed."""

    folder: Path
    authority: Issued

    @property
    def authority_file(self) -> Path:
        return self.folder / "authority.pem"

    def of(self, name: str, *, by: Issued | None = None, file: str = "") -> Path:
        """Write a certificate for a name, with its key in the same file."""
        one = certificates.issued(name, by=by or self.authority)
        return certificates.write(one, self.folder / f"{file or name}.pem")

    def settings(self, service: str, *, role: str = "") -> dict[str, str]:
        """Return what a service is told of them."""
        shown = self.of(role or databases.service_role(service))
        prefix = f"{service.upper()}_PEER"
        return {
            f"{prefix}_AUTHORITY_FILE": str(self.authority_file),
            f"{prefix}_CERTIFICATE_FILE": str(shown),
            f"{prefix}_KEY_FILE": str(shown),
        }


def papers(folder: Path) -> Papers:
    """Make an authority in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Papers(folder, certificates.authority("inner"))
    encoding = serialization.Encoding.PEM
    made.authority_file.write_bytes(made.authority.certificate.public_bytes(encoding))
    return made


class Front:
    """Speaks TLS in front of a Postgres that cannot; wants a client's certificate."""

    def __init__(self, papers: Papers, server_file: Path, *, behind: int) -> None:
        self._papers = papers
        self._server_file = server_file
        self._behind = behind
        self.port = 0
        self.seen: list[str] = []
        """The names on the certificates that were shown."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Front"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._server_file)
        context.load_verify_locations(self._papers.authority_file)
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            assert await reader.readexactly(8) == _REQUEST, "it came without TLS"
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(self._context())
            shown = writer.get_extra_info("peercert")
            self.seen.append(shown["subject"][0][0][1])
            other = await asyncio.open_connection("127.0.0.1", self._behind)
            await asyncio.gather(_copy(reader, other[1]), _copy(other[0], writer))
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def debian_programs() -> Path | None:
    """Return the folder of a Postgres that knows TLS, where there is one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextlib.asynccontextmanager
async def postgres_with_tls(
    folder: Path, *, papers: Papers, programs: Path
) -> AsyncIterator[postgres.Server]:
    """Run a Postgres that takes certificates alone, as `deploy/postgres` says."""
    server = postgres.Server(folder / "postgres", programs=programs, durable=False)
    await server.start()
    try:
        await server.create_database("tandem")
        await databases.prepare(server.dsn(database="tandem"))
        await server.stop()
        data = server.data_directory
        shown = certificates.write(
            certificates.issued(HOST, by=papers.authority), data / "server.pem"
        )
        (data / "authority.pem").write_bytes(papers.authority_file.read_bytes())
        (data / "pg_hba.conf").write_text(
            (ROOT / "deploy" / "postgres" / "pg_hba.conf").read_text()
        )
        with (data / "postgresql.conf").open("a") as file:
            file.write(
                f"\nssl = on\nssl_cert_file = '{shown.name}'\n"
                f"ssl_key_file = '{shown.name}'\nssl_ca_file = 'authority.pem'\n"
                "ssl_min_protocol_version = 'TLSv1.2'\n"
            )
        await server.start()
        yield server
    finally:
        await server.stop(immediate=True)


@contextlib.asynccontextmanager
async def nats_with_tls(
    folder: Path, *, papers: Papers, name: str = HOST, port: int | None = None
) -> AsyncIterator[nats.Server]:
    """Run a NATS that knows services by their certificates, as `deploy/nats` says."""
    shown = papers.of(name, file="nats-server")
    server = nats.Server(
        folder / "nats",
        program=nats.find_program(),
        keys_directory=folder / "keys",
        secured=False,
        port=port,
        configuration="certificates.conf",
        environment={
            "NATS_CERTIFICATE_FILE": str(shown),
            "NATS_KEY_FILE": str(shown),
            "NATS_AUTHORITY_FILE": str(papers.authority_file),
        },
    )
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
