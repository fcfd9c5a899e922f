"""``/v1/apps``: what can be connected, and a tenant's own client of each app."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.auth import CheckAppClient, SetAppClient
from proto.connector import ListApps
from services.api.content import bodies, views
from services.api.content.problems import Code
from services.api.content.views import ClientView
from services.api.errors import Fault, Refused
from services.api.requests import calls, paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.chassis import addresses

ClientText = Annotated[str, Meta(min_length=1, max_length=2_000)]
Url = Annotated[str, Meta(max_length=2_000)]


class ClientIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client id and secret, as the app gave them."""

    client_id: ClientText
    client_secret: ClientText
    authorise_url: Url = ""
    token_url: Url = ""
    api_url: Url = ""


async def list_apps(call: Call) -> web.Response:
    """Show the catalogue; it is short, so it is one page."""
    found = await call.ask(ListApps(tenant_id=call.tenant_id))
    items = [
        views.show_app(app, redirect_uri=call.parts.redirect_uri(app.app))
        for app in found.apps
    ]
    return paging.respond(call, items, next_after=None)


async def put_client(call: Call) -> web.Response:
    """Store the client that authorisations of this app are begun with."""
    app = calls.app_in_path(call.request)
    given, fields = await call.body(ClientIn)
    check_urls(
        authorise_url=given.authorise_url,
        token_url=given.token_url,
        api_url=given.api_url,
    )
    async with call.acting("app.set_client", object_id=app, fields=fields):
        await call.ask(
            SetAppClient(
                tenant_id=call.tenant_id,
                app=app,
                client_id=given.client_id,
                client_secret=given.client_secret,
                authorise_url=given.authorise_url,
                token_url=given.token_url,
                api_url=given.api_url,
            )
        )
    return calls.respond(
        ClientView(
            app=app,
            client_id=given.client_id,
            redirect_uri=call.parts.redirect_uri(app),
        )
    )


async def check_client(call: Call) -> web.Response:
    """Ask the app what it thinks of the stored client; nobody has to sign in."""
    app = calls.app_in_path(call.request)
    await bodies.read_nothing(call.request)
    redirect_uri = call.parts.redirect_uri(app)
    async with call.acting("app.check_client", object_id=app):
        checked = await call.ask(
            CheckAppClient(
                tenant_id=call.tenant_id, app=app, redirect_uri=redirect_uri
            ),
            calls_app=True,
        )
    view = views.show_check(checked, app=app, redirect_uri=redirect_uri)
    return calls.respond(view)


def check_urls(**urls: str) -> None:
    """Refuse what is no web address; whether it may be called is decided elsewhere."""
    faults = tuple(
        Fault(f"/{name}", "Give an address such as https://example.org/path.")
        for name, url in urls.items()
        if url and not addresses.is_url(url)
    )
    if faults:
        raise Refused(Code.BODY_INVALID, faults=faults)


ROUTES: Final = (
    Route("GET", "/v1/apps", list_apps),
    Route("PUT", "/v1/apps/{app}/client", put_client),
    Route("POST", "/v1/apps/{app}/client/check", check_client),
)
