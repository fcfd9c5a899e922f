"""Guards of the reconciler: what is kept, what is decided together, who may save."""

import datetime
from typing import Any, Final

import msgspec

from services.connector.turns import Leases
from services.reconciler import batches, folding, missing, readbacks
from services.reconciler.deciding import _Deciding
from services.reconciler.engine import model, newcomers
from services.reconciler.engine.model import Shadow
from services.reconciler.planner import Planner
from services.reconciler.store import claims, links, observations
from services.reconciler.sweeping import Sweeper
from tests.fakes.database import reconciler_observations
from tests.fakes.database.tables import Index, IndexShape
from tests.simulation.mutants.mutant import (
    Change,
    Mutant,
    always,
    always_later,
    constant,
)

_LONG_AGO: Final = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


def _at_once(there: Any) -> Any:
    def told(*given: Any, now: Any, **options: Any) -> Any:
        found = there(*given, now=now, **options)
        if found.look_at is None:
            return found
        return msgspec.structs.replace(found, look_at=now)

    return told


def _source_as_it_is(there: Any) -> Any:
    async def save(work: Any, connection: Any, *, outcome: Any) -> None:
        for told in outcome.told:
            side = model.other(told.intent.side)
            link = outcome.links[told.intent.link_id]
            shadow, record_id = link.shadow(side), link.record_id(side)
            if told.state != "done" or shadow is None or record_id is None:
                continue
            place = (connection.config.side(side).account_id, record_id)
            seen = await observations.load(
                work.transaction, [place], tenant_id=connection.tenant_id
            )
            if place not in seen:
                continue
            now = seen[place].record.fields
            values = {i: now.get(i, value) for i, value in shadow.values.items()}
            moved = {side.value: Shadow(values=values, digest=shadow.digest)}
            outcome.links[link.link_id] = msgspec.structs.replace(link, **moved)
        await there(work, connection, outcome=outcome)

    return save


def _newest(there: Any) -> Any:
    def newer(known: Any, new: Any, **options: Any) -> Any:
        known = {**known, "modified_at": None, "read_at": _LONG_AGO}
        return there(known, new, **options)

    return newer


def _never_overtaken(there: Any) -> Any:
    async def done(*given: Any, **options: Any) -> bool:
        await there(*given, **options)
        return True

    return done


def _many_open(there: Any) -> Any:
    def init(self: Index, name: str, shape: IndexShape) -> None:
        there(self, name, shape)
        self.is_unique &= name != "intents_open"

    return init


MARKS_UNREAD: Final = Change(batches, "markers_of", always(set()))
NOBODY_WAITS: Final = Change(newcomers, "may_be_ours", always(False))
"""Who is new is matched at once, whatever creates are open."""
CLOCKS_NOT_WAITED_FOR: Final = Change(Leases, "_free_from", always(_LONG_AGO))
"""Any replica may have an account as soon as it is given back."""
NO_SWEEP: Final = Change(Sweeper, "compare", always_later(False))
"""What was missed is not found by the next full comparison."""

MUTANTS: Final = (
    Mutant(
        name="no_settling",
        hazards=(32,),
        removes="A write without an answer is looked up at once, and may come yet.",
        changes=(Change(folding, "_told", _at_once),),
    ),
    Mutant(
        name="source_shadow_moves_along",
        hazards=(38,),
        removes="An answer moves the source's shadow to all that is seen of it by now.",
        changes=(Change(folding, "_save", _source_as_it_is),),
    ),
    Mutant(
        name="mark_ignored",
        hazards=(12,),
        removes="A record that we made is matched by its address, not by our mark.",
        changes=(MARKS_UNREAD, NOBODY_WAITS),
        hidden_by="the wait of whoever is new while a create is open",
    ),
    Mutant(
        name="newcomers_do_not_wait",
        hazards=(12,),
        removes="Somebody new is matched although a create without answer is open.",
        changes=(NOBODY_WAITS,),
    ),
    Mutant(
        name="parked_forgotten",
        hazards=(13,),
        removes="What was seen while a write was under way is not planned after it.",
        changes=(Change(folding, "_to_plan_again", always(set())),),
    ),
    Mutant(
        name="older_replaces_newer",
        hazards=(22, 92),
        removes="What comes last is what is so, however long ago it was read.",
        changes=(Change(reconciler_observations, "_newer", _newest),),
    ),
    Mutant(
        name="answers_in_any_order",
        hazards=(19, 22),
        removes="A write's own answer may count as older than what was read before.",
        changes=(
            Change(readbacks, "_put_in_order", always_later(None)),
            CLOCKS_NOT_WAITED_FOR,
        ),
        hidden_by="the wait of whoever takes an account over for the other's clock",
    ),
    Mutant(
        name="versions_not_checked",
        hazards=(100, 101),
        removes="Whoever was overtaken saves and sends all the same.",
        changes=(
            Change(links, "save", _never_overtaken),
            Change(links, "drop", _never_overtaken),
            Change(claims, "keep", _never_overtaken),
            Change(Index, "__init__", _many_open),
        ),
        hidden_by="the index by which a link has one open write, which ends most of it",
    ),
    Mutant(
        name="merges_not_followed",
        hazards=(9,),
        removes="A link stays with a record that was merged into another one.",
        changes=(Change(_Deciding, "_follow_merge", always(None)),),
        needs=("merges",),
    ),
    Mutant(
        name="missing_is_deleted",
        hazards=(69, 70),
        removes="One answer that a record is not there is believed.",
        changes=(Change(missing, "CONFIRM_AFTER", constant(datetime.timedelta())),),
        needs=("confirms_deletions",),
    ),
    Mutant(
        name="no_sweep",
        hazards=(20, 28),
        removes="Both sides are never compared in full.",
        changes=(NO_SWEEP,),
        needs=("sweeps",),
    ),
    Mutant(
        name="mass_changes_go_ahead",
        hazards=(71,),
        removes="However much is undone at once, nobody is asked.",
        changes=(Change(Planner, "_hold_excess", always_later([])),),
        needs=("guards",),
    ),
)
