"""What the vendor's errors mean. The form of their bodies is not documented."""

import re

from proto import codec
from proto.errors import ErrorCode
from services.connector import vendors
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

WINDOW_S = 60.0
"""The limit is counted by the minute."""
WAIT_S_MIN = 1.0
_EPOCH_S_MIN = 1e9
_EPOCH_MS_MIN = 1e12
_FIGURES = re.compile(r"\d{1,15}", re.ASCII)
_BODY_BYTES_MAX = 64 * 1024


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    detail = f"status {status}"
    if status == 429:
        return CallFailed(
            Meaning.RATE_LIMITED, "too many calls", retry_after_s=_reset_s(answer)
        )
    if failed := vendors.meaning_of_server(status):
        return failed
    if not is_vendors(answer):
        return CallFailed(Meaning.BROKEN, f"{detail} with a page")
    return vendors.meaning_of_word(status)


def is_vendors(answer: Answer) -> bool:
    """Tell the vendor's word from a page of something in between.

    Nothing in the body is relied on but that it is an object, or empty.
    """
    if not answer.body.strip():
        return True
    try:
        codec.decode(answer.body, dict[str, object], bytes_max=_BODY_BYTES_MAX)
    except codec.Undecodable:
        return False
    return True


def refusal(answer: Answer) -> Refused:
    """Return that a contact was not taken; which property is at fault is not told.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    if not is_vendors(answer):
        raise meaning_of(answer)
    return Refused(code=ErrorCode.VALUE_REFUSED)


def check_gone(answer: Answer) -> None:
    """Refuse to believe a 404 that is not the vendor's own.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    if not is_vendors(answer):
        raise meaning_of(answer)


def _reset_s(answer: Answer) -> float | None:
    """Return how long to wait; None leaves it to a ``Retry-After``, or to us.

    Sources differ on what ``X-RateLimit-Reset`` counts: milliseconds until the reset,
    or the epoch's seconds or milliseconds. The figure itself tells which.
    """
    text = answer.headers.get("x-ratelimit-reset", "").strip()
    if not _FIGURES.fullmatch(text):
        return None
    reset = float(text)
    if reset < _EPOCH_S_MIN:
        wait_s = reset / 1000
    else:
        now = vendors.clock_of(answer.headers)
        if now is None:
            return None
        at_s = reset / 1000 if reset >= _EPOCH_MS_MIN else reset
        wait_s = at_s - now.timestamp()
    return min(max(wait_s, WAIT_S_MIN), WINDOW_S)
