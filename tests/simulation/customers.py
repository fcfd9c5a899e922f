"""What people do at Tandem itself: connect accounts, make connections, change them.

They do it through the commands that the api sends for them, and try again where they
are told to.
"""

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proto.auth import (
    AccountState,
    BeginAuthorisation,
    CompleteAuthorisation,
    SetAppClient,
)
from proto.base import Command
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, ConnectionId, TenantId
from proto.reconciler import (
    Connection,
    ConnectionAct,
    ConnectionState,
    CreateConnection,
    End,
    Settings,
    TellConnection,
)
from services.chassis.errors import BusUnavailable, CommandFailed
from tests.simulation.ledger import Place
from tests.simulation.scenario import ConnectionPlan, EndPlan
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.oauth import REDIRECT_URI
from tests.simulation.world import World

TRIES_MAX: Final = 100
AGAIN_S: Final = (1.0, 5.0)
PAUSE_S: Final = (1.0, 100.0)
CLIENT_ID: Final = "tandem"
CLIENT_SECRET: Final = "the secret of our client"
BROWSER: Final = "a cookie"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that somebody made, and what it was meant to be."""

    plan: ConnectionPlan
    connection_id: ConnectionId

    @property
    def tenant_id(self) -> TenantId:
        """Return whose it is."""
        return TenantId(self.plan.tenant)


class Customers:
    """The people of every tenant."""

    def __init__(
        self, world: World, vendors: Mapping[AppId, Vendor], *, source: random.Random
    ) -> None:
        self.accounts: dict[tuple[str, Place], AccountId] = {}
        """By tenant and by the account at the vendor."""
        self.connections: list[Made] = []
        self._world = world
        self._vendors = vendors
        self._source = source

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command, again and again while that can help."""
        for _ in range(TRIES_MAX):
            try:
                return await self._world.ask(command)
            except BusUnavailable:
                pass
            except CommandFailed as err:
                if err.retry is not Retry.LATER:
                    raise
            await asyncio.sleep(self._source.uniform(*AGAIN_S))
        raise AssertionError(f"{type(command).__name__} was never answered")

    async def connect(self, plan: ConnectionPlan) -> Made:
        """Make a connection with its accounts and start it."""
        left, right = [await self._end(plan.tenant, e) for e in (plan.left, plan.right)]
        settings = Settings(
            name="both",
            left=left,
            right=right,
            direction=plan.direction,
            winner=plan.winner,
            avoids_duplicates=plan.avoids_duplicates,
            **plan.options.settings(),
        )
        tenant_id = TenantId(plan.tenant)
        created: Connection = await self.ask(
            CreateConnection(tenant_id=tenant_id, settings=settings)
        )
        made = Made(plan=plan, connection_id=created.connection_id)
        self.connections.append(made)
        await self.tell(made, ConnectionAct.START)
        return made

    async def tell(self, made: Made, act: ConnectionAct) -> Connection:
        """Start, pause or resume a connection, or ask it to sync now."""
        self._world.note("customer", made.plan.tenant, act)
        told: Connection = await self.ask(
            TellConnection(
                tenant_id=made.tenant_id, connection_id=made.connection_id, act=act
            )
        )
        return told

    async def do_errand(self) -> None:
        """Do one of the things that people do to a connection that runs."""
        made = self._source.choice(self.connections)
        if self._source.random() < 0.4:
            await self.attempt(made, ConnectionAct.SYNC_NOW)
            return
        await self.attempt(made, ConnectionAct.PAUSE)
        await asyncio.sleep(self._source.uniform(*PAUSE_S))
        await self.attempt(made, ConnectionAct.RESUME)

    async def heal(self) -> bool:
        """Authorise again what was lost, and resume what waits for that.

        Tells whether anything was lost.
        """
        lost = {
            row["account_id"]
            for row in self._world.database.rows("auth.accounts")
            if row["state"] == AccountState.LOST
        }
        for (tenant, place), account_id in list(self.accounts.items()):
            if account_id in lost:
                self._world.note("customer", tenant, "authorises again")
                await self.authorise(tenant, place)
        paused = {
            row["connection_id"]
            for row in self._world.database.rows("reconciler.connections")
            if row["state"] == ConnectionState.PAUSED
        }
        for made in self.connections:
            if made.connection_id in paused:
                await self.attempt(made, ConnectionAct.RESUME)
        return bool(lost)

    async def attempt(self, made: Made, act: ConnectionAct) -> None:
        """Do something, unless the connection does not take it in its state."""
        try:
            await self.tell(made, act)
        except CommandFailed as err:
            if err.code is not ErrorCode.NOT_ALLOWED_NOW:
                raise

    async def authorise(self, tenant: str, place: Place) -> AccountId:
        """Give Tandem access to an account; again, if it had it before.

        Who is told to begin again does so.
        """
        for _ in range(TRIES_MAX):
            try:
                return await self._authorise(tenant, place)
            except CommandFailed as err:
                if err.code is not ErrorCode.AUTHORISATION_EXPIRED:
                    raise
            await asyncio.sleep(self._source.uniform(*AGAIN_S))
        raise AssertionError(f"{place} was never authorised")

    async def _authorise(self, tenant: str, place: Place) -> AccountId:
        tenant_id, vendor = TenantId(tenant), self._vendors[place.app]
        begun = await self.ask(
            BeginAuthorisation(
                tenant_id=tenant_id,
                app=place.app,
                redirect_uri=REDIRECT_URI,
                browser=BROWSER,
                account_id=self.accounts.get((tenant, place)),
            )
        )
        state, code = vendor.oauth.authorise(
            begun.authorise_url, place.account, now=vendor.now()
        )
        account = await self.ask(
            CompleteAuthorisation(
                tenant_id=tenant_id, state=state, browser=BROWSER, code=code
            )
        )
        self.accounts[tenant, place] = account.account_id
        return AccountId(account.account_id)

    async def _end(self, tenant: str, plan: EndPlan) -> End:
        place = Place(plan.app, plan.account)
        if (tenant, place) not in self.accounts:
            await self._set_client(tenant, plan.app)
            await self.authorise(tenant, place)
        container = None if plan.container is None else plan.container
        return End(account_id=self.accounts[tenant, place], container_id=container)

    async def _set_client(self, tenant: str, app: AppId) -> None:
        self._vendors[app].oauth.clients[CLIENT_ID] = CLIENT_SECRET
        await self.ask(
            SetAppClient(
                tenant_id=TenantId(tenant),
                app=app,
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
            )
        )
