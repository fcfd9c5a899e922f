"""What a vendor pushes: to addresses that people entered there, when contacts change.

A vendor says what it tells of a change and how a push looks; here it is sent, in the
background, once and in the order of the changes.
"""

import abc
import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import aiohttp
import msgspec

from tests.emulators.core.account import Account, JournalLine
from tests.emulators.core.admin import refused
from tests.emulators.core.bodies import reader
from tests.emulators.core.clock import Clock
from tests.emulators.core.host import ADMIN_PREFIX
from tests.emulators.core.http import Call, Reply, Router, json_reply

TIMEOUT_S = 10.0
SETTLED_S = 20.0
"""How long whoever waits for pushes is patient."""
UNANSWERED = 0
SENT_MAX = 10_000
WAITING_MAX = 100_000


class Hook(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An address that somebody entered."""

    url: str
    account_id: str = ""
    """Whose changes it is told, where not those of all."""
    secret: str = ""
    """What pushes to it are signed with, where they are."""


class Request(NamedTuple):
    """A push as it goes out."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


class Sent(NamedTuple):
    """A push, and how it was answered."""

    url: str
    request: Request
    status: int


_hook = reader(Hook, refused)
_Waiting = tuple[Hook, object]


class Hooks(abc.ABC):
    """Tells what changed; the last two methods are a vendor's."""

    events_max: ClassVar[int] = 1
    """How many events go into one push."""
    is_for_all: ClassVar[bool] = False
    """An address is told of every account, whosever it is."""
    asks_by_get: ClassVar[bool] = False
    """An address is asked by GET first, and is none unless that is answered well."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.entered: list[Hook] = []
        self.sent: collections.deque[Sent] = collections.deque(maxlen=SENT_MAX)
        self._waiting: collections.deque[_Waiting] = collections.deque(
            maxlen=WAITING_MAX
        )
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def register(self, router: Router) -> None:
        """Put the administration of addresses on its path."""
        path = f"{ADMIN_PREFIX}/hooks"
        router.add("GET", path, lambda _call: json_reply(self.entered))
        router.add("POST", path, self._enter)
        router.add("DELETE", path, self._clear)

    def enter(self, hook: Hook) -> None:
        """Push to an address from now on."""
        if self.asks_by_get:
            self._put(hook, _ASKING)
        else:
            self.entered.append(hook)

    def tell(self, account: Account[Any], line: JournalLine) -> None:
        """Tell of a change whoever is to know."""
        hooks = [
            each
            for each in self.entered
            if (self.is_for_all or each.account_id == account.account_id)
            and line.who != "seed"
            and self.is_told(line)
        ]
        if not hooks:
            return
        for event in self.events_of(account, line):
            for hook in hooks:
                self._put(hook, event)

    async def settled(self) -> Sequence[Sent]:
        """Return what was sent, the oldest first, once nothing waits any more."""
        async with asyncio.timeout(SETTLED_S):
            await self._idle.wait()
        return tuple(self.sent)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send what is to be told, until the block ends."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def is_told(self, _line: JournalLine) -> bool:
        """Tell whether anybody is told of such a change."""
        return True

    def go_together(self, _first: Any, _event: Any) -> bool:
        """Tell whether an event may go into the push that another one begins."""
        return True

    @abc.abstractmethod
    def events_of(self, account: Account[Any], line: JournalLine) -> Iterable[object]:
        """Return what there is to tell of a change."""

    @abc.abstractmethod
    def request(self, hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push that tells an address of events."""

    def _put(self, hook: Hook, event: object) -> None:
        self._waiting.append((hook, event))
        self._idle.clear()
        self._wake.set()

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._send(session, *self._next())
                self._idle.set()

    def _next(self) -> tuple[Hook, list[object]]:
        """Take what goes into the next push."""
        hook, event = self._waiting.popleft()
        events = [event]
        while (
            event is not _ASKING
            and self._waiting
            and len(events) < self.events_max
            and self._waiting[0][0] is hook
            and self.go_together(event, self._waiting[0][1])
        ):
            events.append(self._waiting.popleft()[1])
        return hook, events

    async def _send(
        self, session: aiohttp.ClientSession, hook: Hook, events: list[object]
    ) -> None:
        is_asking = events == [_ASKING]
        if is_asking:
            request = Request(b"", {}, method="GET")
        else:
            request = self.request(hook, events)
        try:
            async with session.request(
                request.method,
                hook.url,
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
            ) as answer:
                status = answer.status
        except (aiohttp.ClientError, TimeoutError):
            status = UNANSWERED
        self.sent.append(Sent(hook.url, request, status))
        if is_asking and status == 200:
            self.entered.append(hook)

    def _enter(self, call: Call) -> Reply:
        hook = _hook(call.body)
        self.enter(hook)
        return json_reply(hook, 201)

    def _clear(self, _call: Call) -> Reply:
        self.entered.clear()
        return Reply(204)


_ASKING = object()
