"""Carries requests to one vendor and answers back, in whatever weather there is.

What is on its way arrives, whether or not its sender is still there to hear of it.
"""

import asyncio
import contextvars
import random
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from tests.simulation.vendors import weather, wire
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.messages import Request, Response, answer
from tests.simulation.vendors.ways import Markers
from tests.simulation.vendors.weather import CALM, Fate, Weather

AGAIN_S: Final = (0.02, 1.0)
PAGE: Final = b"<html><body>Something went wrong. It was not you.</body></html>"

OnFate = Callable[[Request, Fate, int], None]
"""Told each call when it arrives, with the status that it gets; 0 for none."""


class Broken(Exception):
    """The connection broke before a whole answer came."""


class Unreachable(Exception):
    """No connection was made."""


class Line:
    """The way to one vendor."""

    def __init__(self, vendor: Vendor, *, source: random.Random) -> None:
        self.vendor = vendor
        self.weather: Weather = CALM
        self.on_fate: list[OnFate] = []
        self.counts: Counter[str] = Counter()
        """What happened to calls: fates, and others by a name of their own."""
        self._source = source
        self._loop = asyncio.get_running_loop()

    def send(self, request: Request) -> "asyncio.Future[Response]":
        """Send a request; the future ends with its answer, if one comes at all.

        Raises:
            Unreachable: It was not even sent.
        """
        fate = self._fate_of(request)
        if fate is Fate.UNREACHABLE:
            self._tell(request, fate, 0)
            raise Unreachable
        future: asyncio.Future[Response] = self._loop.create_future()
        # What is on its way does not stand still with the process that sent it.
        self._loop.call_later(
            weather.arrives_s(fate, self._source),
            self._arrive,
            request,
            fate,
            future,
            context=contextvars.Context(),
        )
        return future

    def _fate_of(self, request: Request) -> Fate:
        fate = self.weather.draw(self._source)
        if fate is Fate.FINE or _can_have(fate, request, self.vendor):
            return fate
        return Fate.FINE

    def _arrive(
        self, request: Request, fate: Fate, future: "asyncio.Future[Response]"
    ) -> None:
        response = self._answer(request, fate)
        self._tell(request, fate, response.status if response else 0)
        if _is_orphan(request):
            self.counts["orphaned write"] += 1
        if fate is Fate.LOST or future.done():
            return
        back_s = self._source.uniform(*weather.TRAVEL_S)
        self._loop.call_later(back_s, self._end, request, future, response)

    def _end(
        self,
        request: Request,
        future: "asyncio.Future[Response]",
        response: Response | None,
    ) -> None:
        """Hand an answer to whoever waits for it."""
        if response is not None and response.status < 300 and _is_orphan(request):
            self.counts["unheard write"] += 1
        if future.done():
            return
        if response is None:
            future.set_exception(Broken())
        else:
            future.set_result(response)
            self.vendor.hear(response)

    def _answer(self, request: Request, fate: Fate) -> Response | None:
        """Have the vendor answer, or whatever stands in its place."""
        before = self._refusal(fate)
        if before is not None:
            return before
        if fate is Fate.RESET:
            return None
        response = self.vendor.handle(request)
        match fate:
            case Fate.CUT:
                return None
            case Fate.FAILS_AFTER:
                if token := request.form.get("refresh_token"):
                    self.vendor.oauth.fail(token)
                return Response(status=self._source.choice((500, 502)), body=PAGE)
            case Fate.GARBLED:
                return self._garbled(response)
            case Fate.TWICE:
                again_s = self._source.uniform(*AGAIN_S)
                double = msgspec.structs.replace(request, is_doubled=True)
                self._loop.call_later(again_s, self.vendor.handle, double)
            case Fate.SHORT | Fate.EMPTY:
                return self.vendor.thin(request, response, is_empty=fate is Fate.EMPTY)
            case Fate.HIDDEN:
                return self.vendor.deny(request)
        return response

    def _refusal(self, fate: Fate) -> Response | None:
        match fate:
            case Fate.FAILS_BEFORE:
                return Response(status=self._source.choice((500, 502, 504)), body=PAGE)
            case Fate.BUSY:
                return answer(503, wire.Problem(code="busy"))
            case Fate.LIMITED:
                wait = self._source.choice(({}, {"Retry-After": "3"}))
                return answer(429, wire.Problem(code="slow_down"), **wait)
            case Fate.PAGE:
                return Response(status=self._source.choice((200, 404, 502)), body=PAGE)
        return None

    def _garbled(self, response: Response) -> Response:
        if response.status >= 400:
            # What a refusal says is told by its status alone.
            return response
        body = response.body[: len(response.body) // 2]
        body = self._source.choice((body, PAGE))
        return msgspec.structs.replace(response, body=body, told={})

    def _tell(self, request: Request, fate: Fate, status: int) -> None:
        kind = "read" if request.method == "GET" else "write"
        self.counts[f"{fate} {kind}"] += 1
        self.counts[f"{request.method} {status}"] += 1
        if "after" in request.query:
            self.counts["further page"] += 1
            self.counts["broken page"] += fate is not Fate.FINE
        for each in self.on_fate:
            each(request, fate, status)


def _can_have(fate: Fate, request: Request, vendor: Vendor) -> bool:
    """Say whether a fate makes sense for a call, and leaves it ours to answer for."""
    is_listing = request.method == "GET" and request.path.endswith("/people")
    if fate in weather.UNTRUE:
        return is_listing and not {"email", "marker", "ids"} & request.query.keys()
    if fate in weather.DENYING:
        return request.method == "GET" and "/people/" in request.path
    if fate is Fate.TWICE:
        # Two records from one call would be nobody's doing but the network's.
        is_create = request.method == "POST" and "/people" in request.path
        is_token = request.path == "/oauth/token"
        is_told_apart = vendor.ways.markers is Markers.UNIQUE
        return not is_token and (not is_create or is_told_apart)
    return True


def _is_orphan(request: Request) -> bool:
    """Say whether it writes, and the process that sent it has died since."""
    is_alone = request.sender is not None and request.sender.is_over
    return is_alone and request.method != "GET" and request.path != "/oauth/token"
