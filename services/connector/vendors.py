"""What is alike at most vendors, for apps to build on: cursors, errors, times, emails.

An app that differs writes its own; what is here decides nothing an app could not.
"""

import datetime
import email.utils
import enum
import hmac
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from proto import codec
from services.connector.errors import CallFailed, Meaning

P = TypeVar("P", bound="Progress")
FEW_PAGES: Final = 10
"""So many may be read in every pass, only to find out; what takes more, the more seldom
the more it takes."""
_STAMP_DIGITS_MAX: Final = 14
"""Milliseconds until the year 5138."""


class Progress(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """How far a pass has come; an app adds what it needs to go on."""


def encode_cursor(progress: Progress) -> str:
    """Return the text of a cursor, as the poller keeps it between two pages."""
    return codec.encode(progress).decode()


def decode_cursor(
    cursor: str, kind: type[P], *, stage: enum.StrEnum | None = None
) -> P:
    """Return what a cursor's text says, where a stage is given of that one alone.

    Raises:
        CallFailed: It is not one of ours; only a complete scan goes on from there.
    """
    try:
        progress = codec.decode(cursor.encode(), kind)
        values = [getattr(progress, name) for name in kind.__struct_fields__]
        moments = [one for one in values if isinstance(one, datetime.datetime)]
        is_placed = all(one.tzinfo and write_moment(one) for one in moments)
    except (codec.Undecodable, OverflowError) as err:
        # An end of time, where some zones have no place in UTC, is none of ours either.
        raise CallFailed(Meaning.CURSOR_EXPIRED, "unreadable cursor") from err
    if not is_placed:
        raise CallFailed(Meaning.CURSOR_EXPIRED, "a cursor of no time")
    if stage is not None and not any(one is stage for one in values):
        raise CallFailed(Meaning.CURSOR_EXPIRED, f"not a cursor of {stage}")
    return progress


def meaning_of_server(status: int) -> CallFailed | None:
    """Say what a status means that no body is needed for; None: it depends on one.

    After a 5xx or a 408 a write may have been applied; only a 503 says that it was not.
    """
    detail = f"status {status}"
    if status == 503:
        return CallFailed(Meaning.UNAVAILABLE, detail)
    if status >= 500 or status == 408:
        return CallFailed(Meaning.NO_ANSWER, detail)
    return None


def meaning_of_word(status: int) -> CallFailed:
    """Say what a status below 500 means once its body was found to be the vendor's."""
    detail = f"status {status}"
    match status:
        case 401:
            return CallFailed(Meaning.UNAUTHORISED, detail)
        case 403:
            return CallFailed(Meaning.FORBIDDEN, detail)
        case 404:
            return CallFailed(
                Meaning.BROKEN, f"{detail} where there is always an answer"
            )
    return CallFailed(Meaning.REFUSED, detail)


def read_moment(text: str | None) -> datetime.datetime | None:
    """Return a moment in UTC from ISO 8601; None if it cannot be read or placed."""
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is datetime.UTC:
            return moment
        return moment.astimezone(datetime.UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def write_moment(moment: datetime.datetime, *, timespec: str = "seconds") -> str:
    """Return a moment as ISO 8601 in UTC, with a ``Z``.

    Raises:
        OverflowError: It is at an end of time, where it has no place in UTC.
    """
    text = moment.astimezone(datetime.UTC).isoformat(timespec=timespec)
    return text.replace("+00:00", "Z")


def clock_of(headers: Mapping[str, str]) -> datetime.datetime | None:
    """Return the vendor's clock from an answer's headers."""
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("date", ""))
        return moment.astimezone(datetime.UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def email_key(email: str) -> str:
    """Return an email in the form in which it is compared."""
    return email.strip().casefold()


def sign(secret: bytes, text: bytes, *, algorithm: str = "sha256") -> bytes:
    """Return the HMAC that a vendor signs a push with."""
    return hmac.digest(secret, text, algorithm)


def is_same(told: str, signed: str) -> bool:
    """Compare what a stranger tells with what it should be, in constant time."""
    # Headers may hold what is no text; none of that is a signature.
    return hmac.compare_digest(told.encode(errors="replace"), signed.encode())


def read_stamp(text: str, *, per_second: int = 1) -> datetime.datetime | None:
    """Return the moment of a Unix time in digits; None where it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _STAMP_DIGITS_MAX):
        return None
    try:
        return datetime.datetime.fromtimestamp(int(text) / per_second, datetime.UTC)
    except (ValueError, OverflowError):
        return None
