"""From a credential to an account: prove it by a call, pin it, reuse what stands.

A credential is stored under a new, pending account and proved by a call of the
connector. Only then does it become an account, or replace the credential of the
account that stands for the same account of the app (behaviours 1, 2 and 4).
"""

import contextlib
from typing import Final

import msgspec
import structlog

from proto.auth import Account, AccountConnected, AccountState
from proto.connector import VerifiedAccount, VerifyAccount
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, TenantId
from services.auth import sealing
from services.auth.sealing import GivenCredential
from services.auth.store import AuthWork, Credential
from services.auth.vault import Vault
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import AlreadyStored, CommandFailed, Unavailable
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()

VERIFY_TIMEOUT_S: Final = VerifyAccount.answer_s_max + 5.0
"""How long the first call to an app may take; longer than the connector waits for it,
or nobody would hear that it is the app that does not answer."""


class Prover:
    """Makes accounts of credentials that an app accepts."""

    def __init__(
        self, store: Store[AuthWork], *, vault: Vault, bus: Bus, clock: Clock
    ) -> None:
        self._store = store
        self._vault = vault
        self._bus = bus
        self._clock = clock

    async def prove(
        self,
        tenant_id: TenantId,
        pending: Account,
        *,
        given: GivenCredential,
        instead_of: AccountId | None,
    ) -> Account:
        """Store a credential, call the app with it, and make it an account.

        Raises:
            CommandFailed: The app refuses it, cannot be reached, or says that it is
                another account than ``instead_of``. Nothing is kept then.
        """
        credential = self._sealed(
            given, tenant_id=tenant_id, account_id=pending.account_id, version=1
        )
        async with self._store.transaction(ALL_TENANTS) as work:
            await work.drop_stale()
        async with self._store.transaction(tenant_id) as work:
            await work.add_account(tenant_id, account=pending)
            await work.put_credential(
                tenant_id, pending.account_id, credential=credential
            )
        try:
            identity = await self._verify(tenant_id, pending)
            proved = msgspec.structs.replace(
                pending,
                state=AccountState.CONNECTED,
                vendor_account_id=identity.vendor_account_id,
                display_name=identity.display_name,
            )
            return await self._connect(tenant_id, proved, instead_of=instead_of)
        except BaseException:
            # What cannot be dropped now goes with the stale ones.
            with contextlib.suppress(Unavailable):
                async with self._store.transaction(tenant_id) as work:
                    await work.drop_pending(tenant_id, pending.account_id)
            raise

    async def _verify(self, tenant_id: TenantId, pending: Account) -> VerifiedAccount:
        try:
            identity = await self._bus.request(
                VerifyAccount(
                    tenant_id=tenant_id, account_id=pending.account_id, app=pending.app
                ),
                timeout_s=VERIFY_TIMEOUT_S,
            )
        except CommandFailed as err:
            if err.code is not ErrorCode.ACCOUNT_LOST:
                raise
            raise CommandFailed(
                ErrorCode.CREDENTIALS_REFUSED,
                "The app refuses these credentials. Check them and try again.",
                retry=Retry.NEVER,
            ) from err
        if not identity.vendor_account_id:
            # Without it nobody could tell one account of the app from another.
            raise CommandFailed(
                ErrorCode.APP_BROKEN, "The app does not say which account this is."
            )
        return identity

    async def _connect(
        self, tenant_id: TenantId, proved: Account, *, instead_of: AccountId | None
    ) -> Account:
        """Make the proved account the one that stands for it; reuse one that does."""
        try:
            account = await self._settle(tenant_id, proved, instead_of=instead_of)
        except AlreadyStored:
            # Another window has just connected the same account: now it is found.
            account = await self._settle(tenant_id, proved, instead_of=instead_of)
        log.info("account_connected", account_id=account.account_id, app=account.app)
        return account

    async def _settle(
        self, tenant_id: TenantId, proved: Account, *, instead_of: AccountId | None
    ) -> Account:
        async with self._store.transaction(tenant_id) as work:
            if instead_of is None:
                target = await work.pinned_account(tenant_id, like=proved)
            else:
                target = await work.held_account(tenant_id, instead_of)
                _check_same(target, proved)
                standing = await work.pinned_account(tenant_id, like=proved)
                _check_alone(standing, instead_of)
            if target is not None:
                await self._move_credential(
                    work, tenant_id, origin=proved.account_id, target=target.account_id
                )
                proved = msgspec.structs.replace(
                    proved, account_id=target.account_id, created_at=target.created_at
                )
            told_at = await work.connect_account(tenant_id, account=proved)
            if told_at is None:
                raise _removed()
            await work.send(
                AccountConnected(
                    tenant_id=tenant_id,
                    account_id=proved.account_id,
                    at=told_at,
                )
            )
        return proved

    async def _move_credential(
        self,
        work: AuthWork,
        tenant_id: TenantId,
        *,
        origin: AccountId,
        target: AccountId,
    ) -> None:
        """Seal a credential anew for the row it goes to, above any version there."""
        latest = await work.credential(tenant_id, origin)
        if latest is None:
            raise _removed()
        replaced = await work.credential(tenant_id, target)
        version = 1 + max(latest.version, replaced.version if replaced else 0)
        secret = sealing.open_account(
            self._vault,
            latest.secret,
            tenant_id=tenant_id,
            account_id=origin,
            version=latest.version,
        )
        given = GivenCredential(
            kind=latest.kind,
            secret=secret,
            username=latest.username,
            expires_at=latest.expires_at,
            renew_at=latest.renew_at,
        )
        await work.remove_account(tenant_id, origin)
        await work.put_credential(
            tenant_id,
            target,
            credential=self._sealed(
                given, tenant_id=tenant_id, account_id=target, version=version
            ),
        )

    def _sealed(
        self,
        given: GivenCredential,
        *,
        tenant_id: TenantId,
        account_id: AccountId,
        version: int,
    ) -> Credential:
        return Credential(
            kind=given.kind,
            username=given.username,
            version=version,
            secret=sealing.seal_account(
                self._vault,
                given.secret,
                tenant_id=tenant_id,
                account_id=account_id,
                version=version,
            ),
            expires_at=given.expires_at,
            renew_at=given.renew_at,
        )


def _check_same(target: Account | None, proved: Account) -> None:
    if target is None:
        raise _removed()
    if target.vendor_account_id != proved.vendor_account_id:
        raise CommandFailed(
            ErrorCode.ACCOUNT_MISMATCH,
            "That is another account of the app than before. Nothing was changed."
            " Sign in at the app as the right account first.",
        )


def _check_alone(standing: Account | None, instead_of: AccountId) -> None:
    """Refuse what would make two accounts of ours stand for one of the app."""
    if standing is not None and standing.account_id != instead_of:
        raise CommandFailed(
            ErrorCode.ALREADY_EXISTS,
            f"{standing.account_id} is this account of the app already. Nothing was"
            " changed. Use that one, or remove one of the two.",
            field="account_id",
        )


def _removed() -> CommandFailed:
    """Return what is told of an account that is gone: its own, or as a stale one."""
    return CommandFailed(ErrorCode.NOT_FOUND, "The account was removed meanwhile.")
