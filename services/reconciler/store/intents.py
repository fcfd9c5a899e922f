"""Queries on intents and losses: what was decided, what became of it, what gave way."""

import datetime
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from proto import codec
from proto.ids import AccountId, ConnectionId, IntentId, TenantId
from proto.reconciler import Side
from services.chassis import queries
from services.chassis.database import Transaction
from services.reconciler.engine.model import Intent, Loss, SideConfig
from services.reconciler.store.connections import StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class OpenIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent without a final answer, and when its write was sent if it was."""

    intent: Intent
    number: int
    """What was stored under an earlier one was there before it."""
    sent_at: datetime.datetime | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an intent after an answer to it."""

    intent: Intent
    state: str
    """``open``, ``unknown``, ``done`` or ``dead``."""
    sent_at: datetime.datetime | None
    look_at: datetime.datetime | None
    outcome: str
    reason: str


class DueLook(msgspec.Struct, frozen=True, kw_only=True):
    """An open intent whose fate is to be looked up."""

    tenant_id: TenantId
    connection_id: ConnectionId
    account_id: AccountId
    left: SideConfig
    right: SideConfig
    intent: Intent


async def add(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    intents: Sequence[Intent],
    now: datetime.datetime,
    look_at: datetime.datetime,
) -> None:
    """Store writes before they are tried."""
    await transaction.execute(
        Q["add_intents"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
            look_at=look_at,
            intent_ids=[intent.intent_id for intent in intents],
            link_ids=[intent.link_id for intent in intents],
            account_ids=[
                connection.config.side(intent.side).account_id for intent in intents
            ],
            sides=[intent.side.value for intent in intents],
            kinds=[intent.kind.value for intent in intents],
            bodies=[codec.encode(intent) for intent in intents],
            is_destructive=[intent.is_destructive for intent in intents],
            source_ids=[intent.source_id for intent in intents],
        )
    )


async def lock_open(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    intent_ids: Collection[IntentId],
) -> dict[IntentId, OpenIntent]:
    """Return those of the intents that are still open, locked."""
    rows = await transaction.fetch(
        Q["lock_open_intents"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            intent_ids=sorted(intent_ids),
        )
    )
    return {
        row["intent_id"]: OpenIntent(
            intent=codec.decode(row["body"], Intent),
            number=row["number"],
            sent_at=row["sent_at"],
        )
        for row in rows
    }


async def look_at_all(
    transaction: Transaction, connection: StoredConnection, *, now: datetime.datetime
) -> None:
    """Have every open write of a connection looked up."""
    await transaction.execute(
        Q["look_at_all"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
        )
    )


async def save(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    told: Sequence[Told],
    now: datetime.datetime,
) -> None:
    """Note what became of intents."""
    await transaction.execute(
        Q["save_intents"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
            intent_ids=[each.intent.intent_id for each in told],
            link_ids=[each.intent.link_id for each in told],
            account_ids=[
                connection.config.side(each.intent.side).account_id for each in told
            ],
            sides=[each.intent.side.value for each in told],
            kinds=[each.intent.kind.value for each in told],
            states=[each.state for each in told],
            bodies=[codec.encode(each.intent) for each in told],
            sent_at=[each.sent_at for each in told],
            look_at=[each.look_at for each in told],
            outcomes=[each.outcome for each in told],
            reasons=[each.reason for each in told],
        )
    )


async def add_losses(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    losses: Sequence[Loss],
    now: datetime.datetime,
) -> None:
    """Keep the values that gave way in a conflict."""
    await transaction.execute(
        Q["add_losses"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
            intent_ids=[loss.intent_id for loss in losses],
            mapping_ids=[loss.mapping_id for loss in losses],
            sides=[loss.side.value for loss in losses],
            fields=[codec.encode(loss.values) for loss in losses],
        )
    )


async def claim_looks(
    transaction: Transaction,
    *,
    now: datetime.datetime,
    again_at: datetime.datetime,
    limit: int,
) -> list[DueLook]:
    """Return intents to be looked up now; each is due again at ``again_at``."""
    rows = await transaction.fetch(
        Q["claim_looks"](now=now, again_at=again_at, limit=limit)
    )
    return [
        DueLook(
            tenant_id=row["tenant_id"],
            connection_id=row["connection_id"],
            account_id=row["account_id"],
            left=codec.decode(row["left_side"], SideConfig),
            right=codec.decode(row["right_side"], SideConfig),
            intent=codec.decode(row["body"], Intent),
        )
        for row in rows
    ]


def side_of(due: DueLook) -> SideConfig:
    """Return the end of the connection that an intent writes to."""
    return due.left if due.intent.side is Side.LEFT else due.right
