"""Errors: a message alone, or a list that points at attributes."""

from tests.emulators.core.http import Refusal, Reply, json_reply

_PLAIN = {
    402: "The account has been disabled.",
    403: "You are not authorized to access this file",
    404: "Not Found",
    405: "Method Not Allowed",
    429: "Rate limit exceeded.",
}


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    return json_reply({"message": _PLAIN.get(status, "Something went wrong.")}, status)


def forbidden() -> Reply:
    """Answer that somebody who is known may not do this."""
    error = {
        "status": 403,
        "title": "Forbidden",
        "detail": "You do not have permission to do this.",
    }
    return json_reply({"errors": [error]}, 403)


def missing(kind: str, number: object) -> Refusal:
    """Refuse because there is nothing with this id."""
    text = f"No Result found for {kind} with id {number}"
    return Refusal(json_reply({"message": text}, 404))


def invalid(title: str, *, attribute: str, code: str = "") -> Refusal:
    """Refuse an attribute."""
    error = {
        "title": title,
        "detail": "",
        "code": code,
        "source": {"pointer": f"/data/attributes/{attribute}"},
    }
    return Refusal(json_reply({"errors": [error]}, 422))


def duplicate() -> Refusal:
    """Refuse a second contact with an address."""
    title = "Email address already exists in the system"
    return invalid(title, attribute="email", code="duplicate")


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return Refusal(json_reply({"message": why}, 400))
