"""What the vendor's errors mean. Its wording is looked at here and goes no further."""

from typing import Final

from proto import codec
from proto.errors import ErrorCode
from proto.ids import FieldId
from services.connector import vendors
from services.connector.apps.activecampaign import fields, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

UNPAID: Final = 402
SECOND_S: Final = 1.0
DUPLICATE: Final = "duplicate"
TAKEN: Final = Refused(code=ErrorCode.ALREADY_EXISTS, field_id=fields.EMAIL)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    if status == 429:
        has_time = "retry-after" in answer.headers
        wait_s = None if has_time else SECOND_S
        return CallFailed(Meaning.RATE_LIMITED, "too many calls", retry_after_s=wait_s)
    if failed := vendors.meaning_of_server(status):
        return failed
    problem = problem_of(answer)
    if problem is None:
        detail = f"status {status} without an error of the app"
        return CallFailed(Meaning.BROKEN, detail)
    if status == UNPAID:
        return CallFailed(Meaning.FORBIDDEN, "the account is not paid for")
    if status == 403 and not problem.errors:
        # One status says both that a key is none and that its user may not; only the
        # latter comes with reasons.
        return CallFailed(Meaning.UNAUTHORISED, "the key is refused")
    return vendors.meaning_of_word(status)


def problem_of(answer: Answer) -> wire.Problem | None:
    """Return the error of an answer; None if it does not look like the vendor's."""
    try:
        found = codec.decode(answer.body, wire.Problem)
    except codec.Undecodable:
        return None
    return found if found.message or found.errors else None


def checked(answer: Answer) -> wire.Problem:
    """Return the error of an answer.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    problem = problem_of(answer)
    if problem is None:
        raise meaning_of(answer)
    return problem


def is_duplicate(problem: wire.Problem) -> bool:
    """Say whether an address is another contact's."""
    return any(one.code == DUPLICATE for one in problem.errors)


def refusal(problem: wire.Problem) -> Refused:
    """Return why a contact was not taken, with the field if only one is named."""
    if is_duplicate(problem):
        return TAKEN
    named: set[FieldId] = set()
    for one in problem.errors:
        name = FieldId(one.source.pointer.rpartition("/")[2])
        if name in fields.STANDARD:
            named.add(name)
    field_id = named.pop() if len(named) == 1 else None
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
