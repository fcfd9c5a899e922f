"""Push addresses, and what a push has to be like to count. Pure.

An address holds its own proof, a MAC over whose it is, so that nothing is stored and a
stranger costs one hash. Several keys may be valid, so that one replaces another
without a gap.
"""

import base64
import datetime
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from proto.ids import AccountId, AppId, TenantId
from services.chassis import config
from services.chassis.errors import BadConfiguration
from services.connector.manifest import Manifest, PushAddress, PushProof

ROOT: Final = "push"
_START: Final = f"/{ROOT}/"
AGE_S_MAX: Final = 300.0
"""How far the time of a signed push may be from ours, either way."""
REPLAYS_MAX: Final = 100_000
"""Pushes remembered; of those that come after, the oldest are forgotten first."""
KEY_BYTES_MIN: Final = 32
KEYS_MAX: Final = 4
PATH_CHARS_MAX: Final = 400
_DIFFERENT_BYTES_MIN: Final = 16


class Target(NamedTuple):
    """Whose a push address is."""

    app: AppId
    tenant_id: TenantId
    account_id: AccountId | None = None
    """None where it serves all accounts of the tenant's client."""


class Keys:
    """Makes addresses with the first key, and knows those of every key."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        assert keys, "there is a key"
        self._keys = tuple(keys)

    def path(self, target: Target) -> str:
        """Return the path of a target's address."""
        whose = _spelled(target)
        return f"{_START}{whose}/{_mac(self._keys[0], f'address {whose}')}"

    def find(self, path: str) -> Target | None:
        """Return whose address a path is; None where we have not made it."""
        if len(path) > PATH_CHARS_MAX or not path.isascii():
            return None
        start, _, token = path.rpartition("/")
        root, whose = start[: len(_START)], start[len(_START) :]
        if root != _START:
            return None
        # All of them, whichever it is: how long this takes tells nothing.
        fits = [
            hmac.compare_digest(token, _mac(key, f"address {whose}"))
            for key in self._keys
        ]
        return _target(whose) if any(fits) else None

    def signing_secrets(self, target: Target) -> tuple[bytes, ...]:
        """Return what a target's app signs with if it is given a secret, newest first.

        It is text, because people paste it.
        """
        text = f"secret {_spelled(target)}"
        return tuple(_mac(key, text).encode() for key in self._keys)


class Site(NamedTuple):
    """Where this installation is pushed to."""

    keys: Keys
    url: str
    """What stands before a path, as apps reach it."""


class Replays:
    """The signed pushes of the last minutes."""

    def __init__(self, *, count_max: int = REPLAYS_MAX) -> None:
        self._count_max = count_max
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._seen)

    def is_new(self, digest: bytes, *, now_s: float) -> bool:
        """Remember a push; False where it came before."""
        while self._seen:
            oldest, seen_s = next(iter(self._seen.items()))
            # Twice the age: it may have been signed so much ahead of our clock.
            if len(self._seen) <= self._count_max and now_s < seen_s + 2 * AGE_S_MAX:
                break
            del self._seen[oldest]
        if digest in self._seen:
            return False
        self._seen[digest] = now_s
        return True


def digest(target: Target, *, sent_at: datetime.datetime, body: bytes) -> bytes:
    """Return what a signed push is known again by: what its app has signed.

    Not its headers: the same signature can be spelled in several ways.
    """
    known = hashlib.sha256(f"{_spelled(target)} {sent_at.timestamp():.6f} ".encode())
    known.update(body)
    return known.digest()


def is_timely(sent_at: datetime.datetime, *, now: datetime.datetime) -> bool:
    """Say whether a push was signed about now."""
    return abs((now - sent_at).total_seconds()) <= AGE_S_MAX


def target_of(
    manifest: Manifest, *, tenant_id: TenantId, account_id: AccountId
) -> Target | None:
    """Return whose address an account's app pushes to; None where it does not."""
    if manifest.push is None:
        return None
    is_own = manifest.push.address is PushAddress.ACCOUNT
    return Target(manifest.app, tenant_id, account_id if is_own else None)


def gives_secret(manifest: Manifest) -> bool:
    """Say whether people take a signing secret to the app along with the address."""
    return manifest.push is not None and manifest.push.signed_with is PushProof.GIVEN


def load(path: Path) -> Keys:
    """Read the keys, one in base64 on each line; the first makes addresses.

    Raises:
        BadConfiguration: There is none, or one that can be guessed.
    """
    try:
        lines = config.read_secret(path).decode("ascii").split()
        keys = [base64.b64decode(line, validate=True) for line in lines]
    except ValueError as err:
        raise BadConfiguration([f"push keys {path}: not base64, one a line"]) from err
    faults = []
    if len(keys) > KEYS_MAX:
        faults.append(f"push keys {path}: more than {KEYS_MAX}")
    faults += [
        f"push keys {path}: line {number} is not {KEY_BYTES_MIN} bytes made by chance"
        for number, key in enumerate(keys, 1)
        if len(key) < KEY_BYTES_MIN or len(set(key)) < _DIFFERENT_BYTES_MIN
    ]
    if faults:
        raise BadConfiguration(faults)
    return Keys(keys)


def _spelled(target: Target) -> str:
    """Return whose an address is as text, of which no two targets have the same."""
    parts = [part for part in target if part is not None]
    assert all(part and "/" not in part for part in parts), "ids have no slash"
    return "/".join(parts)


def _target(whose: str) -> Target:
    app, tenant_id, *account_id = whose.split("/")
    return Target(AppId(app), TenantId(tenant_id), *map(AccountId, account_id))


def _mac(key: bytes, text: str) -> str:
    mac = hmac.digest(key, text.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
