"""Whether a password is one that many have: from a list of those that were breached.

The list is that of ``zxcvbn``: 30,000 passwords, the most frequent ones of breaches
that became known. Its estimate of guesses is not used: texts can be made that keep it
busy for many seconds.
"""

from collections.abc import Sequence
from functools import cache
from typing import Final

from zxcvbn.frequency_lists import FREQUENCY_LISTS

_SIGNS_MIN: Final = 6
"""How long a listed password is at least that a text of digits and signs contains."""


def is_common(spellings: Sequence[str], *, around: str) -> bool:
    """Tell whether a text is one of the list, once or several times in a row.

    Also with signs of ``around`` before and behind it, which count as nothing. Other
    spellings of the text come after it, each as long as it is.
    """
    found, text = _passwords(), spellings[0]
    if any(not found.isdisjoint(_parts_of(spelling)) for spelling in spellings):
        return True
    first, last = len(text) - len(text.lstrip(around)), len(text.rstrip(around))
    length_min = 1
    if first >= last:
        first, last, length_min = len(text), 0, _SIGNS_MIN
    return any(
        spelling[begin:end] in found
        for begin in range(first + 1)
        for end in range(
            max(last, begin + length_min), min(begin + _longest(), len(text)) + 1
        )
        for spelling in spellings
    )


def _parts_of(text: str) -> set[str]:
    """Return what a text is, once or several times in a row."""
    # The shortest such part starts again where it ends.
    shortest = (text + text).find(text, 1)
    lengths = range(shortest, len(text) + 1, shortest) if text else ()
    return {text[:length] for length in lengths if len(text) % length == 0}


@cache
def _passwords() -> frozenset[str]:
    return frozenset(FREQUENCY_LISTS["passwords"])


@cache
def _longest() -> int:
    return max(map(len, _passwords()))
