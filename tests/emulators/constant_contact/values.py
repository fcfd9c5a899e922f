"""How single values are checked and kept: emails, dates, times, SMS numbers."""

import datetime
import math
import re

from tests.emulators.constant_contact.problems import invalid
from tests.emulators.core.clock import stamp

_EMAIL = re.compile(r"[^@\s<>(),;:\"]+@[^@\s<>(),;:\"]+\.[^@\s<>(),;:\".]{2,}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ANNIVERSARIES = (
    (re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"), (0, 1, 2)),
    (re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})"), (2, 0, 1)),
)


def check_email(address: str) -> None:
    """Refuse what cannot be an address."""
    if not _EMAIL.fullmatch(address):
        raise invalid("Validation failed: email_address is not a valid email address")


def is_uuid(text: str) -> bool:
    """Tell whether a text has the form of an id."""
    return _UUID.fullmatch(text) is not None


def anniversary(text: str | None) -> str | None:
    """Write a date in the one form in which it is shown, whatever form it came in."""
    if not text:
        return None
    for pattern, order in _ANNIVERSARIES:
        if (found := pattern.fullmatch(text)) is None:
            continue
        year, month, day = (int(found.groups()[at]) for at in order)
        try:
            return datetime.date(year, month, day).isoformat()
        except ValueError:
            break
    raise invalid("Validation failed: anniversary does not have a valid date format")


def bound(text: str, *, name: str, is_lower: bool) -> str:
    """Read a time filter and round it so that comparing whole seconds is right.

    Stored times have no fraction: later than 10.5 s means later than 10 s, and before
    10.5 s means before 11 s.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as err:
        raise invalid(f"{name} does not have a valid value") from err
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    try:
        seconds = moment.timestamp()
        return stamp(math.floor(seconds) if is_lower else math.ceil(seconds))
    except (OverflowError, OSError, ValueError) as err:
        raise invalid(f"{name} does not have a valid value") from err


def us_number(text: str) -> str:
    """Return the ten digits of a number that text messages can be sent to."""
    digits = re.sub(r"\D", "", text)
    if len(digits) == 11 and digits.startswith("1"):
        digits = digits[1:]
    if len(digits) != 10:
        raise invalid("Validation failed: sms_address is not a valid phone number")
    return digits


def birthday(month: object, day: object) -> dict[str, int]:
    """Return the two parts of a birthday, which go together."""
    if (
        isinstance(month, int)
        and isinstance(day, int)
        and 1 <= month <= 12
        and 1 <= day <= 31
    ):
        return {"birthday_month": month, "birthday_day": day}
    raise invalid("Validation failed: birthday does not have a valid format")
