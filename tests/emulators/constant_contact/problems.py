"""Errors as the vendor words them: an array for resources, an object at the door."""

from tests.emulators.core.http import Refusal, Reply, json_reply

UNAUTHORIZED = json_reply(
    {"error_key": "unauthorized", "error_message": "Unauthorized"}, 401
)
THROTTLED = json_reply(
    {"error_key": "throttled", "error_message": "Too Many Requests"}, 429
)
QUOTA_EXCEEDED = json_reply(
    {"error_key": "quota_exceeded", "error_message": "Limit Exceeded"}, 429
)

_PLAIN = {
    400: ("contacts.api.validation.error", "Bad request."),
    403: ("contacts.api.forbidden", "Forbidden request."),
    404: ("contacts.api.not_found", "The requested resource was not found."),
    405: ("contacts.api.method_not_allowed", "Unsupported method used."),
    409: ("contacts.api.conflict", "Concurrent update of the same resource."),
    415: ("contacts.api.unsupported_media_type", "Unsupported Media Type."),
    500: ("contacts.api.internal_error", "There was a problem with our service."),
    503: ("contacts.api.unavailable", "The service is temporarily unavailable."),
}


def plain(status: int) -> Reply:
    """Answer with a status and the vendor's general words for it."""
    if status == 401:
        return UNAUTHORIZED
    if status == 429:
        return THROTTLED
    key, message = _PLAIN.get(status, _PLAIN[400 if status < 500 else 500])
    return _problem(status, key, message)


def invalid(message: str) -> Refusal:
    """Refuse what was sent."""
    return Refusal(_problem(400, "contacts.api.validation.error", message))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return invalid(f"Bad request: {why}")


def missing(message: str = "The requested resource was not found.") -> Refusal:
    """Refuse because the resource is not there."""
    return Refusal(_problem(404, "contacts.api.not_found", message))


def conflict(message: str) -> Refusal:
    """Refuse because it clashes with what is there."""
    return Refusal(_problem(409, "contacts.api.conflict", message))


def email_taken(contact_id: str) -> Refusal:
    """Refuse an address that a contact has already, deleted or not."""
    return conflict(f"Validation failed: Email already exists for contact {contact_id}")


def _problem(status: int, key: str, message: str) -> Reply:
    return json_reply([{"error_key": key, "error_message": message}], status)
