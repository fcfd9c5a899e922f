"""Queries on what accounts showed: records, their addresses, complete scans."""

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from proto import codec
from proto.connector import ScanPart
from proto.ids import AccountId, RecordId, ScanId, TenantId
from proto.record import Consent, Presence, Record
from services.chassis import queries
from services.chassis.database import Source, Transaction
from services.reconciler.engine import consent
from services.reconciler.engine.model import Seen

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")

SHARERS_MAX = 20
"""Records looked at for one address; more than one changes no decision."""
CONTROLS_MAX = 3
EMAILS_MAX = 50
"""Addresses of one record that are looked for."""
NO_LAG: Final = datetime.timedelta()
ASK_AFTER_MIN: Final = datetime.timedelta(seconds=60)
ASK_AFTER_MAX: Final = datetime.timedelta(hours=6)
"""How long a missed record waits until it is asked for again, at least and at most."""

Place = tuple[AccountId, RecordId]
"""A record, wherever it is."""


class Stored(NamedTuple):
    """Which state of a record is stored."""

    digest: str
    """Empty once it was forgotten, to have the next state count as a change."""
    read_at: datetime.datetime


class ScanState(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a scan has been received."""

    parts_seen: int
    part_count: int | None
    asked_at: datetime.datetime | None
    """By our clock; None for a scan that nobody asked for."""
    first_read_at: datetime.datetime
    """By the connector's clock."""

    @property
    def begun_at(self) -> datetime.datetime:
        """Return when it had not begun yet, by our clock as far as that is known."""
        return self.asked_at or self.first_read_at

    @property
    def is_complete(self) -> bool:
        """Whether every part is in."""
        return self.parts_seen == self.part_count


async def save(
    transaction: Transaction,
    seen: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId | None,
    lag: datetime.timedelta = NO_LAG,
) -> dict[RecordId, bool]:
    """Store what is news, each record given once; returns whose content is new too.

    Args:
        lag: How far what was seen may be behind what is true.
    """
    ordered = sorted(seen, key=lambda each: each.record.record_id)
    records = [each.record for each in ordered]
    rows = await transaction.fetch(
        Q["save_observations"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan_id,
            record_ids=[record.record_id for record in records],
            records=[codec.encode(record) for record in records],
            digests=[each.digest for each in ordered],
            read_at=[each.read_at for each in ordered],
            modified_at=[record.modified_at for record in records],
            is_live=[record.presence is Presence.LIVE for record in records],
            is_tight=[is_tight(record) for record in records],
            lag=lag,
        )
    )
    return {row["record_id"]: row["is_changed"] for row in rows}


def is_tight(record: Record) -> bool:
    """Say whether a person must not be mailed, which goes ahead of everything."""
    return consent.tightest(record.consent) is not Consent.UNKNOWN


async def lock(
    transaction: Transaction,
    record_ids: Iterable[RecordId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> dict[RecordId, Stored]:
    """Lock what is stored of records of one account, in the order of their ids."""
    rows = await transaction.fetch(
        Q["lock_observations"](
            tenant_id=tenant_id,
            account_id=account_id,
            record_ids=sorted(set(record_ids)),
        )
    )
    return {row["record_id"]: Stored(row["digest"], row["read_at"]) for row in rows}


async def note_missing(
    transaction: Transaction,
    missing: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    now: datetime.datetime,
) -> dict[RecordId, datetime.datetime]:
    """Note that an app did not know these ids; returns since when, by our records."""
    ordered = sorted(missing, key=lambda each: each.record.record_id)
    rows = await transaction.fetch(
        Q["note_missing"](
            tenant_id=tenant_id,
            account_id=account_id,
            record_ids=[each.record.record_id for each in ordered],
            read_at=[each.read_at for each in ordered],
            now=now,
            wait_min=ASK_AFTER_MIN,
            wait_max=ASK_AFTER_MAX,
        )
    )
    return {row["record_id"]: row["missing_since"] for row in rows}


async def claim_missing(
    transaction: Transaction,
    *,
    now: datetime.datetime,
    limit: int,
) -> list[tuple[TenantId, AccountId, RecordId]]:
    """Take records that are to be asked for again, to see whether they are gone."""
    rows = await transaction.fetch(
        Q["claim_missing"](
            now=now, wait_min=ASK_AFTER_MIN, wait_max=ASK_AFTER_MAX, limit=limit
        )
    )
    return sorted(
        (row["tenant_id"], row["account_id"], row["record_id"]) for row in rows
    )


async def is_any_shown(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    since: datetime.datetime,
) -> bool:
    """Say whether an account has shown any record since then."""
    row = await transaction.fetch_row(
        Q["is_any_shown"](tenant_id=tenant_id, account_id=account_id, since=since)
    )
    return row is not None and bool(row["is_shown"])


async def find_controls(
    transaction: Transaction,
    without: Sequence[RecordId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> tuple[RecordId, ...]:
    """Return a few other records of an account that were there lately."""
    rows = await transaction.fetch(
        Q["find_controls"](
            tenant_id=tenant_id,
            account_id=account_id,
            without=list(without),
            limit=CONTROLS_MAX,
        )
    )
    return tuple(sorted(row["record_id"] for row in rows))


async def count_live(
    transaction: Transaction, *, tenant_id: TenantId, account_id: AccountId
) -> int:
    """Return how many records an account has, as far as is known."""
    row = await transaction.fetch_row(
        Q["count_live"](tenant_id=tenant_id, account_id=account_id)
    )
    return int(row["live"]) if row else 0


async def save_sightings(
    transaction: Transaction,
    record_ids: Sequence[RecordId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId,
) -> None:
    """Note that a scan showed records whose stored state is newer."""
    await transaction.execute(
        Q["save_sightings"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan_id,
            record_ids=list(record_ids),
        )
    )


async def save_emails(
    transaction: Transaction,
    emails: dict[RecordId, tuple[str, ...]],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> set[str]:
    """Store which addresses records have now; returns those that any gave up."""
    pairs = sorted((record, email) for record, have in emails.items() for email in have)
    owners = [record for record, _ in pairs]
    addresses = [email for _, email in pairs]
    rows = await transaction.fetch(
        Q["drop_emails"](
            tenant_id=tenant_id,
            account_id=account_id,
            record_ids=sorted(emails),
            emails_max=EMAILS_MAX,
            owners=owners,
            emails=addresses,
        )
    )
    await transaction.execute(
        Q["add_emails"](
            tenant_id=tenant_id, account_id=account_id, owners=owners, emails=addresses
        )
    )
    return {row["email"] for row in rows}


async def add_scans(
    transaction: Transaction,
    scans: dict[AccountId, ScanId],
    *,
    tenant_id: TenantId,
    now: datetime.datetime,
) -> None:
    """Note when scans were asked for."""
    await transaction.execute(
        Q["add_scans"](
            tenant_id=tenant_id,
            now=now,
            account_ids=list(scans),
            scan_ids=list(scans.values()),
        )
    )


async def count_scan_part(
    transaction: Transaction,
    scan: ScanPart,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    read_at: datetime.datetime,
) -> ScanState | None:
    """Count a part of a scan; None if it was counted before."""
    row = await transaction.fetch_row(
        Q["add_scan_part"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan.scan_id,
            part=scan.part,
        )
    )
    if row is None:
        return None
    row = await transaction.fetch_row(
        Q["count_scan_part"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan.scan_id,
            part_count=scan.part_count,
            read_at=read_at,
        )
    )
    assert row is not None
    return ScanState(**dict(row))


async def find_unseen(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId,
    first_read_at: datetime.datetime,
    limit: int,
) -> list[RecordId]:
    """Return live records that a complete scan did not show."""
    rows = await transaction.fetch(
        Q["find_unseen"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan_id,
            first_read_at=first_read_at,
            limit=limit,
        )
    )
    return [row["record_id"] for row in rows]


async def load(
    source: Source, places: Iterable[Place], *, tenant_id: TenantId
) -> dict[Place, Seen]:
    """Return the newest state of records; those never seen are missing."""
    ordered = sorted(set(places))
    rows = await source.fetch(
        Q["load_observed"](
            tenant_id=tenant_id,
            account_ids=[account for account, _ in ordered],
            record_ids=[record for _, record in ordered],
        )
    )
    return {
        (row["account_id"], row["record_id"]): Seen(
            record=codec.decode(row["record"], Record),
            read_at=row["read_at"],
            digest=row["digest"],
            is_missing=row["is_missing"],
            live_number=row["live_number"],
            is_ours=row["is_ours"],
        )
        for row in rows
    }


async def find_owners(
    source: Source,
    emails: Iterable[str],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> set[RecordId]:
    """Return the records of an account that have any of these addresses."""
    rows = await source.fetch(
        Q["find_owners"](
            tenant_id=tenant_id,
            account_id=account_id,
            emails=sorted(set(emails)),
            sharers_max=SHARERS_MAX,
        )
    )
    return {row["record_id"] for row in rows}


async def find_sharers(
    source: Source,
    places: Iterable[Place],
    *,
    tenant_id: TenantId,
    account_ids: Sequence[AccountId],
) -> set[Place]:
    """Return records of the accounts that share an address with the given ones."""
    ordered = sorted(set(places))
    rows = await source.fetch(
        Q["find_sharers"](
            tenant_id=tenant_id,
            account_ids=[account for account, _ in ordered],
            record_ids=[record for _, record in ordered],
            both_accounts=list(account_ids),
            emails_max=EMAILS_MAX,
            sharers_max=SHARERS_MAX,
        )
    )
    return {(row["account_id"], row["record_id"]) for row in rows}
