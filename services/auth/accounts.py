"""How a credential comes in: the OAuth code flow, or a form that a person fills in.

What becomes of a credential once it is here is in ``proving``.
"""

import contextlib
import datetime
import secrets
from collections.abc import Iterator

from proto.auth import (
    Account,
    AccountState,
    AddAccount,
    Authorisation,
    BeginAuthorisation,
    CompleteAuthorisation,
    CredentialKind,
)
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, TenantId
from services.auth import checks, forms, oauth, sealing
from services.auth.catalogue import Catalogue
from services.auth.clients import Clients
from services.auth.config import Config
from services.auth.oauth import NoGrant, Why
from services.auth.places import Places
from services.auth.proving import Prover
from services.auth.sealing import AccountSecret, GivenCredential
from services.auth.store import AuthWork, PendingAuthorisation
from services.auth.transport import TokenEndpoint
from services.auth.vault import Vault
from services.chassis.clock import Clock
from services.chassis.errors import CommandFailed, Unavailable
from services.chassis.identifiers import Identifiers
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS


class Accounts:
    """Answers the commands that make accounts."""

    def __init__(
        self,
        store: Store[AuthWork],
        *,
        prover: Prover,
        vault: Vault,
        clients: Clients,
        endpoint: TokenEndpoint,
        places: Places,
        catalogue: Catalogue,
        clock: Clock,
        identifiers: Identifiers,
        config: Config,
    ) -> None:
        self._store = store
        self._prover = prover
        self._vault = vault
        self._clients = clients
        self._endpoint = endpoint
        self._places = places
        self._catalogue = catalogue
        self._clock = clock
        self._identifiers = identifiers
        self._config = config

    async def begin(self, command: BeginAuthorisation) -> Authorisation:
        """Remember who asks, and say where the person must go."""
        tenant_id = command.tenant_id
        registration = await self._clients.registration(
            tenant_id, command.app, sends_people=True
        )
        checks.require(command.browser, "browser")
        checks.require_address(command.redirect_uri, "redirect_uri")
        if command.account_id is not None:
            await self._existing(tenant_id, command.account_id, app=command.app)
        state = secrets.token_urlsafe(oauth.SECRET_BYTES)
        verifier = secrets.token_urlsafe(oauth.SECRET_BYTES)
        state_hash = oauth.fingerprint(state)
        expires_at = self._clock.now() + datetime.timedelta(
            seconds=self._config.authorisation_age_s_max
        )
        pending = PendingAuthorisation(
            app=command.app,
            account_id=command.account_id,
            browser_hash=oauth.fingerprint(command.browser),
            redirect_uri=command.redirect_uri,
            verifier=sealing.seal_verifier(
                self._vault, verifier, tenant_id=tenant_id, state_hash=state_hash
            ),
            expires_at=expires_at,
        )
        async with self._store.transaction(ALL_TENANTS) as work:
            await work.drop_stale()
        async with self._store.transaction(tenant_id) as work:
            await work.put_authorisation(tenant_id, state_hash, pending=pending)
        return Authorisation(
            authorise_url=oauth.authorise_url(
                registration,
                redirect_uri=command.redirect_uri,
                state=state,
                verifier=verifier,
            ),
            state=state,
            expires_at=expires_at,
        )

    async def complete(self, command: CompleteAuthorisation) -> Account:
        """Turn a callback into an account.

        Raises:
            CommandFailed: SERVICE_UNAVAILABLE only while the same callback can still
                succeed; with every other code the person has to begin again.
        """
        tenant_id = command.tenant_id
        state_hash = oauth.fingerprint(command.state)
        async with self._store.transaction(tenant_id) as work:
            pending = await work.take_authorisation(tenant_id, state_hash)
        if (
            pending is None
            or pending.expires_at < self._clock.now()
            or pending.browser_hash != oauth.fingerprint(command.browser)
        ):
            raise CommandFailed(
                ErrorCode.AUTHORISATION_EXPIRED,
                "This authorisation was begun too long ago, in another browser, or is"
                " used already. Begin again.",
            )
        with _after_use_of_state():
            return await self._finish(command, pending, state_hash=state_hash)

    async def _finish(
        self,
        command: CompleteAuthorisation,
        pending: PendingAuthorisation,
        *,
        state_hash: str,
    ) -> Account:
        """Exchange the code and prove what it gave."""
        tenant_id = command.tenant_id
        if command.error or not command.code:
            raise _denied("The app was not given permission. Nothing was stored.")
        registration = await self._clients.registration(tenant_id, pending.app)
        if not oauth.is_issuer(command.issuer, registration):
            raise _denied("The answer came from another server than the app's.")
        verifier = sealing.open_verifier(
            self._vault, pending.verifier, tenant_id=tenant_id, state_hash=state_hash
        )
        form = oauth.code_form(
            code=command.code, redirect_uri=pending.redirect_uri, verifier=verifier
        )
        grant = await self._endpoint.post(registration, form)
        if isinstance(grant, NoGrant):
            raise _without_token(grant, app=pending.app)
        if missing := grant.lacks(registration.scopes):
            raise _denied(
                "The app did not grant all permissions that are needed; missing:"
                f" {', '.join(missing)}. Nothing was stored. Begin again and allow all."
            )
        base_url = await self._places.find(registration, grant.access_token)
        now, account_id = self._clock.now(), self._identifiers.new(AccountId)
        given = GivenCredential(
            kind=CredentialKind.BEARER,
            secret=AccountSecret(
                access_token=grant.access_token,
                refresh_token=grant.refresh_token,
                limited_by=registration.limited_by,
            ),
            expires_at=grant.expires_at(now),
            renew_at=grant.renew_at(
                now,
                margin_s=self._config.refresh_margin_s,
                spread=oauth.spread(account_id, version=1),
            ),
        )
        return await self._prover.prove(
            tenant_id,
            Account(
                account_id=account_id,
                app=pending.app,
                state=AccountState.PENDING,
                base_url=base_url,
                scopes=grant.scopes or registration.scopes,
                created_at=now,
            ),
            given=given,
            instead_of=pending.account_id,
        )

    async def add(self, command: AddAccount) -> Account:
        """Store what a person gave by the app's form, once a call has proved it."""
        app = await self._catalogue.app(command.tenant_id, command.app)
        filled = forms.read(app, command.values)
        if command.account_id is not None:
            await self._existing(command.tenant_id, command.account_id, app=app.app)
        return await self._prover.prove(
            command.tenant_id,
            Account(
                account_id=self._identifiers.new(AccountId),
                app=app.app,
                state=AccountState.PENDING,
                base_url=filled.base_url,
                created_at=self._clock.now(),
            ),
            given=filled.given,
            instead_of=command.account_id,
        )

    async def _existing(
        self, tenant_id: TenantId, account_id: AccountId, *, app: AppId
    ) -> None:
        async with self._store.transaction(tenant_id) as work:
            account = await work.account(tenant_id, account_id)
        if account is None or account.app != app:
            raise CommandFailed(
                ErrorCode.NOT_FOUND,
                "There is no such account of this app.",
                field="account_id",
            )


@contextlib.contextmanager
def _after_use_of_state() -> Iterator[None]:
    """Turn "try again" into "begin again": the state is used up and serves no more."""
    begin_again = CommandFailed(
        ErrorCode.AUTHORISATION_EXPIRED,
        "A part of the system was away just now. Begin again.",
    )
    try:
        yield
    except Unavailable as err:
        raise begin_again from err
    except CommandFailed as err:
        if err.code is not ErrorCode.SERVICE_UNAVAILABLE:
            raise
        raise begin_again from err


def _denied(detail: str) -> CommandFailed:
    return CommandFailed(ErrorCode.AUTHORISATION_DENIED, detail)


def _without_token(answer: NoGrant, *, app: AppId) -> CommandFailed:
    match answer.why:
        case Why.REFUSED:
            return CommandFailed(
                ErrorCode.CREDENTIALS_REFUSED,
                f"The app refused to give a token ({answer.reason}). Begin again; if"
                " that stays so, check the redirect URI registered at the app.",
            )
        case Why.CLIENT_REFUSED:
            return CommandFailed(
                ErrorCode.CLIENT_REFUSED,
                "The app does not accept the client id and secret stored for it"
                f" ({answer.reason}). PUT /v1/apps/{app}/client stores others. Begin"
                " again after that.",
            )
        case Why.DENIED:
            return _denied("The app was not given permission. Nothing was stored.")
        case Why.NOT_TAKEN | Why.FAILED | Why.LOST:
            return CommandFailed(
                ErrorCode.APP_UNREACHABLE,
                f"The app's token endpoint gave no token ({answer.reason}). Begin again"
                " later.",
                retry=Retry.LATER,
            )
