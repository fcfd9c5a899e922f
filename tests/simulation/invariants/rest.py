"""I2, I14 and I16: it comes to rest, it stays at rest, and it can say why it wrote."""

from collections.abc import Iterator, Sequence
from typing import Final

from proto.connector import WriteKind
from proto.reconciler import RecordState, Side
from tests.simulation.invariants.aftermath import Aftermath, Planned
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    ours,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key, Place

UNKNOWN_S_MAX: Final = 15 * 60
"""An outcome that is not known for longer has to be shown as such."""


def is_at_rest(after: Aftermath) -> Iterator[Wrong]:
    """I2 and I14: nothing is under way that is not shown as held."""
    if after.outbox:
        yield Wrong("I2", f"{after.outbox} messages without a receipt")
    if after.dirty:
        yield Wrong("I2", f"{after.dirty} records wait to be planned")
    states = {link.row.link_id: link.row for link in after.links}
    for planned in after.intents:
        if not planned.is_open:
            continue
        row = states.get(planned.intent.link_id)
        is_shown = row is not None and row.state == RecordState.HELD
        if after.now - planned.decided_at > UNKNOWN_S_MAX and not is_shown:
            yield Wrong("I14", f"{planned.intent.intent_id} is open and not shown")


def stays_at_rest(writes: Sequence[Entry], *, most: int) -> Iterator[Wrong]:
    """I2: once at rest, nothing is written while nobody does anything.

    Where a vendor rewrites values later, each record may be written ``most`` times.
    """
    counts: dict[Key, int] = {}
    for entry in writes:
        counts[entry.key] = counts.get(entry.key, 0) + 1
        if counts[entry.key] > most:
            yield Wrong("I2", f"written while nothing happened: {entry}")


def one_edit_one_write(
    edited: Key, writes: Sequence[Entry], *, most: int
) -> Iterator[Wrong]:
    """I2: an edit of a field costs one write on the other side, and none on its own."""
    others = [entry for entry in writes if entry.key != edited]
    if len(others) != 1 and not 0 < len(others) <= most:
        yield Wrong("I2", f"an edit of {tell(edited)} cost {len(others)} writes")
    own = [entry for entry in writes if entry.key == edited]
    if own and most == 1:
        yield Wrong("I2", f"an edit came back: {own[0]}")


def can_be_explained(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """I16: for each value that we wrote there is an intent that says why."""
    by_place: dict[Place, list[Planned]] = {}
    for planned in after.intents:
        owned = next(
            each for each in truth.owned if each.connection_id == planned.connection_id
        )
        place = owned.place(Side(planned.intent.side))
        by_place.setdefault(place, []).append(planned)
    for entry in ours(truth.ledger.entries):
        known = by_place.get(entry.place, ())
        for name in entry.changed:
            if name not in entry.cause.asked or _is_as_read(entry, name, truth):
                continue
            if not any(_explains(each, entry, name) for each in known):
                asked = entry.cause.asked[name]
                yield Wrong("I16", f"nobody can say why {tell(entry.key)} is {asked!r}")


def _is_as_read(entry: Entry, name: str, truth: Truth) -> bool:
    """Say whether a whole write takes a field along as it was when we read the record.

    Nobody decided about it; whoever wrote it since then, and were it ourselves, is
    undone where the write comes late or twice (hazards 39 and 40).
    """
    read_at = entry.cause.read_at
    if read_at is None or not truth.ways(entry.place).replaces_whole:
        return False
    state = truth.holder(entry.key).at(read_at)
    return state is not None and state.fields.get(name) == entry.cause.asked[name]


def _explains(planned: Planned, entry: Entry, name: str) -> bool:
    intent = planned.intent
    if entry.act is Act.CREATE:
        is_same = intent.kind is WriteKind.CREATE
    else:
        is_same = intent.record_id == entry.record_id
    return is_same and any(
        change.field_id == name and change.after == entry.cause.asked[name]
        for change in intent.changes
    )
