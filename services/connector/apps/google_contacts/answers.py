"""What the vendor's errors mean. Its wording is looked at nowhere."""

from collections.abc import Mapping
from typing import Final

from proto import codec
from proto.errors import ErrorCode
from proto.ids import FieldId
from services.connector import vendors
from services.connector.apps.google_contacts import wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Missing, Moved, Refused

NOT_FOUND: Final = 5
FAILED_PRECONDITION: Final = 9
"""Codes of ``google.rpc.Code``, as entries of a batch have them."""
MOVED: Final = "FAILED_PRECONDITION"
MINUTE_S: Final = 60.0
"""Quotas are by the minute, and ``Retry-After`` is not always sent."""
_QUOTA_REASONS: Final = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}
)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    if status == 429:
        return _too_many(answer)
    if failed := vendors.meaning_of_server(status):
        return failed
    # Below 500 the vendor always answers in its own form. Anything else is the word of
    # something in between, and says nothing about us or about a contact.
    error = error_of(answer)
    if error is None:
        detail = f"status {status} without an error of the app"
        return CallFailed(Meaning.BROKEN, detail)
    reasons = {one.reason for one in error.details}
    is_quota = error.status == "RESOURCE_EXHAUSTED" or bool(reasons & _QUOTA_REASONS)
    if status == 403 and is_quota:
        return _too_many(answer)
    return vendors.meaning_of_word(status)


def error_of(answer: Answer) -> wire.Error | None:
    """Return the error of an answer; None if it does not look like the vendor's."""
    try:
        return codec.decode(answer.body, wire.Problem).error
    except codec.Undecodable:
        return None


def own_error(answer: Answer) -> wire.Error:
    """Return the error of an answer.

    Raises:
        CallFailed: It is not the vendor's, so that nothing may be concluded from it.
    """
    error = error_of(answer)
    if error is None:
        raise meaning_of(answer)
    return error


def errors_of_batch(answer: Answer) -> Mapping[str, int]:
    """Return because of whom nothing of a batch was done, and by which code.

    Raises:
        CallFailed: Nobody is named, so that it was refused as a whole.
    """
    for detail in own_error(answer).details:
        if detail.contact_errors:
            return {name: one.code for name, one in detail.contact_errors.items()}
    raise CallFailed(Meaning.REFUSED, "a batch that is refused as a whole")


def not_written(
    code: int, *, field_id: FieldId | None = None
) -> Moved | Missing | Refused:
    """Return what became of one of a batch."""
    if code == FAILED_PRECONDITION:
        return Moved()
    if code == NOT_FOUND:
        return Missing()
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)


def _too_many(answer: Answer) -> CallFailed:
    # What the header says is heeded where it is.
    wait_s = None if "retry-after" in answer.headers else MINUTE_S
    return CallFailed(Meaning.RATE_LIMITED, "too many calls", retry_after_s=wait_s)
