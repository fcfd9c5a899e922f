"""Links that people make and take apart; matching by email leaves these alone."""

from typing import Final

from proto.errors import ErrorCode, Retry
from proto.ids import LinkId, RecordId
from proto.reconciler import SIDES, LinkRecords, RecordState, Side, UnlinkRecords
from services.chassis.errors import CommandFailed
from services.chassis.store import Work
from services.reconciler import naming
from services.reconciler.engine import match, model
from services.reconciler.engine.model import Link, Reason, Seen
from services.reconciler.store import claims, links, observations, queue
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.links import NamedLink

_OVER: Final = (RecordState.DELETED, RecordState.MERGED)


async def link(
    work: Work, connection: StoredConnection, *, command: LinkRecords
) -> LinkId:
    """Bind two records for good; what was decided about each alone is forgotten.

    Raises:
        CommandFailed: One of them is not there, or is linked with another.
    """
    wanted = {Side.LEFT: command.left_record_id, Side.RIGHT: command.right_record_id}
    left = await _live(work, connection, side=Side.LEFT, record_id=wanted[Side.LEFT])
    right = await _live(work, connection, side=Side.RIGHT, record_id=wanted[Side.RIGHT])
    found = await links.load_of_records(
        work.transaction,
        connection,
        left_ids={wanted[Side.LEFT]},
        right_ids={wanted[Side.RIGHT]},
    )
    for each in found:
        if _is_in_use(each):
            side = Side.LEFT if each.left_id == wanted[Side.LEFT] else Side.RIGHT
            raise CommandFailed(
                ErrorCode.NOT_ALLOWED_NOW,
                "This record is linked already, or just getting a counterpart;"
                " take that link apart first.",
                field=f"{side.value}_record_id",
            )
    if not await links.drop(
        work.transaction, connection, link_ids={each.link_id for each in found}
    ):
        raise _moved_on()
    made = Link(
        link_id=work.identifiers.new(LinkId),
        left_id=wanted[Side.LEFT],
        right_id=wanted[Side.RIGHT],
        is_manual=True,
    )
    await _save(work, connection, link=made, seen=(left, right))
    await _plan_soon(work, connection, made=made)
    return made.link_id


def _is_in_use(link: Link) -> bool:
    """Say whether a link keeps its records: not once one of them is gone for good."""
    if link.is_two_sided:
        return link.intent_id is not None or link.state not in _OVER
    return match.is_bound(link) and not link.is_manual


async def unlink(
    work: Work, connection: StoredConnection, *, command: UnlinkRecords
) -> None:
    """Take a link apart; both its records are then left alone.

    Raises:
        CommandFailed: There is no such link, or a write of it is on its way.
    """
    locked = await links.lock(work.transaction, connection, link_ids={command.link_id})
    whole = locked.get(command.link_id)
    if whole is None or not whole.is_two_sided:
        raise CommandFailed(
            ErrorCode.NOT_FOUND, "There is no such link of two.", field="link_id"
        )
    if whole.intent_id is not None:
        raise CommandFailed(
            ErrorCode.NOT_ALLOWED_NOW,
            "A write of this contact is on its way. Try again in a moment.",
            retry=Retry.LATER,
            field="link_id",
        )
    halves = (
        _half(whole, whole.link_id, side=Side.LEFT),
        _half(whole, work.identifiers.new(LinkId), side=Side.RIGHT),
    )
    for half in halves:
        # One after the other: a record is never on two links.
        await _save(work, connection, link=half)


def _half(whole: Link, link_id: LinkId, *, side: Side) -> Link:
    is_left = side is Side.LEFT
    is_same = link_id == whole.link_id
    return Link(
        link_id=link_id,
        left_id=whole.left_id if is_left else None,
        right_id=None if is_left else whole.right_id,
        state=RecordState.EXCLUDED,
        reason=Reason.UNLINKED.value,
        is_manual=True,
        version=whole.version if is_same else 0,
    )


async def _live(
    work: Work, connection: StoredConnection, *, side: Side, record_id: RecordId
) -> Seen:
    place = (connection.config.side(side).account_id, record_id)
    found = await observations.load(
        work.transaction, [place], tenant_id=connection.tenant_id
    )
    seen = found.get(place)
    if seen is None or not model.is_live(seen):
        raise CommandFailed(
            ErrorCode.NOT_FOUND,
            "The account has no such record.",
            field=f"{side.value}_record_id",
        )
    return seen


async def _save(
    work: Work,
    connection: StoredConnection,
    *,
    link: Link,
    seen: tuple[Seen | None, Seen | None] = (None, None),
) -> None:
    sides = (connection.config.left, connection.config.right)
    name, email = naming.of_either(*seen, sides=sides)
    named = NamedLink(link=link, name=name, email=email)
    if not await links.save(
        work.transaction, connection, links=[named], now=work.clock.now()
    ):
        raise _moved_on()


async def _plan_soon(work: Work, connection: StoredConnection, *, made: Link) -> None:
    records = {
        (side, record_id)
        for side in SIDES
        if (record_id := made.record_id(side)) is not None
    }
    await queue.mark_records(
        work.transaction,
        records,
        tenant_id=connection.tenant_id,
        connection_id=connection.connection_id,
    )
    await claims.make_due(
        work.transaction,
        tenant_id=connection.tenant_id,
        connection_ids={connection.connection_id},
        now=work.clock.now(),
    )


def _moved_on() -> CommandFailed:
    return CommandFailed(
        ErrorCode.NOT_ALLOWED_NOW,
        "The contact was just being synced. Try again in a moment.",
        retry=Retry.LATER,
    )
