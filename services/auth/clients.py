"""A tenant's own clients of apps: stored sealed, and opened to be used.

What an app's authorisation server needs is a fact of the app; who we are there, and
at which addresses if not the usual ones, is the tenant's.
"""

from collections.abc import Collection
from typing import Final

from proto.auth import SetAppClient
from proto.base import Done
from proto.connector import AuthMethod, OAuthFacts
from proto.errors import ErrorCode
from proto.ids import AppId, TenantId
from proto.pushes import PushAccount, PushClient, ReadPushClient
from services.auth import checks, sealing
from services.auth.catalogue import Catalogue
from services.auth.oauth import Registration
from services.auth.store import AppClient, AuthWork
from services.auth.vault import Vault
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed
from services.chassis.store import Store

_PUSH_PAGES_MAX: Final = 10
_PAGE: Final = 200
_ADDRESSES: Final = ("authorise_url", "token_url", "api_url")


class Clients:
    """Stores app clients and returns them ready for use."""

    def __init__(
        self,
        store: Store[AuthWork],
        *,
        vault: Vault,
        catalogue: Catalogue,
        guard: Guard,
        authorise_hosts: Collection[str] = (),
    ) -> None:
        self._store = store
        self._vault = vault
        self._catalogue = catalogue
        self._guard = guard
        self._authorise_hosts = authorise_hosts

    async def put(self, command: SetAppClient) -> Done:
        """Store a tenant's own client of an app, or replace it."""
        facts = await self._facts(command.tenant_id, command.app)
        for field in ("client_id", "client_secret"):
            checks.require(getattr(command, field), field)
        for field in _ADDRESSES:
            if address := getattr(command, field):
                checks.require_address(address, field)
                await checks.require_callable(address, field, guard=self._guard)
        self._require_own_page(facts, command.authorise_url)
        client = AppClient(
            client_id=command.client_id,
            client_secret=sealing.seal_client(
                self._vault,
                command.client_secret,
                tenant_id=command.tenant_id,
                app=command.app,
            ),
            authorise_url=command.authorise_url,
            token_url=command.token_url,
            api_url=checks.canonical(command.api_url) if command.api_url else "",
        )
        async with self._store.transaction(command.tenant_id) as work:
            await work.put_client(command.tenant_id, command.app, client=client)
        return Done()

    async def registration(
        self, tenant_id: TenantId, app: AppId, *, sends_people: bool = False
    ) -> Registration:
        """Return what is needed to talk to an app's authorisation server.

        Raises:
            CommandFailed: The app has none, no client of it is stored, or people would
                be sent where they may not be.
        """
        facts = await self._facts(tenant_id, app)
        async with self._store.transaction(tenant_id) as work:
            client = await work.client(tenant_id, app)
        if client is None:
            raise CommandFailed(
                ErrorCode.CLIENT_MISSING,
                "No client id and secret are stored for this app."
                f" PUT /v1/apps/{app}/client stores them.",
                field="app",
            )
        if sends_people:
            # What may be listed can change after an address was stored.
            self._require_own_page(facts, client.authorise_url)
        return Registration(
            client_id=client.client_id,
            client_secret=sealing.open_client(
                self._vault, client.client_secret, tenant_id=tenant_id, app=app
            ),
            client_auth=facts.client_auth,
            authorise_url=client.authorise_url or facts.authorise_url,
            token_url=client.token_url or facts.token_url,
            api_url=client.api_url,
            scopes=facts.scopes,
            issuer=facts.issuer,
            sends_issuer=facts.sends_issuer,
            address=facts.address,
        )

    async def for_push(self, command: ReadPushClient) -> PushClient:
        """Return what an app's pushes to a client are checked with.

        Raises:
            CommandFailed: The app has none, or no client of it is stored.
        """
        client = await self.registration(command.tenant_id, command.app)
        found: list[PushAccount] = []
        after = ""
        async with self._store.transaction(command.tenant_id) as work:
            for _ in range(_PUSH_PAGES_MAX):
                page = await work.accounts(command.tenant_id, after=after, limit=_PAGE)
                found += [
                    PushAccount(
                        vendor_account_id=account.vendor_account_id,
                        account_id=account.account_id,
                    )
                    for account in page
                    if account.app == command.app and account.vendor_account_id
                ]
                if len(page) < _PAGE:
                    break
                after = page[-1].account_id
        return PushClient(secret=client.client_secret, accounts=tuple(found))

    def _require_own_page(self, facts: OAuthFacts, address: str) -> None:
        if address:
            checks.require_page_of(
                facts.authorise_url,
                address,
                field="authorise_url",
                hosts=self._authorise_hosts,
                guard=self._guard,
            )

    async def _facts(self, tenant_id: TenantId, app: AppId) -> OAuthFacts:
        found = await self._catalogue.app(tenant_id, app)
        if found.auth_method is not AuthMethod.OAUTH or found.oauth is None:
            raise CommandFailed(
                ErrorCode.INVALID,
                f"{found.name} is authorised by what a person gives:"
                " POST /v1/accounts stores it.",
                field="app",
            )
        return found.oauth
