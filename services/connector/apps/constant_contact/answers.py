"""What the vendor's errors mean. Its wording is looked at here and goes no further."""

import datetime
import re

from proto import codec
from proto.errors import ErrorCode
from proto.ids import FieldId, RecordId
from services.connector import vendors
from services.connector.apps.constant_contact import custom, fields, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

THROTTLED_WAIT_S = 1.0
"""The rate is counted by the second, and the answer does not say how long to wait."""

_UUID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_FIELD_WORDS = (
    (re.compile(r"e-?mail"), fields.EMAIL),
    (re.compile(r"first[_ ]?name"), FieldId("first_name")),
    (re.compile(r"last[_ ]?name"), FieldId("last_name")),
    (re.compile(r"job[_ ]?title"), FieldId("job_title")),
    (re.compile(r"company[_ ]?name"), FieldId("company_name")),
    (re.compile(r"birthday"), fields.BIRTHDAY),
    (re.compile(r"anniversary"), fields.ANNIVERSARY),
    (re.compile(r"phone"), fields.PHONES),
    (re.compile(r"street|city|state\b|postal|country"), fields.ADDRESSES),
)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    found = problems(answer)
    keys = {problem.error_key for problem in found}
    detail = f"status {status}"
    if status == 429:
        return _too_many(answer, keys)
    if failed := vendors.meaning_of_server(status):
        return failed
    # Below 500 the vendor always answers with its own errors. Anything else is the
    # word of something in between, and says nothing about us or about a contact.
    if not found:
        return CallFailed(Meaning.BROKEN, f"{detail} without an error of the app")
    return vendors.meaning_of_word(status)


def is_too_many_calls(answer: Answer) -> bool:
    """Tell a 429 for all calls from one for activities that wait."""
    keys = {problem.error_key for problem in problems(answer)}
    return answer.status == 429 and bool(keys & {"throttled", "quota_exceeded"})


def _too_many(answer: Answer, keys: set[str]) -> CallFailed:
    if "quota_exceeded" not in keys:
        return CallFailed(
            Meaning.RATE_LIMITED, "too many calls", retry_after_s=THROTTLED_WAIT_S
        )
    wait_s = None
    if now := vendors.clock_of(answer.headers):
        tomorrow = (now + datetime.timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        wait_s = (tomorrow - now).total_seconds()
    return CallFailed(
        Meaning.QUOTA_EXHAUSTED, "no calls left today", retry_after_s=wait_s
    )


def problems(answer: Answer) -> tuple[wire.Problem, ...]:
    """Return the errors of an answer; none if it does not look like the vendor's."""
    try:
        return codec.decode(answer.body, tuple[wire.Problem, ...])
    except codec.Undecodable:
        pass
    try:
        return (codec.decode(answer.body, wire.Problem),)
    except codec.Undecodable:
        return ()


def is_no_such_contact(answer: Answer) -> bool:
    """Tell the vendor's own "not found" from somebody else's 404."""
    return any(problem.error_key.endswith("not_found") for problem in problems(answer))


def conflicting_id(answer: Answer) -> RecordId | None:
    """Return the contact that a 409 names: it is nowhere but in the sentence."""
    for problem in problems(answer):
        if found := _UUID.findall(problem.error_message):
            return RecordId(found[-1].lower())
    return None


def refusal(answer: Answer, definitions: custom.Definitions) -> Refused:
    """Return why a contact was not taken, with the field if only one is named.

    Raises:
        CallFailed: It was not the vendor who answered.
    """
    found = problems(answer)
    if not found:
        raise meaning_of(answer)
    text = " ".join(problem.error_message for problem in found)
    named = {field for pattern, field in _FIELD_WORDS if pattern.search(text.lower())}
    named |= {
        custom.field_id(definitions[number])
        for number in _UUID.findall(text)
        if number in definitions
    }
    field_id = named.pop() if len(named) == 1 else None
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)
