"""What the vendor's errors mean. Its wording is looked at here and goes no further."""

import re
from collections.abc import Mapping
from typing import Final

from proto import codec
from proto.errors import ErrorCode
from proto.ids import FieldId, RecordId
from services.connector import vendors
from services.connector.apps.hubspot import fields, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Refused

# https://developers.hubspot.com/docs/api-reference/error-handling (seen 2026-11): 423
# is a record that is locked for a moment, 477 an account that is being moved.
LOCKED: Final = 423
MOVING: Final = 477
LOCKED_WAIT_S: Final = 2.0
SECOND_S: Final = 1.0
WINDOW_S: Final = 10.0
INTERVAL: Final = "x-hubspot-ratelimit-interval-milliseconds"
CONFLICT: Final = "CONFLICT"
NOT_FOUND: Final = "OBJECT_NOT_FOUND"
INVALID: Final = "VALIDATION_ERROR"
_EXISTING = re.compile(r"Existing ID: *(\d{1,19})", re.ASCII)
_NAMED = re.compile(r'"name" *: *"([a-z0-9_]+)"', re.ASCII)
_DIGITS = re.compile(r"\d{1,9}\Z", re.ASCII)


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means that no operation deals with itself."""
    status = answer.status
    detail = f"status {status}"
    if status == 429:
        return _too_many(answer)
    if status == LOCKED:
        return CallFailed(Meaning.UNAVAILABLE, detail, retry_after_s=LOCKED_WAIT_S)
    if status == MOVING:
        return CallFailed(Meaning.UNAVAILABLE, detail)
    if failed := vendors.meaning_of_server(status):
        return failed
    # Below 500 the vendor always answers with its own errors. Anything else is the
    # word of something in between, and says nothing about us or about a contact.
    if problem_of(answer) is None:
        return CallFailed(Meaning.BROKEN, f"{detail} without an error of the app")
    return vendors.meaning_of_word(status)


def problem_of(answer: Answer) -> wire.Problem | None:
    """Return the error of an answer; None if it does not look like the vendor's."""
    try:
        found = codec.decode(answer.body, wire.Problem)
    except codec.Undecodable:
        return None
    return found if found.category or found.correlation_id else None


def existing_id(problem: wire.Problem) -> RecordId | None:
    """Return the contact because of which there is a conflict: a sentence names it."""
    found = _EXISTING.search(problem.message)
    return RecordId(found[1]) if found else None


def refusal(problem: wire.Problem) -> Refused:
    """Return why a contact was not taken, with the field if only one is named."""
    named = set(_NAMED.findall(problem.message))
    for detail in problem.errors:
        named |= set(texts(detail.context, "propertyName"))
    found: set[FieldId] = {fields.field_of(name) for name in named}
    field_id = found.pop() if len(found) == 1 else None
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)


def texts(context: Mapping[str, object], name: str) -> list[str]:
    """Return what an error's context tells under a name."""
    found = context.get(name)
    return (
        [each for each in found if isinstance(each, str)]
        if (isinstance(found, list))
        else []
    )


def _too_many(answer: Answer) -> CallFailed:
    problem = problem_of(answer)
    policy = problem.policy_name if problem else ""
    if policy == "DAILY":
        return CallFailed(Meaning.QUOTA_EXHAUSTED, "no calls left today")
    wait_s = None
    if policy == "SECONDLY":
        wait_s = SECOND_S
    elif policy:
        text = answer.headers.get(INTERVAL, "")
        wait_s = int(text) / 1000 if _DIGITS.match(text) else WINDOW_S
    return CallFailed(Meaning.RATE_LIMITED, "too many calls", retry_after_s=wait_s)
