"""Whether a field really went to and fro, so that it may be held (hazard 54)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from proto.reconciler import MappingView
from tests.simulation.invariants.truth import Owned, Truth
from tests.simulation.ledger import Act, Key, State, Who

REASON: Final = "oscillates"
RETURNS_MIN: Final = 3
"""Having written a value so often, we do not write it again within a day."""
WITHIN_S: Final = 86_400.0

Keys = tuple[Key | None, Key | None]
"""The records of a link, the left one first."""


def is_borne_out(owned: Owned, keys: Keys, mapping_id: str, truth: Truth) -> bool:
    """Say whether we wrote one value to a field of a record again and again.

    The parts of a name are held together.
    """
    return any(
        _are_close(times)
        for view in owned.now.mappings
        if view.mapping_id == mapping_id
        or (_is_name(view.mapping_id) and _is_name(mapping_id))
        for key, names in _ends(keys, view)
        for times in _written(key, names, truth)
    )


def _is_name(mapping_id: str) -> bool:
    return mapping_id.split(".", maxsplit=1)[0] == "name"


def _written(key: Key, names: tuple[str, ...], truth: Truth) -> Iterable[list[float]]:
    """Return for each value that we changed a record to, when."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in truth.ledger.of(key):
        changed = [name for name in names if name in entry.changed]
        if entry.who is Who.TANDEM and entry.act is Act.EDIT and changed:
            asked = [(name, entry.cause.asked.get(name)) for name in changed]
            times[repr(asked)].append(entry.at)
    return times.values()


def _are_close(times: list[float]) -> bool:
    """Say whether enough of some times, in order, are within a day."""
    firsts_and_lasts = zip(times, times[RETURNS_MIN - 1 :], strict=False)
    return any(last - first <= WITHIN_S for first, last in firsts_and_lasts)


def is_respelled(
    owned: Owned, keys: Keys, held: Iterable[tuple[str, str]], truth: Truth
) -> bool:
    """Say whether what is held differs in its spelling alone.

    To a person it is the same, such as with other spaces, but each spelling was an edit
    that somebody made or an app, and that went across (hazards 53 and 54).
    """
    views = {each.mapping_id: each for each in owned.now.mappings}
    return any(
        reason == REASON
        and mapping_id in views
        and is_borne_out(owned, keys, mapping_id, truth)
        and len(set(_spellings(keys, views[mapping_id], truth))) > 1
        for mapping_id, reason in held
    )


def is_of_rules(keys: Keys, held: Iterable[tuple[str, str]], truth: Truth) -> bool:
    """Say whether rules of both sides really took back what the others made of it."""
    return any(
        reason == REASON and _are_close(times)
        for name, reason in held
        for key in keys
        if key is not None
        for times in _set(key, name, truth)
    )


def _set(key: Key, name: str, truth: Truth) -> Iterable[list[float]]:
    """Return for each value of a tag, list or field that we changed, when."""
    times: dict[str, list[float]] = defaultdict(list)
    for entry in truth.ledger.of(key):
        if entry.who is Who.TANDEM and entry.act is Act.EDIT:
            before, after = _value(entry.before, name), _value(entry.after, name)
            if before != after:
                times[repr(after)].append(entry.at)
    return times.values()


def _value(state: State | None, name: str) -> object:
    """Return a field, or whether a record has a tag or is in a list."""
    if state is None:
        return None
    kind, _, rest = name.partition(":")
    if kind == "tag":
        return rest in state.tags
    return rest in state.lists if kind == "container" else state.fields.get(name)


def _spellings(keys: Keys, view: MappingView, truth: Truth) -> Iterator[str]:
    for key, names in _ends(keys, view):
        fields = truth.holder(key).now.fields
        yield " ".join(str(fields[name]) for name in names if fields.get(name))


def _ends(keys: Keys, view: MappingView) -> Iterator[tuple[Key, tuple[str, ...]]]:
    for key, names in zip(keys, (view.left, view.right), strict=True):
        if key is not None:
            yield key, names
