"""Errors: an OAuth one at the door, and the same form everywhere else.

The first is known from a live client. No other body is documented.
"""

from tests.emulators.core.http import Refusal, Reply, json_reply

_PLAIN = {
    400: ("invalid_request", "The request is not valid."),
    403: ("access_denied", "The client may not do this."),
    404: ("not_found", "There is no such resource."),
    405: ("method_not_allowed", "The resource has no such method."),
    415: ("unsupported_media_type", "The body has to be JSON."),
    429: ("too_many_requests", "There were too many requests."),
    500: ("server_error", "Something went wrong."),
    503: ("unavailable", "The service is not available."),
}


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    if status == 401:
        return invalid_token("")
    word, text = _PLAIN.get(status, _PLAIN[400 if status < 500 else 500])
    return _problem(status, word, text)


def invalid_token(token: str) -> Reply:
    """Answer that a token is none, or has expired."""
    text = f"Invalid access token: {token}" if token else "Full authentication required"
    return _problem(401, "invalid_token" if token else "unauthorized", text)


def invalid(text: str) -> Refusal:
    """Refuse what was sent."""
    return Refusal(_problem(400, "invalid_request", text))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return invalid(f"Bad request: {why}")


def missing() -> Refusal:
    """Refuse because the resource is not there."""
    return Refusal(plain(404))


def _problem(status: int, word: str, text: str) -> Reply:
    return json_reply({"error": word, "error_description": text}, status)
