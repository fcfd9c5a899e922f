"""Decides about a batch of dirty records of one connection. Pure.

First every record without a counterpart is matched, the left side before the right,
then every link that is touched is planned. What is to be saved comes out.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from proto.base import Instant
from proto.ids import IntentId, LinkId, RecordId
from proto.reconciler import RecordState, Side
from services.reconciler import naming
from services.reconciler.engine import match, model, plan
from services.reconciler.engine.model import (
    Candidate,
    Config,
    Intent,
    Link,
    Loss,
    Match,
    MatchKind,
    Seen,
)
from services.reconciler.store.links import NamedLink
from services.reconciler.store.queue import Dirty

Key = tuple[Side, RecordId]
SIDES = (Side.LEFT, Side.RIGHT)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known about some dirty records and those they may match."""

    dirty: tuple[Dirty, ...]
    links: tuple[Link, ...]
    """Those of the dirty records and of every record that shares an address."""
    seen: dict[Key, Seen]


class Decisions(msgspec.Struct, kw_only=True):
    """What is to be saved in one transaction."""

    links: list[NamedLink] = msgspec.field(default_factory=list)
    dropped: list[LinkId] = msgspec.field(default_factory=list)
    intents: list[Intent] = msgspec.field(default_factory=list)
    losses: list[Loss] = msgspec.field(default_factory=list)
    marked: set[Key] = msgspec.field(default_factory=set)
    """Records that have to be decided again because of these decisions."""


def decide(
    batch: Batch,
    *,
    config: Config,
    now: Instant,
    new_link: Callable[[], LinkId],
    new_intent: Callable[[], IntentId],
) -> Decisions:
    """Decide about every dirty record of a batch."""
    return _Deciding(batch, config=config, now=now, new_link=new_link).run(new_intent)


class _Deciding:
    """The links of one batch while they are being decided about."""

    def __init__(
        self,
        batch: Batch,
        *,
        config: Config,
        now: Instant,
        new_link: Callable[[], LinkId],
    ) -> None:
        self._batch = batch
        self._config = config
        self._now = now
        self._new_link = new_link
        self._stored = {link.link_id: link for link in batch.links}
        self._links = dict(self._stored)
        self._by_record: dict[Key, LinkId] = {}
        self._touched: dict[LinkId, None] = {}
        self._found = Decisions()
        for link in batch.links:
            self._index(link)

    def run(self, new_intent: Callable[[], IntentId]) -> Decisions:
        for side in SIDES:
            self._match_side(side)
        for dirty in self._batch.dirty:
            link = self._link_of((dirty.side, dirty.record_id))
            if link is not None:
                self._touched[link.link_id] = None
        for link_id in self._touched:
            self._plan(self._links[link_id], new_intent)
        return self._found

    def _match_side(self, side: Side) -> None:
        """Find out whom the dirty records without a counterpart belong to."""
        alone = [
            dirty.record_id
            for dirty in self._batch.dirty
            if dirty.side is side and self._is_to_match((side, dirty.record_id))
        ]
        if not alone:
            return
        own, opposite = self._candidates(side), self._candidates(model.other(side))
        matches = match.decide_all(
            [own[record_id] for record_id in alone],
            side=side,
            same_side=own.values(),
            other_side=opposite.values(),
            config=self._config,
        )
        for record_id, found in zip(alone, matches, strict=True):
            self._settle((side, record_id), found)

    def _is_to_match(self, key: Key) -> bool:
        seen, link = self._batch.seen.get(key), self._link_of(key)
        if link is None:
            return model.is_live(seen)
        if _is_two_sided(link) or link.intent_id is not None:
            return False
        if seen is None or not model.is_live(seen):
            # Nothing is left that this link could become a bond of.
            self._drop(link)
            return False
        return not self._is_waiting(link, seen, side=key[0])

    def _is_waiting(self, link: Link, seen: Seen, *, side: Side) -> bool:
        """Say whether a create that failed has its next try later."""
        shadow = link.shadow(side)
        return (
            link.retry_at is not None
            and self._now < link.retry_at
            and link.config_version == self._config.version
            and shadow is not None
            and shadow.digest == seen.digest
        )

    def _candidates(self, side: Side) -> dict[RecordId, Candidate]:
        return {
            record_id: match.candidate_of(
                seen.record,
                side,
                config=self._config,
                link=self._link_of((side, record_id)),
            )
            for (where, record_id), seen in self._batch.seen.items()
            if where is side and model.is_live(seen)
        }

    def _settle(self, key: Key, found: Match) -> None:
        side, record_id = key
        link = self._link_of(key)
        if link is not None and _is_two_sided(link):
            # An earlier record of this batch turned out to be its counterpart.
            return
        if link is None:
            is_left = side is Side.LEFT
            link = Link(
                link_id=self._new_link(),
                left_id=record_id if is_left else None,
                right_id=None if is_left else record_id,
            )
        absorbed = self._links.get(found.absorbs) if found.absorbs else None
        if absorbed is not None and absorbed.link_id != link.link_id:
            self._drop(absorbed)
        link = match.settle(link, found, side=side)
        self._links[link.link_id] = link
        self._index(link)
        self._touched[link.link_id] = None
        if found.kind is MatchKind.DUPLICATE:
            self._mark_rivals(side, found.others)

    def _mark_rivals(self, side: Side, rivals: Iterable[RecordId]) -> None:
        """Have rivals decided again, unless they are known to be duplicates."""
        here = {(each.side, each.record_id) for each in self._batch.dirty}
        for record_id in rivals:
            key = (side, record_id)
            link = self._link_of(key)
            is_bound = link is not None and (
                _is_two_sided(link) or link.intent_id is not None
            )
            is_known = link is not None and link.state is RecordState.DUPLICATE
            if key not in here and not is_bound and not is_known:
                self._found.marked.add(key)

    def _plan(self, link: Link, new_intent: Callable[[], IntentId]) -> None:
        left = self._seen(Side.LEFT, link.left_id)
        right = self._seen(Side.RIGHT, link.right_id)
        decided = plan.plan(
            link,
            left=left,
            right=right,
            config=self._config,
            now=self._now,
            intent_id=new_intent(),
        )
        after = decided.link or link
        if decided.intent is not None:
            self._found.intents.append(decided.intent)
            self._found.losses.extend(decided.losses)
        if after != self._stored.get(link.link_id):
            sides = (self._config.left, self._config.right)
            name, email = naming.of_either(left, right, sides=sides)
            self._found.links.append(NamedLink(link=after, name=name, email=email))

    def _seen(self, side: Side, record_id: RecordId | None) -> Seen | None:
        return None if record_id is None else self._batch.seen.get((side, record_id))

    def _drop(self, link: Link) -> None:
        if link.link_id in self._stored:
            self._found.dropped.append(link.link_id)
        del self._links[link.link_id]
        self._touched.pop(link.link_id, None)
        for key in _keys_of(link):
            self._by_record.pop(key, None)

    def _index(self, link: Link) -> None:
        for key in _keys_of(link):
            self._by_record[key] = link.link_id

    def _link_of(self, key: Key) -> Link | None:
        link_id = self._by_record.get(key)
        return None if link_id is None else self._links[link_id]


def missing(batch: Sequence[Dirty], *, links: Iterable[Link]) -> set[Key]:
    """Return the dirty records whose counterpart is to be found by address."""
    bound = {
        key
        for link in links
        if _is_two_sided(link) or link.intent_id is not None
        for key in _keys_of(link)
    }
    return {key for each in batch if (key := (each.side, each.record_id)) not in bound}


def keys_of(links: Iterable[Link]) -> set[Key]:
    """Return every record that the links are about."""
    return {key for link in links for key in _keys_of(link)}


def _keys_of(link: Link) -> list[Key]:
    return [
        (side, record_id)
        for side in SIDES
        if (record_id := link.record_id(side)) is not None
    ]


def _is_two_sided(link: Link) -> bool:
    return link.left_id is not None and link.right_id is not None
