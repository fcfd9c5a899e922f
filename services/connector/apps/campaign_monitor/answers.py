"""What the vendor's errors mean: nearly all have status 400, and a number of their own.

The numbers are those of the reference (campaignmonitor.com/api/v3-3, read 2026-08).
"""

from typing import Final

from proto import codec
from proto.errors import ErrorCode
from services.connector import vendors
from services.connector.apps.campaign_monitor import fields, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import ANSWER_BYTES_MAX, Answer, Refused

INVALID_EMAIL: Final = 1
TAKEN: Final = 201
NOT_IN_LIST: Final = 203
SUPPRESSED: Final = 204
DELETED: Final = 205
THERE: Final = frozenset({TAKEN, 206, 207, 208})
"""On the list already: active, unsubscribed, bounced or unconfirmed."""
DONE_IN_PART: Final = 210
INVALID_NEW_EMAIL: Final = 211
BEYOND_THE_END: Final = 800
_BAD_CREDENTIALS: Final = frozenset({100, 120, 121, 122})


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    detail = f"status {status}"
    if status == 429:
        return CallFailed(Meaning.RATE_LIMITED, "too many calls")
    if failed := vendors.meaning_of_server(status):
        return failed
    problem = problem_of(answer)
    if problem is None:
        return CallFailed(Meaning.BROKEN, f"{detail} without an error of the app")
    if status == 401 and problem.code not in _BAD_CREDENTIALS:
        # What is somebody else's, or what the scopes do not allow.
        return CallFailed(Meaning.FORBIDDEN, f"{detail}, error {problem.code}")
    return vendors.meaning_of_word(status)


def problem_of(answer: Answer) -> wire.Problem | None:
    """Return the error of an answer; None if it does not look like the vendor's."""
    try:
        return codec.decode(answer.body, wire.Problem, bytes_max=ANSWER_BYTES_MAX)
    except codec.Undecodable:
        return None


def code_of(answer: Answer) -> int:
    """Return the number of an error that an operation deals with.

    Raises:
        CallFailed: It is not the vendor's error.
    """
    problem = problem_of(answer)
    if problem is None:
        raise meaning_of(answer)
    return problem.code


def refusal(code: int) -> Refused:
    """Return why somebody was not taken, with the field where it is known."""
    if code == TAKEN:
        return Refused(code=ErrorCode.ALREADY_EXISTS, field_id=fields.EMAIL)
    if code in (INVALID_EMAIL, INVALID_NEW_EMAIL):
        return Refused(code=ErrorCode.VALUE_REFUSED, field_id=fields.EMAIL)
    if code in (SUPPRESSED, DELETED) or code in THERE:
        # Only by subscribing them anew, which is not ours to do.
        return Refused(code=ErrorCode.APP_REFUSED)
    return Refused(code=ErrorCode.VALUE_REFUSED)
