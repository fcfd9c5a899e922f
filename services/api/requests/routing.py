"""How a route is written down, and what every one of them goes through first."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from services.api.content import bodies
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.requests import access, origins, permissions
from services.api.requests.calls import PARTS, Call, Visit

Handler = Callable[[Call], Awaitable[web.StreamResponse]]
PageHandler = Callable[[Visit], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    """A method and a path of ``/v1``."""

    method: str
    path: str
    handler: Handler
    query: tuple[str, ...] = ()
    """The query parameters that it takes."""

    @property
    def name(self) -> str:
        """What ``permissions`` calls it."""
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str:
        """What the caller must be allowed to do."""
        return permissions.NEEDED[self.name]

    @property
    def is_personal(self) -> bool:
        """Whether only a person has anything to do there."""
        return self.name in permissions.PERSONAL


class OpenRoute(NamedTuple):
    """A method and a path of ``/v1`` by which somebody gets in, without a key."""

    method: str
    path: str
    handler: PageHandler


class Page(NamedTuple):
    """A path that a browser opens, without a key."""

    path: str
    handler: PageHandler
    query: tuple[str, ...] = ()
    """The query parameters that it takes."""


class Form(NamedTuple):
    """A path that a form of one of our pages is sent to."""

    path: str
    handler: PageHandler
    fields: tuple[str, ...] = ()
    """The fields that it has; empty where not filled in."""


def guarded(route: Route) -> web.RouteDef:
    """Return the route behind its key or session, its limit and its scope."""
    scope = route.scope

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        caller = await access.identify(request, parts)
        access.pace(parts, caller.actor)
        access.require(caller, scope)
        if route.is_personal:
            access.require_person(caller)
        query = bodies.query(request, *route.query)
        return await route.handler(
            Call(request=request, parts=parts, caller=caller, query=query)
        )

    return web.route(route.method, route.path, handle)


def opened(route: OpenRoute) -> web.RouteDef:
    """Return a route that anybody may call, limited by where they are."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        access.pace(parts, f"from {parts.remote_of(request)}")
        if origins.is_foreign(request.headers, base_url=parts.base_url):
            # Else any page could sign a browser in as somebody of its own choice.
            raise Refused(Code.FOREIGN_PAGE)
        bodies.query(request)
        return await route.handler(Visit(request=request, parts=parts, query={}))

    return web.route(route.method, route.path, handle)


def for_browser(page: Page) -> web.RouteDef:
    """Return a page's route, limited by where the browser is."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        access.pace(parts, f"from {parts.remote_of(request)}")
        query = bodies.page_query(request, *page.query)
        return await page.handler(Visit(request=request, parts=parts, query=query))

    # Links are single use: asking for the head alone must not use one up.
    return web.get(page.path, handle, allow_head=False)


def for_form(form: Form) -> web.RouteDef:
    """Return a form's route, for pages of our own alone."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        access.pace(parts, f"from {parts.remote_of(request)}")
        if not origins.is_own(request.headers, base_url=parts.base_url):
            raise Refused(Code.FOREIGN_PAGE)
        given = await bodies.form(request, *form.fields)
        return await form.handler(Visit(request=request, parts=parts, query=given))

    return web.post(form.path, handle)
