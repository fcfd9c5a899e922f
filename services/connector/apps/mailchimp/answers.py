"""What the vendor's errors mean. Its wording is looked at here and goes no further."""

import re
from typing import Final

from proto import codec
from proto.errors import ErrorCode
from proto.ids import FieldId
from services.connector import vendors
from services.connector.apps.mailchimp import fields, wire
from services.connector.apps.mailchimp.audiences import MemberFields
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

MEMBER_EXISTS: Final = "Member Exists"
COMPLIANCE: Final = "Member In Compliance State"
FORGOTTEN: Final = "Forgotten Email Not Subscribed"
EXISTS_CODE: Final = "ERROR_CONTACT_EXISTS"
BUSY_WAIT_S: Final = 5.0
"""Ten connections at once are too many; no answer says for how long."""
_STATE = re.compile(r"compliance state|permanently deleted|re-?imported", re.IGNORECASE)
_ADDRESS = re.compile(r"fake or invalid|valid email", re.IGNORECASE)
_STATES: Final = Refused(code=ErrorCode.APP_REFUSED, field_id=fields.EMAIL)
"""The address may not be mailed, or was forgotten for ever."""
TAKEN: Final = Refused(code=ErrorCode.ALREADY_EXISTS, field_id=fields.EMAIL)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    if failed := vendors.meaning_of_server(answer.status):
        return failed
    is_told = problem_of(answer) is not None
    # Without a word of the vendor's, a 403 is what stands before it and counts
    # connections.
    if answer.status == 429 or (answer.status == 403 and not is_told):
        return CallFailed(
            Meaning.RATE_LIMITED, "too many at once", retry_after_s=BUSY_WAIT_S
        )
    if not is_told:
        detail = f"status {answer.status} without an error of the app"
        return CallFailed(Meaning.BROKEN, detail)
    return vendors.meaning_of_word(answer.status)


def problem_of(answer: Answer) -> wire.Problem | None:
    """Return the error of an answer; None if it does not look like the vendor's."""
    try:
        return codec.decode(answer.body, wire.Problem)
    except codec.Undecodable:
        return None


def checked(answer: Answer) -> wire.Problem:
    """Return the error of an answer.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    problem = problem_of(answer)
    if problem is None:
        raise meaning_of(answer)
    return problem


def refusal(problem: wire.Problem, known: MemberFields) -> Refused:
    """Return why a member was not taken, with the field if only one is named."""
    if problem.title == MEMBER_EXISTS:
        return TAKEN
    if problem.title in (COMPLIANCE, FORGOTTEN) or _STATE.search(problem.detail):
        return _STATES
    names = [one.field for one in problem.errors if one.field]
    return _value(problem.detail, names=names, known=known)


def refusal_in_batch(error: wire.BatchError, known: MemberFields) -> Refused:
    """Return why one of a batch was not taken."""
    if _STATE.search(error.error):
        return _STATES
    return _value(error.error, names=[error.field] if error.field else [], known=known)


def _value(text: str, *, names: list[str], known: MemberFields) -> Refused:
    by_tag = {tag: field_id for field_id, tag, _ in known.kinds}
    by_tag["email_address"] = fields.EMAIL
    found: set[FieldId] = {
        by_tag[tag]
        for name in names
        if (tag := name.removeprefix("merge_fields.")) in by_tag
    }
    if not found and _ADDRESS.search(text):
        found.add(fields.EMAIL)
    field_id = found.pop() if len(found) == 1 else None
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
