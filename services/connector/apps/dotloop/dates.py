"""The vendor's notation of moments; what cannot be read is None."""

import datetime
import email.utils
from collections.abc import Mapping


def read_moment(text: str | None) -> datetime.datetime | None:
    """Return a moment in UTC; one without a zone cannot be placed."""
    try:
        moment = datetime.datetime.fromisoformat(text or "")
        return moment.astimezone(datetime.UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def write_moment(moment: datetime.datetime) -> str:
    """Return a moment as the filter takes it, which knows no fractions of a second.

    With one it answers 400, "Unparseable date", as a live client reports
    (github.com/mpittsie4/Hubspot-dotloop, read 2026-11).
    """
    text = moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def vendor_time(headers: Mapping[str, str]) -> datetime.datetime | None:
    """Return the vendor's clock from an answer's headers."""
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(datetime.UTC) if moment.tzinfo else None
