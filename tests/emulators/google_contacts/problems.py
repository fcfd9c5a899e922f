"""Errors in the vendor's one form: a code, a status of its own, and details."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.emulators.core.http import Refusal, Reply, json_reply

TYPES: Final = "type.googleapis.com"
_STATUSES: Final = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    403: ("PERMISSION_DENIED", "Request had insufficient authentication scopes."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    405: ("UNIMPLEMENTED", "Method not found."),
    409: ("ALREADY_EXISTS", "Contact group name already exists."),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    500: ("INTERNAL", "Internal error encountered."),
    503: ("UNAVAILABLE", "The service is currently unavailable."),
}
CODES: Final = {
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "FAILED_PRECONDITION": 9,
}
"""What a status is called inside of a batch's errors."""
ETAG_MOVED: Final = (
    "Request person.etag is different than the current person.etag. Clear local cache"
    " and get the latest person."
)


class Refused(Exception):
    """One contact of a call is not taken: a word of the vendor's, and a sentence."""

    def __init__(self, message: str, *, status: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def as_status(self) -> dict[str, Any]:
        """Return it as the entry of a batch."""
        return {"code": CODES[self.status], "message": self.message}


def reply(
    http: int,
    *,
    status: str = "",
    message: str = "",
    details: Sequence[Mapping[str, Any]] = (),
    headers: tuple[tuple[str, str], ...] = (),
) -> Reply:
    """Answer a call with an error."""
    known = _STATUSES.get(http, _STATUSES[400 if http < 500 else 500])
    error: dict[str, Any] = {
        "code": http,
        "message": message or known[1],
        "status": status or known[0],
    }
    if details:
        error["details"] = details
    return json_reply({"error": error}, http)._replace(headers=headers)


def plain(http: int) -> Reply:
    """Answer with a status and general words for it."""
    if http == 415:
        return reply(400, message="Invalid JSON payload received.")
    if http == 403:
        return reply(403, details=[info("ACCESS_TOKEN_SCOPE_INSUFFICIENT")])
    return reply(http)


def info(reason: str, **metadata: str) -> dict[str, Any]:
    """Return the detail that tells a machine why."""
    return {
        "@type": f"{TYPES}/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "people.googleapis.com", **metadata},
    }


def refusal(refused: Refused) -> Refusal:
    """Refuse a whole call for the reason of one contact."""
    http = 404 if refused.status == "NOT_FOUND" else 400
    return Refusal(reply(http, status=refused.status, message=refused.message))


def refusal_of_group(refused: Refused) -> Refusal:
    """Refuse a group: its name is taken, or is none."""
    http = 409 if refused.status == "ALREADY_EXISTS" else 400
    return Refusal(reply(http, status=refused.status, message=refused.message))


def bad(message: str) -> Refusal:
    """Refuse a parameter or a body."""
    return Refusal(reply(400, message=message))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return bad(f"Invalid JSON payload received. {why}")


def missing() -> Refusal:
    """Refuse because there is no such thing."""
    return Refusal(plain(404))


def expired() -> Refusal:
    """Refuse a sync token that is older than a week."""
    message = "Sync token is expired. Clear local cache and retry without it."
    return Refusal(reply(400, message=message, details=[info("EXPIRED_SYNC_TOKEN")]))


def batch(kind: str, errors: Mapping[str, Refused]) -> Refusal:
    """Refuse a batch, of which nothing is done, with why for each that is at fault."""
    detail = {
        "@type": f"{TYPES}/google.people.v1.{kind}ErrorDetails",
        "contactErrors": {name: one.as_status() for name, one in errors.items()},
    }
    return Refusal(reply(400, details=[detail]))
