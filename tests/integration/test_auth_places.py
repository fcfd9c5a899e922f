"""Where an account is, for an app that names it with each token."""

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from proto.auth import Account
from proto.errors import ErrorCode
from proto.ids import AppId
from proto.places import AddressFacts
from tests.emulators.constant_contact.emulator import TOKEN_PATH
from tests.integration.auth_fixtures import shared, world
from tests.integration.auth_world import World, completion, refused

__all__ = ["shared", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PLACED = AppId("placed")


class Login:
    """The app's login server: its token endpoint, and where it says accounts are."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.told = "http://127.0.0.1:1/"
        self.asked: list[str] = []

    async def give_token(self, request: web.Request) -> web.Response:
        """Have the vendor answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self._world.emulator.url + TOKEN_PATH,
                data=await request.read(),
                headers={
                    name: request.headers[name]
                    for name in ("Authorization", "Content-Type")
                },
            ) as reply,
        ):
            return web.json_response(await reply.json(), status=reply.status)

    async def tell(self, request: web.Request) -> web.Response:
        """Name an address, or nothing."""
        self.asked.append(request.headers["Authorization"].partition(" ")[0])
        if not self.told:
            return web.Response(status=503)
        return web.json_response({"endpoint": self.told})

    async def authorise(self) -> Account:
        """Walk the whole way."""
        begun = await self._world.begin(app=PLACED)
        back = await self._world.consent(begun.authorise_url)
        return await self._world.ask(completion(back))


@contextlib.asynccontextmanager
async def standing(world: World) -> AsyncIterator[Login]:
    """Serve the login server of an app that names addresses, until the block ends."""
    login = Login(world)
    application = web.Application()
    application.router.add_post("/token", login.give_token)
    application.router.add_get("/where", login.tell)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    facts = AddressFacts(
        path="/where",
        member="endpoint",
        hosts=("api.vendor.example",),
        scheme="Place",
        suffix="/v1",
    )
    world.further_apps = (world.app(PLACED, address=facts),)
    await world.set_client(app=PLACED, token_url=f"{url}/token")
    try:
        yield login
    finally:
        await runner.cleanup()


async def test_an_account_is_where_the_app_says(world: World):
    async with standing(world) as login:
        account = await login.authorise()
        assert account.base_url == "http://127.0.0.1:1/v1"
        assert login.asked == ["Place"]
        token = await world.issue(account.account_id)
        assert token.base_url == account.base_url


async def test_nothing_is_stored_of_an_account_that_is_nowhere(world: World):
    """A token is sent to the app's own servers alone (hazard 114)."""
    for told, code in (
        ("", ErrorCode.APP_UNREACHABLE),
        ("https://evil.example/", ErrorCode.ADDRESS_REFUSED),
        ("https://api.vendor.example.evil.example/", ErrorCode.ADDRESS_REFUSED),
    ):
        async with standing(world) as login:
            login.told = told
            assert (await refused(login.authorise())).code is code
    assert await world.rows("SELECT 1 FROM auth.accounts") == []
    assert await world.rows("SELECT 1 FROM auth.credentials") == []
