"""What the vendor's errors mean. Its wording is not looked at."""

import re
from typing import Final

from proto import codec
from proto.errors import ErrorCode
from services.connector import vendors
from services.connector.apps.pipedrive import wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

BANNED_S: Final = 60.0
"""Who goes on calling after many 429s gets a page with 403 from in front of the API."""
WINDOW_S: Final = 2.0
REFUSED: Final = Refused(code=ErrorCode.VALUE_REFUSED)
_FIGURES = re.compile(r"\d{1,9}\Z", re.ASCII)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    if status == 429:
        return _too_many(answer)
    if failed := vendors.meaning_of_server(status):
        return failed
    if is_vendors(answer):
        return vendors.meaning_of_word(status)
    if status == 403:
        return CallFailed(
            Meaning.RATE_LIMITED, "kept out for a while", retry_after_s=BANNED_S
        )
    return CallFailed(Meaning.BROKEN, f"status {status} without an error of the app")


def is_vendors(answer: Answer) -> bool:
    """Tell the vendor's word from a page of something in between."""
    try:
        return not codec.decode(answer.body, wire.Problem).success
    except codec.Undecodable:
        return False


def check_vendors(answer: Answer) -> None:
    """Refuse to believe an error that is not the vendor's own.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    if not is_vendors(answer):
        raise meaning_of(answer)


def _too_many(answer: Answer) -> CallFailed:
    """Tell a day without tokens left from too many calls within two seconds."""
    if answer.headers.get("x-daily-requests-left", "").strip() == "0":
        return CallFailed(Meaning.QUOTA_EXHAUSTED, "no tokens left today")
    text = answer.headers.get("x-ratelimit-reset", "").strip()
    wait_s = float(text) if _FIGURES.match(text) else WINDOW_S
    return CallFailed(
        Meaning.RATE_LIMITED, "too many calls", retry_after_s=max(wait_s, 1.0)
    )
