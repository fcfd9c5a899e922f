"""Errors, as `application/problem+json`, in the words that users of the API quote."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from tests.emulators.core.http import Refusal, Reply

GLOSSARY = "https://mailchimp.com/developer/marketing/docs/errors/"
INSTANCE = "00000000-0000-4000-8000-000000000000"
_PLAIN = {
    400: ("Bad Request", "The request is not valid."),
    403: ("Forbidden", "The client may not do this."),
    404: ("Resource Not Found", "The requested resource could not be found."),
    405: ("Method Not Allowed", "The resource has no such method."),
    415: ("Unsupported Media Type", "The body has to be JSON."),
    429: ("Too Many Requests", "There are too many connections at once."),
    500: ("Internal Server Error", "Something went wrong."),
    503: ("Service Unavailable", "The service is not available."),
}
_STRANGER = (
    "API Key Invalid",
    "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
)


class Fault(NamedTuple):
    """What is wrong with one field."""

    field: str
    message: str


class Denied(Exception):
    """A member is not taken; a batch tells of it beside the others.

    Args:
        code: What a batch calls it.
    """

    def __init__(
        self,
        title: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        code: str = "ERROR_GENERIC",
    ) -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.faults = tuple(faults)
        self.code = code

    def refusal(self) -> Refusal:
        """Return it as the answer to a call that was about this member alone."""
        return Refusal(problem(400, self.title, self.detail, faults=self.faults))


def plain(status: int) -> Reply:
    """Answer with a status and general words for it."""
    if status == 401:
        return problem(401, *_STRANGER)
    title, detail = _PLAIN.get(status, _PLAIN[400 if status < 500 else 500])
    return problem(status, title, detail)


def problem(
    status: int, title: str, detail: str, *, faults: Sequence[Fault] = ()
) -> Reply:
    """Answer with an error."""
    body: dict[str, object] = {
        "type": GLOSSARY,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": INSTANCE,
    }
    if faults:
        body["errors"] = [fault._asdict() for fault in faults]
    return Reply(status, msgspec.json.encode(body), "application/problem+json")


def invalid(detail: str, *faults: Fault) -> Refusal:
    """Refuse what was sent."""
    return Refusal(problem(400, "Invalid Resource", detail, faults=faults))


def unreadable(why: str) -> Refusal:
    """Refuse a body for what is wrong with it."""
    return Refusal(problem(400, "JSON Parse Error", why))


def missing() -> Refusal:
    """Refuse because the resource is not there."""
    return Refusal(plain(404))
