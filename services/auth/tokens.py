"""Issues tokens and refreshes them: one refresh per account over all replicas.

The lease is in Postgres and no transaction is open while the app is asked. A refresh
token, or an account, that was refused gets one further try a while later, and so does
a refresh whose outcome nobody heard of (hazards 108 to 110, I13). One that the app
failed at is in doubt too, but an app that fails all day loses nobody.
"""

import asyncio
import datetime
import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from proto.auth import AccountLost, AccountState, CredentialKind, IssueToken, Token
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, TenantId
from services.auth import oauth, sealing
from services.auth.clients import Clients
from services.auth.config import Config
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why
from services.auth.sealing import AccountSecret
from services.auth.store import AuthWork, Credential, Lease, Rest, StoredCredential
from services.auth.transport import TokenEndpoint
from services.auth.vault import Vault
from services.chassis.clock import Clock
from services.chassis.errors import CommandFailed, DatabaseUnavailable
from services.chassis.store import Store

log = structlog.get_logger()

AWAIT_OTHER_S_MAX: Final = 15.0
"""How long a caller waits while another replica refreshes; callers wait 20 s."""
KEEP_S_MAX: Final = 60.0
"""How long the outcome of a refresh is held in memory while Postgres is away."""
USES_MAX: Final = 2
"""How often a refresh token is presented: once, and once more if that failed."""

Key = tuple[TenantId, AccountId]


class Tokens:
    """Answers ``IssueToken``."""

    def __init__(
        self,
        store: Store[AuthWork],
        *,
        vault: Vault,
        clients: Clients,
        endpoint: TokenEndpoint,
        clock: Clock,
        config: Config,
    ) -> None:
        self._store = store
        self._vault = vault
        self._clients = clients
        self._endpoint = endpoint
        self._clock = clock
        self._config = config
        self._confirm = datetime.timedelta(seconds=config.refusal_confirm_s)
        self._flights: dict[tuple[Key, int], asyncio.Task[StoredCredential]] = {}

    async def issue(self, command: IssueToken) -> Token:
        """Return a token of at least the version asked for.

        Raises:
            CommandFailed: No such account, or it has to be authorised again, or the
                app cannot be reached now.
        """
        key = (command.tenant_id, command.account_id)
        credential = await self._load(key)
        if command.accepted_at is not None and credential.refused_at is not None:
            await self._forget_refusal(key, accepted_at=command.accepted_at)
        if self._is_due(credential, command.version_min):
            try:
                credential = await self._renewed(key, command.version_min)
            except CommandFailed as err:
                # A token that lives on outlasts an app that is away for a while.
                if err.retry is not Retry.LATER or not self._is_alive(
                    credential, command.version_min
                ):
                    raise
        return self._token(key, credential)

    async def finish(self, *, timeout_s: float) -> None:
        """Wait for the refreshes that are under way."""
        if self._flights:
            await asyncio.wait(self._flights.values(), timeout=timeout_s)

    async def _renewed(self, key: Key, version_min: int) -> StoredCredential:
        """Share one refresh, and its failure, among all who want it by now."""
        flight = self._flights.get((key, version_min))
        if flight is None:
            flight = asyncio.create_task(self._renew(key, version_min))
            self._flights[key, version_min] = flight
            flight.add_done_callback(
                lambda _task: self._flights.pop((key, version_min), None)
            )
        # A caller who gives up must not stop a refresh that the app has begun.
        return await asyncio.shield(flight)

    async def _renew(self, key: Key, version_min: int) -> StoredCredential:
        give_up_at = self._clock.monotonic() + AWAIT_OTHER_S_MAX
        while True:
            credential = await self._load(key)
            if not self._is_due(credential, version_min):
                return credential
            if credential.rests_until and credential.rests_until > self._clock.now():
                if credential.refused_at is not None:
                    raise _refused()
                raise _later("The app gave no new token; it is asked again later.")
            if await self._refresh(key, credential):
                return await self._load(key)
            if self._clock.monotonic() > give_up_at:
                raise _later("Another process is renewing this account's token.")
            await self._clock.sleep(random.uniform(0.2, 1.0))  # noqa: S311

    def _is_due(self, credential: StoredCredential, version_min: int) -> bool:
        renew_at = credential.renew_at
        return credential.version < version_min or (
            renew_at is not None and renew_at <= self._clock.now()
        )

    def _is_alive(self, credential: StoredCredential, version_min: int) -> bool:
        expires_at = credential.expires_at
        return credential.version >= version_min and (
            expires_at is None or expires_at > self._clock.now()
        )

    async def _load(self, key: Key) -> StoredCredential:
        async with self._store.transaction(key[0]) as work:
            credential = await work.credential(*key)
        if credential is None:
            raise CommandFailed(ErrorCode.NOT_FOUND, "There is no such account.")
        if credential.account_state is AccountState.LOST:
            raise _lost()
        return credential

    def _is_in_vain(self, credential: StoredCredential, *, is_renewable: bool) -> bool:
        """Say whether a refresh cannot help against the app's refusal.

        A token that it has just given is refused like the one before; to ask for one
        more at each call would only cost rotations.
        """
        now, renewed_at = self._clock.now(), credential.renewed_at
        if credential.renew_at is not None and credential.renew_at <= now:
            return False
        return not is_renewable or (
            renewed_at is not None and now - renewed_at < self._confirm
        )

    async def _refresh(self, key: Key, credential: StoredCredential) -> bool:
        """Refresh if nobody else does; False if what is stored has to be read again."""
        secret = self._open(key, credential)
        # Looked up before the lease: a lease is not given back by what fails here.
        registration = None
        if secret.refresh_token:
            registration = await self._clients.registration(key[0], credential.app)
        lease = Lease(
            lease_id=secrets.token_hex(8),
            until=self._in_seconds(self._config.refresh_lease_s),
        )
        async with self._store.transaction(key[0]) as work:
            uses = await work.lease_credential(
                *key, version=credential.version, lease=lease
            )
        if uses is None:
            return False
        if self._is_in_vain(credential, is_renewable=registration is not None):
            return await self._doubt(key, lease, refused_at=credential.refused_at)
        if registration is None:
            # It is over, and cannot be renewed.
            return await self._lose(key, lease, reason="not renewable")
        if uses >= USES_MAX:
            return await self._lose(key, lease, reason="no outcome")
        form = oauth.refresh_form(secret.refresh_token)
        answer = await self._endpoint.post(registration, form)
        if isinstance(answer, TokenGrant):
            await self._keep(
                key, credential, secret=secret, grant=answer, registration=registration
            )
            return True
        return await self._put_off(
            key, lease, app=credential.app, uses=uses, answer=answer
        )

    async def _doubt(
        self, key: Key, lease: Lease, *, refused_at: datetime.datetime | None
    ) -> bool:
        """Wait for the app to refuse the account again, or take it at its word.

        Returns:
            False: The lease was lost meanwhile, so there is something newer.
        """
        now = self._clock.now()
        if refused_at is not None and now - refused_at >= self._confirm:
            return await self._lose(key, lease, reason="refused again")
        log.warning("token_refused", account_id=key[1])
        rest = Rest(until=now + self._confirm, is_refusal=True)
        if not await self._end(key, lease, rest=rest):
            return False
        raise _refused()

    async def _put_off(
        self, key: Key, lease: Lease, *, app: AppId, uses: int, answer: NoGrant
    ) -> bool:
        """Say why there is no token, or that the account is lost.

        Returns:
            False: The lease was lost meanwhile, so the answer means nothing by now.
        """
        log.warning(
            "token_not_refreshed",
            account_id=key[1],
            app=app,
            outcome=answer.why.name.lower(),
            reason=answer.reason,
        )
        rest = self._rest_after(answer.why, uses=uses)
        if rest is None:
            return await self._lose(key, lease, reason=answer.reason)
        if not await self._end(key, lease, rest=rest):
            return False
        if answer.why is Why.CLIENT_REFUSED:
            raise CommandFailed(
                ErrorCode.CLIENT_REFUSED,
                "The app does not accept the client id and secret stored for it"
                f" ({answer.reason}). PUT /v1/apps/{app}/client stores others.",
                retry=Retry.LATER,
            )
        raise _later("The app gave no new token; it is asked again later.")

    async def _keep(
        self,
        key: Key,
        credential: StoredCredential,
        *,
        secret: AccountSecret,
        grant: TokenGrant,
        registration: Registration,
    ) -> None:
        """Store a rotated token before anybody uses it.

        Raises:
            CommandFailed: The app grants less than before, so the account is lost.
        """
        now, version = self._clock.now(), credential.version + 1
        if not grant.refresh_token:
            grant = msgspec.structs.replace(grant, refresh_token=secret.refresh_token)
        kept = AccountSecret(
            access_token=grant.access_token,
            refresh_token=grant.refresh_token,
            limited_by=registration.limited_by,
        )
        renewed = Credential(
            kind=credential.kind,
            version=version,
            secret=sealing.seal_account(
                self._vault, kept, tenant_id=key[0], account_id=key[1], version=version
            ),
            expires_at=grant.expires_at(now),
            renew_at=grant.renew_at(
                now,
                margin_s=self._config.refresh_margin_s,
                spread=oauth.spread(key[1], version=version),
            ),
        )
        missing = grant.lacks(registration.scopes)

        async def keep(work: AuthWork) -> bool:
            if not await work.renew_credential(*key, credential=renewed):
                return False
            if grant.scopes:
                await work.put_scopes(*key, scopes=grant.scopes)
            if missing:
                reason = f"scopes not granted any more: {', '.join(missing)}"
                await self._tell_lost(work, key, reason=reason)
            return True

        if not await self._insist(key, keep):
            log.warning("token_outrun", account_id=key[1], version=version)
            return
        log.info("token_refreshed", account_id=key[1], version=version)
        if missing:
            raise _lost()

    async def _insist(
        self, key: Key, save: Callable[[AuthWork], Awaitable[bool]]
    ) -> bool:
        """Save, also through a restart of Postgres: the app says it only once."""
        give_up_at = self._clock.monotonic() + KEEP_S_MAX
        while True:
            try:
                async with self._store.transaction(key[0]) as work:
                    return await save(work)
            except DatabaseUnavailable:
                if self._clock.monotonic() > give_up_at:
                    raise
            await self._clock.sleep(random.uniform(0.2, 1.0))  # noqa: S311

    def _rest_after(self, why: Why, *, uses: int) -> Rest | None:
        """Return how to leave the app alone for a while; None if it had its last try.

        That the app failed makes its next refusal the last. But a failure is no
        refusal, however often it comes: it never takes the last try (hazard 110).
        """
        is_last = uses + 1 >= USES_MAX
        match why:
            case Why.REFUSED | Why.LOST:
                until = self._in_seconds(self._config.refusal_confirm_s)
                return None if is_last else Rest(until=until, is_use=True)
            case Why.FAILED:
                until = self._in_seconds(self._config.refresh_pause_s)
                return Rest(until=until, is_use=not is_last)
            case _:
                return Rest(until=self._in_seconds(self._config.refresh_pause_s))

    async def _end(self, key: Key, lease: Lease, *, rest: Rest) -> bool:
        """Give a lease back; False if it was lost meanwhile."""
        return await self._insist(
            key, lambda work: work.end_lease(*key, lease_id=lease.lease_id, rest=rest)
        )

    async def _lose(self, key: Key, lease: Lease, *, reason: str) -> bool:
        """Mark the account as lost and tell everybody, once.

        Whoever no longer has the lease refreshed a credential that is replaced by now,
        and what the app said of it says nothing about the new one.
        """
        async with self._store.transaction(key[0]) as work:
            if not await work.end_lease(*key, lease_id=lease.lease_id, rest=Rest.end()):
                return False
            await self._tell_lost(work, key, reason=reason)
        raise _lost()

    async def _forget_refusal(
        self, key: Key, *, accepted_at: datetime.datetime
    ) -> None:
        async with self._store.transaction(key[0]) as work:
            await work.forget_refusal(*key, accepted_at=accepted_at)

    async def _tell_lost(self, work: AuthWork, key: Key, *, reason: str) -> None:
        tenant_id, account_id = key
        told_at = await work.lose_account(*key)
        if told_at is not None:
            log.warning("account_lost", account_id=account_id, reason=reason)
            await work.send(
                AccountLost(tenant_id=tenant_id, account_id=account_id, at=told_at)
            )

    def _in_seconds(self, seconds: float) -> datetime.datetime:
        return self._clock.now() + datetime.timedelta(seconds=seconds)

    def _open(self, key: Key, credential: StoredCredential) -> AccountSecret:
        return sealing.open_account(
            self._vault,
            credential.secret,
            tenant_id=key[0],
            account_id=key[1],
            version=credential.version,
        )

    def _token(self, key: Key, credential: StoredCredential) -> Token:
        secret = self._open(key, credential)
        is_basic = credential.kind is CredentialKind.BASIC
        return Token(
            kind=credential.kind,
            secret=secret.password if is_basic else secret.access_token,
            username=credential.username,
            base_url=credential.base_url,
            version=credential.version,
            expires_at=credential.expires_at,
            limited_by=secret.limited_by,
        )


def _lost() -> CommandFailed:
    return CommandFailed(
        ErrorCode.ACCOUNT_LOST,
        "The app no longer accepts this account's authorisation. Authorise it again.",
        retry=Retry.AFTER_REAUTH,
    )


def _refused() -> CommandFailed:
    return CommandFailed(
        ErrorCode.CREDENTIALS_REFUSED,
        "The app refuses this account for the moment. It is asked again later.",
        retry=Retry.LATER,
    )


def _later(detail: str) -> CommandFailed:
    return CommandFailed(ErrorCode.APP_UNREACHABLE, detail, retry=Retry.LATER)
