"""Which normal forms mean one value, by what apps have made of values of ours."""

from collections.abc import Iterable, Mapping

from proto.ids import FieldId
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine.items import Known
from services.reconciler.engine.lenses import NO_FORMS
from services.reconciler.engine.model import Config, Learned


def forms_of(learned: tuple[Learned, ...], config: Config) -> Mapping[Side, Known]:
    """Return learned forms the way lenses read them: from the app's to ours.

    Of several values they are the same on both sides. Items are told apart by their
    forms across the sides, and what an app makes of a value may be entered on the
    other side as well: it has to be the same item there.
    """
    if not learned:
        return NO_FORMS
    found: dict[Side, dict[FieldId, dict[str, str]]] = {LEFT: {}, RIGHT: {}}
    by_mapping: dict[str, list[Learned]] = {}
    for each in learned:
        found[each.side].setdefault(each.field_id, {})[each.got] = each.wrote
        if pair := config.several[each.side].get(each.field_id):
            by_mapping.setdefault(pair.mapping.mapping_id, []).append(each)
    alike = {name: _alike(lessons) for name, lessons in by_mapping.items()}
    for side in SIDES:
        for field_id, pair in config.several[side].items():
            if pair.mapping.mapping_id in alike:
                found[side][field_id] = alike[pair.mapping.mapping_id]
    return found


def _alike(learned: Iterable[Learned]) -> dict[str, str]:
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
