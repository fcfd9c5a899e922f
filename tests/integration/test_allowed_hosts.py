"""Each service that calls out is given its list of where it may (ASVS 13.2.4, .5)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from deploy.local import nats, postgres
from proto.ids import AppId
from services.api import config as api_config
from services.api.proofs import issuers
from services.auth import service as auth
from services.auth import transport
from services.auth.config import Config
from services.chassis.addresses import Guard
from services.chassis.clock import SystemClock
from services.chassis.errors import AddressRefused, CommandFailed
from services.connector import exchange, registry
from services.connector import service as connector
from tests.integration.auth_world import opened, standing, write_key_ring
from tests.integration.test_connector_service import runtime_of
from tests.servers import Database

PUBLIC = "93.184.215.14"
LISTED = {"allowed_hosts": ("dav.example", "*.sandbox.example")}


def refused(guard: Guard, *hosts: str) -> set[str]:
    """Return which of these hosts are refused at an address that is public."""

    def found() -> Iterator[str]:
        for host in hosts:
            try:
                guard.check(host, PUBLIC)
            except AddressRefused:
                yield host

    return set(found())


@pytest.mark.parametrize("changes", [{}, LISTED])
async def test_the_connector_calls_the_apps_that_are_installed(
    database: Database, nats_server: nats.Server, changes: Any
) -> None:
    """And what the operator lists besides: a person's address is not enough."""
    given: list[Guard] = []

    @contextlib.asynccontextmanager
    async def opened(guard: Guard) -> AsyncIterator[Any]:
        given.append(guard)
        async with exchange.session(guard) as session:
            yield session

    stopping = asyncio.Event()
    stopping.set()
    async with runtime_of("connector", database, nats_server, **changes) as runtime:
        await connector.serve_apps(
            runtime, stopping, apps=registry.load(), open_session=opened
        )
    (guard,) = given
    urls = [entry.manifest.base_url for entry in registry.load()]
    vendors = [host for url in urls if (host := urlsplit(url).hostname)]
    assert len(vendors) > 2
    hosts = (*vendors, "dav.example", "eu.sandbox.example")
    expected = set() if changes else {"dav.example", "eu.sandbox.example"}
    assert refused(guard, *hosts, "evil.example") == {*expected, "evil.example"}


@pytest.mark.parametrize("changes", [{}, LISTED])
async def test_auth_calls_the_authorisation_servers_of_the_apps(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    tmp_path: Path,
    changes: Any,
) -> None:
    """It learns them from the catalogue, and calls nobody before it has asked."""
    given: list[Guard] = []

    def endpoint(timeout_s: float, *, guard: Guard) -> Any:
        given.append(guard)
        return transport.open_endpoint(timeout_s, guard=guard)

    stopping = asyncio.Event()
    changes = {**changes, "key_ring_file": write_key_ring(tmp_path / "ring.json")}
    missing = set() if "allowed_hosts" in changes else {"dav.example"}
    known = ("login.vendor.example", "token.vendor.example")
    async with (
        opened(postgres_server, nats_server) as world,
        standing(world, "auth", Config, **changes) as runtime,
        asyncio.TaskGroup() as group,
    ):
        world.further_apps = (
            world.app(
                AppId("elsewhere"),
                authorise_url="https://login.vendor.example/a",
                token_url="https://token.vendor.example/t",
            ),
        )
        group.create_task(auth.serve(runtime, stopping, open_endpoint=endpoint))
        async with asyncio.timeout(20):
            while not given:
                await asyncio.sleep(0.02)
            (guard,) = given
            assert refused(guard, *known) == set(known)
            # That the tenant has no client of it is no matter.
            with pytest.raises(CommandFailed):
                await world.begin(app=AppId("elsewhere"))
        assert refused(guard, *known, "evil.example") == {"evil.example"}
        assert refused(guard, "dav.example") == missing
        stopping.set()


@pytest.mark.parametrize(
    ("allowed", "missing"), [((), {"keys.example"}), (("keys.example",), set())]
)
async def test_the_api_calls_the_provider_that_is_named(
    allowed: tuple[str, ...], missing: set[str], tmp_path: Path
) -> None:
    """Where its document leads elsewhere, that has to be listed."""
    secret = tmp_path / "secret"
    secret.write_text("s")
    settings = api_config.Config(
        database_url="x",
        nats_url="x",
        key_ring_file=tmp_path / "ring",
        oidc_issuer="https://id.example/tenant",
        oidc_client_id="x",
        oidc_client_secret_file=secret,
        allowed_hosts=allowed,
    )
    async with issuers.opened(settings, clock=SystemClock()) as issuer:
        assert issuer is not None
        guard = issuer._session.connector._guard  # type: ignore[union-attr]
        found = refused(guard, "id.example", "keys.example", "evil.example")
    assert found == {*missing, "evil.example"}
