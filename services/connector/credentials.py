"""Tokens from auth, kept in memory for a minute at most, and never written down.

Whoever needs one at the same moment waits for the same request.
"""

import asyncio
import datetime
from collections import OrderedDict
from typing import Final, NamedTuple, Protocol, TypeVar

from proto.auth import CredentialKind, IssueToken, Token
from proto.base import Command, Reply
from proto.errors import ErrorCode, Retry
from services.chassis.clock import Clock
from services.chassis.errors import BusUnavailable, CommandFailed
from services.connector.accounts import AccountRef
from services.connector.errors import CallFailed, Meaning

TOKEN_AGE_S_MAX: Final = 60.0
EXPIRY_MARGIN_S: Final = 5.0
ISSUE_TIMEOUT_S: Final = 20.0
TOKENS_MAX: Final = 10_000

R = TypeVar("R", bound=Reply)

_MEANINGS: Final = {
    ErrorCode.ACCOUNT_LOST: Meaning.LOST,
    ErrorCode.NOT_FOUND: Meaning.LOST,
    ErrorCode.CREDENTIALS_REFUSED: Meaning.UNAUTHORISED,
}


class Requester(Protocol):
    """The part of the bus that asks for tokens."""

    async def request(self, command: Command[R], *, timeout_s: float = ...) -> R:
        """Send a command and return its reply."""


class _Held(NamedTuple):
    token: Token
    until_s: float


class Credentials:
    """The tokens of the accounts that this process calls for."""

    def __init__(self, bus: Requester, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._held: OrderedDict[AccountRef, _Held] = OrderedDict()
        self._asked: dict[tuple[AccountRef, int], asyncio.Task[Token]] = {}

    async def get(
        self,
        ref: AccountRef,
        *,
        version_min: int = 0,
        accepted_at: datetime.datetime | None = None,
    ) -> Token:
        """Return a usable token, of at least a version.

        Args:
            version_min: One more than the version that the app has just refused.
            accepted_at: When the app last accepted a call for the account.

        Raises:
            CallFailed: The account is lost or refused, or auth does not answer.
        """
        held = self._held.get(ref)
        if (
            held is not None
            and held.token.version >= version_min
            and self._clock.monotonic() < held.until_s
        ):
            return held.token
        key = (ref, version_min)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(
                self._ask(ref, version_min, accepted_at=accepted_at)
            )
            task.add_done_callback(lambda _task: self._asked.pop(key, None))
        # One caller's end must not cancel what the others wait for.
        return await asyncio.shield(task)

    def forget(self, ref: AccountRef) -> None:
        """Ask anew at the next call, because the account was authorised again."""
        self._held.pop(ref, None)

    async def _ask(
        self,
        ref: AccountRef,
        version_min: int,
        *,
        accepted_at: datetime.datetime | None,
    ) -> Token:
        try:
            token = await self._bus.request(
                IssueToken(
                    tenant_id=ref.tenant_id,
                    account_id=ref.account_id,
                    version_min=version_min,
                    accepted_at=accepted_at,
                ),
                timeout_s=ISSUE_TIMEOUT_S,
            )
        except CommandFailed as err:
            raise _failure_of(err) from err
        except BusUnavailable as err:
            raise _auth_is_away() from err
        if token.kind is CredentialKind.UNKNOWN:
            raise CallFailed(Meaning.FORBIDDEN, "credentials of an unknown kind")
        self._keep(ref, token)
        return token

    def _keep(self, ref: AccountRef, token: Token) -> None:
        age_s = TOKEN_AGE_S_MAX
        if token.expires_at is not None:
            left = token.expires_at - self._clock.now()
            age_s = min(age_s, left.total_seconds() - EXPIRY_MARGIN_S)
        self._held[ref] = _Held(token, self._clock.monotonic() + age_s)
        self._held.move_to_end(ref)
        if len(self._held) > TOKENS_MAX:
            self._held.popitem(last=False)


def _failure_of(err: CommandFailed) -> CallFailed:
    if meaning := _MEANINGS.get(err.code):
        return CallFailed(meaning, f"auth issues no token: {err.code}")
    if err.retry is Retry.LATER:
        failed = CallFailed(Meaning.UNREACHABLE, f"auth has no token now: {err.code}")
    else:
        failed = CallFailed(Meaning.FORBIDDEN, f"auth issues no token: {err.code}")
    failed.code, failed.retry = err.code, err.retry
    return failed


def _auth_is_away() -> CallFailed:
    failed = CallFailed(Meaning.UNREACHABLE, "auth does not answer")
    failed.code = ErrorCode.SERVICE_UNAVAILABLE
    return failed
