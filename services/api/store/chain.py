"""The audit log as a chain: what an entry's digest covers, and where a chain breaks.

A trigger of the database makes the digests, under a lock, as the log grows; this is
the same rule read a second time, by whoever checks the log (hazard 129).
"""

import datetime
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from proto.base import Instant
from proto.ids import TenantId

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


class ChainedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log with its place in its tenant's chain."""

    tenant_id: TenantId
    number: int
    """1 for the first entry of a tenant, without a gap."""
    at: Instant
    actor: str
    act: str
    object_id: str
    fields: tuple[str, ...]
    outcome: str
    request_id: str
    remote: str
    digest: bytes


class Head(NamedTuple):
    """How far a chain goes. Kept elsewhere it proves all that was before it."""

    number: int
    digest: bytes


BEGINNING = Head(0, b"")


def digest(before: bytes, entry: ChainedEntry) -> bytes:
    """Return SHA-256 of the digest before, and of the entry's values as netstrings."""
    values = (
        entry.tenant_id,
        str(entry.number),
        str((entry.at - _EPOCH) // _MICROSECOND),
        entry.actor,
        entry.act,
        entry.object_id,
        "".join(map(_framed, entry.fields)),
        entry.outcome,
        entry.request_id,
        entry.remote,
    )
    return hashlib.sha256(before + "".join(map(_framed, values)).encode()).digest()


def fault_of(entries: Iterable[ChainedEntry], *, after: Head) -> tuple[Head, str]:
    """Follow a chain; return how far it holds, and what is wrong then, if anything."""
    head = after
    for entry in entries:
        if entry.number != head.number + 1:
            return head, f"entry {head.number + 1} is missing"
        if entry.digest != digest(head.digest, entry):
            return head, f"entry {entry.number} is not what was written"
        head = Head(entry.number, entry.digest)
    return head, ""


def _framed(value: str) -> str:
    return f"{len(value.encode())}:{value},"
