"""Records that may be what a create has made whose answer is on its way (hazard 12).

A poll can show our own new record before its create is answered, with an address that
somebody has changed already. Until the answer tells whose it is, it is nobody's.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from proto.ids import LinkId
from proto.reconciler import Side
from proto.record import Record
from services.reconciler.engine import canon, evidence, model, weigh
from services.reconciler.engine.model import Config, Intent, Link, Seen, SideConfig

Owners = Mapping[str, Sequence[Record]]
"""Records of one side by their addresses, in normal form."""


class OpenCreate(msgspec.Struct, frozen=True, kw_only=True):
    """A create without an answer so far, and the number under which it was stored."""

    intent: Intent
    number: int


class ReadsLike(Protocol):
    """What says by its values whether a record is what a create was to make."""

    def __call__(
        self, link: Link, intent: Intent, *, record: Record, config: Config
    ) -> bool:
        """Say whether it is."""


def may_be_ours(seen: Seen, end: SideConfig, *, open_since: int | None) -> bool:
    """Say whether a create that is open since then may turn out to have made it.

    A create is stored before it is tried, so it made nobody who was stored as alive
    before: their numbers tell, for the clocks of those who read and of those who decide
    differ. An app that keeps marks says of each record whether one of us made it.

    Args:
        open_since: The number of the create, or of the first of several.
    """
    if open_since is None or seen.live_number is None:
        return False
    if end.capabilities.keeps_marks and not seen.record.marker:
        return False
    return seen.live_number > open_since


def is_of_another(
    link: Link, intent: Intent, *, record: Record, owners: Owners, config: Config
) -> bool:
    """Say whether a record has address and name of somebody else than a create's.

    Two people may have one name, and the answers to both their creates may be lost.
    Whoever has but the address was given it: what a create has made is still its own.

    Args:
        owners: The records of the side that the create came from, by their addresses.
    """
    end, source = config.side(intent.side), model.other(intent.side)
    others = [
        owner for each in canon.emails_of(record, end) for owner in owners.get(each, ())
    ]
    if any(owner.record_id == link.record_id(source) for owner in others):
        return False
    for owner in others:
        fields, _, _ = weigh.for_create(owner.fields, source, config=config)
        theirs = msgspec.structs.replace(intent, fields=fields)
        if evidence.may_be_named_so(link, theirs, record=record, config=config):
            return True
    return False


def owners_of(seen: Iterable[Seen], end: SideConfig) -> dict[str, list[Record]]:
    """Return the live records of a side by each of their addresses."""
    found: dict[str, list[Record]] = {}
    for each in seen:
        for email in canon.emails_of(each.record, end) if model.is_live(each) else ():
            found.setdefault(email, []).append(each.record)
    return found


class Makers:
    """The open creates that new records may come from, where no marks tell."""

    def __init__(
        self,
        creates: Iterable[OpenCreate],
        *,
        owners: Mapping[Side, Owners],
        config: Config,
    ) -> None:
        self._creates = [
            (
                each,
                evidence.traits_of(each.intent.fields, config.side(each.intent.side)),
            )
            for each in creates
        ]
        self._owners = owners
        self._config = config

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._creates)

    def noted(
        self, seen: Seen, side: Side, *, links: Mapping[LinkId, Link]
    ) -> Link | None:
        """Return the link that is to remember a new record from now on; None if none.

        As long as it reads as it was made: its user may go on to change all of it
        before anybody knows that the answer is lost (hazards 12 and 13). Who reads
        wholly so comes before whoever lacks some of it: somebody of that name may have
        been entered there meanwhile. Who has its address and another name may be
        somebody else, and is only who a create would have met: the first of several,
        unless a later one has more of it than the address.
        """
        record_id = seen.record.record_id
        made = self.of(seen, side, links=links, reads_like=evidence.is_made)
        if made:
            link = made[0]
            is_loose = made != self.of(
                seen, side, links=links, reads_like=evidence.is_as_meant
            )
            is_closer = link.is_parked_loosely and not is_loose
            if len(made) > 1 or not (link.parked_id is None or is_closer):
                return None
            return msgspec.structs.replace(
                link, parked_id=record_id, is_parked_loosely=is_loose
            )
        met = self.of(seen, side, links=links, reads_like=evidence.is_likely)
        if len(met) != 1 or met[0].met_id == record_id:
            return None
        is_more = met == self.of(
            seen, side, links=links, reads_like=evidence.is_more_than_its_address
        )
        if met[0].met_id is not None and not is_more:
            return None
        return msgspec.structs.replace(met[0], met_id=record_id)

    def of(
        self,
        seen: Seen,
        side: Side,
        *,
        links: Mapping[LinkId, Link],
        reads_like: ReadsLike,
    ) -> list[Link]:
        """Return the links whose open creates a record reads like.

        None if it is known already whose it is.
        """
        config, record = self._config, seen.record
        end = config.side(side)
        if end.capabilities.keeps_marks:
            return []
        owners = self._owners[model.other(side)]
        traits = evidence.traits_of(record.fields, end)
        makers: list[Link] = []
        for each, told in self._creates:
            intent = each.intent
            link = links.get(intent.link_id)
            if link is None or link.intent_id != intent.intent_id:
                continue
            if link.parked_id == record.record_id:
                return []
            if (
                intent.side is side
                and may_be_ours(seen, end, open_since=each.number)
                # Few records share anything with a create, and the rest is dear.
                and (link.learned or not traits.isdisjoint(told))
                and reads_like(link, intent, record=record, config=config)
                and not is_of_another(
                    link, intent, record=record, owners=owners, config=config
                )
            ):
                makers.append(link)
        return makers
