"""What the api seals: authorisations until the browser's visit, and second factors.

An authorisation is sealed under a key that only its link holds, of which only a digest
is stored: who reads the table can neither take it up nor forge its callback. A second
factor is sealed under a key of the ring, for its person alone (hazards 120 to 122).
"""

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from proto.ids import PersonId, TenantId
from services.api.errors import CannotOpen
from services.chassis import ciphers, keyring
from services.chassis.errors import NotOpened
from services.chassis.keyring import KeyRing

_SECRET_BYTES: Final = 32
_AUTHORISATION: Final = b"tandem authorisation"
_FACTOR: Final = b"tandem second factor"


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the browser is given when it opens the link."""

    vendor_url: str
    browser: str
    """The value of its cookie."""


class SealedFactor(msgspec.Struct, frozen=True, kw_only=True):
    """The secret of a second factor as it is stored."""

    key_id: str
    sealed: bytes


class Safe:
    """Seals second factors with the ring's active key; opens with any of its keys."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self.active = ring.active
        self.header = ciphers.header(ring.cipher)
        """What everything begins with that is sealed from now on."""

    def lacks(self, key_ids: Iterable[str]) -> list[str]:
        """Return those of the keys that the ring does not have."""
        return sorted(set(key_ids) - self._ring.keys.keys())

    def seal(
        self, secret: bytes, *, tenant_id: TenantId, person_id: PersonId
    ) -> SealedFactor:
        """Seal the secret of a person's second factor."""
        return SealedFactor(
            key_id=self.active,
            sealed=ciphers.seal(
                self._ring.keys[self.active],
                secret,
                bound_to=_place(tenant_id, person_id),
                cipher=self._ring.cipher,
            ),
        )

    def unseal(
        self, factor: SealedFactor, *, tenant_id: TenantId, person_id: PersonId
    ) -> bytes:
        """Return the secret of a person's second factor.

        Raises:
            CannotOpen: Altered, somebody else's, or its key is gone.
        """
        key = self._ring.keys.get(factor.key_id)
        if key is None:
            raise CannotOpen(f"the key ring has no key {factor.key_id!r}")
        place = _place(tenant_id, person_id)
        try:
            return ciphers.unseal(key, factor.sealed, bound_to=place)
        except NotOpened as err:
            raise CannotOpen(str(err)) from err


def load(path: Path) -> Safe:
    """Read the key ring.

    Raises:
        BadConfiguration: No ring, or one that cannot be used.
    """
    return Safe(keyring.load(path))


def new_secret() -> str:
    """Return 256 random bits for a link or a cookie."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def seal(held: Held, *, link: str) -> bytes:
    """Return what only the holder of the link can open."""
    return ciphers.seal(_key(link), msgspec.json.encode(held), bound_to=_AUTHORISATION)


def unseal(sealed: bytes, *, link: str) -> Held:
    """Return what was sealed under this link; the row was found by its digest.

    Raises:
        NotOpened: It is not as it was sealed.
    """
    plain = ciphers.unseal(_key(link), sealed, bound_to=_AUTHORISATION)
    return msgspec.json.decode(plain, type=Held)


def _key(link: str) -> bytes:
    # Another hash than the stored digest of the same link, which must not open it.
    return hashlib.sha256(_AUTHORISATION + b"\0" + link.encode()).digest()


def _place(tenant_id: TenantId, person_id: PersonId) -> bytes:
    return b"\0".join((_FACTOR, tenant_id.encode(), person_id.encode()))
