"""Evidence before belief: a record that an app does not know is asked for again.

Two answers well apart, each beside one that shows the app is well, make a deletion. In
between nothing is written to the record or its counterpart.
"""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from proto.base import BATCH_RECORDS_MAX
from proto.connector import ReadRecords
from proto.ids import AccountId, RecordId, TenantId
from proto.record import Presence, Record
from services.chassis.store import Work
from services.reconciler.engine import model
from services.reconciler.engine.model import Seen
from services.reconciler.store import observations

CONFIRM_AFTER: Final = datetime.timedelta(seconds=60)
"""How far apart two answers are that make a deletion (hazards, section 4.6)."""
ASKED_MAX: Final = 500


async def confirm(
    work: Work, seen: Sequence[Seen], *, tenant_id: TenantId, account_id: AccountId
) -> list[Seen]:
    """Return what was seen, with what is missing replaced by what is deleted for sure.

    What is missed for the first time is left out, and asked for again.
    """
    missing = [each for each in seen if each.record.presence is Presence.MISSING]
    if not missing:
        return list(seen)
    since = await observations.note_missing(
        work.transaction,
        missing,
        tenant_id=tenant_id,
        account_id=account_id,
        ask_again_at=work.clock.now() + CONFIRM_AFTER,
    )
    return [
        *(each for each in seen if each.record.presence is not Presence.MISSING),
        *(
            _deleted(each)
            for each in missing
            if each.record.record_id in since
            and each.read_at - since[each.record.record_id] >= CONFIRM_AFTER
        ),
    ]


async def ask_again(work: Work, *, limit: int) -> int:
    """Have records read again that were missed a while ago; returns how many."""
    now = work.clock.now()
    due = await observations.claim_missing(
        work.transaction, now=now, again_at=now + CONFIRM_AFTER, limit=limit
    )
    for (tenant_id, account_id), found in groupby(due, key=lambda each: each[:2]):
        await ask(
            work,
            [record_id for _, _, record_id in found],
            tenant_id=tenant_id,
            account_id=account_id,
        )
    return len(due)


async def ask(
    work: Work,
    record_ids: Iterable[RecordId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> None:
    """Have records read by id, beside a few that are known to be there."""
    wanted = list(record_ids)
    if not wanted:
        return
    controls = await observations.find_controls(
        work.transaction, wanted, tenant_id=tenant_id, account_id=account_id
    )
    await work.send(
        *(
            ReadRecords(
                tenant_id=tenant_id,
                account_id=account_id,
                record_ids=tuple(wanted[start : start + BATCH_RECORDS_MAX]),
                control_ids=controls,
            )
            for start in range(0, len(wanted), BATCH_RECORDS_MAX)
        )
    )


def _deleted(seen: Seen) -> Seen:
    record = Record(record_id=seen.record.record_id, presence=Presence.DELETED)
    return Seen(record=record, read_at=seen.read_at, digest=model.digest_of(record))
