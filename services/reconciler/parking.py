"""Remembers whom an open create has made as soon as its account shows them.

Where no mark tells it, a record is told by how it reads, and its user may go on to
change all of that (hazards 12 and 13). What is stored is only the newest state, and
planning may come too late for an earlier one: nothing is planned while a connection
waits for a person, and what waits to be planned is what is so by then.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from proto.base import Instant
from proto.ids import ConnectionId, LinkId, TenantId
from proto.reconciler import Side
from services.chassis.store import Work
from services.reconciler.engine import canon, match, model, newcomers
from services.reconciler.engine.model import Link, Seen
from services.reconciler.engine.newcomers import Makers, Owners
from services.reconciler.errors import Overtaken
from services.reconciler.store import arrivals, connections, links, observations
from services.reconciler.store.connections import StoredAccount, StoredConnection
from services.reconciler.store.links import NamedLink

_NEXT: Final = sys.maxsize
"""The number of whoever is about to be stored, which follows every create's."""


async def note(
    work: Work,
    shown: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account: StoredAccount,
    after: Instant,
) -> None:
    """Have links remember new records of an account that their creates have made.

    Before what is shown replaces what was known of the records, which everybody locks
    after links.

    Args:
        after: Creates from before then are waited for no longer.
    """
    live = [each for each in shown if model.is_live(each)]
    is_told_by_marks = account.description.capabilities.keeps_marks
    if is_told_by_marks or not account.is_creating or not live:
        return
    creating = await arrivals.find_creating(
        work.transaction,
        tenant_id=tenant_id,
        account_id=account.account_id,
        after=after,
    )
    if not creating:
        return
    news = await _news_of(work, live, tenant_id=tenant_id, account=account)
    for connection_id in creating if news else ():
        await _note_for(
            work,
            news,
            tenant_id=tenant_id,
            connection_id=connection_id,
            account=account,
            after=after,
        )


async def find_owners(
    work: Work, new: Iterable[Seen], *, connection: StoredConnection, side: Side
) -> Owners:
    """Return who has the addresses of new records on the other side than theirs."""
    end = connection.config.side(side)
    if end.capabilities.keeps_marks:
        return {}
    emails = {each for seen in new for each in canon.emails_of(seen.record, end)}
    if not emails:
        return {}
    opposite = connection.config.side(model.other(side))
    found = await observations.find_owners(
        work.transaction,
        emails,
        tenant_id=connection.tenant_id,
        account_id=opposite.account_id,
    )
    if not found:
        return {}
    owners = await observations.load(
        work.transaction,
        [(opposite.account_id, record_id) for record_id in found],
        tenant_id=connection.tenant_id,
    )
    return newcomers.owners_of(owners.values(), opposite)


async def _news_of(
    work: Work, live: Sequence[Seen], *, tenant_id: TenantId, account: StoredAccount
) -> list[Seen]:
    """Return what is not stored already, with the numbers that the records have."""
    stored = await observations.load(
        work.transaction,
        [(account.account_id, each.record.record_id) for each in live],
        tenant_id=tenant_id,
    )
    news: list[Seen] = []
    for each in live:
        known = stored.get((account.account_id, each.record.record_id))
        if known is not None and known.digest == each.digest:
            continue
        number = known.live_number if known and model.is_live(known) else _NEXT
        news.append(msgspec.structs.replace(each, live_number=number))
    return news


async def _note_for(
    work: Work,
    news: Sequence[Seen],
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    account: StoredAccount,
    after: Instant,
) -> None:
    connection = await connections.load(
        work.transaction, tenant_id=tenant_id, connection_id=connection_id
    )
    sides = connection.ends if connection is not None else ()
    for side, account_id in sides:
        if connection is None or account_id != account.account_id:
            continue
        free = await _free_of(work, news, connection=connection, side=side)
        noted = await _noted(work, free, connection=connection, side=side, after=after)
        named = [NamedLink(link=link) for link in noted]
        if named and not await links.save(
            work.transaction, connection, links=named, now=work.clock.now()
        ):
            raise Overtaken("a link")


async def _free_of(
    work: Work, news: Sequence[Seen], *, connection: StoredConnection, side: Side
) -> list[Seen]:
    """Return the records that no link keeps on that side."""
    ids = {each.record.record_id for each in news}
    found = await links.load_of_records(
        work.transaction,
        connection,
        left_ids=ids if side is Side.LEFT else (),
        right_ids=ids if side is Side.RIGHT else (),
    )
    kept = {link.record_id(side) for link in found if match.keeps(link, side)}
    return [each for each in news if each.record.record_id not in kept]


async def _noted(
    work: Work,
    free: Sequence[Seen],
    *,
    connection: StoredConnection,
    side: Side,
    after: Instant,
) -> list[Link]:
    """Return links that remember one of these records, and did not before."""
    if not free:
        return []
    creates = await arrivals.load_open_creates(
        work.transaction,
        [connection.config.side(side).account_id],
        tenant_id=connection.tenant_id,
        connection_id=connection.connection_id,
        after=after,
    )
    found = await links.load(
        work.transaction,
        connection,
        link_ids={each.intent.link_id for each in creates},
    )
    owners = await find_owners(work, free, connection=connection, side=side)
    makers = Makers(
        creates, owners={model.other(side): owners}, config=connection.config
    )
    by_id = {link.link_id: link for link in found}
    noted: dict[LinkId, Link] = {}
    for seen in free:
        link = makers.noted(seen, side, links=by_id)
        if link is not None:
            by_id[link.link_id] = noted[link.link_id] = link
    return list(noted.values())
