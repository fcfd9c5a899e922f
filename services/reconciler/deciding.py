"""Decides about a batch of dirty records of one connection. Pure.

First every record without a counterpart is matched, the left side before the right,
then every link that is touched is planned. What is to be saved comes out.
"""

from collections.abc import Callable, Iterable

import msgspec

from proto.base import Instant
from proto.ids import IntentId, LinkId, RecordId
from proto.reconciler import SIDES, RecordState, Side
from proto.record import Presence
from services.reconciler import batches
from services.reconciler.batches import Batch, Decisions, Key, Planned
from services.reconciler.engine import (
    drift,
    match,
    model,
    newcomers,
    plan,
    renewal,
    setbacks,
    unheeded,
)
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    Candidate,
    Config,
    Link,
    Match,
    MatchKind,
    Reason,
    Seen,
)


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
        self._found = Decisions(stored=self._stored)
        self._checked = {(d.side, d.record_id) for d in batch.dirty if d.is_check}
        self._makers = newcomers.Makers(
            batch.creates, owners=batches.owners_of(batch, config), config=config
        )
        for link in batch.links:
            self._index(link)

    def run(self, new_intent: Callable[[], IntentId]) -> Decisions:
        shown = {(each.side, each.record_id) for each in self._batch.dirty}
        for link in self._batch.links:
            # Of the others it is not loaded who has what their records were made.
            if not shown.isdisjoint(batches.keys_of_link(link)):
                self._follow_merge(link.link_id)
        for side in SIDES:
            self._bind_marked(side)
        if self._makers:
            self._park_likely()
        for side in SIDES:
            self._match_side(side)
        for dirty in self._batch.dirty:
            touched = self._link_of((dirty.side, dirty.record_id))
            if touched is not None:
                self._touched[touched.link_id] = None
        for link_id in self._touched:
            self._plan(self._links[link_id], new_intent)
        self._found.doubled = batches.doubles_of(self._batch, self._links)
        return self._found

    def _follow_merge(self, link_id: LinkId) -> None:
        """Let a link follow a record into the one that its app made of it (hazard 9).

        And on into what was made of that, unless one of them is somebody else's
        already, or was made for somebody whose link is still to hear of it: then the
        link comes to rest. Whom an open create may have made is waited for (hazard 12).
        A link without another side bonds nobody yet: whom the heir belongs to is found
        out for the heir alone, unless what a create has made waits for the link.
        """
        for side in SIDES:
            link = self._links.get(link_id)
            if link is None or link.intent_id is not None:
                # It may have given way to another link that follows the same merges.
                return
            heirs = batches.merges_of(link, side, seen=self._batch.seen)
            if not heirs:
                continue
            is_bond = link.is_two_sided or link.is_manual
            is_made = link.parked_id is not None and model.is_live(
                self._seen(side, heirs[-1])
            )
            if not is_bond and not is_made:
                self._drop(link)
                return
            self._bind_to_heirs(link, side, heirs=heirs)

    def _bind_to_heirs(
        self, link: Link, side: Side, *, heirs: Iterable[RecordId]
    ) -> None:
        for heir in heirs:
            rival = self._link_of((side, heir))
            is_left = rival is None and self._is_left((side, heir))
            is_taken = is_left or match.is_taken(rival)
            if is_taken or self._is_made_for_another((side, heir)):
                link = match.await_create(link, is_waiting=False)
                break
            if self._may_be_made((side, heir)):
                link = match.await_create(link, is_waiting=True)
                break
            if rival is not None:
                self._drop(rival)
            link = match.rebind(link, side, record_id=heir)
        self._replace(link)

    def _is_left(self, key: Key) -> bool:
        """Say whether a link has just left a record for an heir, which so is taken."""
        kept = (was for was in self._stored.values() if was.link_id in self._links)
        return key in batches.keys_of(kept)

    def _is_made_for_another(self, key: Key) -> bool:
        """Say whether the create of a link that has nobody on a side made a record."""
        side, record_id = key
        seen = self._batch.seen.get(key)
        marked = batches.link_of_marker(seen.record.marker) if seen else None
        return any(
            link.record_id(side) is None
            and (link.link_id == marked or link.parked_id == record_id)
            for link in self._links.values()
        )

    def _may_be_made(self, key: Key) -> bool:
        """Say whether an open create may have made an heir, which may be unseen yet."""
        seen = self._batch.seen.get(key)
        if seen is None or seen.is_missing:
            return key[0] in self._batch.open_since
        return self._is_unsure(key, seen)

    def _bind_marked(self, side: Side) -> None:
        """Give a record with our marker to the link whose create made it (hazard 12).

        While the create's answer is on its way the link only remembers the record, also
        one that was deleted at once: nobody else is to be made in its place (I5).
        """
        dirty = [(each.side, each.record_id) for each in self._batch.dirty]
        for key in (*dirty, *sorted(batches.parked_of(self._batch.links))):
            seen = self._batch.seen.get(key)
            if key[0] is not side or seen is None:
                continue
            if seen.record.presence not in (Presence.LIVE, Presence.DELETED):
                continue
            link = self._links.get(batches.link_of_marker(seen.record.marker))
            if link is None or link.record_id(side) is not None:
                continue
            own = self._link_of(key)
            if match.is_taken(own):
                continue
            if link.intent_id is not None:
                self._replace(msgspec.structs.replace(link, parked_id=key[1]))
                continue
            if not model.is_live(seen):
                continue
            if own is not None:
                self._drop(own)
            self._replace(match.rebind(link, side, record_id=key[1]))

    def _park_likely(self) -> None:
        """Remember which new record an open create has made, where no mark tells it.

        As ``parking`` does with what accounts show, for what came with answers.
        """
        for dirty in self._batch.dirty:
            key = (dirty.side, dirty.record_id)
            seen = self._batch.seen.get(key)
            if (
                seen is None
                or not model.is_live(seen)
                or not self._is_unsure(key, seen)
            ):
                continue
            noted = self._makers.noted(seen, key[0], links=self._links)
            if noted is not None:
                self._replace(noted)

    def _replace(self, link: Link) -> None:
        """Go on with a link as it is now."""
        for key in batches.keys_of_link(self._links[link.link_id]):
            self._by_record.pop(key, None)
        self._links[link.link_id] = link
        self._index(link)
        self._touched[link.link_id] = None

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
            return (
                seen is not None
                and model.is_live(seen)
                and not seen.is_missing
                and not self._is_parked(key[1], seen)
            )
        if match.is_taken(link) or (seen is not None and seen.is_missing):
            return False
        if seen is None or not model.is_live(seen):
            # Nothing is left that this link could become a bond of.
            self._drop(link)
            return False
        return not self._is_waiting(link, seen, side=key[0])

    def _is_parked(self, record_id: RecordId, seen: Seen) -> bool:
        """Say whether a record waits for the answer to the create that made it."""
        link = self._links.get(batches.link_of_marker(seen.record.marker))
        return link is not None and link.parked_id == record_id

    def _is_waiting(self, link: Link, seen: Seen, *, side: Side) -> bool:
        """Say whether a create that failed has its next try later."""
        link = self._due(link)
        shadow = link.shadow(side)
        return (
            link.retry_at is not None
            and link.reason != Reason.AWAITS_CREATE
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
                is_unsure=self._is_unsure((side, record_id), seen),
                is_ours=seen.is_ours,
                is_around=(side, record_id) in self._batch.around,
            )
            for (where, record_id), seen in self._batch.seen.items()
            if where is side and model.is_live(seen)
        }

    def _is_unsure(self, key: Key, seen: Seen) -> bool:
        """Say whether a record may be what an open create has made."""
        side, link = key[0], self._link_of(key)
        if link is not None and match.keeps(link, side):
            return False
        return newcomers.may_be_ours(
            seen,
            self._config.side(side),
            open_since=self._batch.open_since.get(side),
        )

    def _settle(self, key: Key, found: Match) -> None:
        side, record_id = key
        link = self._link_of(key)
        if link is not None and link.is_two_sided:
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
                link.is_two_sided or link.intent_id is not None
            )
            is_known = link is not None and link.state is RecordState.DUPLICATE
            if key not in here and not is_bound and not is_known:
                self._found.marked.add(key)

    def _plan(self, link: Link, new_intent: Callable[[], IntentId]) -> None:
        case = Case(
            renewal.apply(link, self._config),
            self._seen(Side.LEFT, link.left_id),
            self._seen(Side.RIGHT, link.right_id),
            self._config,
            self._now,
            new_intent(),
        )
        decided = plan.plan(
            msgspec.structs.replace(case, link=self._due(case.link)),
            is_forced=link.reason == Reason.MASS_CHANGE,
        )
        self._found.planned.append(Planned(case, decided))
        is_in_step = link.state is RecordState.IN_SYNC and decided is model.NOTHING
        if is_in_step and case.left and case.right and self._is_checked(link):
            drifted = drift.of(case)
            if drifted:
                self._found.drifted[link.link_id] = drifted
        after = decided.link or case.link
        if after.unheeded and after.intent_id is None and self._is_checked(link):
            sides = unheeded.of(after, left=case.left, right=case.right)
            if sides:
                self._found.unheeded[link.link_id] = sides

    def _is_checked(self, link: Link) -> bool:
        return not self._checked.isdisjoint(batches.keys_of_link(link))

    def _due(self, link: Link) -> Link:
        """Return a link that does not wait if it is looked at because it may go on."""
        is_due = link.retry_at is not None and self._is_checked(link)
        return setbacks.due(link, now=self._now) if is_due else link

    def _seen(self, side: Side, record_id: RecordId | None) -> Seen | None:
        return None if record_id is None else self._batch.seen.get((side, record_id))

    def _drop(self, link: Link) -> None:
        if link.link_id in self._stored:
            self._found.dropped.append(link.link_id)
        del self._links[link.link_id]
        self._touched.pop(link.link_id, None)
        for key in batches.keys_of_link(link):
            self._by_record.pop(key, None)

    def _index(self, link: Link) -> None:
        for key in batches.keys_of_link(link):
            self._by_record[key] = link.link_id

    def _link_of(self, key: Key) -> Link | None:
        link_id = self._by_record.get(key)
        return None if link_id is None else self._links[link_id]
