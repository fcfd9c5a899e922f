"""Key rings: files of secret keys, one of which is active, for whoever keeps secrets.

``{"active": "k1", "keys": {"k1": "<base64, 32 bytes>"}}``, and ``"cipher"`` where it
is not the usual one that seals. What was made with a key that is not active any more
still needs it.
"""

import base64
import itertools
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from services.chassis import ciphers, config
from services.chassis.errors import BadConfiguration

_KEY_BYTES: Final = 32
_DIFFERENT_BYTES_MIN: Final = 16


class KeyRing(NamedTuple):
    """The keys of a file, by their names."""

    active: str
    keys: dict[str, bytes]
    cipher: str = ciphers.DEFAULT
    """What seals from now on; what other ciphers sealed opens all the same."""


class _RingFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    active: str
    keys: dict[str, str]
    cipher: str = ciphers.DEFAULT


def load(path: Path) -> KeyRing:
    """Read a key ring.

    Raises:
        BadConfiguration: No ring, or one that cannot be used; nothing is ever done
            without a key instead.
    """
    try:
        ring = msgspec.json.decode(config.read_secret(path), type=_RingFile)
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise BadConfiguration(
            [f'key ring {path}: not a JSON object {{"active": …, "keys": {{…}}}}']
        ) from err
    faults: list[str] = []
    keys: dict[str, bytes] = {}
    for key_id, text in ring.keys.items():
        try:
            keys[key_id] = _key(text)
        except ValueError as err:
            faults.append(f"key ring {path}: key {key_id!r} {err}")
    if ring.active not in ring.keys:
        faults.append(f"key ring {path}: there is no key {ring.active!r}")
    if ring.cipher not in ciphers.KNOWN:
        known = ", ".join(ciphers.KNOWN)
        faults.append(f"key ring {path}: there is no cipher {ring.cipher!r}: {known}")
    if faults:
        raise BadConfiguration(faults)
    return KeyRing(ring.active, keys, ring.cipher)


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("is not base64") from None
    if len(key) != _KEY_BYTES:
        raise ValueError(f"must have {_KEY_BYTES} bytes, not {len(key)}")
    if _is_made_by_hand(key):
        raise ValueError("is an example, make one of your own")
    return key


def _is_made_by_hand(key: bytes) -> bool:
    """Say whether a key cannot be a random one: repeated, counted up, or typed.

    Of random keys not one in 10^10 has so few different bytes or is printable.
    """
    is_counted = len({(b - a) % 256 for a, b in itertools.pairwise(key)}) == 1
    is_typed = key.isascii() and key.decode("ascii").isprintable()
    return len(set(key)) < _DIFFERENT_BYTES_MIN or is_counted or is_typed
