"""Errors as the vendor words them: one body for a call, one for an input of a batch."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.emulators.core.http import Refusal, Reply, json_reply

_PLAIN = {
    400: ("VALIDATION_ERROR", "Invalid input"),
    401: ("INVALID_AUTHENTICATION", "Authentication credentials not found."),
    403: ("MISSING_SCOPES", "This app has not been granted all required scopes."),
    404: ("OBJECT_NOT_FOUND", "Object not found."),
    405: ("METHOD_NOT_ALLOWED", "Method not allowed."),
    409: ("CONFLICT", "The resource is in conflict."),
    415: ("INVALID_CONTENT_TYPE", "Unsupported media type."),
    423: ("LOCKED", "The resource is locked."),
    477: ("MIGRATION_IN_PROGRESS", "The account is being moved."),
    500: ("INTERNAL_ERROR", "internal error"),
    503: ("SERVICE_UNAVAILABLE", "The service is temporarily unavailable."),
}


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was not done; the same for a call and for an input of a batch."""

    status: int
    category: str
    message: str
    details: tuple[dict[str, Any], ...] = ()


class Refused(Exception):
    """Nothing was done, for a reason that is answered or put into a batch's errors."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.category)
        self.fault = fault


def reply_of(fault: Fault) -> Reply:
    """Answer a whole call with a fault."""
    body: dict[str, Any] = {
        "status": "error",
        "message": fault.message,
        "correlationId": str(uuid.uuid4()),
        "category": fault.category,
    }
    if fault.details:
        body["errors"] = fault.details
    return json_reply(body, fault.status)


def entry_of(fault: Fault, context: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a fault as one of a batch's errors."""
    return {
        "status": "error",
        "category": fault.category,
        "message": fault.message,
        "context": context,
        "errors": fault.details,
        "links": {},
    }


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    if status == 429:
        return limited("TEN_SECONDLY_ROLLING")
    category, message = _PLAIN.get(status, _PLAIN[400 if status < 500 else 500])
    return reply_of(Fault(status=status, category=category, message=message))


def limited(policy: str) -> Reply:
    """Answer that there were too many calls, and by which policy."""
    body = {
        "status": "error",
        "message": f"You have reached your {policy.lower()} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
    }
    return json_reply(body, 429)


def bad(message: str) -> Refusal:
    """Refuse a body or a parameter as such."""
    fault = Fault(status=400, category="VALIDATION_ERROR", message=message)
    return Refusal(reply_of(fault))


def not_there(message: str) -> Refusal:
    """Refuse because there is nothing at a path."""
    fault = Fault(status=404, category="OBJECT_NOT_FOUND", message=message)
    return Refusal(reply_of(fault))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return bad(f"Invalid input JSON: {why}")


def missing() -> Refused:
    """Refuse because there is no such contact."""
    return Refused(
        Fault(status=404, category="OBJECT_NOT_FOUND", message="Object not found.")
    )


def taken(contact_id: str) -> Refused:
    """Refuse an address that a contact has already."""
    message = f"Contact already exists. Existing ID: {contact_id}"
    return Refused(Fault(status=409, category="CONFLICT", message=message))


def invalid(name: str, code: str, message: str) -> Refused:
    """Refuse the value of a property."""
    detail = {"message": message, "code": code, "context": {"propertyName": [name]}}
    told = [{"isValid": False, "message": message, "error": code, "name": name}]
    words = f"Property values were not valid: {msgspec.json.encode(told).decode()}"
    fault = Fault(
        status=400, category="VALIDATION_ERROR", message=words, details=(detail,)
    )
    return Refused(fault)
