"""Whom a record without a counterpart belongs to, by email, when a link is made.

Afterwards a link is a bond of ids: nothing here is asked again for it.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proto.ids import RecordId
from proto.reconciler import LEFT, RecordState, Side
from proto.record import Record
from services.reconciler.engine import canon, consent, model, rules
from services.reconciler.engine.model import (
    Candidate,
    Config,
    Link,
    Match,
    MatchKind,
    Reason,
    Scope,
)

_STATES = {
    MatchKind.LINK: RecordState.PENDING,
    MatchKind.CREATE: RecordState.PENDING,
    MatchKind.DUPLICATE: RecordState.DUPLICATE,
    MatchKind.EXCLUDED: RecordState.EXCLUDED,
    MatchKind.WAIT: RecordState.PENDING,
}


def candidate_of(
    record: Record,
    side: Side,
    *,
    config: Config,
    link: Link | None = None,
    is_unsure: bool = False,
    is_ours: bool = False,
    is_around: bool = False,
) -> Candidate:
    """Return a record as matching sees it; ``link`` is the one it is on already."""
    end = config.side(side)
    return Candidate(
        record_id=record.record_id,
        emails=canon.emails_of(record, end),
        scope=rules.scope_of(record, side, config=config, has_counterpart=False),
        is_included=end.includes(record),
        has_agreed=consent.is_enough(
            record, at=config.side(model.other(side)).capabilities
        ),
        link_id=link.link_id if link is not None else None,
        is_bound=link is not None and keeps(link, side),
        is_unsure=is_unsure,
        is_ours=is_ours,
        is_around=is_around,
    )


def is_bound(link: Link) -> bool:
    """Say whether the records of a link are not to be had by any other."""
    if not link.is_two_sided:
        return link.intent_id is not None or link.is_manual
    return link.state is not RecordState.DELETED


def is_taken(link: Link | None) -> bool:
    """Say whether the records of a link stay on it, whatever merges or marks tell."""
    return link is not None and (is_bound(link) or link.is_two_sided)


def keeps(link: Link, side: Side) -> bool:
    """Say whether a link keeps its live record on a side from all others.

    The record by whose deletion a bond is over is back, or was missed only once: the
    bond is to be taken up again, and nobody else makes another of it (hazard 72).
    """
    if is_bound(link):
        return True
    return link.is_two_sided and link.reason == model.DELETED_ON[side]


def lets_go(before: Link | None, after: Link) -> bool:
    """Say whether others may have now what a link kept from them.

    Whoever has an address of its records and waits because of it is to be looked at
    again: a bond is over, or a record that others were measured by is left out.
    """
    if before is not None and is_bound(before) and not is_bound(after):
        return True
    if after.is_two_sided and not is_bound(after) and before != after:
        # Its record that was only missed is gone for sure by now.
        return True
    if after.is_two_sided or after.state is not RecordState.EXCLUDED:
        return False
    was = None if before is None else (before.state, before.reason)
    return was != (after.state, after.reason)


def by_email(
    candidates: Iterable[Candidate],
) -> dict[str, tuple[Candidate, ...]]:
    """Return candidates by each of their emails."""
    found: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for email in candidate.emails:
            found.setdefault(email, []).append(candidate)
    return {email: tuple(group) for email, group in found.items()}


def decide(
    candidate: Candidate,
    *,
    side: Side,
    same_side: Mapping[str, Sequence[Candidate]],
    other_side: Mapping[str, Sequence[Candidate]],
    config: Config,
) -> Match:
    """Decide about one live record that has no counterpart yet.

    Args:
        side: Where the record is.
        same_side: Live records of its own side that share an email, by email; it
            may be among them.
        other_side: Live records of the other side that share an email, by email.
    """
    if candidate.scope is Scope.OUT:
        is_included = candidate.is_included
        return _excluded(
            Reason.OUT_OF_RULES if is_included else Reason.OUT_OF_CONTAINER
        )
    if candidate.is_unsure:
        return _wait()
    if not candidate.emails:
        if config.avoids_duplicates:
            return _excluded(Reason.NO_EMAIL)
        if candidate.is_ours:
            # In a ring of connections it would come round and be made for ever.
            return _excluded(Reason.MADE_BY_US)
        return _create(candidate, side, config=config)
    rivals = _rivals(candidate, same_side)
    if rivals:
        return _duplicate(Reason.DUPLICATE_EMAIL, rivals)
    found = _sharing(candidate, other_side)
    if any(each.is_bound for each in found):
        return _duplicate(Reason.MATCH_IS_LINKED)
    if any(each.is_unsure for each in found):
        return _wait()
    if len(found) > 1:
        return _duplicate(Reason.MATCHES_SEVERAL)
    if found:
        return _link(candidate, found[0], same_side=same_side, other_side=other_side)
    if any(
        not each.is_included
        for email in candidate.emails
        for each in other_side.get(email, ())
    ):
        # A create would be the second contact with this email in that account.
        return _excluded(Reason.EXISTS_OUTSIDE_CONTAINER)
    if candidate.is_around:
        # An edit of its address is still going round: a create with the old one would
        # run ahead of it for ever (hazard 68). And who was deleted there stays so (I5).
        return _duplicate(Reason.LINKED_AROUND)
    return _create(candidate, side, config=config)


def decide_all(
    candidates: Sequence[Candidate],
    *,
    side: Side,
    same_side: Iterable[Candidate],
    other_side: Iterable[Candidate],
    config: Config,
) -> tuple[Match, ...]:
    """Decide about many records of one side, in their order.

    Decide one side and store it before the other: what was linked here is bound
    there. ``same_side`` and ``other_side`` are all live records that share an email
    with any of the candidates, or with one that those matched.
    """
    own, opposite = by_email(same_side), by_email(other_side)
    return tuple(
        decide(
            candidate,
            side=side,
            same_side=own,
            other_side=opposite,
            config=config,
        )
        for candidate in candidates
    )


def settle(link: Link, match: Match, *, side: Side) -> Link:
    """Return a one-sided link with a decision about its record on ``side``.

    A link that becomes two-sided starts as a first match. Its absorbed twin is for
    the caller to drop in the same transaction.
    """
    left_id, right_id = link.left_id, link.right_id
    if match.kind is MatchKind.LINK:
        if model.other(side) is LEFT:
            left_id = match.record_id
        else:
            right_id = match.record_id
    return msgspec.structs.replace(
        link,
        left_id=left_id,
        right_id=right_id,
        state=_STATES.get(match.kind, RecordState.HELD),
        reason=match.reason,
        left=None,
        right=None,
        held=(),
    )


def rebind(link: Link, side: Side, *, record_id: RecordId) -> Link:
    """Return a link with another record on a side, to be compared as a first match.

    What was carried of consent was of and to another record: the new one's no may be
    its own, and it has got nobody's yet (hazard 82). What rules did was done to another
    one too: what the new one has is its own (behaviour 9, hazard 14).
    """
    is_left = side is LEFT
    return msgspec.structs.replace(
        link,
        left_id=record_id if is_left else link.left_id,
        right_id=link.right_id if is_left else record_id,
        left_born=None if is_left else link.left_born,
        right_born=link.right_born if is_left else None,
        state=RecordState.PENDING,
        reason="",
        left=None,
        right=None,
        held=(),
        acts=tuple(act for act in link.acts if act.side is not side),
        carried=(),
        parked_id=None,
        met_id=None,
    )


def await_create(link: Link, *, is_waiting: bool) -> Link:
    """Return a link of a merged record that waits to know whose its heir is, or not."""
    if is_waiting:
        return msgspec.structs.replace(link, reason=Reason.AWAITS_CREATE.value)
    if link.reason != Reason.AWAITS_CREATE:
        return link
    return msgspec.structs.replace(link, reason=Reason.MERGED_AWAY.value)


def _sharing(
    candidate: Candidate, by_address: Mapping[str, Sequence[Candidate]]
) -> tuple[Candidate, ...]:
    """Return other connected records that share an email, in a fixed order."""
    found: dict[RecordId, Candidate] = {}
    for email in candidate.emails:
        for each in by_address.get(email, ()):
            if each.record_id != candidate.record_id and each.is_included:
                found[each.record_id] = each
    return tuple(found[key] for key in sorted(found))


def _rivals(
    candidate: Candidate, same_side: Mapping[str, Sequence[Candidate]]
) -> tuple[Candidate, ...]:
    """Return records of its own side that could be meant as well.

    One that no rule matches is none of them, unless it is linked already.
    """
    return tuple(
        each
        for each in _sharing(candidate, same_side)
        if each.scope is not Scope.OUT or each.is_bound
    )


def _link(
    candidate: Candidate,
    partner: Candidate,
    *,
    same_side: Mapping[str, Sequence[Candidate]],
    other_side: Mapping[str, Sequence[Candidate]],
) -> Match:
    """Link, unless the partner could as well be somebody else's counterpart."""
    rivals = [
        rival
        for rival in _rivals(partner, same_side)
        if rival.record_id != candidate.record_id
    ]
    if rivals:
        return _duplicate(Reason.DUPLICATE_EMAIL, rivals)
    twins = _sharing(partner, other_side)
    if twins:
        return _duplicate(Reason.MATCHES_SEVERAL)
    return Match(
        kind=MatchKind.LINK, record_id=partner.record_id, absorbs=partner.link_id
    )


def _create(candidate: Candidate, side: Side, *, config: Config) -> Match:
    if not config.allows(model.other(side)):
        return _excluded(Reason.ONE_WAY)
    if candidate.scope is not Scope.FULL:
        return _excluded(Reason.NOT_ON_OTHER_SIDE)
    if not candidate.has_agreed:
        return _excluded(Reason.NOT_AGREED)
    return Match(kind=MatchKind.CREATE)


def _wait() -> Match:
    return Match(kind=MatchKind.WAIT, reason=Reason.AWAITS_CREATE.value)


def _excluded(reason: Reason) -> Match:
    return Match(kind=MatchKind.EXCLUDED, reason=reason.value)


def _duplicate(reason: Reason, rivals: Sequence[Candidate] = ()) -> Match:
    return Match(
        kind=MatchKind.DUPLICATE,
        reason=reason.value,
        others=tuple(rival.record_id for rival in rivals),
    )
