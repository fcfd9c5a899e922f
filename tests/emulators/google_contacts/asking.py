"""What reads and writes of people ask for: which fields, from which sources."""

from typing import Final
from urllib.parse import parse_qsl

from tests.emulators.core.http import Call
from tests.emulators.google_contacts import problems, shapes, views

WRITE: Final = "https://www.googleapis.com/auth/contacts"
READ: Final = f"{WRITE}.readonly"
EMAIL: Final = "https://www.googleapis.com/auth/userinfo.email"
SOURCES: Final = (views.PROFILE, views.CONTACT)


def asked_of(call: Call) -> tuple[list[str], list[str]]:
    """Return the fields and sources that a query names; fields have to be named."""
    query = call.query()
    return fields_of(query.get("personFields", "")), sources_of(all_of(call, "sources"))


def fields_of(text: str) -> list[str]:
    """Return the fields of a mask, or refuse it."""
    try:
        return shapes.mask(text, shapes.READABLE, of="personFields")
    except problems.Refused as refused:
        raise problems.refusal(refused) from refused


def sources_of(names: list[str]) -> list[str]:
    """Return the sources to read from; without a wish all are."""
    if not set(names) <= set(SOURCES):
        raise problems.bad("Invalid value at 'sources'")
    return names or list(SOURCES)


def all_of(call: Call, name: str) -> list[str]:
    """Return every value of a parameter that may be repeated."""
    pairs = parse_qsl(call.query_text, keep_blank_values=True)
    return [text for key, text in pairs if key == name]
