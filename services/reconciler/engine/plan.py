"""What is to be done for one link: the only place where a write is decided."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from proto.base import Instant
from proto.reconciler import LEFT, RIGHT, SIDES, RecordState, Side
from proto.record import Presence
from services.reconciler.engine import (
    canon,
    consent,
    creation,
    diff,
    freezing,
    guards,
    intents,
    lives,
    model,
    remember,
    rest,
    rules,
    setbacks,
    uncarried,
    unheeded,
    weigh,
)
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    NOTHING,
    Carried,
    Hold,
    Intent,
    Plan,
    Reason,
    Refusal,
    Seen,
    Shadow,
)
from services.reconciler.engine.rules import Acting
from services.reconciler.engine.weigh import Want, Weighed

_LIVE: Final = Presence.LIVE
_GONE: Final = (Presence.DELETED, Presence.MERGED)


def plan(case: Case, *, is_forced: bool = False) -> Plan:
    """Decide about a link from what is known of its two records.

    A one-sided link has to be settled by ``match`` first; here it is created on
    the other side if it is pending. At most one intent comes out, for one side;
    a second one follows when the first is folded.

    Args:
        case: Its link remembers values of today's mappings only: ``renewal.apply``.
        is_forced: Decide anew although nothing has changed.
    """
    link, left, right = case.link, case.left, case.right
    if link.intent_id is not None:
        return NOTHING
    if (
        not is_forced
        and link.config_version == case.config.version
        and diff.is_unchanged(link, left=left, right=right)
        and not lives.has_ended(link, left=left, right=right)
        and (link.retry_at is None or case.now < link.retry_at)
    ):
        return NOTHING
    case = lives.known(_with_births(case))
    # What else is known of them is noted although nothing can be done yet.
    waiting = NOTHING if case.link is link else Plan(link=case.link)
    for side, seen in ((LEFT, left), (RIGHT, right)):
        if seen is None:
            continue
        if seen.is_missing:
            # Whether it is gone is being found out.
            return waiting
        if link.is_two_sided and model.is_another(seen, born=link.born(side)):
            return rest.plan(case, RecordState.HELD, reason=Reason.ID_REUSED)
        presence = seen.record.presence
        if presence in _GONE:
            return _plan_gone(case, side)
        if presence is not _LIVE:
            return waiting
    if left is not None and right is not None:
        return _plan_both(case)
    if link.is_two_sided:
        # One of the records has not been shown to us yet.
        return waiting
    if left is None and right is None:
        return NOTHING
    is_waiting = link.reason == Reason.AWAITS_CREATE
    if is_waiting or link.state not in (RecordState.PENDING, RecordState.FAILED):
        return rest.plan(case, link.state, reason=link.reason)
    return creation.plan(case, source=LEFT if left is not None else RIGHT)


def hold_back(case: Case) -> Plan:
    """Leave a link as it is until a person approves what would be undone."""
    return rest.plan(lives.known(case), RecordState.HELD, reason=Reason.MASS_CHANGE)


def _plan_gone(case: Case, side: Side) -> Plan:
    """Leave a contact alone that one app no longer has; tag it if that is wanted."""
    seen, target = case.known(side), model.other(side)
    if seen.record.presence is Presence.MERGED:
        is_waiting = case.link.reason == Reason.AWAITS_CREATE
        reason = Reason.AWAITS_CREATE if is_waiting else Reason.MERGED_AWAY
        return rest.plan(case, RecordState.MERGED, reason=reason)
    reason, partner = model.DELETED_ON[side], case.seen(target)
    if partner is None or partner.record.presence is not _LIVE:
        return rest.plan(case, RecordState.DELETED, reason=reason)
    acting, refusals = freezing.acting(case, target), list[Refusal]()
    if acting.needs_write:
        intent = intents.update(case, side=target, acting=acting)
        return _tried(case, intent, refusals=refusals) or _failed(case, refusals)
    return rest.plan(
        _with_acts(case, {target: acting}),
        RecordState.DELETED,
        reason=reason,
        holds=freezing.holds_of([acting]),
    )


def _plan_both(case: Case) -> Plan:
    left, right = case.records()
    case = unheeded.remaining(case)
    case, urgent, refusals = _carry_consent(case)
    if urgent is not None:
        return urgent
    has_email = {
        LEFT: canon.has_email(left, case.config.left),
        RIGHT: canon.has_email(right, case.config.right),
    }
    # What both sides say alike is agreed even where nothing may be written: whoever
    # alone edits it after that is met by nobody (behaviour 34).
    weighed = weigh.weigh(case.sides(), case.config, known=case.link.apart)
    case = case.changed(
        left=Shadow(values=weighed.left),
        right=Shadow(values=weighed.right),
        apart=weighed.apart,
        uncarried=uncarried.after_merge(case, weighed),
    )
    hindrance = _hindrance(case, has_email)
    if hindrance is not None:
        state, reason = hindrance
        if reason is Reason.OUT_OF_RULES:
            return _leave(case)
        return rest.plan(case, state, reason=reason)
    if not case.link.has_email and all(has_email.values()):
        case = case.changed(has_email=True)
    weighed = freezing.hold(case, weighed)
    refused = rest.refused_before(case.link)
    actings = _actings(case)
    held = (*weighed.holds, *freezing.holds_of(actings.values()))
    for chosen in _writes(case, weighed, refused=refused, actings=actings):
        holds = (*held, *(() if chosen.is_again else refused.values()))
        tried = _tried(case, chosen.intent, refusals=refusals, holds=holds)
        if tried is not None:
            return _vetted(case, tried, wants=chosen.wants)
    if refusals:
        return _failed(case, refusals, holds=(*held, *refused.values()))
    return rest.plan(
        _with_acts(case, actings),
        RecordState.HELD if held else RecordState.IN_SYNC,
        reason=held[0].reason if held else "",
        holds=held,
    )


def _with_births(case: Case) -> Case:
    """Remember when the records of a bond were made, where their apps tell.

    From the first on: one that is gone before anything can be written tells no more,
    and its id may come back as somebody else's (hazard 11).
    """
    link = case.link
    if not link.is_two_sided:
        return case
    left_born = link.left_born or _born(case.left)
    right_born = link.right_born or _born(case.right)
    if left_born is link.left_born and right_born is link.right_born:
        return case
    return case.changed(left_born=left_born, right_born=right_born)


def _born(seen: Seen | None) -> Instant | None:
    return None if seen is None else seen.record.created_at


def _carry_consent(case: Case) -> tuple[Case, Plan | None, list[Refusal]]:
    """Carry an unsubscribe ahead of everything else, whatever hinders the rest.

    One that the app refuses waits by itself: an address that is still to be written
    may be all that it lacks.
    """
    refusals: list[Refusal] = []
    left, right = case.records()
    if consent.is_silent(left, right, carried=case.link.carried):
        return case, None, refusals
    for side in case.order:
        link, source = case.link, model.other(side)
        wanted = consent.on(
            side,
            target=case.record(side),
            source=case.record(source),
            carried=link.carried,
            config=case.config,
            is_behind=_is_behind(case, side),
        )
        if wanted.needs_write:
            intent = intents.unsubscribe(case, side=side, wanted=wanted)
            tried = _tried(case, intent, refusals=refusals, holds=link.held)
            if tried is not None:
                return case, tried, refusals
        else:
            case = _with_carried(case, side, carried=wanted.carried)
    return case, None, refusals


def _is_behind(case: Case, side: Side) -> bool:
    """Say whether the other side was read later, in a pair that was in step before.

    At a first match both levels are taken as they are: many have said no on both sides.
    """
    link = case.link
    has_met = link.left is not None and link.right is not None
    return has_met and case.known(side).read_at < case.known(model.other(side)).read_at


def _with_carried(case: Case, side: Side, *, carried: Carried | None) -> Case:
    """Remember what a side has got of the other's consent."""
    known = case.link.carried
    if consent.carried_to(side, known) == carried:
        return case
    got = () if carried is None else (carried,)
    return case.changed(carried=remember.carried_to(side, got, known=known))


def _leave(case: Case) -> Plan:
    """Take back what rules did, where they say so, and then write nothing more."""
    actings = _actings(case)
    refusals: list[Refusal] = []
    for side in case.order:
        if actings[side].needs_write:
            intent = intents.update(case, side=side, acting=actings[side])
            tried = _tried(case, intent, refusals=refusals)
            if tried is not None:
                return tried
    if refusals:
        return _failed(case, refusals)
    return rest.plan(
        _with_acts(case, actings),
        RecordState.EXCLUDED,
        reason=Reason.OUT_OF_RULES,
        holds=freezing.holds_of(actings.values()),
    )


def _tried(
    case: Case,
    intent: Intent,
    *,
    refusals: list[Refusal],
    holds: tuple[Hold, ...] = (),
) -> Plan | None:
    """Write what is wanted, unless the app refused the very same: then note that."""
    refusal = setbacks.waits_for(case.link, intent, now=case.now)
    if refusal is not None:
        refusals.append(refusal)
        return None
    return Plan(link=rest.waiting(case, intent, holds=holds), intent=intent)


def _failed(
    case: Case, refusals: list[Refusal], *, holds: tuple[Hold, ...] = ()
) -> Plan:
    """Wait until one of the refused writes is tried again."""
    reason = refusals[0].reason
    return rest.plan(case, RecordState.FAILED, reason=reason, holds=holds)


def _actings(case: Case) -> dict[Side, Acting]:
    """Return what rules want done on each side."""
    return {side: freezing.acting(case, side) for side in SIDES}


class _Chosen(msgspec.Struct, frozen=True):
    """What can be written now, to one side."""

    intent: Intent
    wants: list[Want]
    is_again: bool
    """The app refused it before."""


def _writes(
    case: Case,
    weighed: Weighed,
    *,
    refused: Mapping[str, Hold],
    actings: Mapping[Side, Acting],
) -> Iterator[_Chosen]:
    """Yield what is to be written, in the order in which it is tried."""
    # What an app refused is tried last and by itself, so that it stops nothing else.
    for is_again in (False, True):
        for side in case.order:
            wants = weighed.wants[side] if not is_again else []
            if refused:
                wants = [
                    want
                    for want in weighed.wants[side]
                    if (want.pair.mapping.mapping_id in refused) is is_again
                ]
            if wants or (actings[side].needs_write and not is_again):
                intent = intents.update(
                    case, side=side, wants=wants, acting=actings[side]
                )
                yield _Chosen(intent, wants, is_again)


def _hindrance(
    case: Case, has_email: Mapping[Side, bool | None]
) -> tuple[RecordState, Reason] | None:
    """Say why nothing may be written for a link, if so."""
    config = case.config
    left, right = case.records()
    if not (config.left.includes(left) and config.right.includes(right)):
        return RecordState.EXCLUDED, Reason.OUT_OF_CONTAINER
    if _is_out_of_rules(case):
        return RecordState.EXCLUDED, Reason.OUT_OF_RULES
    if case.link.has_email and False in has_email.values():
        return RecordState.HELD, Reason.EMAIL_REMOVED
    return None


def _is_out_of_rules(case: Case) -> bool:
    config = case.config
    if not config.has_rules or config.keeps_updating:
        return False
    left, right = case.records()
    return not rules.is_link_in_scope(left, right, config=config)


def _vetted(case: Case, tried: Plan, *, wants: Sequence[Want]) -> Plan:
    """Return what is to be written with what gives way, unless it clears too much."""
    assert tried.link is not None
    assert tried.intent is not None
    if guards.clears_too_much(tried.intent.fields, tried.intent.seen):
        return rest.plan(
            case,
            RecordState.HELD,
            reason=Reason.CLEARS_TOO_MUCH,
            holds=tried.link.held,
        )
    losses = intents.losses(case.link, tried.intent, wants=wants)
    return msgspec.structs.replace(tried, losses=losses) if losses else tried


def _with_acts(case: Case, actings: Mapping[Side, Acting]) -> Case:
    """Remember what has been done on some sides."""
    acts = case.link.acts
    for side, acting in actings.items():
        acts = remember.acts_on(side, acting.acts, known=acts)
    return case.changed(acts=acts)
