"""Birthdays and anniversaries in the spellings that cards use.

Ours are two: ``YYYY-MM-DD``, and ``--MM-DD`` for a day whose year is not known.
Anything less than that (a year alone, a month alone, prose) is left as it is.
"""

import datetime
import re

from services.connector.apps.carddav.cards import Card, Line, Parameter

OMITTED_YEAR = "1604"
"""The leap year that Apple's programs write for a year they do not know."""

_FULL = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ].*)?", re.DOTALL)
_MONTH_DAY = re.compile(r"--(\d{2})-?(\d{2})(?:[T ].*)?", re.DOTALL)
_OURS = re.compile(r"(?:\d{4}|-)-\d{2}-\d{2}")


def read(line: Line) -> str | None:
    """Return the date of a line in our spelling; None if it is less than a day."""
    value = line.value.strip()
    if match := _MONTH_DAY.fullmatch(value):
        return _checked(year=OMITTED_YEAR, month=match[1], day=match[2])
    if match := _FULL.fullmatch(value):
        return _checked(year=match[1], month=match[2], day=match[3])
    return None


def is_date(text: str) -> bool:
    """Tell whether a text is a date in our spelling."""
    if not _OURS.fullmatch(text):
        return False
    year = OMITTED_YEAR if text.startswith("--") else text[:4]
    return _checked(year=year, month=text[-5:-3], day=text[-2:]) == text


def written(line: Line, text: str, *, card: Card) -> Line:
    """Return the line with a date of our spelling, as the card's version has it."""
    bare = line.without("VALUE").without("X-APPLE-OMIT-YEAR").without("CALSCALE")
    if card.version == "4.0":
        compact = text.replace("-", "")
        return bare.having(value=f"--{compact}" if text.startswith("--") else compact)
    if not text.startswith("--"):
        return bare.having(value=text)
    # 3.0 has no date without a year; this is the spelling that most programs know.
    omitted = Parameter(name="X-APPLE-OMIT-YEAR", values=(OMITTED_YEAR,))
    return bare.having(
        value=f"{OMITTED_YEAR}-{text[2:]}", parameters=(*bare.parameters, omitted)
    )


def _checked(*, year: str, month: str, day: str) -> str | None:
    try:
        date = datetime.date(int(year), int(month), int(day))
    except ValueError:
        return None
    if year == OMITTED_YEAR:
        return f"--{month}-{day}"
    return date.isoformat()
