"""The connector's exceptions: what a caller of an app cannot plan for."""

import enum
from typing import Final

from proto.errors import ErrorCode, Retry


class Meaning(enum.Enum):
    """What a failed call means for what to do next."""

    UNREACHABLE = enum.auto()
    """No connection was made: nothing happened at the app."""
    ADDRESS_REFUSED = enum.auto()
    """The app's address must not be called from here: nothing happened there."""
    UNAVAILABLE = enum.auto()
    """The app said that it cannot serve now (503): nothing happened there."""
    RATE_LIMITED = enum.auto()
    QUOTA_EXHAUSTED = enum.auto()
    UNAUTHORISED = enum.auto()
    """Our credentials are refused, also after a refresh; it may pass."""
    LOST = enum.auto()
    """auth says that a person has to authorise the account again."""
    FORBIDDEN = enum.auto()
    """Authorised, but not for this."""
    CURSOR_EXPIRED = enum.auto()
    """Changes since the cursor are no longer known: scan completely."""
    REFUSED = enum.auto()
    """The app understood the call and will never take it."""
    BROKEN = enum.auto()
    """The answer is not what the app documents; nothing may be concluded from it."""
    NO_ANSWER = enum.auto()
    """Sent, and no usable answer came: a write may or may not have been applied."""
    UNSETTLED = enum.auto()
    """The app is still at something that the answer hangs on, for a while."""


MAYBE_OF_ONE: Final = frozenset(
    {Meaning.FORBIDDEN, Meaning.REFUSED, Meaning.BROKEN, Meaning.NO_ANSWER}
)
"""Meanings that may concern the record called for alone, or the whole account."""

_CODES = {
    Meaning.UNREACHABLE: (ErrorCode.APP_UNREACHABLE, Retry.LATER),
    Meaning.ADDRESS_REFUSED: (ErrorCode.ADDRESS_REFUSED, Retry.LATER),
    Meaning.UNAVAILABLE: (ErrorCode.APP_UNREACHABLE, Retry.LATER),
    Meaning.RATE_LIMITED: (ErrorCode.RATE_LIMITED, Retry.LATER),
    Meaning.QUOTA_EXHAUSTED: (ErrorCode.QUOTA_EXHAUSTED, Retry.LATER),
    Meaning.UNAUTHORISED: (ErrorCode.CREDENTIALS_REFUSED, Retry.LATER),
    Meaning.LOST: (ErrorCode.ACCOUNT_LOST, Retry.AFTER_REAUTH),
    Meaning.FORBIDDEN: (ErrorCode.APP_REFUSED, Retry.AFTER_REAUTH),
    Meaning.CURSOR_EXPIRED: (ErrorCode.APP_BROKEN, Retry.LATER),
    Meaning.REFUSED: (ErrorCode.APP_REFUSED, Retry.NEVER),
    Meaning.BROKEN: (ErrorCode.APP_BROKEN, Retry.LATER),
    Meaning.NO_ANSWER: (ErrorCode.APP_UNREACHABLE, Retry.LATER),
    Meaning.UNSETTLED: (ErrorCode.RATE_LIMITED, Retry.LATER),
}


class ConnectorError(Exception):
    """Base of what the connector raises."""

    code = ErrorCode.UNKNOWN
    retry = Retry.LATER


class CallFailed(ConnectorError):
    """A call to an app did not give an answer to work with."""

    def __init__(
        self, meaning: Meaning, detail: str, *, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{meaning.name.lower()}: {detail}")
        self.meaning = meaning
        self.detail = detail
        """For the log: never a vendor's wording, never a value of a contact."""
        self.retry_after_s = retry_after_s
        self.code, self.retry = _CODES[meaning]


class UnknownApp(ConnectorError):
    """No app of this name is in the catalogue."""

    code = ErrorCode.UNKNOWN_APP
    retry = Retry.NEVER

    def __init__(self, app: str) -> None:
        super().__init__(f"there is no app {app!r}")
        self.app = app


class Fenced(ConnectorError):
    """The account is leased to somebody else by now: what we hold of it is old."""


class BadMessage(ConnectorError):
    """A message asks for what its contract does not allow."""

    code = ErrorCode.MALFORMED
    retry = Retry.NEVER
