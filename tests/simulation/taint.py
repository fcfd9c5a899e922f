"""Marks in everything that a user enters: whose it is, and which entry it was.

A mark comes through trimming, title case, truncation and reformatting, so that every
value anywhere tells where it came from.
"""

import datetime
import functools
import re
from typing import Final, NamedTuple

PERSONS_MAX: Final = 999
SERIALS_MAX: Final = 9_999

_TEXTS_KEPT: Final = 4_096
"""The same values are looked at again and again within one seed."""
_WORD: Final = re.compile(r"(?i)q(\d{3})(\d{4})(?!\d)")
_WORD_BYTES: Final = re.compile(rb"(?i)q(\d{3})(\d{4})(?!\d)")
_PHONE: Final = re.compile(r"(?:49|0)30(\d{3})(\d{4})")
_NOT_DIGIT: Final = re.compile(r"\D")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_FIRST_DAY: Final = datetime.date(1700, 1, 1).toordinal()
_DAYS_A_PERSON: Final = 1_500


class Origin(NamedTuple):
    """Whose a value is, and by which entry it came."""

    person: int
    serial: int


def word(origin: Origin) -> str:
    """Return a mark that stands at the beginning of a word."""
    assert origin.person <= PERSONS_MAX
    assert origin.serial <= SERIALS_MAX
    return f"q{origin.person:03}{origin.serial:04}"


def phone(origin: Origin) -> str:
    """Return a number in Berlin that is its own mark."""
    return f"+49 30 {origin.person:03}{origin.serial:04}"


def date(origin: Origin) -> str:
    """Return a day that is its own mark, for serials that are not too high."""
    assert origin.serial < _DAYS_A_PERSON
    days = origin.person * _DAYS_A_PERSON + origin.serial
    return datetime.date.fromordinal(_FIRST_DAY + days).isoformat()


@functools.lru_cache(_TEXTS_KEPT)
def origins(text: str) -> tuple[Origin, ...]:
    """Return the origins of a field's value, in the order they stand in it."""
    found = tuple([Origin(int(m[1]), int(m[2])) for m in _WORD.finditer(text)])
    if found:
        return found
    if _DATE.fullmatch(text):
        days = datetime.date.fromisoformat(text).toordinal() - _FIRST_DAY
        return (Origin(*divmod(days, _DAYS_A_PERSON)),)
    number = _PHONE.search(_NOT_DIGIT.sub("", text))
    return (Origin(int(number[1]), int(number[2])),) if number else ()


def persons_in(data: bytes) -> set[int]:
    """Return whose marks stand in any bytes; dates and numbers are not looked at."""
    return {int(match[1]) for match in _WORD_BYTES.finditer(data)}
