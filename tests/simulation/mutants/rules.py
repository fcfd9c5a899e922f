"""Guards of what rules do besides: what one of several has done, and takes back."""

from typing import Any, Final

from services.reconciler.engine import places
from services.reconciler.engine.places import Acts
from tests.simulation.mutants.mutant import Change, Mutant


def _for_all(there: Any) -> Any:
    def settled(place: Any, at: Any, *, stays: bool) -> Any:
        found = there(place, Acts([], at.begun, at.over), stays=stays)
        return found._replace(acts=[*at.kept, *found.acts])

    return settled


def _as_if_own(_there: Any) -> Any:
    def chain(place: Any, known: Any) -> Any:
        last = [act for act in known if place.is_now(act)]
        return last, place.was(last[-1]) if last else place.now

    return chain


def _as_found(there: Any) -> Any:
    def settled(place: Any, at: Any, *, stays: bool) -> Any:
        found = there(place, at, stays=stays)
        begun = {act.key for act in at.begun}
        acts = [
            place.before(act, place.now) if act.key in begun else act
            for act in found.acts
        ]
        return found._replace(acts=acts)

    return settled


MUTANTS: Final = (
    Mutant(
        name="one_ends_for_all",
        hazards=(75,),
        removes="What a rule did is taken back although another one wants it, too"
        " (behaviours 7 and 9).",
        changes=(Change(places, "_settled", _for_all),),
        needs=("rules",),
    ),
    Mutant(
        name="set_back_to_a_rule_s",
        hazards=(75,),
        removes="A field is given back what another rule had made of it (behaviour 9).",
        changes=(
            Change(places, "_settled", _as_found),
            Change(places, "_chain", _as_if_own),
        ),
        hidden_by="the acts of earlier versions being followed one after the other",
        needs=("rules",),
    ),
)
