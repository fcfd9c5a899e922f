"""What writes ask for, and what becomes of values of custom fields."""

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tests.emulators.campaign_monitor import problems
from tests.emulators.campaign_monitor.book import Field

LENGTH_MAX: Final = 250
CONSENTS: Final = ("Yes", "No", "Unchanged")
DATES: Final = (datetime.date(1900, 1, 1), datetime.date(2076, 6, 6))
NO_DATE: Final = "0000-00-00"
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DAY = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)", re.ASCII)
Values = dict[str, tuple[str, ...]]


class Entry(msgspec.Struct, kw_only=True, rename="pascal"):
    """A value of a custom field."""

    key: str
    value: str | None = ""
    clear: bool = False


class Body(msgspec.Struct, kw_only=True, rename="pascal"):
    """A subscriber as a write has one."""

    email_address: str
    name: str | None = None
    custom_fields: list[Entry] | None = None
    consent_to_track: str | None = None
    resubscribe: bool = False


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be so of a subscriber; None leaves it."""

    email: str = ""
    name: str | None = None
    entries: Sequence[Entry] = ()
    consent_to_track: str = "Unchanged"


def asked_by(body: Body) -> Asked:
    """Return what a body asks for; it has to say whether somebody may be tracked."""
    if not body.consent_to_track:
        raise problems.refused(problems.NO_CONSENT)
    if body.consent_to_track not in CONSENTS:
        raise problems.refused(problems.INVALID_CONSENT)
    return Asked(
        email=body.email_address,
        name=body.name,
        entries=body.custom_fields or (),
        consent_to_track=body.consent_to_track,
    )


def is_email(text: str) -> bool:
    """Tell whether a text can be an address."""
    return _EMAIL.fullmatch(text) is not None


def changed(
    held: Values,
    entries: Sequence[Entry],
    *,
    fields: Mapping[str, Field],
    adds_options: bool,
) -> Values:
    """Return values after entries; keys that are none are ignored, and bad values."""
    by_key = {
        field.key.lower(): field for field in fields.values() if field.key != "[]"
    }
    found = dict(held)
    is_named: set[str] = set()
    for entry in entries:
        field = by_key.get(f"[{entry.key.strip('[]').replace(' ', '')}]".lower())
        if field is None:
            continue
        text, own = entry.value or "", found.get(field.name, ())
        if field.data_type == "MultiSelectMany":
            if entry.clear:
                own = tuple(one for one in own if text and one != text)
            elif text in field.options:
                kept = own if adds_options or field.name in is_named else ()
                own = (*(one for one in kept if one != text), text)
                is_named.add(field.name)
        elif entry.clear or (field.data_type == "Date" and text == NO_DATE):
            own = ()
        elif text and _is_of_type(field, text):
            own = (text[:LENGTH_MAX],)
        found[field.name] = own
    return {name: texts for name, texts in found.items() if texts}


def _is_of_type(field: Field, text: str) -> bool:
    match field.data_type:
        case "Number":
            return _NUMBER.fullmatch(text) is not None
        case "Date":
            return _is_day(text)
        case "MultiSelectOne":
            return text in field.options
    return True


def _is_day(text: str) -> bool:
    found = _DAY.fullmatch(text)
    try:
        day = datetime.date(*map(int, found.groups())) if found else None
    except ValueError:
        return False
    return day is not None and DATES[0] <= day <= DATES[1]
