"""auth's unit of work: one method per query, rows in, Structs out."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from proto.auth import Account, AccountState, CredentialKind
from proto.ids import AccountId, AppId, TenantId
from services.auth import checks, rows
from services.auth.vault import Sealed
from services.chassis import queries
from services.chassis.queries import Query
from services.chassis.store import Work

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

STALE_BATCH: Final = 100
"""How many of each kind go at one time; each time that something is begun."""


class AppClient(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's own client of an app, with replaced addresses where it has any."""

    client_id: str
    client_secret: Sealed
    authorise_url: str
    token_url: str
    api_url: str


class PendingAuthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored when a person was sent to the app."""

    app: AppId
    account_id: AccountId | None
    browser_hash: str
    redirect_uri: str
    verifier: Sealed
    expires_at: datetime.datetime


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """An account's credential, sealed for its row and version."""

    kind: CredentialKind
    username: str = ""
    version: int
    secret: Sealed
    expires_at: datetime.datetime | None
    renew_at: datetime.datetime | None


class StoredCredential(Credential, frozen=True, kw_only=True):
    """A credential with what is known of its account and of its refresh."""

    app: AppId
    account_state: AccountState
    base_url: str
    rests_until: datetime.datetime | None
    """Nobody asks the app before; None while nothing rests or somebody asks."""
    renewed_at: datetime.datetime | None
    """When a refresh gave this version; None where a person did."""
    refused_at: datetime.datetime | None
    """Since when the app refuses what no refresh can mend."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One replica's right to refresh a credential."""

    lease_id: str
    until: datetime.datetime


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """What a refresh that brought nothing leaves behind."""

    until: datetime.datetime | None = None
    is_use: bool = False
    """The refresh token was refused, or may be used up."""
    is_refusal: bool = False
    """The app refuses what no refresh can mend."""

    @classmethod
    def end(cls) -> "Rest":
        """Return what a loss leaves behind, until somebody authorises it again.

        Whoever has read the credential before the loss must not try it once more.
        """
        return cls(until=datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC))


class AuthWork(Work):
    """What auth does inside one transaction."""

    async def put_client(
        self, tenant_id: TenantId, app: AppId, *, client: AppClient
    ) -> None:
        """Store a tenant's own client of an app."""
        await self.transaction.execute(
            Q["put_app_client"](
                tenant_id=tenant_id,
                app=app,
                client_id=client.client_id,
                authorise_url=client.authorise_url,
                token_url=client.token_url,
                api_url=client.api_url,
                now=self.clock.now(),
                **rows.columns(client.client_secret),
            )
        )

    async def client(self, tenant_id: TenantId, app: AppId) -> AppClient | None:
        """Return a tenant's own client of an app."""
        row = await self.transaction.fetch_row(
            Q["get_app_client"](tenant_id=tenant_id, app=app)
        )
        if row is None:
            return None
        return AppClient(
            client_id=row["client_id"],
            client_secret=rows.sealed(row),
            authorise_url=row["authorise_url"],
            token_url=row["token_url"],
            api_url=row["api_url"],
        )

    async def put_authorisation(
        self, tenant_id: TenantId, state_hash: str, *, pending: PendingAuthorisation
    ) -> None:
        """Remember that a person was sent to the app."""
        await self.transaction.execute(
            Q["put_authorisation"](
                tenant_id=tenant_id,
                state_hash=state_hash,
                app=pending.app,
                account_id=pending.account_id,
                browser_hash=pending.browser_hash,
                redirect_uri=pending.redirect_uri,
                expires_at=pending.expires_at,
                **rows.columns(pending.verifier),
            )
        )

    async def take_authorisation(
        self, tenant_id: TenantId, state_hash: str
    ) -> PendingAuthorisation | None:
        """Return and forget what belongs to a state."""
        row = await self.transaction.fetch_row(
            Q["take_authorisation"](tenant_id=tenant_id, state_hash=state_hash)
        )
        if row is None:
            return None
        return PendingAuthorisation(
            app=row["app"],
            account_id=row["account_id"],
            browser_hash=row["browser_hash"],
            redirect_uri=row["redirect_uri"],
            verifier=rows.sealed(row),
            expires_at=row["expires_at"],
        )

    async def drop_stale(self) -> None:
        """Forget some of what was begun and never finished."""
        await self.transaction.execute(
            Q["drop_stale"](now=self.clock.now(), limit=STALE_BATCH)
        )

    async def add_account(self, tenant_id: TenantId, *, account: Account) -> None:
        """Store a new account, not proved yet."""
        await self.transaction.execute(
            Q["add_account"](
                tenant_id=tenant_id,
                account_id=account.account_id,
                app=account.app,
                base_url=account.base_url,
                origin=checks.origin(account.base_url),
                scopes=list(account.scopes),
                now=account.created_at,
            )
        )

    async def account(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> Account | None:
        """Return one account of a tenant."""
        row = await self.transaction.fetch_row(
            Q["get_account"](tenant_id=tenant_id, account_id=account_id)
        )
        return None if row is None else rows.account(row)

    async def pinned_account(
        self, tenant_id: TenantId, *, like: Account
    ) -> Account | None:
        """Return the account that stands for the same account of the app."""
        row = await self.transaction.fetch_row(
            Q["find_pinned_account"](
                tenant_id=tenant_id,
                app=like.app,
                origin=checks.origin(like.base_url),
                vendor_account_id=like.vendor_account_id,
            )
        )
        return None if row is None else rows.account(row)

    async def held_account(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> Account | None:
        """Return an account and keep it from being removed until the end."""
        row = await self.transaction.fetch_row(
            Q["hold_account"](tenant_id=tenant_id, account_id=account_id)
        )
        return None if row is None else rows.account(row)

    async def accounts(
        self, tenant_id: TenantId, *, after: str, limit: int
    ) -> tuple[Account, ...]:
        """Return a page of a tenant's proved accounts."""
        found = await self.transaction.fetch(
            Q["list_accounts"](tenant_id=tenant_id, after=after, limit=limit)
        )
        return tuple(rows.account(row) for row in found)

    async def connect_account(
        self, tenant_id: TenantId, *, account: Account
    ) -> datetime.datetime | None:
        """Store who the app says a proved account is; returns when it is told."""
        return await self._told_at(
            Q["connect_account"](
                tenant_id=tenant_id,
                now=self.clock.now(),
                account_id=account.account_id,
                vendor_account_id=account.vendor_account_id,
                display_name=account.display_name,
                base_url=account.base_url,
                origin=checks.origin(account.base_url),
                scopes=list(account.scopes),
            )
        )

    async def put_scopes(
        self, tenant_id: TenantId, account_id: AccountId, *, scopes: Sequence[str]
    ) -> None:
        """Store what the app grants by now."""
        await self.transaction.execute(
            Q["put_scopes"](
                tenant_id=tenant_id, account_id=account_id, scopes=list(scopes)
            )
        )

    async def lose_account(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> datetime.datetime | None:
        """Mark a connected account as lost; returns when it is told, once."""
        return await self._told_at(
            Q["lose_account"](
                tenant_id=tenant_id, account_id=account_id, now=self.clock.now()
            )
        )

    async def drop_pending(self, tenant_id: TenantId, account_id: AccountId) -> None:
        """Forget an account that could not be proved."""
        await self.transaction.execute(
            Q["drop_pending"](tenant_id=tenant_id, account_id=account_id)
        )

    async def remove_account(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> datetime.datetime | None:
        """Forget an account; returns when it is told, None if there is none."""
        return await self._told_at(
            Q["remove_account"](
                tenant_id=tenant_id, account_id=account_id, now=self.clock.now()
            )
        )

    async def _told_at(self, query: Query) -> datetime.datetime | None:
        """Return when a change is told, later than what was told before."""
        row = await self.transaction.fetch_row(query)
        return None if row is None else row["told_at"]

    async def put_credential(
        self, tenant_id: TenantId, account_id: AccountId, *, credential: Credential
    ) -> None:
        """Store an account's credential."""
        await self.transaction.execute(
            Q["put_credential"](
                tenant_id=tenant_id,
                account_id=account_id,
                kind=credential.kind.value,
                username=credential.username,
                version=credential.version,
                expires_at=credential.expires_at,
                renew_at=credential.renew_at,
                **rows.columns(credential.secret),
            )
        )

    async def credential(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> StoredCredential | None:
        """Return an account's credential."""
        row = await self.transaction.fetch_row(
            Q["get_credential"](tenant_id=tenant_id, account_id=account_id)
        )
        if row is None:
            return None
        return StoredCredential(
            app=row["app"],
            account_state=AccountState(row["state"]),
            base_url=row["base_url"],
            kind=CredentialKind(row["kind"]),
            username=row["username"],
            version=row["version"],
            secret=rows.sealed(row),
            expires_at=row["expires_at"],
            renew_at=row["renew_at"],
            rests_until=row["lease_until"] if row["lease_id"] is None else None,
            renewed_at=row["renewed_at"],
            refused_at=row["refused_at"],
        )

    async def lease_credential(
        self, tenant_id: TenantId, account_id: AccountId, *, version: int, lease: Lease
    ) -> int | None:
        """Take the right to refresh; None if another has it or it rests.

        Returns:
            How often the refresh token was used already, and brought nothing.
        """
        row = await self.transaction.fetch_row(
            Q["lease_credential"](
                tenant_id=tenant_id,
                account_id=account_id,
                version=version,
                lease_id=lease.lease_id,
                lease_until=lease.until,
                now=self.clock.now(),
            )
        )
        return None if row is None else row["uses"]

    async def renew_credential(
        self, tenant_id: TenantId, account_id: AccountId, *, credential: Credential
    ) -> bool:
        """Store what a refresh gave; False if something newer is there."""
        row = await self.transaction.fetch_row(
            Q["renew_credential"](
                tenant_id=tenant_id,
                account_id=account_id,
                version=credential.version,
                expires_at=credential.expires_at,
                renew_at=credential.renew_at,
                now=self.clock.now(),
                **rows.columns(credential.secret),
            )
        )
        return row is not None

    async def end_lease(
        self, tenant_id: TenantId, account_id: AccountId, *, lease_id: str, rest: Rest
    ) -> bool:
        """Give the right to refresh back; False if it was somebody else's by now."""
        return (
            await self.transaction.execute(
                Q["end_lease"](
                    tenant_id=tenant_id,
                    account_id=account_id,
                    lease_id=lease_id,
                    rests_until=rest.until,
                    is_use=rest.is_use,
                    is_refusal=rest.is_refusal,
                    now=self.clock.now(),
                )
            )
            > 0
        )

    async def forget_refusal(
        self,
        tenant_id: TenantId,
        account_id: AccountId,
        *,
        accepted_at: datetime.datetime,
    ) -> None:
        """Let what the app refused before then count no more."""
        await self.transaction.execute(
            Q["forget_refusal"](
                tenant_id=tenant_id, account_id=account_id, accepted_at=accepted_at
            )
        )
