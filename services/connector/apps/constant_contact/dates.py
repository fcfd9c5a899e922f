"""The vendor's notations of days; what cannot be read is None."""

import datetime
import re

from services.connector import vendors

# https://v3.developer.constantcontact.com (contract 3.0.178, read 2026-08): a day is
# taken in any of these, month before day, with or without leading zeros.
_YEAR_FIRST = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})\Z")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4})\Z")


def read_day(text: str) -> datetime.date | None:
    """Return the day that a text of any accepted notation names."""
    if found := _YEAR_FIRST.match(text):
        year, month, day = found.groups()
    elif found := _YEAR_LAST.match(text):
        month, day, year = found.groups()
    else:
        return None
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None


def write_moment(moment: datetime.datetime) -> str:
    """Return a moment as the vendor's filters take it."""
    return vendors.write_moment(moment, timespec="milliseconds")
