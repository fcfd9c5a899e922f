"""Guards of fields of several values, and of the numbers in them."""

from typing import Any, Final

from services.reconciler.engine import apart, forms, items, learn, merge
from services.reconciler.engine.lenses import firsts
from tests.simulation.mutants.mutant import Change, Mutant, always


def _alone(there: Any) -> Any:
    def put_list(end: Any, values: Any, *, known: Any, wanted: Any) -> Any:
        placed = there(end, values, known=known, wanted=wanted)
        keys, _ = items._keyed(end, end.fields[0], values=values, known=known)
        pairs = zip(keys, values.get(end.ids[0]) or (), strict=True)
        left = [item for key, item in pairs if key not in wanted]
        return tuple(item for item in placed if item not in left)

    return put_list


def _unlabelled(there: Any) -> Any:
    def in_place(end: Any, item: Any, *, change: Any, is_same: bool) -> Any:
        if is_same:
            return item
        return there(end, item, change=change, is_same=is_same)

    return in_place


MUTANTS: Final = (
    Mutant(
        name="others_are_dropped",
        hazards=(59,),
        removes="What is written to a list are the values that changed, and no others.",
        changes=(Change(items, "_put_list", _alone),),
    ),
    Mutant(
        name="no_room_is_needed",
        hazards=(59, 64),
        removes="A list is written with more values than its app takes.",
        changes=(Change(items, "_has_room", always(True)),),
    ),
    Mutant(
        name="nothing_waits_for_room",
        hazards=(59,),
        removes="A value that found no room is not written once there is some.",
        changes=(Change(merge, "_add_waiting", always(None)),),
    ),
    Mutant(
        name="first_of_several_stays",
        hazards=(59,),
        removes="What becomes of several values does not reach a single one.",
        changes=(Change(firsts, "_several_changed", always({})),),
    ),
    Mutant(
        name="cleared_is_drift",
        hazards=(29, 59),
        removes="A single value that somebody cleared is out of step with the others.",
        changes=(Change(apart, "is_cleared", always(False)),),
    ),
    Mutant(
        name="completed_is_another",
        hazards=(53, 59),
        removes="A number that an app has completed is another one than we wrote.",
        changes=(
            Change(learn, "completed", always(())),
            Change(forms, "_alike", always({})),
        ),
        hidden_by="what an answer to a write shows, which is learned as well",
    ),
    Mutant(
        name="labels_are_kept",
        hazards=(59,),
        removes="A value that was labelled anew keeps its label on the other side.",
        changes=(Change(items, "_in_place", _unlabelled),),
    ),
)
