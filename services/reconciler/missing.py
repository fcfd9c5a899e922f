"""Evidence before belief: a record that an app does not know is asked for again.

Two answers well apart, each beside one that shows the app is well, make a deletion. In
between nothing is written to the record or its counterpart. Of an account that shows
nobody at all nobody counts as deleted (hazard 70): it is asked again, ever more rarely.
"""

import datetime
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

import msgspec

from proto.base import BATCH_RECORDS_MAX
from proto.connector import ReadRecords
from proto.ids import AccountId, RecordId, TenantId
from proto.record import Presence, Record
from services.chassis.store import Work
from services.reconciler.engine import model
from services.reconciler.engine.model import Seen
from services.reconciler.store import observations

CONFIRM_AFTER: Final = observations.ASK_AFTER_MIN
"""How far apart two answers are that make a deletion (hazards, section 4.6)."""
WELL_FOR: Final = datetime.timedelta(seconds=60)
"""How long a record that was shown tells that the app is well."""
ASKED_MAX: Final = 500
NUL: Final = "\x00"
"""The one character that Postgres cannot hold in a text."""
NEVER: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""When a record was read that nobody has shown yet."""


async def confirm(
    work: Work, seen: Sequence[Seen], *, tenant_id: TenantId, account_id: AccountId
) -> list[Seen]:
    """Return what was seen, with what is missing replaced by what is deleted for sure.

    What is missed for the first time is left out, and asked for again.
    """
    missing = [each for each in seen if each.record.presence is Presence.MISSING]
    if not missing:
        return list(seen)
    # What is missing and what is shown are stored apart, but locked in one order.
    await observations.lock(
        work.transaction,
        [each.record.record_id for each in seen],
        tenant_id=tenant_id,
        account_id=account_id,
    )
    since = await observations.note_missing(
        work.transaction,
        missing,
        tenant_id=tenant_id,
        account_id=account_id,
        now=work.clock.now(),
    )
    gone = [
        each
        for each in missing
        if each.record.record_id in since
        and each.read_at - since[each.record.record_id] >= CONFIRM_AFTER
    ]
    told = [each for each in seen if each.record.presence is not Presence.MISSING]
    is_well = any(each.record.presence is Presence.LIVE for each in told)
    if gone and not is_well:
        is_well = await observations.is_any_shown(
            work.transaction,
            tenant_id=tenant_id,
            account_id=account_id,
            since=min(each.read_at for each in gone) - WELL_FOR,
        )
    return [*told, *(_deleted(each) for each in gone if is_well)]


def heirs_of(seen: Sequence[Seen]) -> dict[RecordId, Seen]:
    """Return the records that others were merged into, unless they are shown too.

    They are older than anything that is known, so that only who is unknown is stored.
    """
    shown = {each.record.record_id for each in seen}
    named = {each.record.merged_into for each in seen} - {None, *shown}
    records = [
        Record(record_id=record_id)
        for record_id in named
        if record_id and NUL not in record_id
    ]
    return {
        record.record_id: Seen(
            record=record, read_at=NEVER, digest=model.digest_of(record)
        )
        for record in records
    }


async def expect(
    work: Work, heirs: Sequence[Seen], *, tenant_id: TenantId, account_id: AccountId
) -> None:
    """Have records asked for that were named and never shown: they are missing.

    They may be gone before that, and links that followed would wait for ever. To name
    one is no answer that it is missing: two are needed still.
    """
    if not heirs:
        return
    since = work.clock.now() + CONFIRM_AFTER
    await observations.note_missing(
        work.transaction,
        [msgspec.structs.replace(each, read_at=since) for each in heirs],
        tenant_id=tenant_id,
        account_id=account_id,
        now=work.clock.now(),
    )


async def ask_again(work: Work, *, limit: int) -> int:
    """Have records read again that were missed a while ago; returns how many."""
    due = await observations.claim_missing(
        work.transaction, now=work.clock.now(), limit=limit
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
