"""Nothing is sent to a server whose certificate is not its own (ASVS 12.3.2)."""

import asyncio
import contextlib
import json
import os
import ssl
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.security import certificates
from tests.security.certificates import DAY, NOW, Issued
from tests.security.tls_caller import HOST, SERVICES
from tests.tidy.tree import ROOT

ANSWER = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Server:
    """A server with a certificate; counts the requests that reached it."""

    def __init__(self, one: Issued) -> None:
        self.one = one
        self.request_count = 0
        self.url = ""

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.request_count += bool(head)
            writer.write(ANSWER)
            await writer.drain()
            writer.close()

    async def open(self, stack: contextlib.AsyncExitStack, folder: Path) -> None:
        served = await asyncio.start_server(
            self.answer,
            "127.0.0.1",
            0,
            ssl=certificates.server_context(self.one, folder),
        )
        await stack.enter_async_context(served)
        self.url = f"https://{HOST}:{served.sockets[0].getsockname()[1]}"


@pytest.mark.timeout(120)
async def test_a_server_with_a_wrong_certificate_is_told_nothing(
    tmp_path: Path, figures: dict[str, int]
) -> None:
    """Each service, against four that are wrong in one way, and one that is right."""
    trusted = certificates.authority("trusted")
    secret_file, bundle = tmp_path / "secret", tmp_path / "authorities.pem"
    secret_file.write_text("s")
    encoding = serialization.Encoding.PEM
    bundle.write_bytes(trusted.certificate.public_bytes(encoding))
    servers = {
        "right": Server(certificates.issued(HOST, by=trusted)),
        "of another host": Server(certificates.issued("other.example", by=trusted)),
        "expired": Server(certificates.issued(HOST, by=trusted, begins=NOW - 9 * DAY)),
        "of an unknown authority": Server(
            certificates.issued(HOST, by=certificates.authority("trusted"))
        ),
        "its own": Server(certificates.issued(HOST, by=None)),
    }
    async with contextlib.AsyncExitStack() as stack:
        for server in servers.values():
            await server.open(stack, tmp_path)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.security.tls_caller", str(secret_file)),
            *(server.url for server in servers.values()),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "SSL_CERT_FILE": str(bundle)},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await child.communicate()
    assert child.returncode == 0
    found = json.loads(out)
    assert found.keys() == SERVICES.keys()
    for service, outcomes in found.items():
        right, *wrong = outcomes
        assert right == "status_404", service
        assert set(wrong) == {"ClientConnectorCertificateError"}, (service, wrong)
        figures["certificates_refused"] = figures.get("certificates_refused", 0) + len(
            wrong
        )
    # The control shows that requests are counted; the others got not one byte of any.
    assert servers.pop("right").request_count >= len(SERVICES)
    assert {server.request_count for server in servers.values()} == {0}


def test_no_code_of_ours_turns_the_check_off() -> None:
    """What the processes above were not told either."""
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
    for path in (ROOT / "services").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for word in ("ssl=False", "verify_ssl", "CERT_NONE", "_unverified_context"):
            assert word not in text, path
