"""Leaves out who was erased, wherever an account shows them again.

By the record's id or by one of its addresses. What was shown is not kept; that somebody
was left out is, for they count as left out and are known by their id from then on.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from proto.ids import ErasureId, TenantId
from services.chassis.store import Work
from services.reconciler.engine import canon
from services.reconciler.engine.model import Seen, SideConfig
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.store import suppressions
from services.reconciler.store.suppressions import Suppression

log = structlog.get_logger()

Screen = Pseudonyms
"""What tells who was erased."""


class _Hashes(NamedTuple):
    """What one record can be known by."""

    own: Sequence[bytes]
    emails: Sequence[Sequence[bytes]]
    """For each address, like the record's own, by every key, the active one's first."""

    @property
    def every(self) -> list[bytes]:
        """Return all of them."""
        return [digest for each in (self.own, *self.emails) for digest in each]


async def without_erased(
    work: Work,
    seen: Sequence[Seen],
    *,
    screen: Screen | None,
    tenant_id: TenantId,
    side: SideConfig,
) -> list[Seen]:
    """Return what was seen of people who were not erased."""
    # A service without the keys does not start where somebody was erased.
    assert screen is not None, "who was erased cannot be told without a key ring"
    hashes = [_hashes_of(each, screen, tenant_id=tenant_id, side=side) for each in seen]
    known = await suppressions.find(
        work.transaction,
        (digest for each in hashes for digest in each.every),
        tenant_id=tenant_id,
    )
    if not known:
        return list(seen)
    kept = []
    found: dict[bytes, Suppression] = {}
    for each, its in zip(seen, hashes, strict=True):
        erasure_id = _first(known, its.every)
        if erasure_id is None:
            kept.append(each)
            continue
        # Under the active key, whatever key made what it was known by.
        fresh = [Suppression(its.own[0], side.account_id, erasure_id)]
        fresh += [
            Suppression(email[0], "", erasure_id)
            for email in its.emails
            if email[0] not in known and _first(known, email) is not None
        ]
        found |= {new.digest: new for new in fresh}
    if found:
        await suppressions.add(
            work.transaction,
            found,
            tenant_id=tenant_id,
            key_id=screen.key_id,
            now=work.clock.now(),
            is_seen=True,
        )
        log.info(
            "erased_left_out",
            account_id=side.account_id,
            count=len(seen) - len(kept),
            reason="erased on request",
        )
    return kept


def _hashes_of(
    seen: Seen, screen: Screen, *, tenant_id: TenantId, side: SideConfig
) -> _Hashes:
    record = seen.record
    return _Hashes(
        screen.all_of_record(tenant_id, side.account_id, record_id=record.record_id),
        [
            screen.all_of_email(tenant_id, email)
            for email in canon.emails_of(record, side)
        ],
    )


def _first(known: dict[bytes, ErasureId], digests: Iterable[bytes]) -> ErasureId | None:
    return next((known[digest] for digest in digests if digest in known), None)
