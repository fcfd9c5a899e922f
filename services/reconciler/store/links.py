"""Queries on links. A link is stored packed, with what has to be found beside it."""

import datetime
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import msgspec

from proto import codec
from proto.ids import AccountId, ConnectionId, LinkId, RecordId, TenantId
from proto.reconciler import RecordState, RecordView, Side
from services.chassis import queries
from services.chassis.database import Row, Source, Transaction
from services.reconciler.engine.model import Link
from services.reconciler.store.connections import StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


STEPS_MAX: Final = 8
"""Links in a row that lead round, in a ring of one more connection."""


class NamedLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link to be stored, with the name and address it is listed under."""

    link: Link
    name: str = ""
    """Empty leaves what is stored."""
    email: str = ""


async def load_of_records(
    source: Source,
    connection: StoredConnection,
    *,
    left_ids: Collection[RecordId],
    right_ids: Collection[RecordId],
) -> list[Link]:
    """Return the links that the given records of either side are on."""
    rows = await source.fetch(
        Q["load_links_of_records"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            left_ids=sorted(left_ids),
            right_ids=sorted(right_ids),
        )
    )
    by_id = {row["link_id"]: row for row in rows}
    return [_link(row) for row in by_id.values()]


async def find_around(
    source: Source,
    connection: StoredConnection,
    *,
    left_ids: Collection[RecordId],
    right_ids: Collection[RecordId],
) -> frozenset[tuple[Side, RecordId]]:
    """Return whom links of other connections lead to the connection's other account.

    In a ring of connections, that is, where they know its counterpart (hazard 68).
    """
    left, right = connection.config.left, connection.config.right
    if left.account_id == right.account_id:
        # The counterpart could not be told from the record itself.
        return frozenset()
    rows = await source.fetch(
        Q["find_links_around"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            left_account=left.account_id,
            right_account=right.account_id,
            left_ids=sorted(left_ids),
            right_ids=sorted(right_ids),
            steps_max=STEPS_MAX,
        )
    )
    return frozenset((Side(row["side"]), row["record_id"]) for row in rows)


async def load(
    source: Source,
    connection: StoredConnection,
    *,
    link_ids: Collection[LinkId],
) -> list[Link]:
    """Return links by their ids; those that are gone are missing."""
    rows = await source.fetch(
        Q["load_links"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            link_ids=sorted(link_ids),
        )
    )
    return sorted((_link(row) for row in rows), key=lambda link: link.link_id)


async def lock(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    link_ids: Collection[LinkId],
) -> dict[LinkId, Link]:
    """Return links that nobody else changes until the commit."""
    rows = await transaction.fetch(
        Q["lock_links"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            link_ids=sorted(link_ids),
        )
    )
    return {row["link_id"]: _link(row) for row in rows}


async def save(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    links: Sequence[NamedLink],
    now: datetime.datetime,
) -> bool:
    """Store links under the version after theirs; False if one had moved on."""
    ordered = sorted(links, key=lambda each: each.link.link_id)
    kept = [each.link for each in ordered]
    rows = await transaction.fetch(
        Q["save_links"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
            link_ids=[link.link_id for link in kept],
            left_ids=[link.left_id for link in kept],
            right_ids=[link.right_id for link in kept],
            states=[link.state.value for link in kept],
            reasons=[link.reason for link in kept],
            bodies=[codec.encode(link) for link in kept],
            names=[each.name for each in ordered],
            emails=[each.email for each in ordered],
            intent_ids=[link.intent_id for link in kept],
            retry_at=[link.retry_at for link in kept],
            versions=[link.version + 1 for link in kept],
        )
    )
    return len(rows) == len(kept)


async def drop(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    link_ids: Collection[LinkId],
) -> bool:
    """Remove links without an open intent; False if one was not as expected."""
    rows = await transaction.fetch(
        Q["drop_links"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            link_ids=sorted(link_ids),
        )
    )
    return len(rows) == len(link_ids)


async def retry(
    transaction: Transaction, *, now: datetime.datetime, limit: int
) -> bool:
    """Have links planned again whose next try is due; True if there were any."""
    return await transaction.execute(Q["retry_links"](now=now, limit=limit)) > 0


async def count_by_state(
    source: Source, *, tenant_id: TenantId, connection_id: ConnectionId
) -> dict[RecordState, tuple[int, int]]:
    """Return contacts by state, and how many of them have both sides."""
    rows = await source.fetch(
        Q["count_links"](tenant_id=tenant_id, connection_id=connection_id)
    )
    return {
        RecordState(row["state"]): (int(row["contacts"]), int(row["linked"]))
        for row in rows
    }


async def list_page(
    source: Source,
    connection: StoredConnection,
    *,
    state: RecordState | None,
    after: str,
    limit: int,
) -> list[RecordView]:
    """Return a page of contacts, of one state or of all, oldest first."""
    bound = {
        "tenant_id": connection.tenant_id,
        "connection_id": connection.connection_id,
        "after": after,
        "limit": limit,
    }
    if state is None:
        query = Q["list_links"](**bound)
    else:
        query = Q["list_links_in_state"](**bound, state=state.value)
    return [_view(row) for row in await source.fetch(query)]


async def list_with_email(
    source: Source,
    connection: StoredConnection,
    *,
    email: str,
    state: RecordState | None,
    after: str,
    limit: int,
) -> list[RecordView]:
    """Return a page of contacts one of whose records has an address."""
    accounts: tuple[AccountId, AccountId] = (
        connection.left.account_id,
        connection.right.account_id,
    )
    rows = await source.fetch(
        Q["list_links_with_email"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            left_account=accounts[0],
            right_account=accounts[1],
            email=email,
            state=state.value if state else None,
            after=after,
            limit=limit,
        )
    )
    return [_view(row) for row in rows]


def _link(row: Row) -> Link:
    link = codec.decode(row["body"], Link)
    return msgspec.structs.replace(link, version=row["version"])


def _view(row: Row) -> RecordView:
    link = codec.decode(row["body"], Link)
    return RecordView(
        link_id=link.link_id,
        left_record_id=link.left_id,
        right_record_id=link.right_id,
        name=row["name"],
        email=row["email"],
        state=link.state,
        reason=link.reason,
        fields=tuple(hold.mapping_id for hold in link.held),
        changed_at=row["changed_at"],
    )
