"""Reads a batch of dirty records and all that deciding about them needs.

In a fixed number of queries, whatever the batch holds.
"""

from collections.abc import Collection, Iterable, Mapping

from proto.base import Instant
from proto.reconciler import Side
from services.chassis.database import Source
from services.reconciler import batches
from services.reconciler.batches import Batch, Key
from services.reconciler.engine import newcomers
from services.reconciler.engine.model import Link, Seen
from services.reconciler.engine.newcomers import OpenCreate
from services.reconciler.store import arrivals, links, observations, queue
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.observations import Place


async def load(
    source: Source,
    connection: StoredConnection,
    *,
    limit: int,
    only_urgent: bool = False,
    creates_after: Instant,
) -> Batch | None:
    """Return the records that wait longest; None if none can be planned now.

    Args:
        creates_after: Creates without an answer from before then are waited for no
            longer.
    """
    dirty = await queue.load(source, connection, limit=limit, only_urgent=only_urgent)
    if not dirty:
        return None
    found = await _links_on(
        source, connection, keys={(d.side, d.record_id) for d in dirty}
    )
    alone = batches.missing(dirty, links=found)
    sharers = await _find_sharers(source, connection, keys=alone)
    keys = {(d.side, d.record_id) for d in dirty} | sharers | batches.keys_of(found)
    parked = batches.parked_of(found)
    seen = await _observed(source, connection, keys=keys | parked)
    # Few records carry a marker or were merged, so that this mostly asks nothing.
    heirs = await _load_heirs(source, connection, seen=seen)
    if sharers or heirs or parked:
        more = await _links_on(source, connection, keys=sharers | heirs | parked)
        found += _new_among(more, found)
    # An heir can be what a create has made as well as a record that nobody has yet.
    unsure = [(key, seen[key]) for key in sorted(alone | heirs) if key in seen]
    marked = batches.markers_of(each for _, each in unsure)
    # Those of most are on their own links, which are here already.
    marked |= batches.markers_of(batches.marked_of(dirty, seen).values())
    marked -= {link.link_id for link in found}
    if marked:
        found += await links.load(source, connection, link_ids=marked)
    if marked or heirs:
        missed = batches.keys_of(found) - seen.keys()
        seen |= await _observed(source, connection, keys=missed)
    # Last: whatever a create had made by the time of the other reads, it is open here
    # or its answer has changed a link since, which is found when this is saved.
    whom = heirs.union(key for key, _ in unsure)
    open_since = await _open_since(source, connection, whom=whom, after=creates_after)
    creates = await _load_creates(
        source, connection, seen=unsure, open_since=open_since, after=creates_after
    )
    makers = {each.intent.link_id for each in creates}
    makers -= {link.link_id for link in found}
    if makers:
        found += await links.load(source, connection, link_ids=makers)
    return Batch(
        dirty=tuple(dirty),
        links=tuple(found),
        seen=seen,
        open_since=open_since,
        around=await _find_around(source, connection, keys=alone),
        creates=tuple(creates),
    )


async def _find_around(
    source: Source, connection: StoredConnection, *, keys: Collection[Key]
) -> frozenset[Key]:
    """Return which records have a counterpart already, as other connections know."""
    if not keys:
        return frozenset()
    return await links.find_around(
        source,
        connection,
        left_ids={record_id for side, record_id in keys if side is Side.LEFT},
        right_ids={record_id for side, record_id in keys if side is Side.RIGHT},
    )


async def _load_heirs(
    source: Source, connection: StoredConnection, *, seen: dict[Key, Seen]
) -> set[Key]:
    """Return whom apps have made of the records, after adding what is known of them.

    Who was made of a merged record may have been merged since.
    """
    for _ in range(batches.MERGES_MAX):
        unseen = batches.heirs_of(seen) - seen.keys()
        found = await _observed(source, connection, keys=unseen) if unseen else {}
        if not found:
            break
        seen |= found
    return batches.heirs_of(seen)


async def _load_creates(
    source: Source,
    connection: StoredConnection,
    *,
    seen: Iterable[tuple[Key, Seen]],
    open_since: Mapping[Side, int],
    after: Instant,
) -> list[OpenCreate]:
    """Return creates without an answer where no mark tells what they have made."""
    ends = [
        end
        for (side, _), each in seen
        for end in [connection.config.side(side)]
        if not end.capabilities.keeps_marks
        and newcomers.may_be_ours(each, end, open_since=open_since.get(side))
    ]
    if not ends:
        return []
    return await arrivals.load_open_creates(
        source,
        {end.account_id for end in ends},
        tenant_id=connection.tenant_id,
        connection_id=connection.connection_id,
        after=after,
    )


async def _open_since(
    source: Source, connection: StoredConnection, *, whom: set[Key], after: Instant
) -> dict[Side, int]:
    """Return since which number creates are open that may have made any of them."""
    if not whom:
        return {}
    found = await arrivals.find_open_creates(
        source,
        connection.account_ids,
        tenant_id=connection.tenant_id,
        after=after,
    )
    return {
        side: since
        for side, account_id in connection.ends
        if (since := found.get(account_id)) is not None
    }


async def _observed(
    source: Source, connection: StoredConnection, *, keys: set[Key]
) -> dict[Key, Seen]:
    places = {key: _place(connection, key) for key in sorted(keys)}
    seen = await observations.load(
        source, places.values(), tenant_id=connection.tenant_id
    )
    return {key: seen[at] for key, at in places.items() if at in seen}


async def _links_on(
    source: Source, connection: StoredConnection, *, keys: set[Key]
) -> list[Link]:
    return await links.load_of_records(
        source,
        connection,
        left_ids={record for side, record in keys if side is Side.LEFT},
        right_ids={record for side, record in keys if side is Side.RIGHT},
    )


async def waiting_for(
    source: Source, connection: StoredConnection, *, freed: set[Key]
) -> set[Key]:
    """Return who may have had to wait because of records that are free by now."""
    return await _find_sharers(source, connection, keys=freed) - freed


async def _find_sharers(
    source: Source, connection: StoredConnection, *, keys: set[Key]
) -> set[Key]:
    """Return the records of either side that share an address with the given ones."""
    if not keys:
        return set()
    found = await observations.find_sharers(
        source,
        [_place(connection, key) for key in keys],
        tenant_id=connection.tenant_id,
        account_ids=connection.account_ids,
    )
    return {
        (side, record_id)
        for account_id, record_id in found
        for side, end in connection.ends
        if end == account_id
    }


def _new_among(more: Iterable[Link], known: Iterable[Link]) -> list[Link]:
    ids = {link.link_id for link in known}
    return [link for link in more if link.link_id not in ids]


def _place(connection: StoredConnection, key: Key) -> Place:
    side, record_id = key
    return connection.config.side(side).account_id, record_id
