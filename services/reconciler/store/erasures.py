"""Queries on erasures: how far each is, whom it is about, what goes because of it."""

import datetime
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    ErasureId,
    IntentId,
    LinkId,
    RecordId,
    TenantId,
)
from services.chassis import queries
from services.chassis.database import Row, Source, Transaction
from services.reconciler.store.observations import EMAILS_MAX, Place

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql") | queries.load(
    Path(__file__).parent.parent / "sql" / "erasure_queries.sql"
)

FOUND_MAX: Final = 501
"""Records or links of one person that are looked for: more than there may be."""


class StoredErasure(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure as it is stored."""

    erasure_id: ErasureId
    digest: bytes
    key_id: str
    step: str
    subject: bytes | None
    remains: bytes | None
    asked_at: datetime.datetime
    next_at: datetime.datetime | None
    fence: int | None
    step_at: datetime.datetime
    traces_at: datetime.datetime | None
    finished_at: datetime.datetime | None
    records: int
    links: int
    writes: int
    shared_emails: int


class FoundLink(NamedTuple):
    """A link, and where its two records are."""

    connection_id: ConnectionId
    link_id: LinkId
    email: str
    places: tuple[Place, ...]

    @property
    def key(self) -> tuple[ConnectionId, LinkId]:
        """What the link is known by."""
        return self.connection_id, self.link_id


class OpenWrite(NamedTuple):
    """A write whose outcome nobody knows yet."""

    connection_id: ConnectionId
    intent_id: IntentId
    account_id: AccountId
    kind: str
    state: str
    decided_at: datetime.datetime


class ErasedWrite(NamedTuple):
    """A write that was taken out of the history."""

    connection_id: ConnectionId
    intent_id: IntentId
    decided_at: datetime.datetime


async def add(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    erasure_id: ErasureId,
    digest: bytes,
    key_id: str,
    subject: bytes,
    now: datetime.datetime,
) -> None:
    """Note that somebody is to be erased."""
    await transaction.execute(
        Q["add_erasure"](
            tenant_id=tenant_id,
            erasure_id=erasure_id,
            digest=digest,
            key_id=key_id,
            subject=subject,
            now=now,
        )
    )


async def load(
    source: Source, *, tenant_id: TenantId, erasure_id: ErasureId
) -> StoredErasure | None:
    """Return one erasure."""
    row = await source.fetch_row(
        Q["load_erasure"](tenant_id=tenant_id, erasure_id=erasure_id)
    )
    return None if row is None else msgspec.convert(dict(row), StoredErasure)


async def list_page(
    source: Source, *, tenant_id: TenantId, after: str, limit: int
) -> list[StoredErasure]:
    """Return a page of a tenant's erasures, oldest first."""
    rows = await source.fetch(
        Q["list_erasures"](tenant_id=tenant_id, after=after, limit=limit)
    )
    return [msgspec.convert(dict(row), StoredErasure) for row in rows]


async def claim(
    transaction: Transaction, *, now: datetime.datetime
) -> tuple[TenantId, ErasureId] | None:
    """Lock an erasure that is due until the commit; None if there is none."""
    row = await transaction.fetch_row(Q["claim_erasure"](now=now))
    return None if row is None else (row["tenant_id"], row["erasure_id"])


async def save(
    transaction: Transaction, stored: StoredErasure, *, tenant_id: TenantId
) -> None:
    """Store how far an erasure is."""
    values = msgspec.structs.asdict(stored)
    for constant in ("digest", "key_id", "asked_at"):
        del values[constant]
    await transaction.execute(Q["save_erasure"](tenant_id=tenant_id, **values))


async def note_traces_erased(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    erasure_id: ErasureId,
    at: datetime.datetime,
    now: datetime.datetime,
) -> None:
    """Note that the connector has nothing any more."""
    await transaction.execute(
        Q["note_traces_erased"](
            tenant_id=tenant_id, erasure_id=erasure_id, at=at, now=now
        )
    )


async def lift(
    transaction: Transaction, digests: Sequence[bytes], *, tenant_id: TenantId
) -> int:
    """Forget who was erased together with whom these hashes are of; how many hashes."""
    return await transaction.execute(
        Q["drop_suppressions"](tenant_id=tenant_id, digests=list(digests))
    )


async def draw_fence(transaction: Transaction) -> int:
    """Return a number that every transaction begun by now is below."""
    row = await transaction.fetch_row(Q["draw_fence"]())
    assert row is not None
    return int(row["fence"])


async def is_past(transaction: Transaction, fence: int) -> bool:
    """Say whether every transaction below a fence is over."""
    row = await transaction.fetch_row(Q["is_past_fence"](fence=fence))
    assert row is not None
    return bool(row["is_past"])


async def apps_of_accounts(
    source: Source, *, tenant_id: TenantId
) -> dict[AccountId, AppId]:
    """Return every account that anything is kept of, with its app."""
    rows = await source.fetch(Q["list_apps_of_accounts"](tenant_id=tenant_id))
    return {row["account_id"]: row["app"] for row in rows}


async def find_records(
    source: Source,
    emails: Iterable[str],
    *,
    tenant_id: TenantId,
    account_ids: Collection[AccountId],
) -> list[tuple[Place, str]]:
    """Return the records that have any of these addresses, with which one."""
    rows = await source.fetch(
        Q["find_records_of_emails"](
            tenant_id=tenant_id,
            account_ids=sorted(account_ids),
            emails=sorted(set(emails)),
            limit=FOUND_MAX,
        )
    )
    return [((row["account_id"], row["record_id"]), row["email"]) for row in rows]


async def find_emails(
    source: Source, places: Iterable[Place], *, tenant_id: TenantId
) -> set[str]:
    """Return the addresses that records have."""
    rows = await source.fetch(
        Q["find_emails_of_records"](
            **_columns(places), tenant_id=tenant_id, emails_max=EMAILS_MAX
        )
    )
    return {row["email"] for row in rows}


async def find_links_of_emails(
    source: Source, emails: Iterable[str], *, tenant_id: TenantId
) -> list[FoundLink]:
    """Return the links that are listed under any of these addresses."""
    rows = await source.fetch(
        Q["find_links_of_emails"](
            tenant_id=tenant_id,
            emails=sorted({email.lower() for email in emails}),
            limit=FOUND_MAX,
        )
    )
    return [_link(row) for row in rows]


async def find_links(
    source: Source, places: Iterable[Place], *, tenant_id: TenantId
) -> list[FoundLink]:
    """Return the links that are about any of these records."""
    rows = await source.fetch(
        Q["find_links_of_places"](**_columns(places), tenant_id=tenant_id)
    )
    return [_link(row) for row in rows]


async def find_link(
    source: Source,
    link_id: LinkId,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
) -> FoundLink | None:
    """Return one link."""
    row = await source.fetch_row(
        Q["find_named_link"](
            tenant_id=tenant_id, connection_id=connection_id, link_id=link_id
        )
    )
    return None if row is None else _link(row)


async def find_open_writes(
    source: Source,
    keys: Iterable[tuple[ConnectionId, LinkId]],
    *,
    tenant_id: TenantId,
) -> list[OpenWrite]:
    """Return the writes of links that nobody knows the outcome of."""
    ordered = sorted(keys)
    rows = await source.fetch(
        Q["find_open_writes_of_links"](
            tenant_id=tenant_id,
            connection_ids=[connection_id for connection_id, _ in ordered],
            link_ids=[link_id for _, link_id in ordered],
        )
    )
    return [OpenWrite(**dict(row)) for row in rows]


async def erase_history(
    transaction: Transaction,
    keys: Iterable[tuple[ConnectionId, LinkId]],
    *,
    places: Iterable[Place],
    tenant_id: TenantId,
    is_forced: bool,
    limit: int,
) -> list[ErasedWrite]:
    """Take a batch of writes out of the history, of links and from records.

    But those on their way, unless it is forced.
    """
    ordered = sorted(keys)
    links = {
        "connection_ids": [connection_id for connection_id, _ in ordered],
        "link_ids": [link_id for _, link_id in ordered],
    }
    rows = await transaction.fetch(
        Q["erase_intents"](
            **links,
            **_columns(places),
            tenant_id=tenant_id,
            is_forced=is_forced,
            limit=limit,
        )
    )
    return [ErasedWrite(**dict(row)) for row in rows]


async def erase_links(
    transaction: Transaction,
    keys: Iterable[tuple[ConnectionId, LinkId]],
    *,
    tenant_id: TenantId,
    is_forced: bool,
) -> int:
    """Take links away, but those with a write on its way unless it is forced."""
    ordered = sorted(keys)
    rows = await transaction.fetch(
        Q["erase_links"](
            tenant_id=tenant_id,
            connection_ids=[connection_id for connection_id, _ in ordered],
            link_ids=[link_id for _, link_id in ordered],
            is_forced=is_forced,
        )
    )
    return len(rows)


async def erase_losses(
    transaction: Transaction, writes: Sequence[ErasedWrite], *, tenant_id: TenantId
) -> None:
    """Take away what gave way to writes."""
    await transaction.execute(
        Q["erase_losses"](
            tenant_id=tenant_id,
            connection_ids=[each.connection_id for each in writes],
            intent_ids=[each.intent_id for each in writes],
        )
    )


async def erase_records(
    transaction: Transaction, places: Iterable[Place], *, tenant_id: TenantId
) -> int:
    """Take away what accounts showed of records, and have nobody plan them."""
    bound = {**_columns(places), "tenant_id": tenant_id}
    count = await transaction.execute(Q["erase_observations"](**bound))
    await transaction.execute(Q["erase_emails"](**bound))
    await transaction.execute(Q["erase_dirty"](**bound))
    return count


async def end_leases(
    transaction: Transaction,
    account_ids: Collection[AccountId],
    *,
    tenant_id: TenantId,
) -> None:
    """Have whoever plans a connection of these accounts load everything anew."""
    await transaction.execute(
        Q["end_leases"](tenant_id=tenant_id, account_ids=sorted(account_ids))
    )


def _columns(places: Iterable[Place]) -> dict[str, list[str]]:
    ordered = sorted(set(places))
    return {
        "account_ids": [account_id for account_id, _ in ordered],
        "record_ids": [record_id for _, record_id in ordered],
    }


def _link(row: Row) -> FoundLink:
    ends: tuple[tuple[AccountId, RecordId | None], ...] = (
        (row["left_account"], row["left_record_id"]),
        (row["right_account"], row["right_record_id"]),
    )
    places = tuple((account, record) for account, record in ends if record)
    return FoundLink(row["connection_id"], row["link_id"], row["email"], places)
