"""What a user of auth's tables can do."""

import datetime
from typing import Any, ClassVar

from proto.auth import Account, AccountConnected, AccountState, CredentialKind
from proto.base import Message
from proto.ids import AccountId, AppId, TenantId
from services.auth import store as auth_store
from services.auth.store import (
    AppClient,
    AuthWork,
    Credential,
    Lease,
    PendingAuthorisation,
    Rest,
)
from services.auth.vault import Sealed
from services.chassis.store import Work
from tests.contract.stores.chassis import ChassisPlayer
from tests.contract.stores.program import act
from tests.contract.stores.stage import SOMEBODY

Q = auth_store.Q
TENANTS = [*[TenantId("tnt_1")] * 3, TenantId("tnt_2")]
ACCOUNTS = [AccountId(f"acct_{number}") for number in range(3)]
APPS = [*[AppId("app_1")] * 3, AppId("app_2")]
VENDOR_IDS = ["vendor_1", "vendor_1", "vendor_2"]
URLS = ["", "https://one.example.org/a", "https://one.example.org/b"]
STATES = ["state_1", "state_2", "state_3"]
KEYS = ["key_1", "key_2"]
LEASES = ["lease_1", "lease_1", "lease_2"]
SECRETS = ("credentials", "app_clients", "authorisations")


class AuthPlayer(ChassisPlayer):
    """A replica of auth."""

    work_class: ClassVar[type[Work]] = AuthWork
    receivers = ("connector", "reconciler")
    version = 1

    async def prepare(self) -> None:
        if self.number != 0:
            return
        async with self.store.transaction(SOMEBODY) as work:
            for account_id in ACCOUNTS[:2]:
                made = self._account(account_id)
                await work.add_account(TENANTS[0], account=made)
                await work.put_credential(
                    TENANTS[0], account_id, credential=self._credential(1)
                )

    def message(self) -> Message:
        return AccountConnected(
            tenant_id=self.one(TENANTS),
            account_id=self.one(ACCOUNTS),
            at=self.clock.now(),
        )

    def _account(self, account_id: AccountId) -> Account:
        old = datetime.timedelta(hours=self.one([0, 0, 2]))
        return Account(
            account_id=account_id,
            app=self.one(APPS),
            state=AccountState.PENDING,
            vendor_account_id=self.one(VENDOR_IDS),
            display_name=self.one(["", "Mine"]),
            base_url=self.one(URLS),
            scopes=tuple(self.some(["read", "write"])),
            created_at=self.clock.now() - old,
        )

    def _sealed(self) -> Sealed:
        wrapped = self.one([b"wrapped", b"another"])
        return Sealed(key_id=self.one(KEYS), wrapped_key=wrapped, body=b"sealed")

    def _credential(self, version: int) -> Credential:
        return Credential(
            kind=CredentialKind.BEARER,
            version=version,
            secret=self._sealed(),
            expires_at=self.maybe(self.time()),
            renew_at=None,
        )

    def whose(self) -> tuple[TenantId, AccountId]:
        """Draw an account of a tenant."""
        return self.one(TENANTS), self.one(ACCOUNTS)

    # Clients and authorisations.

    @act(is_narrow=True)
    async def put_client(self, work: AuthWork) -> None:
        client = AppClient(
            client_id=self.one(["one", "two"]),
            client_secret=self._sealed(),
            authorise_url="",
            token_url="",
            api_url=self.one(URLS),
        )
        await work.put_client(self.one(TENANTS), self.one(APPS), client=client)

    @act(is_narrow=True)
    async def client(self, work: AuthWork) -> object:
        return await work.client(self.one(TENANTS), self.one(APPS))

    @act(weight=3, is_narrow=True)
    async def put_authorisation(self, work: AuthWork) -> None:
        pending = PendingAuthorisation(
            app=self.one(APPS),
            account_id=self.maybe(self.one(ACCOUNTS)),
            browser_hash="browser",
            redirect_uri="https://here.example.org",
            verifier=self._sealed(),
            expires_at=self.time(),
        )
        await work.put_authorisation(
            self.one(TENANTS), self.one(STATES), pending=pending
        )

    @act(weight=3, is_narrow=True)
    async def take_authorisation(self, work: AuthWork) -> object:
        return await work.take_authorisation(self.one(TENANTS), self.one(STATES))

    @act()
    async def drop_stale(self, work: AuthWork) -> None:
        await work.drop_stale()

    # Accounts.

    @act(weight=4, is_narrow=True)
    async def add_account(self, work: AuthWork) -> None:
        tenant_id, account_id = self.whose()
        await work.add_account(tenant_id, account=self._account(account_id))

    @act(weight=3, is_narrow=True)
    async def account(self, work: AuthWork) -> object:
        return await work.account(*self.whose())

    @act(weight=3, is_narrow=True)
    async def pinned_account(self, work: AuthWork) -> object:
        tenant_id, account_id = self.whose()
        return await work.pinned_account(tenant_id, like=self._account(account_id))

    @act(weight=3, is_narrow=True)
    async def held_account(self, work: AuthWork) -> object:
        return await work.held_account(*self.whose())

    @act(is_narrow=True)
    async def accounts(self, work: AuthWork) -> object:
        after = self.one(["", ACCOUNTS[0]])
        return await work.accounts(self.one(TENANTS), after=after, limit=2)

    @act(weight=4, is_narrow=True)
    async def connect_account(self, work: AuthWork) -> None:
        tenant_id, account_id = self.whose()
        await work.connect_account(tenant_id, account=self._account(account_id))

    @act(is_narrow=True)
    async def put_scopes(self, work: AuthWork) -> None:
        scopes = self.some(["read", "write"])
        await work.put_scopes(*self.whose(), scopes=scopes)

    @act(is_narrow=True)
    async def lose_account(self, work: AuthWork) -> object:
        return await work.lose_account(*self.whose())

    @act(is_narrow=True)
    async def drop_pending(self, work: AuthWork) -> None:
        await work.drop_pending(*self.whose())

    @act(weight=3, is_narrow=True)
    async def remove_account(self, work: AuthWork) -> object:
        return await work.remove_account(*self.whose())

    # Credentials.

    @act(weight=4, is_narrow=True)
    async def put_credential(self, work: AuthWork) -> None:
        tenant_id, account_id = self.whose()
        if await work.account(tenant_id, account_id) is not None:
            await work.put_credential(
                tenant_id, account_id, credential=self._credential(self.version + 1)
            )

    @act(weight=4, is_narrow=True)
    async def credential(self, work: AuthWork) -> object:
        found = await work.credential(*self.whose())
        self.version = found.version if found else self.version
        return found

    @act(weight=4, is_narrow=True)
    async def lease_credential(self, work: AuthWork) -> object:
        lease = Lease(lease_id=self.one(LEASES), until=self.time())
        return await work.lease_credential(
            *self.whose(), version=self.version, lease=lease
        )

    @act(weight=3, is_narrow=True)
    async def renew_credential(self, work: AuthWork) -> object:
        credential = self._credential(self.version + self.one([0, 1]))
        return await work.renew_credential(*self.whose(), credential=credential)

    @act(weight=3, is_narrow=True)
    async def end_lease(self, work: AuthWork) -> object:
        rest = Rest(
            until=self.maybe(self.time()),
            is_use=self.one([True, False]),
            is_refusal=self.one([True, False]),
        )
        return await work.end_lease(*self.whose(), lease_id=self.one(LEASES), rest=rest)

    @act(is_narrow=True)
    async def forget_refusal(self, work: AuthWork) -> None:
        await work.forget_refusal(*self.whose(), accepted_at=self.time())

    # Keys.

    @act(weight=1, is_narrow=True)
    async def count_sealed(self, work: AuthWork) -> object:
        query = Q["count_sealed"](now=self.clock.now())
        return [dict(row) for row in await work.transaction.fetch(query)]

    @act()
    async def rewrap(self, work: AuthWork) -> object:
        kind, active = self.one(SECRETS), self.one(KEYS)
        rows = await work.transaction.fetch(
            self._page_of(kind)(
                active=active,
                header=self.one([b"", b"wrap", b"rewrap"]),
                after_tenant_id=self.one(["", TENANTS[0]]),
                after_own_id=self.one(["", ACCOUNTS[0], STATES[0]]),
                limit=self.one([1, 9]),
            )
        )
        return await work.transaction.execute(
            self._rewrap_of(kind)(
                active=active,
                tenant_ids=[row["tenant_id"] for row in rows],
                own_ids=[row["own_id"] for row in rows],
                old_key_ids=[row["key_id"] for row in rows],
                old_wrapped_keys=[row["wrapped_key"] for row in rows],
                wrapped_keys=[b"rewrapped" for _ in rows],
            )
        )

    @act(is_narrow=True)
    async def reseal(self, work: AuthWork) -> object:
        kind, tenant_id = self.one(SECRETS), self.one(TENANTS)
        own_ids = self.some([*ACCOUNTS, *APPS, *STATES])
        rows = await work.transaction.fetch(
            Q[f"read_sealed_{kind}"](tenant_id=tenant_id, own_ids=own_ids)
        )
        count = await work.transaction.execute(
            Q[f"reseal_{kind}"](
                active=self.one(KEYS),
                tenant_id=tenant_id,
                own_ids=[row["own_id"] for row in rows],
                old_wrapped_keys=[row["wrapped_key"] for row in rows],
                wrapped_keys=[b"resealed" for _ in rows],
                bodies=[b"anew" for _ in rows],
            )
        )
        return [dict(row) for row in rows], count

    def _page_of(self, kind: str) -> Any:
        return {
            "credentials": Q["page_old_credentials"],
            "app_clients": Q["page_old_app_clients"],
            "authorisations": Q["page_old_authorisations"],
        }[kind]

    def _rewrap_of(self, kind: str) -> Any:
        return {
            "credentials": Q["rewrap_credentials"],
            "app_clients": Q["rewrap_app_clients"],
            "authorisations": Q["rewrap_authorisations"],
        }[kind]
