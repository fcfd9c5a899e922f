"""Recovery codes, for whoever has lost the app that makes codes. No I/O.

Each is 140 random bits, so a plain digest of it is enough (ASVS 6.5.2, 11.5.1).
"""

import secrets
from typing import Final

from services.api.proofs import keys

COUNT: Final = 10
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SIGNS: Final = 28
_GROUP: Final = 4


def new_codes() -> list[str]:
    """Return new codes, as they are shown once."""
    return [_new_code() for _ in range(COUNT)]


def digest_of(text: str) -> bytes:
    """Return what is stored of a code, however a person spaced it."""
    return keys.digest("".join(sign for sign in text.upper() if sign.isalnum()))


def _new_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_SIGNS))
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
