"""Errors: one form for all, with words for people."""

from tests.emulators.core.http import Refusal, Reply, json_reply

_WORDS = {
    400: "Bad request",
    401: "unauthorized access",
    403: "Scope and URL mismatch",
    404: "Person not found",
    405: "Method not allowed",
    415: "Unsupported media type",
    429: "request over limit",
    500: "Internal server error",
    503: "Service unavailable",
}


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    words = _WORDS.get(status, _WORDS[400 if status < 500 else 500])
    return problem(status, words)


def problem(status: int, words: str) -> Reply:
    """Return an error."""
    body = {
        "success": False,
        "error": words,
        "error_info": "Please check developers.pipedrive.com",
        "data": None,
    }
    return json_reply(body, status)


def invalid(words: str) -> Refusal:
    """Refuse what was sent."""
    return Refusal(problem(400, words))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return invalid(f"Parameter validation failed: {why}")


def missing() -> Refusal:
    """Refuse because there is no such person."""
    return Refusal(plain(404))
