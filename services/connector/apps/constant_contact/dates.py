"""The vendor's notations of days and moments; what cannot be read is None."""

import datetime
import email.utils
import re
from collections.abc import Mapping

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


def read_moment(text: str | None) -> datetime.datetime | None:
    """Return a moment in UTC; one without a zone cannot be placed."""
    if not text:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is datetime.UTC:
            return moment
        return moment.astimezone(datetime.UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def write_moment(moment: datetime.datetime) -> str:
    """Return a moment as the vendor's filters take it."""
    text = moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def vendor_time(headers: Mapping[str, str]) -> datetime.datetime | None:
    """Return the vendor's clock from an answer's headers."""
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(datetime.UTC) if moment.tzinfo else None
