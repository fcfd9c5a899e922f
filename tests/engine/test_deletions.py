"""Deletions, merges, reused ids: evidence before belief, and never a second contact."""

import datetime

import msgspec
import pytest

from proto.connector import Capabilities, WriteOutcome
from proto.ids import RecordId
from proto.reconciler import Direction, RecordState, Side
from proto.record import Consent, Presence
from proto.rules import Unsubscribes
from services.reconciler.engine import guards
from services.reconciler.engine.model import NOTHING, Reason, other
from services.reconciler.engine.plan import plan
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import NEWSLETTER, Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def pair_with(**options: object) -> Pair:
    settings = config(**{**BOTH_ABLE, "tags_deletions": True, **options})
    left = {"email": "a@x.com", "job": "Owner", "company": "Sol"}
    pair = Pair(settings, left, {"emails": items("a@x.com")})
    pair.settle()
    pair.writes.clear()
    return pair


@pytest.mark.behaviour(
    36,
    37,
    broken_by="reconciler/engine/plan.py: nothing is done about the counterpart of a"
    " deleted contact",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b37_the_counterpart_of_a_deleted_contact_is_tagged_and_nothing_else(side):
    pair = pair_with()
    before = pair.records[other(side)].fields
    pair.mark(side, Presence.DELETED)
    assert pair.settle() == 1
    assert pair.writes[0].is_destructive
    assert pair.writes[0].source_is_gone
    assert pair.records[other(side)].tags == ("PieSync Trash",)
    assert pair.records[other(side)].fields == before
    assert pair.link.state is RecordState.DELETED


@pytest.mark.behaviour(
    37,
    broken_by="reconciler/engine/rules.py: deletions are tagged where the app does not"
    " tell of them",
)
@pytest.mark.parametrize(
    "options",
    [
        {"tags_deletions": False},
        {"direction": Direction.TO_LEFT},
        {"left_more": {"capabilities": Capabilities()}},
        {"right_more": {"capabilities": Capabilities()}},
    ],
)
def test_b37_it_is_not_tagged_where_option_direction_or_apps_say_no(options):
    pair = pair_with(**options)
    pair.mark(LEFT, Presence.DELETED)
    assert pair.settle() == 0
    assert pair.link.state is RecordState.DELETED


def test_a_contact_that_comes_back_is_synced_again_and_loses_the_tag():
    pair = pair_with()
    pair.mark(LEFT, Presence.DELETED)
    pair.settle()
    pair.mark(LEFT, Presence.LIVE)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.records[RIGHT].tags == ()
    assert pair.right["title"] == "Clerk"
    assert pair.link.state is RecordState.IN_SYNC


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_nothing_is_decided_while_a_record_is_being_looked_for(side):
    """Hazard 70: an id that is not known once may be an app that is not well."""
    pair = pair_with()
    pair.edit(other(side), **({"title": "Boss"} if side is LEFT else {"job": "Boss"}))
    missed = msgspec.structs.replace(pair.seen(side), is_missing=True)
    assert plan(msgspec.structs.replace(pair.case(), **{side.value: missed})) is NOTHING


@pytest.mark.behaviour(38, broken_by="mutant no_tombstones")
def test_b38_a_merge_that_the_app_does_not_tell_is_a_deletion_of_the_loser():
    """Nothing of the loser is written anywhere, and nobody is made anew."""
    pair = pair_with(tags_deletions=False)
    pair.mark(LEFT, Presence.DELETED)
    assert pair.settle() == 0
    assert pair.link.state is RecordState.DELETED
    pair.config = msgspec.structs.replace(pair.config, version=2)
    pair.edit(RIGHT, title="Boss")
    assert pair.settle() == 0, "not with other settings either"
    assert (pair.link.left_id, pair.link.right_id) == ("l1", "r1")


@pytest.mark.behaviour(38, broken_by="mutant merged_is_deleted")
def test_b38_a_merged_contact_is_left_alone_and_told_as_merged():
    pair = pair_with()
    pair.put(LEFT, presence=Presence.MERGED, merged_into=RecordId("l2"))
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (
        RecordState.MERGED,
        Reason.MERGED_AWAY,
    )


def test_an_id_that_another_record_got_is_held():
    """Hazard 11: a stranger under an old id must not get the old contact's values."""
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    settings = config(**BOTH_ABLE)
    pair = Pair(settings, {"email": "a@x.com"}, {"emails": items("a@x.com")})
    pair.put(LEFT, created_at=born)
    pair.settle()
    pair.put(LEFT, created_at=born.replace(year=2026))
    pair.edit(LEFT, email="stranger@x.com", job="Spy")
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.ID_REUSED)
    pair.put(LEFT, created_at=None)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.right["title"] == "Clerk", "an app that does not tell is believed"


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_an_id_is_known_by_its_record_even_if_that_was_gone_before_the_first_write(
    side,
):
    """It was missed when it was linked, and was deleted for sure then (seed 40913).

    Nothing had been written, and so nobody knew when it had been made: the next one
    of its id got, and gave, the values of the other side.
    """
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    settings = config(**BOTH_ABLE)
    pair = Pair(settings, {"email": "a@x.com"}, {"emails": items("a@x.com")})
    bond = msgspec.structs.replace(
        pair.link, left_id=RecordId("l1"), right_id=RecordId("r1")
    )
    pair.link = bond
    pair.put(side, created_at=born)
    missed = msgspec.structs.replace(pair.seen(side), is_missing=True)
    ends = {side: missed, other(side): pair.seen(other(side))}
    decided = plan(
        msgspec.structs.replace(pair.case(), left=ends[LEFT], right=ends[RIGHT])
    )
    assert decided.intent is None
    pair.link = decided.link or pair.link
    pair.put(side, presence=Presence.DELETED, created_at=None)
    pair.settle()
    stranger = {"job": "Spy"} if side is LEFT else {"title": "Spy"}
    pair.put(side, presence=Presence.LIVE, created_at=born.replace(year=2026))
    pair.edit(side, **stranger)
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.ID_REUSED)


@pytest.mark.parametrize("outcome", [WriteOutcome.WRITTEN, WriteOutcome.EXISTS])
def test_an_id_is_known_by_who_was_made_even_if_that_is_gone_before_the_next_look(
    outcome,
):
    """Nothing was planned between the answer to a create and a stranger (seed 611331).

    The name of whom it was made for was written to the stranger who got its id.
    """
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    pair = Pair(config(**BOTH_ABLE), {"email": "a@x.com", "job": "Clerk"})
    intent = pair.plan().intent
    assert intent is not None
    made = msgspec.structs.replace(pair.apply(intent), created_at=born)
    pair.answer(intent, outcome, record=made)
    stranger = {"title": "Spy"}
    pair.records[RIGHT] = msgspec.structs.replace(
        made, fields={**made.fields, **stranger}, created_at=born.replace(year=2026)
    )
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.ID_REUSED)


@pytest.mark.parametrize("outcome", [WriteOutcome.WRITTEN, WriteOutcome.EXISTS])
def test_an_id_is_known_by_who_was_there_when_a_counterpart_was_made(outcome):
    """It was given away while the create was open (seed 504091).

    The stranger was unsubscribed for somebody else's word.
    """
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    settings = config(**BOTH_ABLE, unsubscribes=Unsubscribes.STATUS)
    pair = Pair(settings, {"email": "a@x.com", "job": "Clerk"})
    pair.put(LEFT, created_at=born)
    intent = pair.plan().intent
    assert intent is not None
    pair.put(LEFT, created_at=born.replace(year=2026))
    pair.apply(intent)
    pair.put(RIGHT, consent=Consent.SUPPRESSED)
    pair.answer(intent, outcome, record=pair.records[RIGHT])
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.ID_REUSED)


def test_whoever_gets_an_id_that_nobody_was_bonded_with_is_made():
    """Nothing was ever carried, so that there is nothing to be mixed up."""
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    pair = Pair(config(**BOTH_ABLE), {"email": "a@x.com"})
    pair.put(LEFT, created_at=born)
    pair.answer(pair.plan().intent, WriteOutcome.STALE)
    pair.put(LEFT, created_at=born.replace(year=2026))
    assert pair.settle() == 1
    assert pair.right["emails"] == items("a@x.com")


@pytest.mark.parametrize("is_unsubscribed", [True, False])
def test_a_write_tells_when_its_target_was_made(is_unsubscribed):
    """Its id may be given away before anybody is shown that (hazard 11)."""
    born = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    pair = pair_with(unsubscribes=Unsubscribes.STATUS)
    pair.put(RIGHT, created_at=born)
    pair.edit(LEFT, job="Clerk")
    if is_unsubscribed:
        pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    intent = pair.plan().intent
    assert intent is not None
    assert bool(intent.fields) is not is_unsubscribed
    assert intent.seen_created_at == born


def test_a_field_that_keeps_coming_back_is_frozen_for_a_day():
    """Hazard 54: two bots each set their own value; we do not play along."""
    pair = pair_with()
    for _ in range(guards.RETURNS_MAX):
        for value in ("Luna", "Sol"):
            pair.edit(LEFT, company=value)
            pair.settle()
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.right["org"] == "Luna", "it was Sol too often"
    assert pair.right["title"] == "Clerk", "all other fields go on"
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.OSCILLATES)
    pair.now += datetime.timedelta(seconds=guards.OSCILLATION_S + 60)
    pair.settle()
    assert pair.right["org"] == "Sol"
    assert pair.link.state is RecordState.IN_SYNC


def test_fields_that_keep_coming_back_together_are_frozen_like_one():
    """Two people in one contact chased each other through a ring without an end.

    What a link remembers of its writes was full of the other fields each time
    (hazard 68, seed 1410).
    """
    pair = pair_with()
    people = [
        {
            "email": f"{name}@x.com",
            "first": name,
            "company": name,
            "job": name,
            "anniversary": f"200{number}-05-09",
        }
        for number, name in enumerate(("Luna", "Sol"))
    ]
    for _ in range(guards.RETURNS_MAX):
        for person in people:
            pair.edit(LEFT, **person)
            assert pair.settle() == 1
    for person in people:
        pair.edit(LEFT, **person)
        assert pair.settle() == 0
    assert pair.link.reason == Reason.OSCILLATES


def test_the_parts_of_a_name_are_frozen_together():
    """One was held and the other went round a ring with an app of full names.

    There each turn added a word, and the name never ended (seed 200).
    """
    pair = Pair(
        config(NEWSLETTER, NEWSLETTER, tags_deletions=False),
        {"email": "a@x.com", "first": "Sol", "last": "Lee", "job": "Owner"},
        {"email": "a@x.com"},
    )
    pair.settle()
    for _ in range(guards.RETURNS_MAX):
        for first in ("Luna", "Sol"):
            pair.edit(LEFT, first=first)
            pair.settle()
    pair.edit(LEFT, last="Luna Lee", job="Clerk")
    pair.settle()
    assert (pair.right["first"], pair.right["last"]) == ("Luna", "Lee")
    assert pair.right["job"] == "Clerk", "all other fields go on"
    assert {hold.reason for hold in pair.link.held} == {Reason.OSCILLATES}
    pair.edit(LEFT, first="Luna")
    pair.settle()
    assert pair.right["last"] == "Luna Lee", "nothing of the name comes back any more"


def test_ordinary_edits_are_never_taken_for_a_fight():
    pair = pair_with()
    for number in range(12):
        pair.edit(LEFT, company=f"Sol {number}")
        pair.settle()
    assert pair.right["org"] == "Sol 11"


@pytest.mark.parametrize(
    ("linked", "allowed"), [(0, 10), (199, 10), (200, 10), (1_000, 50), (10_000, 500)]
)
def test_an_hour_may_undo_ten_things_or_one_in_twenty(linked, allowed):
    assert guards.destructive_max(linked) == allowed


@pytest.mark.parametrize(
    ("unseen", "live", "is_much"),
    [(10, 10, False), (11, 54, True), (11, 55, False), (300, 1_000, True)],
)
def test_a_scan_that_misses_more_than_a_fifth_is_not_believed(unseen, live, is_much):
    assert guards.misses_too_many(unseen=unseen, live=live) is is_much


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/guards.py: a cleared field does not count for the"
    " guard",
)
def test_b33_clearing_a_field_counts_as_undoing():
    pair = pair_with()
    pair.edit(LEFT, job=None)
    pair.settle()
    assert pair.right["title"] is None
    assert pair.writes[0].is_destructive
