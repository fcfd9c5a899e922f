"""What a vendor makes of the values that it is given, and when two mean the same.

The comparison is the judge's own: it shares nothing with the engine's normal forms.
"""

import re
from typing import Final, NamedTuple

import msgspec

from proto.fields import Role, Value
from tests.simulation.vendors.numbers import NUMBERS, with_texts

_SPACE: Final = re.compile(r"\s+")
_NOT_DIGIT: Final = re.compile(r"\D")
_LETTERS: Final = re.compile(r"[^\W\d_]+")

NAMES: Final = (Role.NAME_GIVEN, Role.NAME_FAMILY, Role.NAME_FULL)
PHONES: Final = ("digits", "grouped")
COUNTRY: Final = "49"
"""The code of the country that everybody lives in."""
SHORTENED: Final = (Role.JOB_TITLE, Role.COMPANY, Role.NOTE)


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """How a vendor rewrites values; the default leaves them as they are."""

    trims: bool = False
    titles_names: bool = False
    shortens_to: int = 0
    """Longer jobs, companies and notes are cut without a word; 0: none is."""
    phones: str = ""
    """``digits``: with a plus and no spaces; ``grouped``: in threes."""
    completes: bool = False
    """A number as it is dialled within the country gets the country's code."""
    after_s: float = 0.0
    """The rewriting is a background job of the vendor's, so long after the write."""

    def __bool__(self) -> bool:
        """Say whether anything is rewritten at all."""
        is_of_text = self.trims or self.titles_names or self.shortens_to
        return bool(is_of_text or self.phones or self.completes)

    def of(self, role: Role, value: str | None) -> str | None:
        """Return what becomes of a value; doing it twice changes nothing more."""
        if value is None:
            return None
        if self.trims:
            value = _SPACE.sub(" ", value).strip()
        if self.titles_names and role in NAMES:
            value = _LETTERS.sub(lambda m: m[0][:1].upper() + m[0][1:], value)
        if role in NUMBERS:
            value = self._number(value)
        if self.shortens_to and role in SHORTENED:
            value = value[: self.shortens_to].rstrip()
        return value or None

    def of_value(self, role: Role, value: Value) -> Value:
        """Return what becomes of a value of any shape."""
        if isinstance(value, tuple):
            return with_texts(value, lambda text: self.of(role, text) or text)
        return self.of(role, value) if isinstance(value, str) else value

    def _number(self, value: str) -> str:
        digits = _NOT_DIGIT.sub("", value).removeprefix("00")
        if _is_local(value):
            if not self.completes:
                return value
            digits = COUNTRY + digits[1:]
            if not self.phones:
                return f"+{digits}"
        if not digits or not self.phones:
            return value
        if self.phones == "digits":
            return "+" + digits
        return "+" + " ".join(digits[at : at + 3] for at in range(0, len(digits), 3))


def key(role: Role, value: str | None) -> str:
    """Return what two values have in common that mean the same to a person."""
    if value is None:
        return ""
    text = _SPACE.sub(" ", value).strip().casefold()
    if role in NUMBERS:
        return number_key(text)
    return text


class Held(NamedTuple):
    """A value and how the vendor that holds it rewrites values."""

    value: str | None
    forms: Forms


def agree(role: Role, left: Held, right: Held) -> bool:
    """Say whether two sides hold the same, as far as their vendors can hold it."""
    return key(role, right.forms.of(role, left.value)) == key(role, right.value) or (
        key(role, left.forms.of(role, right.value)) == key(role, left.value)
    )


def number_key(text: str) -> str:
    """Return a number as it is dialled within the country."""
    digits = _NOT_DIGIT.sub("", text).removeprefix("00")
    return digits.removeprefix(COUNTRY).removeprefix("0")


def number_text(text: str) -> str:
    """Return a number as it is dialled, with its country's code or without."""
    digits = _NOT_DIGIT.sub("", text)
    return digits if _is_local(text) else digits.removeprefix("00")


def _is_local(value: str) -> bool:
    digits = _NOT_DIGIT.sub("", value)
    return digits.startswith("0") and not digits.startswith("00")
