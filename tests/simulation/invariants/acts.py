"""What Tandem does to records besides their fields: tags, lists and consent.

I6 and I7 beyond single writes: a real deletion and a real unsubscribe are told on the
other side, and nothing of the kind is done that no setting asks for.
"""

import math
from collections.abc import Iterator
from typing import Final

from proto.reconciler import SIDES, RecordState, Side
from proto.record import CONSENT_RANKS
from proto.rules import ActionKind, Rule, Unsubscribes
from services.reconciler.engine import model
from tests.simulation.invariants import scope
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.convergence import Pair
from tests.simulation.invariants.truth import Owned, Truth, Wrong, tell
from tests.simulation.ledger import Act, Entry, Key, Who

STAYING: Final = (RecordState.IN_SYNC, RecordState.HELD, RecordState.EXCLUDED)
"""States of a link in which nothing hinders its consent."""


def names_asked_for(entry: Entry, truth: Truth) -> tuple[set[str], set[str]]:
    """Return the tags and lists that any setting lets us put on a record, or off it."""
    tags: set[str] = set()
    lists: set[str] = set()
    for owned, side in truth.ends_at(entry.place):
        for version in owned.versions:
            settings = version.settings
            tags |= {settings.deletion_tag} if settings.tags_deletions else set()
            if settings.unsubscribes is Unsubscribes.TAG:
                tags.add(settings.unsubscribe_tag)
            for rule in (
                settings.right_rules if side is Side.LEFT else settings.left_rules
            ):
                _add_names(rule, tags=tags, lists=lists)
    return tags, lists


def has_said(entry: Entry, truth: Truth) -> bool:
    """Say whether anybody unsubscribed a record's counterpart as much as we did it.

    What we set there ourselves is nobody's word (hazard 85), but it stands for what was
    said of whatever counterparts that one had before. Nor can anybody tell that it is
    ours where the record was gone before we saw it again: then it counts as a no.
    """
    rank = CONSENT_RANKS[entry.after.consent]
    others = truth.others_of(entry.key)
    former = (key for other in others for key in truth.partners(other))
    spoken_of = {*others, *former} - {entry.key}
    return any(
        (said.who is not Who.TANDEM or _was_gone_unseen(said, truth))
        and said.at <= entry.at
        and (said.act in (Act.CREATE, Act.MERGE) or _is_consent(said))
        and CONSENT_RANKS[said.after.consent] >= rank
        for each in spoken_of
        for said in truth.ledger.of(each)
    )


def _was_gone_unseen(act: Entry, truth: Truth) -> bool:
    """Say whether a record was deleted before anybody showed what an act had done."""
    ends = (
        each.at
        for each in truth.ledger.of(act.key)
        if each.number > act.number and each.act is Act.DELETE
    )
    gone_at = min(ends, default=None)
    return gone_at is not None and not any(
        act.at <= at <= gone_at for at in truth.known_at(act.key, until=math.inf)
    )


def check(pair: Pair, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield deletions and unsubscribes that were not told on the other side."""
    for side in SIDES:
        source, target = pair.key(side), pair.key(model.other(side))
        if source is None or target is None:
            continue
        states = truth.holder(source).now, truth.holder(target).now
        if states[1].is_live and scope.allows(pair.owned, model.other(side)):
            if states[0].is_live:
                yield from _unsubscribed(pair, source, target, after=after, truth=truth)
            else:
                yield from _deleted(pair, source, target, truth=truth)


def _deleted(pair: Pair, source: Key, target: Key, *, truth: Truth) -> Iterator[Wrong]:
    settings = pair.owned.now.settings
    is_told = truth.ways(source[0]).has_tombstones and truth.ways(target[0]).can_tag
    is_settled = pair.link.row.state == RecordState.DELETED
    if not (settings.tags_deletions and is_told and is_settled):
        return
    ended = truth.ledger.of(source)[-1]
    if ended.act is not Act.DELETE:
        return
    tag = settings.deletion_tag
    if tag not in truth.holder(target).now.tags and not _took_away(target, tag, truth):
        yield Wrong("I6", f"nobody was told of the end of {tell(source)}: {pair}")


def _unsubscribed(
    pair: Pair, source: Key, target: Key, *, after: Aftermath, truth: Truth
) -> Iterator[Wrong]:
    """Compare what people last said on one side with what the other one has."""
    settings = pair.owned.now.settings
    said = _last_word(source, truth)
    if said is None or pair.link.row.state not in STAYING:
        return
    if pair.link.row.reason in ("id_reused", "unlinked"):
        return
    has_changed_mind = any(
        entry.at > said.at and entry.who is Who.USER and _is_consent(entry)
        for entry in truth.ledger.of(target)
    )
    if has_changed_mind:
        return
    if _is_as_we_set_it(source, said, pair=pair, after=after, truth=truth):
        truth.excuse("I7 taken back and said again before it was seen")
        return
    if _is_passed_back(said, target, truth):
        truth.excuse("I7 a merge passed on what we had set (hazard 85)")
        return
    ways, now = truth.ways(target[0]), truth.holder(target).now
    level = CONSENT_RANKS[said.after.consent]
    if settings.unsubscribes is Unsubscribes.STATUS:
        can = ways.has_consent and ways.can_unsubscribe
        if can and CONSENT_RANKS[now.consent] < level:
            yield Wrong("I7", f"{tell(source)} is {said.after.consent}: {pair}")
    if settings.unsubscribes is Unsubscribes.TAG and ways.can_tag:
        tag = settings.unsubscribe_tag
        if tag not in now.tags and not _took_away(target, tag, truth):
            yield Wrong("I7", f"{tell(source)} unsubscribed, and has no tag: {pair}")


def _is_as_we_set_it(
    key: Key, said: Entry, *, pair: Pair, after: Aftermath, truth: Truth
) -> bool:
    """Say whether a no looks as if it were still the one that we set there ourselves.

    They opted in and out again, and nobody showed us anything in between; or a write of
    the link was open all that time, so that it was not looked at.
    """
    rank = CONSENT_RANKS[said.after.consent]
    levels = [entry for entry in _levels(key, truth) if entry.at < said.at]
    set_by_us = [
        entry
        for entry in levels
        if entry.who is Who.TANDEM and CONSENT_RANKS[entry.after.consent] >= rank
    ]
    if not set_by_us:
        return False
    since = [entry.at for entry in levels if entry.at > set_by_us[-1].at]
    seen_at = truth.known_at(key, until=math.inf)
    return bool(since) and all(
        any(
            planned.intent.link_id == pair.link.row.link_id
            and planned.decided_at <= at
            and (planned.closed_at or math.inf) >= said.at
            for planned in after.intents
        )
        for at in seen_at
        if since[0] <= at < said.at
    )


def _is_passed_back(said: Entry, target: Key, truth: Truth) -> bool:
    """Say whether a no is the target's own, which we carried to whoever was merged.

    A merge takes the tighter of two levels over, and is nobody's word: where we had set
    it, no people of that side have said it (hazard 85).
    """
    level = _merged_level(said, truth)
    if level is None:
        return False
    if level.who is not Who.TANDEM:
        return _is_passed_back(level, target, truth)
    rank = CONSENT_RANKS[level.after.consent]
    return target in truth.partners(level.key) and any(
        entry.who is Who.USER
        and entry.at <= level.at
        and CONSENT_RANKS[entry.after.consent] >= rank
        for entry in _levels(target, truth)
    )


def _merged_level(said: Entry, truth: Truth) -> Entry | None:
    """Return what had set the level that an heir got by a merge, if it did so."""
    if said.before is None or CONSENT_RANKS[said.before.consent]:
        # It is new, or its own people had said no before.
        return None
    merge = truth.ledger.entries[said.number - 1]
    if merge.act is not Act.MERGE or merge.after.merged_into != said.record_id:
        return None
    levels = _levels(merge.key, truth)
    return [level for level in levels if level.number < merge.number][-1]


def _last_word(key: Key, truth: Truth) -> Entry | None:
    """Return a user's entry by which a record is unsubscribed, if it still is."""
    word = next(reversed(_levels(key, truth)), None)
    if word is None or word.who is not Who.USER:
        return None
    return word if CONSENT_RANKS[word.after.consent] else None


def _levels(key: Key, truth: Truth) -> list[Entry]:
    """Return the entries that gave a record another level, and its first."""
    entries = truth.ledger.of(key)
    return [each for each in entries if each.act is Act.CREATE or _is_consent(each)]


def _is_consent(entry: Entry) -> bool:
    return entry.before is not None and entry.before.consent != entry.after.consent


def _took_away(key: Key, tag: str, truth: Truth) -> bool:
    """Say whether a user took a tag off a record."""
    return any(
        entry.who is Who.USER
        and entry.before is not None
        and tag in entry.before.tags
        and tag not in entry.after.tags
        for entry in truth.ledger.of(key)
    )


def _add_names(rule: Rule, *, tags: set[str], lists: set[str]) -> None:
    for action in rule.actions:
        if action.kind in (ActionKind.ADD_TAG, ActionKind.REMOVE_TAG):
            tags.add(action.value)
        elif action.kind is not ActionKind.SET_FIELD:
            lists.add(action.value)


def set_by_rules(owned: Owned, side: Side) -> set[str]:
    """Return the fields of a side that rules of the other one set."""
    return {
        str(action.field_id)
        for version in owned.versions
        for rule in (
            version.settings.right_rules
            if side is Side.LEFT
            else version.settings.left_rules
        )
        for action in rule.actions
        if action.kind is ActionKind.SET_FIELD
    }
