"""Tries a tenant's own client at its app: five calls, no person, nothing stored.

The state, verifier and code of a trial are made up and forgotten, so that whatever
comes back of it fits no authorisation. What the answers mean is in ``verdicts``.
"""

import asyncio
import secrets

import msgspec

from proto.auth import CheckAppClient, ClientChecked
from services.auth import checks, oauth, verdicts
from services.auth.clients import Clients
from services.auth.oauth import NoGrant, Registration, TokenGrant
from services.auth.transport import TokenEndpoint
from services.auth.verdicts import Look, Looks


class Trials:
    """Answers ``CheckAppClient``."""

    def __init__(self, clients: Clients, *, endpoint: TokenEndpoint) -> None:
        self._clients = clients
        self._endpoint = endpoint

    async def check(self, command: CheckAppClient) -> ClientChecked:
        """Ask the app what it thinks of each part of the stored client.

        Raises:
            CommandFailed: The app is not authorised with a client, or none is stored.
        """
        checks.require_address(command.redirect_uri, "redirect_uri")
        ours = await self._clients.registration(command.tenant_id, command.app)
        redirect_uri = command.redirect_uri
        other_secret = msgspec.structs.replace(ours, client_secret=_made_up())
        other_scopes = msgspec.structs.replace(
            ours, scopes=(*ours.scopes, f"tandem_check_{secrets.token_hex(4)}")
        )
        answer, control, ours_seen, redirect_seen, scope_seen = await asyncio.gather(
            self._exchange(ours, redirect_uri),
            self._exchange(other_secret, redirect_uri),
            self._look(ours, redirect_uri),
            self._look(ours, f"{redirect_uri}-{secrets.token_hex(4)}"),
            self._look(other_scopes, redirect_uri),
        )
        return ClientChecked(
            client_id=ours.client_id,
            findings=verdicts.judge(
                ours=answer,
                control=control,
                looks=Looks(
                    ours=ours_seen,
                    other_redirect=redirect_seen,
                    other_scope=scope_seen,
                ),
                redirect_uri=redirect_uri,
                scopes=ours.scopes,
            ),
        )

    async def _exchange(
        self, registration: Registration, redirect_uri: str
    ) -> TokenGrant | NoGrant:
        form = oauth.code_form(
            code=_made_up(), redirect_uri=redirect_uri, verifier=_made_up()
        )
        return await self._endpoint.post(registration, form)

    async def _look(self, registration: Registration, redirect_uri: str) -> Look:
        url = oauth.authorise_url(
            registration,
            redirect_uri=redirect_uri,
            state=_made_up(),
            verifier=_made_up(),
        )
        seen = await self._endpoint.visit(url)
        return verdicts.look(seen, redirect_uri=redirect_uri)


def _made_up() -> str:
    return secrets.token_urlsafe(oauth.SECRET_BYTES)
