"""Ciphers that seal secrets, each under a name that stands in whatever it sealed.

What is sealed is ``name NUL nonce text``. So another cipher is brought in by sealing
with it from now on and opening both, as with another key. The name is authenticated,
too, and each cipher works with a key of its own, derived from the one that is given.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from services.chassis.errors import NotOpened

AES_256_GCM: Final = "aes-256-gcm"
CHACHA20_POLY1305: Final = "chacha20-poly1305"
DEFAULT: Final = AES_256_GCM
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_PURPOSE: Final = b"tandem cipher\0"
_NAME_BYTES_MAX: Final = 32


Aead: TypeAlias = AESGCM | ChaCha20Poly1305
"""Encryption that notices what was altered, under one key."""

KNOWN: Final[Mapping[str, Callable[[bytes], Aead]]] = {
    AES_256_GCM: AESGCM,
    CHACHA20_POLY1305: ChaCha20Poly1305,
}
"""Every cipher that opens; which one seals is for a key ring to say."""


def seal(key: bytes, secret: bytes, *, bound_to: bytes, cipher: str = DEFAULT) -> bytes:
    """Encrypt a secret so that it opens with this key and for this place alone."""
    head = header(cipher)
    nonce = os.urandom(NONCE_BYTES)
    text = _keyed(cipher, key).encrypt(nonce, secret, head + bound_to)
    return head + nonce + text


def unseal(key: bytes, sealed: bytes, *, bound_to: bytes) -> bytes:
    """Decrypt a secret with the cipher that it names.

    Raises:
        NotOpened: Altered, of another place or key, or by a cipher that is not known.
    """
    cipher = cipher_of(sealed)
    head = header(cipher)
    rest = sealed[len(head) :]
    nonce, text = rest[:NONCE_BYTES], rest[NONCE_BYTES:]
    try:
        return _keyed(cipher, key).decrypt(nonce, text, head + bound_to)
    except (InvalidTag, ValueError) as err:
        raise NotOpened("altered, or not of this place") from err


def cipher_of(sealed: bytes) -> str:
    """Return by which cipher a secret was sealed.

    Raises:
        NotOpened: By none that is known here.
    """
    name, nul, _ = sealed[: _NAME_BYTES_MAX + 1].partition(b"\0")
    text = name.decode("ascii", "replace")
    if not nul or text not in KNOWN:
        raise NotOpened("sealed by no cipher that is known here")
    return text


def header(cipher: str) -> bytes:
    """Return what everything begins with that a cipher has sealed."""
    return cipher.encode() + b"\0"


def _keyed(cipher: str, key: bytes) -> Aead:
    # No two ciphers ever work with the same key (NIST SP 800-57, 5.2).
    return KNOWN[cipher](hmac.digest(key, _PURPOSE + cipher.encode(), hashlib.sha256))
