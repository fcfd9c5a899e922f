"""Plans a whole connection without carrying anything out.

The planner's own code decides, batch by batch, inside one transaction that is rolled
back. So a preview is what would happen, and nothing of it stays.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from proto.connector import WriteKind
from proto.ids import IntentId, LinkId
from proto.reconciler import SIDES, ConnectionState, RecordState, Side
from services.chassis.store import Store, Work
from services.reconciler import deciding, loading
from services.reconciler.batches import Batch, Decisions
from services.reconciler.engine import guards
from services.reconciler.engine.model import Intent
from services.reconciler.store import links, queue
from services.reconciler.store.connections import StoredConnection

BATCH_RECORDS: Final = 500


class Preview(msgspec.Struct, kw_only=True):
    """What planning a connection comes to, by side where that matters."""

    created: dict[Side, int] = msgspec.field(default_factory=dict)
    updated: dict[Side, int] = msgspec.field(default_factory=dict)
    fields: dict[tuple[Side, str], int] = msgspec.field(default_factory=dict)
    """Values to be set, by side and mapping."""
    undone: dict[Side, int] = msgspec.field(default_factory=dict)
    """Writes that undo something; more than the guard allows would be held."""
    guarded: tuple[Side, ...] = ()
    losses: int = 0
    """Values that give way in a conflict."""
    contacts: dict[tuple[RecordState, str], int] = msgspec.field(default_factory=dict)
    """Contacts by state and reason."""
    linked: int = 0
    """Contacts on both sides, those to be created not counted."""


class _Over(Exception):
    """Everything is planned: roll it back."""


async def preview(
    store: Store[Work],
    connection: StoredConnection,
    *,
    tell: Callable[[Decisions], None] = lambda _decisions: None,
) -> Preview:
    """Plan every contact of a connection that does not run, and undo all of it.

    Args:
        tell: Is given each batch's decisions, for whoever wants every difference.
    """
    assert connection.state not in (ConnectionState.SYNCING, ConnectionState.LIVE)
    found = Preview()
    try:
        async with store.transaction(connection.tenant_id) as work:
            await queue.mark_both(
                work.transaction, connection, tenant_id=connection.tenant_id
            )
            while True:
                batch = await loading.load(
                    work.transaction,
                    connection,
                    limit=BATCH_RECORDS,
                    creates_after=work.clock.now(),
                )
                if batch is None:
                    raise _Over
                decisions = deciding.decide(
                    batch,
                    config=connection.config,
                    now=work.clock.now(),
                    new_link=lambda: work.identifiers.new(LinkId),
                    new_intent=lambda: work.identifiers.new(IntentId),
                )
                tell(decisions)
                _add(found, decisions)
                await _save(work, connection, batch=batch, decisions=decisions)
    except _Over:
        return _finished(found)


async def _save(
    work: Work, connection: StoredConnection, *, batch: Batch, decisions: Decisions
) -> None:
    """Store what later batches have to know, as long as the transaction lasts."""
    if decisions.dropped:
        await links.drop(work.transaction, connection, link_ids=decisions.dropped)
    if decisions.links:
        await links.save(
            work.transaction, connection, links=decisions.links, now=work.clock.now()
        )
    await queue.clear(work.transaction, connection, planned=batch.dirty)
    marked = decisions.marked | await loading.waiting_for(
        work.transaction, connection, freed=decisions.freed
    )
    if marked:
        await queue.mark_records(
            work.transaction,
            marked,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )


def _add(found: Preview, decisions: Decisions) -> None:
    for intent in decisions.intents:
        _add_intent(found, intent)
    found.losses += len(decisions.losses)
    for case, plan in decisions.planned:
        link = plan.link or case.link
        place = (link.state, link.reason)
        found.contacts[place] = found.contacts.get(place, 0) + 1
        found.linked += link.is_two_sided


def _add_intent(found: Preview, intent: Intent) -> None:
    is_create = intent.kind is WriteKind.CREATE
    counts = found.created if is_create else found.updated
    counts[intent.side] = counts.get(intent.side, 0) + 1
    for change in intent.changes:
        key = (intent.side, change.mapping_id)
        found.fields[key] = found.fields.get(key, 0) + 1
    if intent.is_destructive:
        found.undone[intent.side] = found.undone.get(intent.side, 0) + 1


def _finished(found: Preview) -> Preview:
    allowed = guards.destructive_max(found.linked)
    found.guarded = tuple(side for side in SIDES if found.undone.get(side, 0) > allowed)
    return found
