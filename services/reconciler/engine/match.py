"""Whom a record without a counterpart belongs to, by email, when a link is made.

Afterwards a link is a bond of ids: nothing here is asked again for it.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proto.ids import RecordId
from proto.reconciler import RecordState, Side
from proto.record import Record
from services.reconciler.engine import canon, model
from services.reconciler.engine.model import (
    Candidate,
    Config,
    Link,
    Match,
    MatchKind,
    Reason,
    SideConfig,
)

_STATES = {
    MatchKind.LINK: RecordState.PENDING,
    MatchKind.CREATE: RecordState.PENDING,
    MatchKind.DUPLICATE: RecordState.DUPLICATE,
    MatchKind.EXCLUDED: RecordState.EXCLUDED,
}


def candidate_of(
    record: Record, side: SideConfig, *, link: Link | None = None
) -> Candidate:
    """Return a record as matching sees it; ``link`` is the one it is on already."""
    is_bound = link is not None and link.state is not RecordState.DELETED
    if link is not None and None in (link.left_id, link.right_id):
        is_bound = link.intent_id is not None
    return Candidate(
        record_id=record.record_id,
        emails=canon.emails_of(record, side),
        is_in_scope=side.includes(record),
        link_id=link.link_id if link is not None else None,
        is_bound=is_bound,
    )


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
    if not candidate.is_in_scope:
        return _excluded(Reason.OUT_OF_CONTAINER)
    if not candidate.emails:
        if config.avoids_duplicates:
            return _excluded(Reason.NO_EMAIL)
        return _create(side, config)
    rivals = _sharing(candidate, same_side)
    if rivals:
        return _duplicate(Reason.DUPLICATE_EMAIL, rivals)
    found = _sharing(candidate, other_side)
    if any(each.is_bound for each in found):
        return _duplicate(Reason.MATCH_IS_LINKED)
    if len(found) > 1:
        return _duplicate(Reason.MATCHES_SEVERAL)
    if found:
        return _link(candidate, found[0], same_side=same_side, other_side=other_side)
    if any(
        not each.is_in_scope
        for email in candidate.emails
        for each in other_side.get(email, ())
    ):
        # A create would be the second contact with this email in that account.
        return _excluded(Reason.EXISTS_OUTSIDE_CONTAINER)
    return _create(side, config)


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
        if model.other(side) is Side.LEFT:
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


def _sharing(
    candidate: Candidate, by_address: Mapping[str, Sequence[Candidate]]
) -> tuple[Candidate, ...]:
    """Return other records in scope that share an email, in a fixed order."""
    found: dict[RecordId, Candidate] = {}
    for email in candidate.emails:
        for each in by_address.get(email, ()):
            if each is not candidate and each.is_in_scope:
                found[each.record_id] = each
    return tuple(found[key] for key in sorted(found))


def _link(
    candidate: Candidate,
    partner: Candidate,
    *,
    same_side: Mapping[str, Sequence[Candidate]],
    other_side: Mapping[str, Sequence[Candidate]],
) -> Match:
    """Link, unless the partner could as well be somebody else's counterpart."""
    rivals = [r for r in _sharing(partner, same_side) if r != candidate]
    if rivals:
        return _duplicate(Reason.DUPLICATE_EMAIL, rivals)
    twins = [t for t in _sharing(partner, other_side) if t != partner]
    if twins:
        return _duplicate(Reason.MATCHES_SEVERAL)
    return Match(
        kind=MatchKind.LINK, record_id=partner.record_id, absorbs=partner.link_id
    )


def _create(side: Side, config: Config) -> Match:
    if not config.allows(model.other(side)):
        return _excluded(Reason.ONE_WAY)
    return Match(kind=MatchKind.CREATE)


def _excluded(reason: Reason) -> Match:
    return Match(kind=MatchKind.EXCLUDED, reason=reason.value)


def _duplicate(reason: Reason, rivals: Sequence[Candidate] = ()) -> Match:
    return Match(
        kind=MatchKind.DUPLICATE,
        reason=reason.value,
        others=tuple(rival.record_id for rival in rivals),
    )
