"""App clients: the addresses that a tenant may put in place of an app's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proto.errors import ErrorCode
from proto.ids import AppId
from tests.integration.auth_fixtures import world
from tests.integration.auth_world import World, opened, refused, write_key_ring

__all__ = ["world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE, SANDBOX = AppId("elsewhere"), "sandbox.vendor.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    postgres_server, nats_server, tmp_path_factory
) -> AsyncIterator[World]:
    """One vendor, and one auth that may send people to its sandbox, too."""
    ring = write_key_ring(tmp_path_factory.mktemp("auth") / "ring.json")
    async with (
        opened(postgres_server, nats_server) as world,
        world.auth(key_ring_file=ring, authorise_hosts=(SANDBOX,)),
    ):
        yield world


async def test_replaced_addresses_are_used(world: World):
    real = world.app().oauth
    assert real is not None
    await world.set_client(authorise_url="http://127.0.0.1:1/?app=7")
    url = (await world.begin()).authorise_url
    assert url.startswith("http://127.0.0.1:1/?app=7&response_type=code&")
    await world.set_client(token_url="http://127.0.0.1:1/token")
    failure = await refused(world.authorise())
    assert failure.code is ErrorCode.APP_UNREACHABLE
    await world.set_client(token_url=real.token_url, api_url="http://127.0.0.1:1/")
    account = await world.authorise()
    assert account.base_url == "http://127.0.0.1:1"


async def test_people_are_sent_to_the_app_alone(world: World):
    """Our link would lead them to whatever else a tenant names (ASVS 3.7.2)."""
    facts = {"authorise_url": "https://login.vendor.example/authorize"}
    world.further_apps = (world.app(ELSEWHERE, **facts),)
    query = "SELECT authorise_url FROM auth.app_clients WHERE app = 'elsewhere'"
    for url in (
        "https://evil.example/authorize",
        "https://login.vendor.example.evil.example/",
        "https://vendor.example/authorize",
        "http://login.vendor.example/authorize",
    ):
        failure = await refused(world.set_client(app=ELSEWHERE, authorise_url=url))
        assert failure.code is ErrorCode.ADDRESS_REFUSED, url
        assert failure.field == "authorise_url"
        assert "AUTH_AUTHORISE_HOSTS" in failure.detail
    assert await world.rows(query) == []
    for url in (
        "https://login.vendor.example/eu/authorize",
        "https://LOGIN.vendor.example:8443/authorize",
        f"https://{SANDBOX}/authorize",
    ):
        await world.set_client(app=ELSEWHERE, authorise_url=url)
        begun = await world.begin(app=ELSEWHERE)
        assert begun.authorise_url.startswith(f"{url}?")
    # Stored while it was listed, or by a release of before.
    await world.rows(
        "UPDATE auth.app_clients SET authorise_url = 'https://evil.example/'"
        " WHERE app = 'elsewhere'"
    )
    failure = await refused(world.begin(app=ELSEWHERE))
    assert failure.code is ErrorCode.ADDRESS_REFUSED


@pytest.mark.parametrize("field", ["authorise_url", "token_url", "api_url"])
async def test_a_client_at_a_private_address_is_refused(world: World, field: str):
    """Hazard 114: what is posted there are codes, refresh tokens and secrets."""
    query = "SELECT client_id, authorise_url, token_url, api_url FROM auth.app_clients"
    before = await world.rows(query)
    for url in ("https://10.0.0.1/", "https://169.254.169.254/", "http://8.8.8.8/"):
        failure = await refused(world.set_client(**{field: url}))
        assert failure.code is ErrorCode.ADDRESS_REFUSED
        assert failure.field == field
        assert "AUTH_PRIVATE_ADDRESSES" in failure.detail
    assert await world.rows(query) == before
