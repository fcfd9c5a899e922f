"""Encryption at rest: AES-256-GCM in an envelope, bound to the row it belongs to.

Each secret has a key of its own, wrapped by a key of the ring. The row's identity
and version are authenticated with it, so that a secret copied into another row,
another tenant or an older version does not open (hazards 120 to 122).
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.auth.errors import CannotOpen
from services.chassis import keyring

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key of one secret, and which key of the ring it is wrapped with."""

    key_id: str
    wrapped_key: bytes
    """Nonce and wrapped key."""


class Sealed(WrappedKey, frozen=True, kw_only=True):
    """A secret as it is stored."""

    body: bytes
    """Nonce and encrypted secret."""


class Vault:
    """Seals with the ring's active key and opens with any of its keys."""

    def __init__(self, *, active: str, keys: dict[str, bytes]) -> None:
        assert active in keys, "the active key is in the ring"
        self.active = active
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}

    def lacks(self, key_ids: Iterable[str]) -> list[str]:
        """Return those of the keys that the ring does not have."""
        return sorted(set(key_ids) - self._keys.keys())

    def seal(self, secret: bytes, *, bound_to: tuple[str, ...]) -> Sealed:
        """Encrypt a secret for the row that ``bound_to`` identifies."""
        identity = _identity(bound_to)
        own_key = AESGCM.generate_key(bit_length=_KEY_BYTES * 8)
        return Sealed(
            key_id=self.active,
            wrapped_key=_encrypt(self._keys[self.active], own_key, identity=identity),
            body=_encrypt(AESGCM(own_key), secret, identity=identity),
        )

    def open(self, sealed: Sealed, *, bound_to: tuple[str, ...]) -> bytes:
        """Decrypt a secret.

        Raises:
            CannotOpen: Altered, from another row, or sealed with an unknown key.
        """
        identity = _identity(bound_to)
        own_key = self._unwrap(sealed, identity=identity)
        return _decrypt(AESGCM(own_key), sealed.body, identity=identity)

    def rewrap(self, wrapped: WrappedKey, *, bound_to: tuple[str, ...]) -> WrappedKey:
        """Wrap a secret's key with the active key; its body stays as it is.

        Raises:
            CannotOpen: Altered, from another row, or wrapped with an unknown key.
        """
        identity = _identity(bound_to)
        own_key = self._unwrap(wrapped, identity=identity)
        return WrappedKey(
            key_id=self.active,
            wrapped_key=_encrypt(self._keys[self.active], own_key, identity=identity),
        )

    def _unwrap(self, wrapped: WrappedKey, *, identity: bytes) -> bytes:
        ring_key = self._keys.get(wrapped.key_id)
        if ring_key is None:
            raise CannotOpen(f"the key ring has no key {wrapped.key_id!r}")
        return _decrypt(ring_key, wrapped.wrapped_key, identity=identity)


def load(path: Path) -> Vault:
    """Read the key ring, whose form ``services.chassis.keyring`` tells.

    Raises:
        BadConfiguration: No ring, or one that cannot be used; nothing is ever
            stored unencrypted instead.
    """
    ring = keyring.load(path)
    return Vault(active=ring.active, keys=ring.keys)


def _identity(bound_to: tuple[str, ...]) -> bytes:
    """Join the parts so that no two tuples give the same bytes."""
    return b"".join(
        len(part.encode()).to_bytes(4, "big") + part.encode() for part in bound_to
    )


def _encrypt(key: AESGCM, plain: bytes, *, identity: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + key.encrypt(nonce, plain, identity)


def _decrypt(key: AESGCM, stored: bytes, *, identity: bytes) -> bytes:
    try:
        return key.decrypt(stored[:_NONCE_BYTES], stored[_NONCE_BYTES:], identity)
    except (InvalidTag, ValueError) as err:
        raise CannotOpen("altered, or not of this row") from err
