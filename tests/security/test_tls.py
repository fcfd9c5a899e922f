"""A server that cannot prove who it is gets nothing, and the log says why by name."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.api import config
from services.api.proofs import issuers
from services.api.proofs.issuers import ProviderAway
from services.auth import oauth
from services.auth import transport as auth_transport
from services.auth.oauth import NoGrant, Registration
from services.chassis.addresses import Guard
from services.chassis.clock import SystemClock
from services.connector import exchange
from services.connector.port import Call
from tests.security.conftest import Figures

HERE = Guard(("127.0.0.0/8",))
UNTRUSTED = "ClientConnectorCertificateError"


def write_certificate(path: Path, *, days: int) -> None:
    """Write a key and a certificate for this machine that nobody else signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - datetime.timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )


class Impostor:
    """A server with such a certificate, and what it got to hear."""

    def __init__(self) -> None:
        self.heard = b""
        self.port = 0

    async def answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.heard += await reader.read(65_536)
        writer.close()


@pytest_asyncio.fixture(params=[10, -10], ids=["unknown", "over"])
async def impostor(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Impostor]:
    """A server that nobody vouches for, or that does not even itself any more."""
    write_certificate(tmp_path / "both.pem", days=request.param)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    made = Impostor()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0, ssl=context)
    async with server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


async def through_connector(port: int) -> str:
    """Call an account as the connector does."""
    call = Call(method="GET", path="/x", headers=(("Authorization", "s3cr3t"),))
    url = exchange.url_of(call, base_url=f"https://127.0.0.1:{port}")
    async with exchange.session(HERE) as opened:
        with pytest.raises(exchange.NotSent) as failed:
            await exchange.exchange(
                opened, call, url=url, headers=dict(call.headers), timeout_s=5
            )
    return str(failed.value)


async def through_auth(port: int) -> str:
    """Post a refresh token as auth does."""
    registration = Registration(
        client_id="id",
        client_secret="s3cr3t",
        client_auth="basic",
        authorise_url="",
        token_url=f"https://127.0.0.1:{port}/token",
        api_url="",
        scopes=(),
        issuer="",
        sends_issuer=False,
    )
    async with auth_transport.open_endpoint(5, guard=HERE) as endpoint:
        found = await endpoint.post(registration, oauth.refresh_form("s3cr3t"))
    assert isinstance(found, NoGrant)
    return found.reason


async def through_api(port: int, secret: Path) -> str:
    """Ask a provider who it is as the api does."""
    secret.write_text("s3cr3t")
    settings = config.Config(
        database_url="",
        nats_url="",
        http_port=1,
        key_ring_file=secret,
        oidc_issuer=f"https://127.0.0.1:{port}",
        oidc_client_id="id",
        oidc_client_secret_file=secret,
        private_addresses=("127.0.0.0/8",),
    )
    async with issuers.opened(settings, clock=SystemClock()) as issuer:
        assert issuer is not None
        with pytest.raises(ProviderAway) as failed:
            await issuer.authorise_url(redirect_uri="", state="", browser="")
    return str(failed.value)


async def test_who_cannot_prove_who_it_is_hears_nothing(
    impostor: Impostor, tmp_path: Path, figures: Figures
) -> None:
    """Neither a token nor a secret, in none of the three services that call out."""
    reasons = [
        await through_connector(impostor.port),
        await through_auth(impostor.port),
        await through_api(impostor.port, tmp_path / "secret"),
    ]
    assert reasons == [UNTRUSTED] * 3
    assert impostor.heard == b""
    figures["impostors_refused"] = int(figures.get("impostors_refused", 0)) + 3
