"""What is known of a batch of dirty records, and what is decided about it. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from proto.ids import PREFIXES, LinkId, RecordId
from proto.reconciler import SIDES, Side
from proto.record import Presence
from services.reconciler import naming
from services.reconciler.engine import doubles, match, model, newcomers, plan
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import Config, Intent, Link, Loss, Plan, Seen
from services.reconciler.engine.newcomers import OpenCreate, Owners
from services.reconciler.store.links import NamedLink
from services.reconciler.store.queue import Dirty

Key = tuple[Side, RecordId]
MERGES_MAX: Final = 5
"""Merges in a row that a link follows at once; of so many heirs it is loaded whose
they are."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about some dirty records and those they may match."""

    dirty: tuple[Dirty, ...]
    links: tuple[Link, ...]
    """Those of the dirty records and of every record that shares an address."""
    seen: dict[Key, Seen]
    open_since: dict[Side, int] = {}
    """The number of the first create of a side's account that is not answered."""
    around: frozenset[Key] = frozenset()
    """Records whose counterparts are known by links of other connections."""
    creates: tuple[OpenCreate, ...] = ()
    """Creates without an answer that may have made some of the records."""


class Planned(NamedTuple):
    """A link that was decided about, and what was decided."""

    case: Case
    plan: Plan


class Decisions(msgspec.Struct, kw_only=True):
    """What is to be saved in one transaction."""

    planned: list[Planned] = msgspec.field(default_factory=list)
    dropped: list[LinkId] = msgspec.field(default_factory=list)
    marked: set[Key] = msgspec.field(default_factory=set)
    """Records that have to be decided again because of these decisions."""
    drifted: dict[LinkId, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Mappings that a check found out of step, by link."""
    unheeded: dict[LinkId, tuple[Side, ...]] = msgspec.field(default_factory=dict)
    """Where a check found that an unsubscribe was taken and is not shown, by link."""
    doubled: dict[LinkId, tuple[Side, ...]] = msgspec.field(default_factory=dict)
    """Where a check found another record with a link's mark, once for each."""
    stored: dict[LinkId, Link] = msgspec.field(default_factory=dict)
    """The links as they were."""

    @property
    def intents(self) -> list[Intent]:
        """Return what is to be written."""
        return [p.plan.intent for p in self.planned if p.plan.intent is not None]

    @property
    def losses(self) -> list[Loss]:
        """Return what gives way."""
        return [loss for planned in self.planned for loss in planned.plan.losses]

    @property
    def links(self) -> list[NamedLink]:
        """Return the links that are not as they were."""
        found = []
        for case, decided in self.planned:
            after = decided.link or case.link
            if after != self.stored.get(after.link_id):
                sides = (case.config.left, case.config.right)
                name, email = naming.of_either(case.left, case.right, sides=sides)
                found.append(NamedLink(link=after, name=name, email=email))
        return found

    @property
    def freed(self) -> set[Key]:
        """Return records that keep less from others than they did."""
        return {
            key
            for case, decided in self.planned
            for after in [decided.link or case.link]
            if match.lets_go(self.stored.get(after.link_id), after)
            for key in keys_of_link(after)
        }

    def undone_on(self, side: Side) -> int:
        """Return how many writes on a side undo something."""
        return sum(i.is_destructive and i.side is side for i in self.intents)


def hold_back(decisions: Decisions, side: Side) -> None:
    """Hold every write on a side that undoes something, for a person to approve."""
    decisions.planned = [
        Planned(each.case, plan.hold_back(each.case))
        if (intent := each.plan.intent) is not None
        and intent.is_destructive
        and intent.side is side
        else each
        for each in decisions.planned
    ]


def missing(batch: Sequence[Dirty], *, links: Iterable[Link]) -> set[Key]:
    """Return the dirty records whose counterpart is to be found by address."""
    bound = {
        key
        for link in links
        if link.is_two_sided or link.intent_id is not None
        for key in keys_of_link(link)
    }
    return {key for each in batch if (key := (each.side, each.record_id)) not in bound}


def markers_of(seen: Iterable[Seen]) -> set[LinkId]:
    """Return the links whose markers records carry."""
    return {link_of_marker(each.record.marker) for each in seen if each.record.marker}


def marked_of(dirty: Iterable[Dirty], seen: Mapping[Key, Seen]) -> dict[Key, Seen]:
    """Return the records with a mark of ours that are to be compared."""
    return {
        key: found
        for each in dirty
        if each.is_check
        for key in [(each.side, each.record_id)]
        if (found := seen.get(key)) is not None and found.record.marker
    }


def doubles_of(
    batch: Batch, links: Mapping[LinkId, Link]
) -> dict[LinkId, tuple[Side, ...]]:
    """Return where other records have the marks of links, once for each."""
    doubled: dict[LinkId, tuple[Side, ...]] = {}
    for (side, _), found in sorted(marked_of(batch.dirty, batch.seen).items()):
        link = links.get(link_of_marker(found.record.marker))
        record_id = link.record_id(side) if link is not None else None
        if link is None or record_id is None:
            continue
        own = batch.seen.get((side, record_id))
        if doubles.is_second(link, found, own=own):
            doubled[link.link_id] = (*doubled.get(link.link_id, ()), side)
    return doubled


def link_of_marker(marker: str) -> LinkId:
    """Return which link a marker is of."""
    return LinkId(f"{PREFIXES[LinkId]}_{marker}")


def heirs_of(seen: Mapping[Key, Seen]) -> set[Key]:
    """Return the records that others were merged into."""
    return {
        (side, each.record.merged_into)
        for (side, _), each in seen.items()
        if each.record.merged_into is not None
    }


def merges_of(link: Link, side: Side, *, seen: Mapping[Key, Seen]) -> list[RecordId]:
    """Return what an app has made of a link's record, and of that again, each once.

    Nothing where its id had come to mean somebody else by then, who was merged
    (hazard 11).
    """
    record_id, born = link.record_id(side), link.born(side)
    chain = [] if record_id is None else [record_id]
    own = seen.get((side, record_id)) if record_id is not None else None
    if own is not None and model.is_another(own, born=born):
        return []
    while chain and (known := seen.get((side, chain[-1]))) is not None:
        heir = known.record.merged_into
        is_merged = known.record.presence is Presence.MERGED
        is_far = len(chain) > MERGES_MAX
        if not is_merged or heir is None or heir in chain or is_far:
            break
        chain.append(heir)
    return chain[1:]


def owners_of(batch: Batch, config: Config) -> dict[Side, Owners]:
    """Return who has which address on each side, where creates are open."""
    if not batch.creates:
        return {}
    return {
        side: newcomers.owners_of(
            (seen for (where, _), seen in batch.seen.items() if where is side),
            config.side(side),
        )
        for side in SIDES
    }


def parked_of(links: Iterable[Link]) -> set[Key]:
    """Return the records that creates have made whose answers named none."""
    return {
        (side, link.parked_id)
        for link in links
        if link.parked_id is not None and link.intent_id is None
        for side in SIDES
        if link.record_id(side) is None
    }


def keys_of(links: Iterable[Link]) -> set[Key]:
    """Return every record that the links are about."""
    return {key for link in links for key in keys_of_link(link)}


def keys_of_link(link: Link) -> list[Key]:
    """Return the records that a link is about."""
    return [
        (side, record_id)
        for side in SIDES
        if (record_id := link.record_id(side)) is not None
    ]
