"""Listens for what apps push, and turns it into hints.

A push changes nothing but the time of a read. It is checked on its raw body and
answered before anything is stored; what is refused is refused alike.
"""

import asyncio
import enum
from collections.abc import Iterable
from typing import Final, cast

import structlog
from aiohttp import web
from prometheus_client import Counter

from proto.ids import AccountId
from services.chassis import health
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.connector import pushing
from services.connector.clients import Clients
from services.connector.errors import UnknownApp
from services.connector.hints import Hints
from services.connector.manifest import PushAddress, PushFacts, PushProof
from services.connector.port import Heard, Push, PushApp
from services.connector.pushing import Replays, Site, Target
from services.connector.registry import Entry, Registry

log = structlog.get_logger()

PUSHES = Counter("tandem_connector_pushes", "Pushes of apps", ["outcome"])

BODY_BYTES_MAX: Final = 1024 * 1024
"""Some apps tell of a thousand changes at once."""
BODY_TIMEOUT_S: Final = 5.0
IN_HAND_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bodies that are read at once; those of strangers are not read at all."""
PUSH_BYTES: Final = 4096
"""What a push takes besides its body."""
NAMED_MAX: Final = 1_000
"""Accounts that one push is believed to be about."""


class Outcome(enum.StrEnum):
    """What became of a push."""

    HEARD = "heard"
    ASKED = "asked"
    """The app asked whether the address is there."""
    REPEATED = "repeated"
    """It came before: answered as then, for the app may not have got the answer."""
    UNKNOWN = "unknown"
    """We never made the address, or nobody may use it so."""
    FORGED = "forged"
    UNTIMELY = "untimely"
    BROKEN = "broken"
    """The body did not come whole, or in time, or is larger than said."""
    TOO_LARGE = "too_large"
    BUSY = "busy"
    UNCHECKED = "unchecked"
    """Auth did not answer what the app signs with."""


_STATUSES: Final = {
    Outcome.HEARD: 200,
    Outcome.ASKED: 200,
    Outcome.REPEATED: 200,
    Outcome.TOO_LARGE: 413,
    Outcome.BUSY: 503,
    Outcome.UNCHECKED: 503,
}
_COUNTERS: Final = {each: PUSHES.labels(each.value) for each in Outcome}
REFUSED_STATUS: Final = 404
"""For all the others: nobody learns how near a guess was."""


class Listener:
    """Answers pushes."""

    def __init__(
        self,
        registry: Registry,
        *,
        site: Site,
        clients: Clients,
        hints: Hints,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._keys, self._url = site
        self._clients = clients
        self._hints = hints
        self._clock = clock
        self._replays = Replays()
        self._in_hand_bytes = 0

    def server(self) -> health.Server:
        """Return what listens; every path and method has the same way in."""
        # Without a router, which would cost as much as all that is done here.
        return health.server(self.answer, body_bytes_max=BODY_BYTES_MAX)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer whoever it is."""
        outcome = await self._outcome(request)
        _COUNTERS[outcome].inc()
        return web.Response(status=_STATUSES.get(outcome, REFUSED_STATUS))

    async def _outcome(self, request: web.BaseRequest) -> Outcome:
        target = self._keys.find(request.raw_path.partition("?")[0])
        entry = None if target is None else self._entry(target)
        if target is None or entry is None:
            return Outcome.UNKNOWN
        facts = entry.manifest.push
        if facts is None or (facts.address is PushAddress.CLIENT) != (
            target.account_id is None
        ):
            return Outcome.UNKNOWN
        if request.method == "GET" and facts.asks_by_get:
            return Outcome.ASKED
        if request.method != "POST":
            return Outcome.UNKNOWN
        bytes_max = request.content_length
        if bytes_max is None:
            bytes_max = BODY_BYTES_MAX
        if bytes_max > BODY_BYTES_MAX:
            return Outcome.TOO_LARGE
        taken_bytes = bytes_max + PUSH_BYTES
        if self._in_hand_bytes + taken_bytes > IN_HAND_BYTES_MAX:
            return Outcome.BUSY
        self._in_hand_bytes += taken_bytes
        try:
            return await self._read(request, target, entry=entry, facts=facts)
        finally:
            self._in_hand_bytes -= taken_bytes

    async def _read(
        self,
        request: web.BaseRequest,
        target: Target,
        *,
        entry: Entry,
        facts: PushFacts,
    ) -> Outcome:
        body = await _body(request)
        if body is None:
            return Outcome.BROKEN
        push = Push(
            url=self._url + request.raw_path,
            headers={name.lower(): text for name, text in request.headers.items()},
            body=body,
        )
        try:
            return await self._hear(push, target, entry=entry, facts=facts)
        except Unavailable:
            return Outcome.UNCHECKED

    def _entry(self, target: Target) -> Entry | None:
        try:
            return self._registry.entry(target.app)
        except UnknownApp:
            # Its address was made when the app could still be loaded.
            return None

    async def _hear(
        self, push: Push, target: Target, *, entry: Entry, facts: PushFacts
    ) -> Outcome:
        secrets = await self._secrets(target, facts)
        heard = _heard(push, secrets, entry=entry)
        if heard is None:
            return Outcome.FORGED
        sent_at, now = heard.sent_at, self._clock.now()
        is_signed = facts.signed_with is not PushProof.NONE
        is_timely = sent_at is not None and pushing.is_timely(sent_at, now=now)
        if is_signed and not is_timely:
            return Outcome.UNTIMELY
        # Before it is remembered: one that is asked for again must not count as heard.
        accounts = await self._accounts(target, heard)
        if is_signed and sent_at is not None:
            known = pushing.digest(target, sent_at=sent_at, body=push.body)
            if not self._replays.is_new(known, now_s=self._clock.monotonic()):
                return Outcome.REPEATED
        for account_id in accounts:
            key = (target.tenant_id, account_id)
            self._hints.add(key, shown_after_s=facts.shown_after_s)
        return Outcome.HEARD

    async def _secrets(self, target: Target, facts: PushFacts) -> tuple[bytes, ...]:
        match facts.signed_with:
            case PushProof.NONE:
                return (b"",)
            case PushProof.GIVEN:
                return self._keys.signing_secrets(target)
            case PushProof.CLIENT:
                client = await self._clients.get(target.tenant_id, target.app)
                return () if client is None else (client.secret,)

    async def _accounts(self, target: Target, heard: Heard) -> Iterable[AccountId]:
        if target.account_id is not None:
            return (target.account_id,)
        client = await self._clients.get(target.tenant_id, target.app)
        if client is None:
            return ()
        named = heard.vendor_account_ids[:NAMED_MAX]
        return [
            account_id for each in named for account_id in client.accounts.get(each, ())
        ]


def _heard(push: Push, secrets: Iterable[bytes], *, entry: Entry) -> Heard | None:
    """Return what an app makes of a push, by the first secret that signed it."""
    app = cast("type[PushApp]", entry.app_class)
    try:
        found = (app.hear(push, secret=secret) for secret in secrets)
        heard = next((each for each in found if each is not None), None)
        if heard is not None and heard.sent_at is not None:
            assert heard.sent_at.tzinfo is not None, "times are aware"
    except Exception:
        log.exception("app_failed", app=entry.manifest.app)
        return None
    return heard


async def _body(request: web.BaseRequest) -> bytes | None:
    """Return a body as it came; None if it did not come whole."""
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None
    except (TimeoutError, web.RequestPayloadError, ConnectionError, ValueError):
        # Nobody may be there any more to read an answer, and it is no fault of ours.
        return None
