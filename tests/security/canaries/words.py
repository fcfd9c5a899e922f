"""Canaries and every writing in which they are looked for."""

import base64
import html
import json
import random
import unicodedata
import urllib.parse
from collections.abc import Iterator
from typing import Final, NamedTuple

WINDOW_CHARS: Final = 24
"""Longer secrets are looked for by three windows of this length: whoever writes the
whole of one writes these, too, in any of the writings."""
CUT_CHARS: Final = 10
"""Of so much from its beginning a secret counts as told."""
CUT_CHARS_OF_CONTACT: Final = 8
CONTACT: Final = "contact"
PERSON: Final = "person"
RECORD_ID: Final = "record_id"
"""What an app calls a contact, which may be a name."""
PERSONAL: Final = frozenset({CONTACT, PERSON, RECORD_ID})
_LETTERS: Final = "bcdfghjklmnpqrstvwxz"


class Canary(NamedTuple):
    """A word and what it is: `contact`, `person`, `record_id` or a kind of secret."""

    group: str
    name: str
    text: str

    @property
    def is_personal(self) -> bool:
        """Whether it is about somebody; else it is a secret."""
        return self.group in PERSONAL


class Nest:
    """The canaries of one run, made up or found on the way."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._found: dict[str, Canary] = {}

    def __iter__(self) -> Iterator[Canary]:
        """Return every canary."""
        return iter(self._found.values())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def note(self, group: str, name: str, text: str) -> str:
        """Count a text as a canary from now on, once; return it."""
        assert len(text) >= CUT_CHARS, f"{name} could be there by chance"
        self._found.setdefault(text, Canary(group, name, text))
        return text

    def word(self, length: int = 11) -> str:
        """Return letters that are nowhere else."""
        return "".join(self._random.choices(_LETTERS, k=length))

    def digits(self, length: int) -> str:
        """Return digits that are nowhere else."""
        return "".join(self._random.choices("3456789", k=length))

    def groups(self) -> dict[str, int]:
        """Return how many canaries there are of each group."""
        found: dict[str, int] = {}
        for canary in self:
            found[canary.group] = found.get(canary.group, 0) + 1
        return dict(sorted(found.items()))


def needles(canary: Canary) -> dict[bytes, str]:
    """Return what is looked for, with the name of the writing."""
    text = canary.text
    found: dict[bytes, str] = {}
    for part in _windows(text):
        for writing, needle in writings(part).items():
            found.setdefault(needle, writing)
    cut = CUT_CHARS_OF_CONTACT if canary.is_personal else CUT_CHARS
    # Digits come together by chance in every log.
    if len(text) > cut and not text.isdigit():
        found.setdefault(text[:cut].encode(), "cut off")
    return found


def writings(text: str) -> dict[str, bytes]:
    """Return a text in every writing, by the writing's name."""
    data = text.encode()
    escapes = "".join(f"\\u{ord(c):04x}" for c in text)
    percents = "".join(f"%{byte:02X}" for byte in data)
    found = {
        "plain": data,
        "lower case": text.lower().encode(),
        "upper case": text.upper().encode(),
        "decomposed": unicodedata.normalize("NFD", text).encode(),
        "reversed": text[::-1].encode(),
        "UTF-16": text.encode("utf-16-le"),
        "JSON": json.dumps(text)[1:-1].encode(),
        "JSON, escaped throughout": escapes.encode(),
        "Python": text.encode("unicode_escape"),
        "Python bytes": repr(data)[2:-1].encode(),
        "percent": urllib.parse.quote(text, safe="").encode(),
        "form": urllib.parse.quote_plus(text).encode(),
        "percent throughout": percents.encode(),
        "percent throughout, lower case": percents.lower().encode(),
        "quoted-printable": percents.replace("%", "=").encode(),
        "HTML": html.escape(text).encode(),
        "hex": data.hex().encode(),
        "hex, upper case": data.hex().upper().encode(),
    }
    for shift in range(3):
        aligned = _base64(data, shift=shift)
        found[f"base64, shifted by {shift}"] = aligned
        safe = aligned.translate(bytes.maketrans(b"+/", b"-_"))
        found[f"URL-safe base64, shifted by {shift}"] = safe
    return found


def _windows(text: str) -> tuple[str, ...]:
    if len(text) <= WINDOW_CHARS:
        return (text,)
    middle = (len(text) - WINDOW_CHARS) // 2
    return (
        text[:WINDOW_CHARS],
        text[middle : middle + WINDOW_CHARS],
        text[-WINDOW_CHARS:],
    )


def _base64(data: bytes, *, shift: int) -> bytes:
    """Return how base64 writes bytes after others, as far as these do not show."""
    written = base64.b64encode(bytes(shift) + data).rstrip(b"=")
    first = -(-shift * 8 // 6)
    last = (shift + len(data)) * 8 // 6
    return written[first:last]
