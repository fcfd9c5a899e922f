"""Guards of the pure engine: what is linked, what is written, what an answer means."""

from typing import Any, Final

import msgspec

from proto.connector import WriteKind
from proto.reconciler import RecordState, Side
from proto.record import Presence
from services.connector import remainder
from services.reconciler.engine import (
    apart,
    consent,
    creation,
    evidence,
    fold,
    guards,
    intents,
    learn,
    lives,
    match,
    merge,
    model,
    plan,
    renewal,
)
from services.reconciler.engine.config import Config, SideConfig
from services.reconciler.engine.lenses import Atom
from services.reconciler.engine.model import NOTHING, Lens
from tests.fakes.database import reconciler_queue
from tests.simulation.mutants.mutant import Change, Mutant, always, query


def _dead(_there: Any) -> Any:
    def unknown(
        link: Any, intent: Any, *, config: Any, now: Any, **_options: Any
    ) -> Any:
        return fold._dead(link, intent, config=config, now=now)

    return unknown


def _believed(_there: Any) -> Any:
    def confirmed_late(link: Any, intent: Any, **options: Any) -> Any:
        return fold._written(link, intent, **options)

    return confirmed_late


def _answered(_there: Any) -> Any:
    def read_after(link: Any, intent: Any, **options: Any) -> Any:
        return fold._written(link, intent, **options)

    return read_after


def _as_sent(_there: Any) -> Any:
    def written(link: Any, intent: Any, *, record: Any, config: Any, now: Any) -> Any:
        told = dict(intent.fields)
        if intent.kind is WriteKind.CREATE:
            told = {**record.fields, **told}
        return fold._in_step(
            link,
            intent,
            told=told,
            record=record,
            config=config,
            now=now,
        )

    return written


def _write_all(there: Any) -> Any:
    def update(case: Any, *, side: Side, **options: Any) -> Any:
        intent = there(case, side=side, **options)
        values = case.record(model.other(side)).fields
        fields = {
            pair.end(side).ids[0]: values[pair.end(model.other(side)).ids[0]]
            for pair in case.config.pairs
            if pair.mapping.lens is Lens.COPY
            and pair.end(side).is_written
            and pair.end(model.other(side)).ids[0] in values
        }
        return msgspec.structs.replace(intent, fields={**fields, **intent.fields})

    return update


def _made_anew(there: Any) -> Any:
    def plan_gone(case: Any, side: Side) -> Any:
        other = case.seen(model.other(side))
        if other is None or other.record.presence is not Presence.LIVE:
            return there(case, side)
        is_left = side is Side.LEFT
        case = case.changed(
            left_id=None if is_left else case.link.left_id,
            right_id=case.link.right_id if is_left else None,
        )
        case = msgspec.structs.replace(case, **{side.value: None})
        return creation.plan(case, source=model.other(side))

    return plan_gone


def _left_as_gone(there: Any) -> Any:
    def plan_both(case: Any) -> Any:
        parted = (RecordState.DELETED, RecordState.MERGED)
        return NOTHING if case.link.state in parted else there(case)

    return plan_both


def _as_first_match(there: Any) -> Any:
    def plan_both(case: Any) -> Any:
        if case.link.config_version != case.config.version:
            case = case.changed(left=None, right=None)
        return there(case)

    return plan_both


def _by_the_winner(_there: Any) -> Any:
    return lambda _ours, _theirs, *, pair: pair.winner


def _empty_too(there: Any) -> Any:
    def edits(pair: Any, side: Side, *, is_first: bool, **options: Any) -> Any:
        found = there(pair, side, is_first=is_first, **options)
        if is_first and not found and pair.mapping.lens is Lens.COPY:
            return {"": Atom("", None, "")}
        return found

    return edits


def _loosened(there: Any) -> Any:
    def update(case: Any, *, side: Side, **options: Any) -> Any:
        intent = there(case, side=side, **options)
        if not case.config.side(side).capabilities.can_unsubscribe:
            return intent
        level = case.record(model.other(side)).consent
        return msgspec.structs.replace(intent, consent=level)

    return update


def _unless_open(there: Any) -> Any:
    def planned(case: Any, **options: Any) -> Any:
        link = msgspec.structs.replace(case.link, intent_id=None)
        return there(msgspec.structs.replace(case, link=link), **options)

    return planned


async def _load_every_dirty(session: Any, *, connection_id: str, **given: Any) -> Any:
    rows = session.find("dirty", "connection", connection_id, given["tenant_id"])
    rows.sort(key=lambda row: (not row["is_urgent"], row["mark"]))
    return [reconciler_queue.DIRTY(row) for row in rows[: given["limit"]]]


def _free(there: Any) -> Any:
    def folded(*given: Any, is_taken: bool, **options: Any) -> Any:
        del is_taken
        return there(*given, is_taken=False, **options)

    return folded


def _not_carried(_there: Any) -> Any:
    return lambda case: (case, None, [])


_ALONG: Final = ("along",)
"""How a create tells a no, which never counted for more than that."""


def _however_told(there: Any) -> Any:
    def has_got(had: Any, word: Any, **options: Any) -> Any:
        if had.ways == _ALONG:
            had = msgspec.structs.replace(had, ways=(consent.LEVEL,))
            return there(had, word, **options)
        return word is had.level

    return has_got


def _along(there: Any) -> Any:
    def along(side: Side, level: Any, **options: Any) -> Any:
        told = there(side, level, **options)
        return tuple(
            msgspec.structs.replace(each, ways=_ALONG) if each.ways else each
            for each in told
        )

    return along


def _as_deleted(there: Any) -> Any:
    """Take a record that was merged away for one that somebody deleted."""

    def plan_gone(case: Any, side: Side) -> Any:
        seen = case.known(side)
        record = msgspec.structs.replace(seen.record, presence=Presence.DELETED)
        seen = msgspec.structs.replace(seen, record=record)
        return there(msgspec.structs.replace(case, **{side.value: seen}), side)

    return plan_gone


MUTANTS: Final = (
    Mutant(
        name="unknown_is_dead",
        hazards=(31,),
        removes="A write without an answer counts as not done, and is planned again.",
        changes=(Change(fold, "_unknown", _dead),),
    ),
    Mutant(
        name="late_read_moves_shadow",
        hazards=(37,),
        removes="A later read, and not what was meant, is what a write left behind.",
        changes=(
            Change(fold, "_confirmed_late", _believed),
            Change(evidence, "is_as_meant", always(True)),
        ),
        hidden_by="the comparison with what was meant, which lets few edits through",
    ),
    Mutant(
        name="read_after_is_the_answer",
        hazards=(37,),
        removes="A record read after a write is what the app made of it, edits too.",
        changes=(Change(fold, "_read_after", _answered),),
        needs=("edits_at_once",),
    ),
    Mutant(
        name="shadow_is_what_was_sent",
        hazards=(52, 53),
        removes="The shadow is what we sent, and not what the app made of it.",
        changes=(Change(fold, "_written", _as_sent),),
    ),
    Mutant(
        name="everything_is_written",
        hazards=(38, 39),
        removes="A write carries every mapped field, and not what changed alone.",
        changes=(Change(intents, "update", _write_all),),
    ),
    Mutant(
        name="no_tombstones",
        hazards=(72,),
        removes="The counterpart of a deleted record is a new one, and is carried.",
        changes=(Change(plan, "_plan_gone", _made_anew),),
    ),
    Mutant(
        name="restored_stays_gone",
        hazards=(74,),
        removes="The link of a record that was restored stays out of use.",
        changes=(Change(plan, "_plan_both", _left_as_gone),),
    ),
    Mutant(
        name="former_life_counts",
        hazards=(57, 74),
        removes="Who is back is met anew only where the link still says who was gone.",
        changes=(Change(lives, "_is_another", always(False)),),
    ),
    Mutant(
        name="settings_replay_edits",
        hazards=(67, 76),
        removes="A change of settings has every value compared as if never seen.",
        changes=(Change(plan, "_plan_both", _as_first_match),),
    ),
    Mutant(
        name="renewals_forgotten",
        hazards=(76,),
        removes="A mapping that comes back goes on from what was so before it went.",
        changes=(Change(renewal, "apply", lambda _: lambda link, _config: link),),
    ),
    Mutant(
        name="empty_wins",
        hazards=(57,),
        removes="The winner's empty value clears the other side's at a first match.",
        changes=(
            Change(merge, "_wins", _by_the_winner),
            Change(merge, "_edits", _empty_too),
        ),
        hidden_by="the lenses, to which an empty field that was never seen is no edit",
    ),
    Mutant(
        name="left_apart_forgotten",
        hazards=(29, 66),
        removes="Nobody remembers that edits of a one-way target were to stay there.",
        changes=(Change(apart, "after", always(())),),
        needs=("sweeps",),
    ),
    Mutant(
        name="rivals_ignored",
        hazards=(1, 2),
        removes="A record is matched although another one has its address too.",
        changes=(Change(match, "_rivals", always(())),),
    ),
    Mutant(
        name="bound_records_are_free",
        hazards=(1, 42),
        removes="A record that is linked already is matched and adopted again.",
        changes=(
            Change(match, "is_bound", always(False)),
            Change(fold, "fold", _free),
        ),
        hidden_by="the second look when the answer to the create is folded",
    ),
    Mutant(
        name="losses_not_kept",
        hazards=(56,),
        removes="A value that gives way in a conflict is not kept.",
        changes=(Change(intents, "losses", always(())),),
    ),
    Mutant(
        name="direction_ignored",
        hazards=(66,),
        removes="A connection writes to both sides, whatever its direction.",
        changes=(Change(Config, "allows", always(True)),),
    ),
    Mutant(
        name="container_ignored",
        hazards=(30,),
        removes="A record counts as connected in whichever list it is.",
        changes=(Change(SideConfig, "includes", always(True)),),
    ),
    Mutant(
        name="learned_forms_forgotten",
        hazards=(53, 55),
        removes="Nobody remembers what an app made of a value that we wrote.",
        changes=(Change(learn, "learned_from", always(())),),
    ),
    Mutant(
        name="open_link_is_planned",
        hazards=(41,),
        removes="A link is planned while a write of it is on its way.",
        changes=(
            Change(plan, "plan", _unless_open),
            query("load_dirty", _load_every_dirty),
        ),
        hidden_by="the query of what can be planned now, which leaves such links out",
    ),
    Mutant(
        name="consent_is_loosened",
        hazards=(82,),
        removes="Consent goes across as it is, and not only where it is tighter.",
        changes=(
            Change(intents, "update", _loosened),
            Change(remainder, "is_tighter", always(True)),
        ),
        hidden_by="the connector, which only ever tightens",
    ),
    Mutant(
        name="consent_not_carried",
        hazards=(82, 84),
        removes="An unsubscribe stays on the side where it was said.",
        changes=(Change(plan, "_carry_consent", _not_carried),),
        needs=("consents",),
    ),
    Mutant(
        name="told_in_any_way",
        hazards=(84,),
        removes="Who was told of a no in one way is not told when another is wanted.",
        changes=(
            Change(consent, "_has_got", _however_told),
            Change(consent, "along", _along),
        ),
        needs=("consents", "tags"),
    ),
    Mutant(
        name="unagreed_are_made",
        hazards=(83,),
        removes="Who is not known to have agreed is made where everybody is mailed.",
        changes=(Change(consent, "is_enough", always(True)),),
    ),
    Mutant(
        name="our_consent_comes_back",
        hazards=(82, 85),
        removes="A level that we set ourselves counts as that side's own word.",
        changes=(
            Change(consent, "_own_word", lambda _: lambda each, _ours: each.consent),
        ),
        needs=("consents",),
    ),
    Mutant(
        name="oscillation_not_frozen",
        hazards=(54, 68),
        removes="A value that comes and goes is written for ever.",
        changes=(Change(guards, "tired", always(frozenset())),),
        needs=("freezes",),
    ),
    Mutant(
        name="recycled_id_believed",
        hazards=(11,),
        removes="A record's id that comes to mean somebody else is not noticed.",
        changes=(Change(model, "is_another", always(False)),),
        needs=("recycles",),
    ),
    Mutant(
        name="merged_is_deleted",
        hazards=(9,),
        removes="A record that was merged into another one counts as deleted.",
        changes=(Change(plan, "_plan_gone", _as_deleted),),
        needs=("merges", "tags"),
    ),
)
