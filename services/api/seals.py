"""What the api keeps of an authorisation between its start and the browser's visit.

Sealed under a key that only the link holds, of which only a digest is stored: who
reads the table can neither take up an authorisation nor forge its callback.
"""

import hashlib
import secrets
from typing import Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_SECRET_BYTES: Final = 32
_PURPOSE: Final = b"tandem authorisation"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser is given when it opens the link."""

    vendor_url: str
    browser: str
    """The value of its cookie."""


def new_secret() -> str:
    """Return 256 random bits for a link or a cookie."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def seal(held: Held, *, link: str) -> bytes:
    """Return what only the holder of the link can open."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(_key(link)).encrypt(nonce, msgspec.json.encode(held), _PURPOSE)
    return nonce + sealed


def unseal(sealed: bytes, *, link: str) -> Held:
    """Return what was sealed under this link; the row was found by its digest."""
    nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    return msgspec.json.decode(
        AESGCM(_key(link)).decrypt(nonce, rest, _PURPOSE), type=Held
    )


def _key(link: str) -> bytes:
    # Another hash than the stored digest of the same link, which must not open it.
    return hashlib.sha256(_PURPOSE + b"\0" + link.encode()).digest()
