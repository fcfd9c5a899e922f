"""The vendor's notations of days and moments; what cannot be read is None."""

import datetime
import re
from collections.abc import Mapping

from services.connector import vendors

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MS = re.compile(r"-?\d{1,16}\Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


def read_moment(text: str | None) -> datetime.datetime | None:
    """Return a moment in UTC, told in milliseconds or in words."""
    if text and _MS.match(text):
        try:
            return _EPOCH + datetime.timedelta(milliseconds=int(text))
        except OverflowError:
            return None
    return vendors.read_moment(text)


def read_day(text: str) -> datetime.date | None:
    """Return a day, told by its name or as its midnight in UTC."""
    if _DAY.match(text):
        try:
            return datetime.date.fromisoformat(text)
        except ValueError:
            return None
    moment = read_moment(text)
    return moment.date() if moment else None


def write_moment(moment: datetime.datetime) -> str:
    """Return a moment as other apps are told it."""
    spec = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def ms_of(moment: datetime.datetime) -> int:
    """Return a moment as searches compare it."""
    return (moment - _EPOCH) // datetime.timedelta(milliseconds=1)


def vendor_ms(headers: Mapping[str, str]) -> int | None:
    """Return the vendor's clock from an answer's headers."""
    moment = vendors.clock_of(headers)
    return None if moment is None else ms_of(moment)
