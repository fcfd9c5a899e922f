"""What a handler gets and gives (Call, Reply), and which handler serves a path.

Handlers are plain functions: an emulator keeps all it knows in memory, so nothing in
them waits. Waiting, dropping and delaying belong to the host.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import parse_qsl, unquote

import msgspec

from tests.emulators.core.faults import Fault

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


class Reply(NamedTuple):
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    location: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


class Refusal(Exception):
    """Carry the reply that ends a call early."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Call:
    """One request on its way through guard, fault and handler."""

    __slots__ = (
        "account_id",
        "args",
        "body",
        "content_type",
        "fault",
        "headers",
        "method",
        "path",
        "query_text",
        "route",
    )

    def __init__(
        self, *, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        path, _, self.query_text = target.partition("?")
        self.path = unquote(path) if "%" in path else path
        self.method = method
        self.headers = headers
        self.body = body
        self.content_type = headers.get("Content-Type", "").partition(";")[0].lower()
        self.route: Route
        self.args: tuple[str, ...] = ()
        self.account_id: str | None = None
        self.fault: Fault | None = None

    def query(self) -> dict[str, str]:
        """Return the query parameters; of a repeated one the last counts."""
        if not self.query_text:
            return {}
        return dict(parse_qsl(self.query_text, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """Return query and form body as one, the body taking precedence."""
        fields = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return self.query() | dict(fields)

    def is_under(self, kind: str) -> bool:
        """Tell whether a fault of this kind was drawn for this call."""
        return self.fault is not None and self.fault.kind == kind


Handler = Callable[[Call], Reply]


class Route(NamedTuple):
    """A method and path template with its handler and what the caller needs."""

    method: str
    template: str
    handler: Handler
    scope: str | None = None

    @property
    def name(self) -> str:
        """Return the name under which calls are counted."""
        return f"{self.method} {self.template}"


class Router:
    """Find routes by path; `{name}` in a template stands for one segment."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        self._patterns: dict[int, list[tuple[list[str], dict[str, Route]]]] = {}

    def add(
        self, method: str, template: str, handler: Handler, *, scope: str | None = None
    ) -> None:
        """Serve a method and path template with this handler."""
        route = Route(method, template, handler, scope)
        if "{" not in template:
            self._exact.setdefault(template, {})[method] = route
            return
        parts = template.split("/")
        known = self._patterns.setdefault(len(parts), [])
        for other, routes in known:
            if other == parts:
                routes[method] = route
                return
        known.append((parts, {method: route}))

    def routes(self) -> list[Route]:
        """Return all routes."""
        patterns = [routes for known in self._patterns.values() for _, routes in known]
        tables = [*self._exact.values(), *patterns]
        return [route for table in tables for route in table.values()]

    def find(self, path: str) -> tuple[dict[str, Route], tuple[str, ...]]:
        """Return the routes of a path by method, and its arguments."""
        if (routes := self._exact.get(path)) is not None:
            return routes, ()
        parts = path.split("/")
        for pattern, routes in self._patterns.get(len(parts), ()):
            args = _match(pattern, parts)
            if args is not None:
                return routes, args
        return {}, ()


def _match(pattern: list[str], parts: list[str]) -> tuple[str, ...] | None:
    args = []
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{") and part:
            args.append(part)
        elif expected != part:
            return None
    return tuple(args)


def json_reply(value: object, status: int = 200) -> Reply:
    """Answer with a value as JSON."""
    return Reply(status, _encoder.encode(value))


def html_reply(text: str, status: int = 200) -> Reply:
    """Answer with a page for people."""
    return Reply(status, text.encode(), "text/html")
