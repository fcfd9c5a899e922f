"""The one place that calls vendors: drives an app's operations.

Credentials, pace, timeouts, size limits, retries and metrics are here; what the
bytes mean is the app's business. A write is sent once, whatever happens to it.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias, TypeVar

import aiohttp
import structlog
from prometheus_client import Counter, Histogram
from yarl import URL

from proto.auth import Token
from services.chassis.clock import Clock
from services.chassis.errors import AddressRefused
from services.connector import accounts, exchange
from services.connector.accounts import AccountRef
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.errors import CallFailed, Meaning, UnknownApp
from services.connector.lines import GATE_S_MAX, Lines
from services.connector.manifest import CountedBy, Manifest
from services.connector.pacing import Budget, Lane
from services.connector.port import Answer, App, Call, Facts, Operation
from services.connector.registry import Registry

log = structlog.get_logger()

READ_TRIES_MAX: Final = 3
PAUSE_S_MAX: Final = 60.0
"""A longer Retry-After ends the turn instead of being waited for."""
PAUSE_S: Final = 2.0
"""Waited where an app asks for a pause and does not say how long."""
JITTER_S: Final = 0.5
OPERATION_CALLS_MAX: Final = 2_000
OPERATION_WAIT_S_MAX: Final = 120.0
"""How long an operation may wait in all for what an app does later."""
APP_AGE_S_MAX: Final = 300.0
"""How long an app may go by what it remembers of an account."""
_BROKEN_STATUSES: Final = (500, 502, 504)
_USER_AGENT: Final = "Tandem"

CALLS = Counter(
    "tandem_connector_calls", "Calls to apps", ["app", "method", "status_class"]
)
SECONDS = Histogram("tandem_connector_call_seconds", "Time to an answer", ["app"])

T = TypeVar("T")
BeforeCall: TypeAlias = Callable[[Call], None]


def _ready(_call: Call) -> None:
    """Hold nothing back."""


class OpenAccount(NamedTuple):
    """An account that can be called: its app, knowing where it is."""

    ref: AccountRef
    app: App
    manifest: Manifest
    base_url: str


class Transport:
    """Makes every call of this process."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        registry: Registry,
        *,
        credentials: Credentials,
        settings: Config,
        clock: Clock,
    ) -> None:
        self._session = session
        self._registry = registry
        self._credentials = credentials
        self._settings = settings
        self._clock = clock
        self._places = asyncio.Semaphore(settings.calls_at_once_max)
        self.lines = Lines(registry, settings)

    async def open(self, ref: AccountRef, *, is_fresh: bool = False) -> OpenAccount:
        """Return an account ready to be called.

        Its app is the same object for a while, because apps remember where things
        are; ``is_fresh`` makes it find out anew.

        Raises:
            CallFailed: It has no usable credentials or no address.
            UnknownApp: Its app is not in the catalogue.
        """
        manifest, app_class = self._registry.entry(ref.app)
        line = self.lines.of(ref)
        token = await self._credentials.get(ref, accepted_at=line.accepted_at)
        self.lines.share_limit(ref, token)
        base_url = (token.base_url or manifest.base_url).rstrip("/")
        facts = Facts(base_url=base_url, username=token.username)
        now_s = self._clock.monotonic()
        if is_fresh or line.facts != facts or now_s >= line.app_until_s:
            line.app, line.facts = app_class(manifest, facts), facts
            line.app_until_s = now_s + APP_AGE_S_MAX
        assert line.app is not None
        return OpenAccount(ref, line.app, manifest, base_url)

    async def limited_by(self, ref: AccountRef) -> str | None:
        """Return whose calls are counted together with an account's.

        Empty where the account has its limits for itself. None where nobody knows: why
        it cannot be called is told to whoever does.
        """
        try:
            manifest = self._registry.entry(ref.app).manifest
            if manifest.limits.counted_by is not CountedBy.CLIENT:
                return ""
            accepted_at = self.lines.of(ref).accepted_at
            token = await self._credentials.get(ref, accepted_at=accepted_at)
        except (CallFailed, UnknownApp):
            return None
        return self.lines.share_limit(ref, token)

    async def drive(
        self,
        account: OpenAccount,
        operation: Operation[T],
        *,
        lane: Lane,
        before_call: BeforeCall = _ready,
    ) -> T:
        """Run an operation to its end and return its result.

        ``before_call`` is called when a call's turn has come, right before it is
        sent; by raising ``CallFailed`` it holds the call back.

        Raises:
            CallFailed: With NO_ANSWER where a write may have been applied.
        """
        applied = False
        waited_s = 0.0
        reply: Answer | CallFailed | None = None
        try:
            for _ in range(OPERATION_CALLS_MAX):
                if isinstance(reply, CallFailed):
                    call = operation.throw(reply)
                else:
                    call = operation.send(reply)  # type: ignore[arg-type]
                waited_s += call.wait_s
                if waited_s > OPERATION_WAIT_S_MAX:
                    raise CallFailed(Meaning.BROKEN, "the app does not get it done")
                if call.wait_s:
                    await self._clock.sleep(call.wait_s)
                try:
                    reply = await self._call(
                        account, call, lane=lane, before_call=before_call
                    )
                except CallFailed as err:
                    reply = err
                else:
                    applied |= call.is_write and reply.status < 300
            raise CallFailed(Meaning.BROKEN, "the operation does not end")
        except StopIteration as stop:
            result: T = stop.value
            return result
        except CallFailed as err:
            if applied and err.meaning is not Meaning.NO_ANSWER:
                # Something of it is done: the whole must not count as undone.
                raise CallFailed(Meaning.NO_ANSWER, f"half done: {err}") from err
            raise
        except Exception as err:
            log.exception("app_failed", app=account.ref.app)
            meaning = Meaning.NO_ANSWER if applied else Meaning.BROKEN
            raise CallFailed(meaning, f"the app raised {type(err).__name__}") from err
        finally:
            operation.close()

    def budget_of(self, ref: AccountRef) -> Budget:
        """Return the budget that an account's limits are kept by."""
        return self.lines.of(ref).limiting

    async def _call(
        self,
        account: OpenAccount,
        call: Call,
        *,
        lane: Lane,
        before_call: BeforeCall,
    ) -> Answer:
        """Make a call; again where that is harmless and can help."""
        tries = 0
        version_min = 0
        while True:
            tries += 1
            is_last = call.is_write or tries >= READ_TRIES_MAX
            try:
                answer, version = await self._try(
                    account,
                    call,
                    lane=lane,
                    version_min=version_min,
                    before_call=before_call,
                )
            except CallFailed as err:
                if is_last or err.meaning not in (
                    Meaning.UNREACHABLE,
                    Meaning.NO_ANSWER,
                ):
                    raise
                await self._clock.sleep(JITTER_S * tries * random.uniform(0.5, 1))  # noqa: S311
                continue
            if answer.status in call.accepts:
                return answer
            failed = self._failure_of(account, call, answer=answer)
            if failed.meaning is Meaning.UNAUTHORISED:
                if version_min:
                    await self._tell_refused(account.ref, version)
                    raise failed
                # A refused call was not carried out, so that even a write may go
                # again, once, with a newer token.
                version_min = version + 1
                continue
            if is_last or not self._may_help(failed, answer):
                raise failed
            if answer.status in _BROKEN_STATUSES:
                await self._clock.sleep(JITTER_S * tries * random.uniform(0.5, 1))  # noqa: S311

    async def _tell_refused(self, ref: AccountRef, version: int) -> None:
        """Let auth know that even a token just given is refused.

        Raises:
            CallFailed: What auth makes of it: to wait, or that the account is lost.
        """
        await self._credentials.get(
            ref, version_min=version + 1, accepted_at=self.lines.of(ref).accepted_at
        )

    async def _try(
        self,
        account: OpenAccount,
        call: Call,
        *,
        lane: Lane,
        version_min: int,
        before_call: BeforeCall,
    ) -> tuple[Answer, int]:
        """Make a call once, when its turn has come."""
        url = exchange.url_of(call, base_url=account.base_url)
        line = self.lines.of(account.ref)
        async with (
            line.place(is_write=call.is_write),
            contextlib.AsyncExitStack() as until_answered,
        ):
            token = await self._take_turn(
                account,
                lane=lane,
                version_min=version_min,
                until_answered=until_answered,
            )
            headers = {
                "User-Agent": _USER_AGENT,
                "Accept-Encoding": "gzip, deflate",
                **account.manifest.headers,
                **dict(call.headers),
            }
            # Last, so that nothing of the app's takes its place.
            name, text = exchange.authorisation_of(token, manifest=account.manifest)
            headers[name] = text
            before_call(call)
            answer = await self._exchange(account, call, url=url, headers=headers)
        if answer.status < 300:
            line.accepted_at = self._clock.now()
        return answer, token.version

    async def _take_turn(
        self,
        account: OpenAccount,
        *,
        lane: Lane,
        version_min: int,
        until_answered: contextlib.AsyncExitStack,
    ) -> Token:
        """Wait for a call's turn; return the token to make it with.

        The turn is taken last of all, and right before it a place of the process,
        which ``until_answered`` then holds. A call that still waited after its turn
        would be late, and meet the ones after it at the app (I10); one that waited
        for its turn in a place would keep other accounts waiting (hazard 107).
        """
        line = self.lines.of(account.ref)
        give_up_s = self._clock.monotonic() + GATE_S_MAX
        with line.waiting(lane, now_s=self._clock.monotonic()):
            while True:
                token = await self._credentials.get(
                    account.ref, version_min=version_min, accepted_at=line.accepted_at
                )
                self._check_address(account, token)
                async with contextlib.AsyncExitStack() as place:
                    await place.enter_async_context(self._places)
                    delay_s = line.take_turn(
                        lane, clock=self._clock, give_up_s=give_up_s
                    )
                    if not delay_s:
                        until_answered.push_async_exit(place.pop_all())
                        return token
                await self._clock.sleep(delay_s)

    async def _exchange(
        self, account: OpenAccount, call: Call, *, url: URL, headers: dict[str, str]
    ) -> Answer:
        limits = account.manifest.limits
        app = account.ref.app
        started_s = self._clock.monotonic()
        status_class = "none"
        try:
            answer = await exchange.exchange(
                self._session,
                call,
                url=url,
                headers=headers,
                timeout_s=self._settings.request_timeout_s or limits.timeout_s,
            )
            status_class = f"{answer.status // 100}xx"
        except AddressRefused as err:
            raise CallFailed(Meaning.ADDRESS_REFUSED, err.reason) from err
        except exchange.NotSent as err:
            raise CallFailed(Meaning.UNREACHABLE, str(err)) from err
        except exchange.TooLarge as err:
            meaning = Meaning.NO_ANSWER if call.is_write else Meaning.BROKEN
            raise CallFailed(meaning, str(err)) from err
        except exchange.NoAnswer as err:
            raise CallFailed(Meaning.NO_ANSWER, str(err)) from err
        finally:
            CALLS.labels(app, call.method, status_class).inc()
            SECONDS.labels(app).observe(self._clock.monotonic() - started_s)
        return answer

    def _failure_of(
        self, account: OpenAccount, call: Call, *, answer: Answer
    ) -> CallFailed:
        """Return what an answer means that the operation does not handle."""
        if 300 <= answer.status < 400:
            return CallFailed(Meaning.BROKEN, f"redirected with {answer.status}")
        failed = account.app.meaning_of(answer)
        log.debug(
            "call_failed",
            app=account.ref.app,
            status=answer.status,
            meaning=failed.meaning.name.lower(),
        )
        if call.is_write and answer.status >= 500 and answer.status != 503:
            return CallFailed(Meaning.NO_ANSWER, f"a write got {answer.status}")
        if failed.meaning in (Meaning.RATE_LIMITED, Meaning.UNAVAILABLE):
            pause_s = failed.retry_after_s
            if pause_s is None:
                pause_s = exchange.retry_after_s(answer, now=self._clock.now())
            pause_s = PAUSE_S if pause_s is None else max(0.0, pause_s)
            failed.retry_after_s = pause_s
            line = self.lines.of(account.ref)
            is_limit = failed.meaning is Meaning.RATE_LIMITED
            (line.limiting if is_limit else line.budget).block(
                until_s=self._clock.monotonic() + min(pause_s, accounts.ASKED_S_MAX)
            )
        return failed

    def _may_help(self, failed: CallFailed, answer: Answer) -> bool:
        if failed.meaning in (Meaning.RATE_LIMITED, Meaning.UNAVAILABLE):
            return (failed.retry_after_s or 0.0) <= PAUSE_S_MAX
        return answer.status in _BROKEN_STATUSES

    def _check_address(self, account: OpenAccount, token: Token) -> None:
        """Refuse to take one address' credentials to another."""
        base_url = (token.base_url or account.manifest.base_url).rstrip("/")
        if base_url != account.base_url:
            raise CallFailed(Meaning.UNREACHABLE, "the account's address has changed")
