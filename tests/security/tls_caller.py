"""Calls servers as each service does, in a process whose authorities are chosen.

Run as ``python -m tests.security.tls_caller SECRET_FILE URL...`` with ``SSL_CERT_FILE``
in its environment; prints by service what came of each address.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import aiohttp

from services.api.config import Config
from services.api.proofs import issuers
from services.api.proofs.issuers import ProviderAway
from services.auth import transport
from services.auth.oauth import NoGrant, Registration
from services.chassis.addresses import Guard
from services.chassis.clock import SystemClock
from services.connector import exchange

HOST = "localhost"
GUARD = Guard((HOST,))
"""So that what refuses these servers is not that they are private."""


async def by_connector(url: str, _secret_file: Path) -> str:
    async with exchange.session(GUARD) as session:
        try:
            note = SimpleNamespace(is_sent=False)
            async with session.get(url, trace_request_ctx=note) as answer:
                return f"status_{answer.status}"
        except aiohttp.ClientError as err:
            return type(err).__name__


async def by_auth(url: str, _secret_file: Path) -> str:
    registration = Registration(
        client_id="i",
        client_secret="s",
        client_auth="basic",
        authorise_url=url,
        token_url=url,
        api_url="",
        scopes=(),
        issuer="",
        sends_issuer=False,
    )
    async with transport.open_endpoint(10.0, guard=GUARD) as endpoint:
        seen = await endpoint.visit(url)
        grant = await endpoint.post(registration, {"code": "c"})
    assert isinstance(grant, NoGrant)
    return grant.reason if seen is None else f"status_{seen.status}"


async def by_api(url: str, secret_file: Path) -> str:
    settings = Config(
        database_url="x",
        nats_url="x",
        key_ring_file=Path("x"),
        oidc_issuer=url,
        oidc_client_id="i",
        oidc_client_secret_file=secret_file,
        private_addresses=(HOST,),
    )
    async with issuers.opened(settings, clock=SystemClock()) as issuer:
        assert issuer is not None
        try:
            await issuer.authorise_url(redirect_uri="x", state="x", browser="x")
        except ProviderAway as err:
            return str(err)
    return "believed"


SERVICES: dict[str, Callable[[str, Path], Awaitable[str]]] = {
    "connector": by_connector,
    "auth": by_auth,
    "api": by_api,
}


async def _main(secret_file: Path, urls: list[str]) -> None:
    found = {
        name: [await call(url, secret_file) for url in urls]
        for name, call in SERVICES.items()
    }
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2:]))
