"""``/v1/accounts/authorisations``: begin one for a person, and ask how it stands.

The person's part of it is in ``browser``.
"""

import datetime
from typing import Final

import msgspec
from aiohttp import web

from proto.auth import BeginAuthorisation
from proto.errors import ErrorCode
from proto.ids import AppId, AuthorisationId
from services.api.content import bodies
from services.api.content.views import AuthorisationStateView, AuthorisationView
from services.api.errors import Refused
from services.api.proofs import keys, seals
from services.api.proofs.seals import Held
from services.api.requests import calls
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.api.routes.accounts import AppText
from services.api.store import authorisations
from services.api.store.authorisations import ListedAuthorisation, NewAuthorisation


class AuthorisationIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is to be authorised."""

    app: AppText
    account_id: str | None = None
    """A lost account, to be authorised again."""


async def begin(call: Call) -> web.Response:
    """Begin an authorisation; the answer's link is for the person's browser."""
    given, fields = await call.body(AuthorisationIn)
    app = AppId(given.app)
    account_id = bodies.account(given.account_id)
    authorisation_id = call.parts.identifiers.new(AuthorisationId)
    browser, link = seals.new_secret(), seals.new_secret()
    person = call.caller.person
    async with call.acting(
        "account.begin_authorisation", object_id=authorisation_id, fields=fields
    ):
        begun = await call.ask(
            BeginAuthorisation(
                tenant_id=call.tenant_id,
                app=app,
                redirect_uri=call.parts.redirect_uri(app),
                browser=browser,
                account_id=account_id,
            )
        )
        held = Held(vendor_url=begun.authorise_url, browser=browser)
        await _keep(
            call,
            NewAuthorisation(
                tenant_id=call.tenant_id,
                authorisation_id=authorisation_id,
                app=app,
                link_digest=keys.digest(link),
                state_digest=keys.digest(begun.state),
                browser_digest=keys.digest(browser),
                sealed=seals.seal(held, link=link),
                expires_at=begun.expires_at,
                person_id=None if person is None else person.person_id,
            ),
        )
    return calls.respond(
        AuthorisationView(
            authorisation_id=authorisation_id,
            authorise_url=f"{call.parts.base_url}/oauth/start#{link}",
            expires_at=begun.expires_at,
        ),
        status=201,
        headers={"Location": f"/v1/accounts/authorisations/{authorisation_id}"},
    )


async def get(call: Call) -> web.Response:
    """Show how an authorisation stands."""
    authorisation_id = call.id_in_path(AuthorisationId, "authorisation_id")
    found = await authorisations.find_authorisation(
        call.parts.store.database.reader(call.tenant_id),
        call.tenant_id,
        authorisation_id=authorisation_id,
    )
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    now = call.parts.clock.now()
    return calls.respond(
        AuthorisationStateView(
            authorisation_id=found.authorisation_id,
            app=found.app,
            state=state_of(found, now),
            reason="" if found.outcome == "done" else found.outcome,
            account_id=found.account_id,
            expires_at=found.expires_at,
        )
    )


def state_of(found: ListedAuthorisation, now: datetime.datetime) -> str:
    """Return in a word how an authorisation stands."""
    if found.ended_at is not None:
        return "done" if found.outcome == "done" else "failed"
    if found.expires_at <= now:
        return "expired"
    return "waiting" if found.opened_at is None else "opened"


async def _keep(call: Call, new: NewAuthorisation) -> None:
    now = call.parts.clock.now()
    async with call.parts.store.transaction(call.tenant_id) as work:
        count = await authorisations.count_open_authorisations(
            work.transaction, call.tenant_id, now=now
        )
        if count >= call.parts.config.authorisations_open_max:
            raise Refused(
                ErrorCode.LIMIT_REACHED,
                f"{count} authorisations wait for a person already. Finish one, or"
                " wait until they expire.",
            )
        await authorisations.add_authorisation(work.transaction, new, now=now)


ROUTES: Final = (
    Route("POST", "/v1/accounts/authorisations", begin),
    Route("GET", "/v1/accounts/authorisations/{authorisation_id}", get),
)
