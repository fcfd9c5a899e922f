"""API keys as text: ``tdm_``, 256 random bits, and a checksum; all in base 62.

The checksum tells a mistyped key from an unknown one without asking the database,
and lets scanners recognise a leaked one. Only a key's digest is ever stored.
"""

import hashlib
import secrets
import zlib
from typing import Final

PREFIX: Final = "tdm_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BITS: Final = 256
_SECRET_CHARS: Final = 43
_CHECKSUM_CHARS: Final = 6
_HINT_CHARS: Final = len(PREFIX) + 4


def generate() -> str:
    """Return a new key."""
    body = PREFIX + _base62(secrets.randbits(_SECRET_BITS), _SECRET_CHARS)
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Tell whether a text can be a key at all."""
    body, checksum = text[:-_CHECKSUM_CHARS], text[-_CHECKSUM_CHARS:]
    return (
        text.isascii()
        and len(body) == len(PREFIX) + _SECRET_CHARS
        and body.startswith(PREFIX)
        and secrets.compare_digest(checksum.encode(), _checksum(body).encode())
    )


def digest(text: str) -> bytes:
    """Return what is stored of a key, or of another secret of full entropy."""
    # Bytes that are no UTF-8 come as lone surrogates. No secret of ours has any, and
    # looking such a text up finds nothing.
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def hint(text: str) -> str:
    """Return the start of a key, by which a person knows it again."""
    return text[:_HINT_CHARS]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARS)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
