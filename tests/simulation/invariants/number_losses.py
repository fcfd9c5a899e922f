"""I3 of telephone numbers: what somebody did to one last is so in the end.

Each number is looked at by itself, on both records of a link. Who enters one that the
other side takes away at the same time is right; so is who gives it another label.
"""

import enum
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proto.fields import Value
from proto.reconciler import SIDES, Direction, MappingView, RecordState
from tests.simulation.invariants import denials, numbers
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.convergence import Pair
from tests.simulation.invariants.losses import SEEN_S, is_race, may_be_news
from tests.simulation.invariants.numbers import Part
from tests.simulation.invariants.truth import Truth, Wrong, tell
from tests.simulation.ledger import Act, Entry, Key, State, Who
from tests.simulation.vendors.forms import number_key
from tests.simulation.vendors.numbers import NUMBERS, texts_of

Ends = dict[Key, Part]
"""What a mapping is about in the two records of a link."""

LABELLED = "I3 a number labelled anew while another took its place"
ALIKE = "I3 a number that we were about to write there"
GIVEN_UP = "I3 a number whose write took effect unheard of"
UNREAD = "I3 a number between a write and the read after it"


class Done(enum.Enum):
    """What was done to a number."""

    ENTERED = "entered"
    LABELLED = "labelled"
    """Or moved to another field, or spelled otherwise, maybe by the vendor itself."""
    REMOVED = "removed"


class Deed(NamedTuple):
    """Something that somebody did to a number on one side."""

    entry: Entry
    done: Done


class Story(NamedTuple):
    """What people and vendors did to one number of the two records of a link."""

    number: str
    deeds: list[Deed]
    """In order, and at least one."""
    ends: Ends

    def is_in(self, state: State | None, key: Key, truth: Truth) -> bool:
        """Say whether a state of one of the records has it."""
        return self.number in numbers.held(state, truth.ways(key[0]), self.ends[key])


def check(pair: Pair, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield numbers that are gone and were entered last, or back and were removed."""
    left, right = pair.left, pair.right
    if left is None or right is None or not _is_looked_at(pair, truth):
        return
    for view in pair.owned.now.mappings:
        if not numbers.is_about(view, left, truth) or not _is_steady(pair, view):
            continue
        ends = dict(zip((left, right), numbers.parts_of(view, pair.owned), strict=True))
        for number, deeds in _deeds(ends, truth).items():
            if deeds:
                story = Story(number, deeds, ends)
                yield from _judge(story, after=after, truth=truth)


def _is_looked_at(pair: Pair, truth: Truth) -> bool:
    """Say whether two records were one pair from the first, and are in step."""
    keys = [key for key in (pair.left, pair.right) if key is not None]
    row = pair.link.row
    held = {mapping_id for mapping_id, _ in pair.link.held}
    is_held = row.state == RecordState.HELD and held and held.isdisjoint(NUMBERS)
    if row.state != RecordState.IN_SYNC and not is_held:
        return False
    return all(
        truth.holder(key).now.is_live
        and len(truth.partners(key)) == 1
        and all(e.act in (Act.CREATE, Act.EDIT) for e in truth.ledger.of(key))
        and not any(e.cause.is_doubled for e in truth.ledger.of(key))
        and not list(denials.all_of(key, truth))
        for key in keys
    )


def _is_steady(pair: Pair, view: MappingView) -> bool:
    """Say whether a mapping has gone both ways from the first."""
    sides = zip(SIDES, (view.left, view.right), strict=True)
    return all(
        any(
            each.mapping_id == view.mapping_id
            and (each.left, each.right) == (view.left, view.right)
            and each.direction is Direction.BOTH
            for each in version.mappings
        )
        for version in pair.owned.versions
    ) and not any(
        pair.owned.renewals(side, name) for side, names in sides for name in names
    )


def _deeds(ends: Ends, truth: Truth) -> dict[str, list[Deed]]:
    """Return what people and vendors did to each number, in order."""
    found: dict[str, list[Deed]] = {}
    entries = [entry for key in ends for entry in truth.ledger.of(key)]
    for entry in sorted(entries, key=lambda each: each.number):
        if entry.who is Who.TANDEM:
            continue
        before, now = (
            _told(state, ends[entry.key], entry.key, truth)
            for state in (entry.before, entry.after)
        )
        for number in before.keys() | now.keys():
            if number not in before:
                done = Done.ENTERED
            elif number not in now:
                done = Done.REMOVED
            elif before[number] != now[number]:
                done = Done.LABELLED
            else:
                continue
            deeds = found.setdefault(number, [])
            unseen = _unseen_before(deeds, entry, done, truth=truth)
            if unseen is None:
                deeds.append(Deed(entry, done))
            else:
                deeds.remove(unseen)
    return found


def _unseen_before(
    deeds: list[Deed], entry: Entry, done: Done, *, truth: Truth
) -> Deed | None:
    """Return what a deed takes back before anybody showed it: then nothing was done."""
    mine = [deed for deed in deeds if deed.entry.key == entry.key]
    if not mine or {done, mine[-1].done} != {Done.ENTERED, Done.REMOVED}:
        return None
    known = truth.known_at(entry.key, until=math.inf)
    was_seen = any(mine[-1].entry.at <= as_of < entry.at for as_of in known)
    return None if was_seen else mine[-1]


def _told(
    state: State | None, part: Part, key: Key, truth: Truth
) -> dict[str, tuple[str, str, str]]:
    """Return the numbers of a record with their fields, labels and spellings."""
    found: dict[str, tuple[str, str, str]] = {}
    for name in part.names if state is not None else ():
        labels = numbers.held(state, truth.ways(key[0]), Part((name,), part.label))
        for text in texts_of(state.fields.get(name)):
            if (number := number_key(text)) in labels:
                found.setdefault(number, (name, labels[number], text))
    return found


def _judge(story: Story, *, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield what is not as the last deed left it, and has no excuse."""
    entry, done = story.deeds[-1]
    key, number = entry.key, story.number
    was_there = story.is_in(entry.after, key, truth)
    is_there = story.is_in(truth.holder(key).now, key, truth)
    if is_there is was_there:
        if is_there:
            yield from _label_of(story, after=after, truth=truth)
        return
    ended = next(
        each
        for each in truth.ledger.of(key)
        if each.number > entry.number
        and story.is_in(each.after, key, truth) is not was_there
    )
    if ended.who is not Who.TANDEM or is_race(entry, ended, truth):
        return
    if truth.is_unread(entry):
        truth.excuse(UNREAD)
        return
    if _was_given_up(story, after):
        truth.excuse(GIVEN_UP)
        return
    meanwhile = [
        deed
        for deed in story.deeds[:-1]
        if deed.entry.key != key and may_be_news(deed.entry, entry, truth=truth)
    ]
    if was_there:
        if any(_has(loss.fields.values(), number) for loss in after.losses):
            return
        if done is Done.LABELLED and any(e.done is Done.REMOVED for e in meanwhile):
            truth.excuse(LABELLED)
            return
        if _is_on_its_way(story, after):
            truth.excuse(ALIKE)
            return
    elif _is_kept(meanwhile) or _is_new(entry, truth):
        return
    what = f"{done.value} at {entry.at:.3f} and {'back' if is_there else 'gone'}"
    yield Wrong("I3", f"{tell(key)} {number} was {what} at {ended.at:.3f}")


def _label_of(story: Story, *, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield a label that somebody gave a number last, and that the other side lacks.

    Its app may know no such label, and a single field has its own.
    """
    entry, number = story.deeds[-1].entry, story.number
    [other] = [key for key in story.ends if key != entry.key]
    own, there = (truth.ways(key[0]).numbers for key in (entry.key, other))
    if not (own.is_list and there.is_list):
        return
    was, given, mine, theirs = (
        numbers.held(state, truth.ways(key[0]), story.ends[key]).get(number)
        for state, key in (
            (entry.before, entry.key),
            (entry.after, entry.key),
            (truth.holder(entry.key).now, entry.key),
            (truth.holder(other).now, other),
        )
    )
    if was is None or theirs is None or was == given:
        return
    assert mine is not None
    if theirs == there.label(mine) or mine == own.label(theirs):
        return
    if _is_new(entry, truth) or truth.is_unread(entry):
        return
    if any(deed.entry.key == other for deed in story.deeds):
        return
    if not _was_given_up(story, after):
        yield Wrong("I3", f"{tell(other)} {number} is not labelled {mine!r}")


def _is_kept(meanwhile: list[Deed]) -> bool:
    """Say whether the other side entered a number, or gave it another label."""
    return any(deed.done is not Done.REMOVED for deed in meanwhile)


def _is_new(entry: Entry, truth: Truth) -> bool:
    """Say whether two records had just met, so that nothing was removed yet."""
    return any(at > entry.at - SEEN_S for at in truth.bound_at(entry.key))


def _is_on_its_way(story: Story, after: Aftermath) -> bool:
    """Say whether somebody entered what we were writing there: that counts as ours.

    What becomes of it on the other side goes for both then.
    """
    entry = story.deeds[-1].entry
    return any(
        planned.intent.record_id == entry.record_id
        and planned.decided_at <= entry.at <= (planned.closed_at or math.inf)
        and _has([change.after for change in planned.intent.changes], story.number)
        for planned in after.intents
    )


def _was_given_up(story: Story, after: Aftermath) -> bool:
    """Say whether a write of a number came to nothing, as far as we could tell.

    It took effect unheard of: what it put there looks like an edit, and who takes that
    back seems to have done nothing.
    """
    number, ids = story.number, {record_id for _, record_id in story.ends}
    return any(
        planned.state == "dead"
        and planned.intent.record_id in ids
        and any(
            _has([change.before], number) is not _has([change.after], number)
            for change in planned.intent.changes
        )
        for planned in after.intents
    )


def _has(values: Iterable[Value], number: str) -> bool:
    return any(
        number_key(text) == number for value in values for text in texts_of(value)
    )
