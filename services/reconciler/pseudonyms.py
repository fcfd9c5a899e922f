"""Keyed hashes of who was erased, and sealed notes about erasures under way.

Both need a key of the ring, derived for the tenant and the purpose: who has the
database alone can neither try addresses nor tell whether two tenants mean one person.
"""

import functools
import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from proto.ids import AccountId, ErasureId, RecordId, TenantId
from services.chassis import ciphers, keyring
from services.chassis.errors import NotOpened
from services.chassis.keyring import KeyRing
from services.reconciler.errors import CannotUnseal

_HASHES: Final = b"tandem suppression"
_SEALS: Final = b"tandem erasure"
_EMAIL: Final = b"email"
_RECORD: Final = b"record"
_LINK: Final = b"link"
_KEYS_KEPT: Final = 1_024
"""So many derived keys are remembered: deriving one costs as much as a hash."""


class Pseudonyms:
    """Hashes and seals with the active key of a ring; knows what the others made."""

    def __init__(self, ring: KeyRing) -> None:
        self.key_id = ring.active
        self._ring = ring
        self._key = functools.lru_cache(_KEYS_KEPT)(self._derived)

    def lacks(self, key_ids: Iterable[str]) -> list[str]:
        """Return those of the keys that the ring does not have."""
        return sorted(set(key_ids) - self._ring.keys.keys())

    def of_email(self, tenant_id: TenantId, email: str) -> bytes:
        """Return the hash of an address in its normal form."""
        return self.all_of_email(tenant_id, email)[0]

    def of_record(
        self, tenant_id: TenantId, account_id: AccountId, *, record_id: RecordId
    ) -> bytes:
        """Return the hash of a record of an account."""
        return self.all_of_record(tenant_id, account_id, record_id=record_id)[0]

    def of_link(self, tenant_id: TenantId, link_id: str) -> bytes:
        """Return the hash of a link, by which a question may name somebody."""
        return self._hashes(tenant_id, _LINK, link_id)[0]

    def all_of_email(self, tenant_id: TenantId, email: str) -> list[bytes]:
        """Return the hashes of an address by every key, that of the active one first.

        What was hashed with an older key cannot be hashed anew: nobody knows of whom.
        """
        return self._hashes(tenant_id, _EMAIL, email)

    def all_of_record(
        self, tenant_id: TenantId, account_id: AccountId, *, record_id: RecordId
    ) -> list[bytes]:
        """Return the hashes of a record by every key, that of the active one first."""
        return self._hashes(tenant_id, _RECORD, account_id, record_id)

    def seal(
        self, secret: bytes, *, tenant_id: TenantId, erasure_id: ErasureId
    ) -> bytes:
        """Return what only the ring can open again, and for this erasure alone."""
        key = self._key(self.key_id, _SEALS, tenant_id=tenant_id)
        place = erasure_id.encode()
        sealed = ciphers.seal(key, secret, bound_to=place, cipher=self._ring.cipher)
        return self.key_id.encode() + b"\0" + sealed

    def unseal(
        self, sealed: bytes, *, tenant_id: TenantId, erasure_id: ErasureId
    ) -> bytes:
        """Return what was sealed.

        Raises:
            CannotUnseal: Altered, of another erasure, or its key is gone.
        """
        key_id, _, rest = sealed.partition(b"\0")
        name = key_id.decode()
        if name not in self._ring.keys:
            raise CannotUnseal(f"the key ring has no key {name!r}")
        key = self._key(name, _SEALS, tenant_id=tenant_id)
        try:
            return ciphers.unseal(key, rest, bound_to=erasure_id.encode())
        except NotOpened as err:
            raise CannotUnseal("altered, or not of this erasure") from err

    def _hashes(self, tenant_id: TenantId, *parts: bytes | str) -> list[bytes]:
        text = _framed(*parts)
        ordered = [self.key_id, *sorted(self._ring.keys.keys() - {self.key_id})]
        return [
            hmac.digest(
                self._key(key_id, _HASHES, tenant_id=tenant_id), text, hashlib.sha256
            )
            for key_id in ordered
        ]

    def _derived(self, key_id: str, purpose: bytes, *, tenant_id: TenantId) -> bytes:
        text = _framed(purpose, tenant_id)
        return hmac.digest(self._ring.keys[key_id], text, hashlib.sha256)


def load(path: Path | None) -> Pseudonyms | None:
    """Return what a key ring's file makes possible; without one nobody is erased."""
    return None if path is None else Pseudonyms(keyring.load(path))


def _framed(*parts: bytes | str) -> bytes:
    """Join the parts so that no two lists give the same bytes."""
    encoded = [
        part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        for part in parts
    ]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
