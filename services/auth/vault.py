"""Encryption at rest, in an envelope, bound to the row it belongs to.

Each secret has a key of its own, wrapped by a key of the ring. The row's identity
and version are authenticated with it, so that a secret copied into another row,
another tenant or an older version does not open (hazards 120 to 122). By which cipher
is in what is sealed: ``services.chassis.ciphers``.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from services.auth.errors import CannotOpen
from services.chassis import ciphers, keyring
from services.chassis.errors import NotOpened

_KEY_BYTES: Final = 32


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True):
    """The key of one secret, and which key of the ring it is wrapped with."""

    key_id: str
    wrapped_key: bytes
    """The name of its cipher, nonce and wrapped key."""


class Sealed(WrappedKey, frozen=True, kw_only=True):
    """A secret as it is stored."""

    body: bytes
    """The name of its cipher, nonce and encrypted secret."""


class Vault:
    """Seals with the ring's active key and opens with any of its keys."""

    def __init__(
        self,
        *,
        active: str,
        keys: dict[str, bytes],
        cipher: str = ciphers.DEFAULT,
    ) -> None:
        assert active in keys, "the active key is in the ring"
        self.active = active
        self.header = ciphers.header(cipher)
        """What everything begins with that is sealed from now on."""
        self._cipher = cipher
        self._keys = keys

    def lacks(self, key_ids: Iterable[str]) -> list[str]:
        """Return those of the keys that the ring does not have."""
        return sorted(set(key_ids) - self._keys.keys())

    def seal(self, secret: bytes, *, bound_to: tuple[str, ...]) -> Sealed:
        """Encrypt a secret for the row that ``bound_to`` identifies."""
        identity = _identity(bound_to)
        own_key = os.urandom(_KEY_BYTES)
        return Sealed(
            key_id=self.active,
            wrapped_key=self._wrap(own_key, identity=identity, cipher=self._cipher),
            body=ciphers.seal(own_key, secret, bound_to=identity, cipher=self._cipher),
        )

    def open(self, sealed: Sealed, *, bound_to: tuple[str, ...]) -> bytes:
        """Decrypt a secret.

        Raises:
            CannotOpen: Altered, from another row, or sealed with an unknown key.
        """
        identity = _identity(bound_to)
        own_key = self._unwrap(sealed, identity=identity)
        return _unsealed(own_key, sealed.body, identity=identity)

    def is_of_cipher(self, wrapped: WrappedKey) -> bool:
        """Say whether a secret was sealed by the cipher that seals now."""
        return wrapped.wrapped_key.startswith(self.header)

    def rewrap(self, wrapped: WrappedKey, *, bound_to: tuple[str, ...]) -> WrappedKey:
        """Wrap a secret's key with the active key; its body stays as it is.

        So does its cipher, by which the body is known to be sealed, too.

        Raises:
            CannotOpen: Altered, from another row, or wrapped with an unknown key.
        """
        identity = _identity(bound_to)
        own_key = self._unwrap(wrapped, identity=identity)
        cipher = ciphers.cipher_of(wrapped.wrapped_key)
        return WrappedKey(
            key_id=self.active,
            wrapped_key=self._wrap(own_key, identity=identity, cipher=cipher),
        )

    def _wrap(self, own_key: bytes, *, identity: bytes, cipher: str) -> bytes:
        key = self._keys[self.active]
        return ciphers.seal(key, own_key, bound_to=identity, cipher=cipher)

    def _unwrap(self, wrapped: WrappedKey, *, identity: bytes) -> bytes:
        ring_key = self._keys.get(wrapped.key_id)
        if ring_key is None:
            raise CannotOpen(f"the key ring has no key {wrapped.key_id!r}")
        return _unsealed(ring_key, wrapped.wrapped_key, identity=identity)


def load(path: Path) -> Vault:
    """Read the key ring, whose form ``services.chassis.keyring`` tells.

    Raises:
        BadConfiguration: No ring, or one that cannot be used; nothing is ever
            stored unencrypted instead.
    """
    ring = keyring.load(path)
    return Vault(active=ring.active, keys=ring.keys, cipher=ring.cipher)


def _identity(bound_to: tuple[str, ...]) -> bytes:
    """Join the parts so that no two tuples give the same bytes."""
    return b"".join(
        len(part.encode()).to_bytes(4, "big") + part.encode() for part in bound_to
    )


def _unsealed(key: bytes, stored: bytes, *, identity: bytes) -> bytes:
    try:
        return ciphers.unseal(key, stored, bound_to=identity)
    except NotOpened as err:
        raise CannotOpen("altered, or not of this row") from err
