"""Time-based one-time passwords (RFC 6238) over HOTP (RFC 4226). No I/O.

With HMAC-SHA-256, as ASVS 5.0 takes no SHA-1 for anything new. An app that does not
know it never shows a right first code, and so is found out before it counts.
"""

import base64
import datetime
import hashlib
import hmac
import secrets
from typing import Final
from urllib.parse import quote, urlencode

PERIOD_S: Final = 30
"""How long a code lives: it counts in its own step and in no other."""
DIGITS: Final = 6
_SECRET_BYTES: Final = 20
_ISSUER: Final = "Tandem"


def new_secret() -> bytes:
    """Return 160 random bits, as RFC 4226 recommends (R6)."""
    return secrets.token_bytes(_SECRET_BYTES)


def step_of(now: datetime.datetime) -> int:
    """Return which period of 30 seconds a moment is in."""
    return int(now.timestamp()) // PERIOD_S


def code_of(secret: bytes, step: int) -> str:
    """Return the code of a step."""
    made = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha256)
    start = made[-1] & 0x0F
    number = int.from_bytes(made[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def is_right(secret: bytes, code: str, *, step: int) -> bool:
    """Tell whether a code is that of a step, in a time that does not tell which."""
    return hmac.compare_digest(code_of(secret, step).encode(), code.encode())


def is_code(text: str) -> bool:
    """Tell whether a text can be a code."""
    return text.isascii() and text.isdigit() and len(text) == DIGITS


def spelled(secret: bytes) -> str:
    """Return a secret as a person types it into an app: base32, by fours."""
    text = base64.b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def uri_of(secret: bytes, *, email: str) -> str:
    """Return what an app reads out of a QR code (the `otpauth` scheme)."""
    label = quote(f"{_ISSUER}:{email}", safe=":")
    query = urlencode(
        {
            "secret": base64.b32encode(secret).decode(),
            "issuer": _ISSUER,
            "algorithm": "SHA256",
            "digits": DIGITS,
            "period": PERIOD_S,
        }
    )
    return f"otpauth://totp/{label}?{query}"
