"""How a route is written down, and what every one of them goes through first."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web

from services.api import access, bodies
from services.api.calls import PARTS, Call, Visit

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
    def scope(self) -> str:
        """What the key must be allowed to do."""
        return access.READ if self.method == "GET" else access.WRITE


class Page(NamedTuple):
    """A path that a browser opens, without a key."""

    path: str
    handler: PageHandler
    query: tuple[str, ...] = ()
    """The query parameters that it takes."""


def with_key(route: Route) -> web.RouteDef:
    """Return the route behind its key, its limit and its scope."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        caller = await access.identify(request, parts)
        access.pace(parts, caller.key_id)
        access.require(caller, route.scope)
        query = bodies.query(request, *route.query)
        return await route.handler(
            Call(request=request, parts=parts, caller=caller, query=query)
        )

    return web.route(route.method, route.path, handle)


def for_browser(page: Page) -> web.RouteDef:
    """Return a page's route, limited by where the browser is."""

    async def handle(request: web.Request) -> web.StreamResponse:
        parts = request.app[PARTS]
        access.pace(parts, f"from {request.remote}")
        query = bodies.page_query(request, *page.query)
        return await page.handler(Visit(request=request, parts=parts, query=query))

    # Links are single use: asking for the head alone must not use one up.
    return web.get(page.path, handle, allow_head=False)
