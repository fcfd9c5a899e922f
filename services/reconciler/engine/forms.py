"""Which normal forms mean one value, by what apps have made of values of ours."""

from collections.abc import Iterable, Mapping

from proto.ids import FieldId
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine.lenses import NO_FORMS
from services.reconciler.engine.model import Config, Learned


def forms_of(
    learned: tuple[Learned, ...], config: Config
) -> Mapping[Side, Mapping[FieldId, Mapping[str, str]]]:
    """Return learned forms the way lenses read them: from the app's to ours.

    Of several values they are the same on both sides. Items are told apart by their
    forms across the sides, and what an app makes of a value may be entered on the
    other side as well: it has to be the same item there.
    """
    if not learned:
        return NO_FORMS
    found: dict[Side, dict[FieldId, Mapping[str, str]]] = {LEFT: {}, RIGHT: {}}
    for each in learned:
        own = found[each.side].get(each.field_id, {})
        found[each.side][each.field_id] = {**own, each.got: each.wrote}
    several = config.several
    pairs = {
        pair.mapping.mapping_id: pair
        for each in learned
        if (pair := several[each.side].get(each.field_id)) is not None
    }
    for pair in pairs.values():
        alike = _alike(
            each for each in learned if several[each.side].get(each.field_id) is pair
        )
        for side in SIDES:
            found[side].update(
                (field_id, alike)
                for field_id, of in several[side].items()
                if of is pair
            )
    return found


def _alike(learned: Iterable[Learned]) -> Mapping[str, str]:
    """Return for each form that means what another one does that other one."""
    known_by: dict[str, str] = {}

    def first(form: str) -> str:
        while form in known_by:
            form = known_by[form]
        return form

    for each in learned:
        ours, theirs = first(each.wrote), first(each.got)
        if ours != theirs:
            known_by[theirs] = ours
    return {form: first(form) for form in known_by}
