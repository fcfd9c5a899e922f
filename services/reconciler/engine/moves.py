"""Where an answer moves the shadows of a link, mapping by mapping."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from proto.record import Record
from services.reconciler.engine import (
    apart,
    evidence,
    forms,
    guards,
    learn,
    lenses,
    model,
    pending,
    remember,
    uncarried,
)
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.model import (
    Config,
    Intent,
    Lens,
    Link,
    Pair,
    PairEnd,
    Shadow,
)

_WHOLE_ONLY: Final = (Lens.FIRST, Lens.PARTS)
"""Where what is missing of several values tells nothing of a single one."""
_MAYBE_DONE: Final = (WriteOutcome.WRITTEN, WriteOutcome.UNKNOWN, WriteOutcome.EXISTS)
_NEW: Final = Shadow()
_NONE: Final[Mapping[str, Fields]] = {}


def pairs_of(intent: Intent, config: Config) -> list[Pair]:
    """Return the mappings of an intent that there still are."""
    pairs = [config.pair_by_id.get(mapping_id) for mapping_id in intent.mapping_ids]
    return [pair for pair in pairs if pair is not None]


def taught(
    link: Link, intent: Intent, *, own: Fields, record: Record, config: Config
) -> Link:
    """Remember what an app has made of values of a write by itself.

    Args:
        own: The fields that it is to be learned from.
    """
    if not own:
        return link
    meant = {i: intent.fields[i] for i in own}
    fresh = learn.learned_from(
        msgspec.structs.replace(intent, fields=meant), record, config=config
    )
    learned = learn.remember(link, fresh, record=record, config=config)
    return msgspec.structs.replace(link, learned=learned)


def taught_numbers(
    link: Link, intent: Intent, *, result: ContactWritten, config: Config
) -> Link:
    """Remember which numbers of a record are those of a write, dialled otherwise.

    Where it surely did not take effect they may be what it was to change.
    """
    record = result.record
    if record is None or result.outcome not in _MAYBE_DONE:
        return link
    fresh = learn.completed(intent, record, config=config)
    learned = learn.remember(link, fresh, record=record, config=config)
    return msgspec.structs.replace(link, learned=learned)


def not_carried(
    link: Link, intent: Intent, *, left: Fields, config: Config
) -> dict[str, Fields]:
    """Return what the source said but for what a write left empty, by its mapping.

    Or for items that it left out. The app drops them, or somebody has just cleared
    them: nobody can tell. In the shadow of the source they are still to be carried, and
    no deletion. Written a second time they are there, or it is the app that drops them.
    """
    side, source = intent.side, model.other(intent.side)
    written = {(each.mapping_id, each.side, each.form) for each in link.trail}
    found: dict[str, Fields] = {}
    for pair in pairs_of(intent, config):
        mapping_id, end = pair.mapping.mapping_id, pair.end(side)
        meant = {i: intent.fields[i] for i in end.ids if i in intent.fields}
        gone: Fields = {
            field.field_id: left.get(field.field_id)
            for field in end.fields
            if evidence.is_less(
                field.kind, left.get(field.field_id), than=meant.get(field.field_id)
            )
        }
        is_again = (mapping_id, side, guards.form_of(meant)) in written
        if is_again or not gone or pair.mapping.lens in _WHOLE_ONLY:
            continue
        before = {i: meant.get(i, intent.seen.get(i)) for i in end.ids}
        after, told = {**before, **gone}, _values_of(intent.source, pair.end(source))
        atoms = lenses.changes(pair, side, old=before, new=after, other_old=told)
        if pair.mapping.lens is Lens.ITEMS:
            # The app chooses labels; they are no reason to write again.
            atoms = {key: atom for key, atom in atoms.items() if not atom.canon}
        found[mapping_id] = lenses.put(
            lenses.target(pair, source, atoms=atoms, onto=told, source=after)
        )
    return found


def never_in_step(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> set[str]:
    """Return the mappings of a create in which who was made lacks what was meant.

    Told by likeness and not by its mark it may be another's work, which had less: as
    at a first match, nothing that it lacks was cleared, and it is still to be carried.
    """
    if intent.kind is not WriteKind.CREATE or evidence.has_mark(intent, record=record):
        return set()
    lacking = evidence.lacking(link, intent, record=record, config=config)
    return {
        pair.mapping.mapping_id
        for pair in pairs_of(intent, config)
        if not lacking.isdisjoint(pair.end(intent.side).ids)
    }


def _values_of(values: Fields, end: PairEnd) -> Fields:
    return {i: values.get(i) for i in end.ids}


def moved(
    link: Link,
    intent: Intent,
    *,
    pairs: Sequence[Pair],
    told: Fields,
    config: Config,
    again: Mapping[str, Fields] = _NONE,
) -> Link:
    """Move both shadows to where a write leaves them in some of its mappings.

    Args:
        again: What is known of the source where it is still to be carried.
    """
    side = intent.side
    done = [pair for pair in pairs if pair.mapping.mapping_id not in again]
    source = dict(_values(link, model.other(side)))
    target = dict(_values(link, side))
    for pair in pairs:
        seen = {i: intent.seen.get(i) for i in pair.end(side).ids}
        shown = {i: told.get(i, seen[i]) for i in seen}
        target.update(
            pending.kept_out(link, intent, pair=pair, shown=shown, config=config)
        )
        source.update(again.get(pair.mapping.mapping_id, {}))
    for pair in done:
        source.update(
            (i, intent.source[i])
            for i in pair.end(model.other(side)).ids
            if i in intent.source
        )
    left, right = (target, source) if side is LEFT else (source, target)
    known = forms.forms_of(link.learned, config)
    sides = Sides(old_left={}, old_right={}, left=left, right=right, forms=known)
    return msgspec.structs.replace(
        link,
        left=Shadow(values=left),
        right=Shadow(values=right),
        apart=apart.remaining(link.apart, sides, pairs=done),
        uncarried=uncarried.after_step(link, done),
    )


def in_part(link: Link, intent: Intent, *, record: Record, config: Config) -> Link:
    """Move the shadows of mappings that read as they were meant to, and did not before.

    Somebody edited others since, so that nobody can tell whether the write took effect.
    What is there as it was meant is no edit of that side, whoever entered it. The same
    goes for what rules and options wanted done.
    """
    same = evidence.as_meant(link, intent, record=record, config=config)
    acts = remember.acts_in_part(link, intent, record=record, as_meant=same)
    link = msgspec.structs.replace(link, acts=acts)
    pairs = [
        pair
        for pair in pairs_of(intent, config)
        if (ids := intent.fields.keys() & set(pair.end(intent.side).ids))
        and ids <= same
        and any(record.fields.get(i) != intent.seen.get(i) for i in ids)
    ]
    if not pairs:
        return link
    ids = {i for pair in pairs for i in pair.end(intent.side).ids}
    found = evidence.rewritten(intent, record=record, config=config)
    own = {i: value for i, value in found.items() if i in ids}
    link = taught(link, intent, own=own, record=record, config=config)
    told = {**intent.fields, **own}
    return moved(link, intent, pairs=pairs, told=told, config=config)


def as_known(link: Link, intent: Intent, *, before: Link, shown: Record | None) -> Link:
    """Remember which versions of its records a write knew that has ended.

    Where one was another already than an earlier write knew, that stays to be seen:
    nothing was decided about what it was in between.

    Args:
        before: The link as it was until then.
        shown: What the write left behind, if it took effect. Where it was read after
            it, an edit that it shows is told by its value, whatever the version.
    """
    side = intent.side
    known = {side: intent.seen_version, model.other(side): intent.source_version}
    now = dict(known)
    if shown is not None:
        now[side] = shown.version
    for each in SIDES:
        earlier = (before.shadow(each) or _NEW).version
        if earlier and earlier != known[each]:
            now[each] = earlier
    left, right = _known_as(link.left, now[LEFT]), _known_as(link.right, now[RIGHT])
    return msgspec.structs.replace(link, left=left, right=right)


def _known_as(shadow: Shadow | None, version: str) -> Shadow | None:
    if shadow is None or shadow.version == version:
        return shadow
    return msgspec.structs.replace(shadow, version=version)


def _values(link: Link, side: Side) -> Fields:
    shadow = link.shadow(side)
    return shadow.values if shadow is not None else {}
