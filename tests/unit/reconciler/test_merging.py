"""Links follow their records into what apps have made of them (hazard 9)."""

import datetime
import itertools

import msgspec
import pytest

from proto.ids import IntentId, LinkId, RecordId
from proto.reconciler import RecordState
from services.reconciler.engine.model import Link
from tests.unit.reconciler import values
from tests.unit.reconciler.batch import L, R, born, decide, merged


def test_a_one_sided_link_does_not_wait_for_a_merged_record_that_is_not_there():
    """It was deleted before anybody saw it: the link stayed pending for ever."""
    alone = Link(link_id=LinkId("link_old"), left_id=RecordId("l1"), version=1)
    seen = [(L, merged("l1", into="l2"))]
    found = decide((L, "l1"), seen=seen, links=[alone])
    assert found.dropped == ["link_old"]
    assert not found.links


def test_a_link_follows_a_merge_whether_or_not_the_other_record_was_seen():
    seen = [(L, merged("l1", into="l2")), (R, values.seen("r1", "a@b.org"))]
    bond = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        version=1,
    )
    for more in ((), ((L, values.seen("l2", "a@b.org")),)):
        found = decide((L, "l1"), seen=[*seen, *more], links=[bond])
        assert not found.dropped
        assert [named.link.left_id for named in found.links] == ["l2"]


def test_a_link_does_not_follow_the_merge_of_whom_its_id_came_to_mean():
    """The id was given away and merged before anybody looked (seed 62891).

    The link followed, so that what the heir had said of mails was done to the contact
    whose record was gone (hazard 11).
    """
    bond = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        left_born=values.NOW - datetime.timedelta(days=1),
        version=1,
    )
    gone = merged("l1", into="l2")
    record = msgspec.structs.replace(gone.record, created_at=values.NOW)
    seen = [
        (L, msgspec.structs.replace(gone, record=record)),
        (L, values.seen("l2", "c@b.org")),
        (R, values.seen("r1", "a@b.org")),
    ]
    (held,) = decide((L, "l1"), seen=seen, links=[bond]).links
    assert (held.link.left_id, held.link.state) == ("l1", RecordState.HELD)
    assert held.link.reason == "id_reused"


def test_whom_a_merge_leaves_is_matched_by_itself():
    """Its one-sided link once went to the heir unmatched (seed 47).

    On the side of a one-way connection that is only read, it was held for an address
    that it had.
    """
    alone = Link(link_id=LinkId("link_old"), left_id=RecordId("l1"), version=1)
    heirs = Link(
        link_id=LinkId("link_heir"),
        left_id=RecordId("l2"),
        state=RecordState.EXCLUDED,
        reason="one_way",
        version=1,
    )
    seen = [(L, merged("l1", into="l2")), (L, values.seen("l2", "a@b.org"))]
    found = decide((L, "l1"), seen=seen, links=[alone, heirs])
    assert (found.dropped, found.links) == (["link_old"], [])


@pytest.mark.parametrize("is_marked", [True, False])
def test_what_was_made_for_somebody_is_not_taken_over_by_a_merge(is_marked):
    """A user merged somebody into a record of ours before its create was answered.

    The link of the other one followed, so that the answer was of no use, and neither
    was any later one: the app took each new create for the same record, which was
    another's (seed 482).
    """
    bond = Link(
        link_id=LinkId("link_9"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        version=1,
    )
    waiting = Link(
        link_id=LinkId("link_7"),
        right_id=RecordId("r2"),
        intent_id=IntentId("int_7"),
        parked_id=None if is_marked else RecordId("l2"),
        version=1,
    )
    heir = values.seen("l2", "c@b.org")
    record = msgspec.structs.replace(heir.record, marker="7" if is_marked else "")
    seen = [
        (L, merged("l1", into="l2")),
        (L, msgspec.structs.replace(heir, record=record)),
        (R, values.seen("r1", "a@b.org")),
        (R, values.seen("r2", "c@b.org")),
    ]
    for dirty in ([(L, "l1")], [(L, "l1"), (L, "l2")]):
        found = decide(*dirty, seen=seen, links=[bond, waiting])
        states = {n.link.link_id: (n.link.left_id, n.link.state) for n in found.links}
        assert states["link_9"] == ("l1", RecordState.MERGED)
        assert found.dropped == []


@pytest.mark.parametrize("how", ["seen", "unseen", "named"])
def test_a_merge_waits_where_an_open_create_may_have_made_its_heir(how):
    """The heir was not to be seen yet, or its user had edited all that told it.

    The link followed at once, and the create found what it had made to be another's.
    """
    bond = Link(
        link_id=LinkId("link_9"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        version=1,
    )
    heir = born("l2", "new@b.org", "Bo")
    seen = [(L, merged("l1", into="l2")), (R, values.seen("r1", "a@b.org"))]
    named = msgspec.structs.replace(values.seen("l2", None), is_missing=True)
    more = {"seen": [(L, heir)], "unseen": [], "named": [(L, named)]}
    found = decide(
        (L, "l1"),
        seen=[*seen, *more[how]],
        links=[bond],
        open_since={L: 1},
    )
    (waits,) = found.links
    assert (waits.link.left_id, waits.link.reason) == ("l1", "awaits_create")
    assert waits.link.retry_at > values.NOW
    made = Link(
        link_id=LinkId("link_7"),
        left_id=RecordId("l2"),
        right_id=RecordId("r2"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    for links, left_id, state in (
        ([], "l2", RecordState.PENDING),
        ([made], "l1", RecordState.MERGED),
    ):
        again = decide(
            (L, "l1"),
            seen=[*seen, (L, heir)],
            links=[waits.link, *links],
            now=waits.link.retry_at,
        )
        after = {n.link.link_id: n.link for n in again.links}["link_9"]
        assert (after.left_id, after.state) == (left_id, state)
        assert (after.reason, after.retry_at) == (
            "merged_away" if links else "",
            None,
        )


def test_a_link_follows_merges_to_the_last_and_takes_the_place_of_those_between():
    """r1 into r2 into r3, all in one batch: nothing of it was ever decided."""
    bond = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        version=1,
    )
    between, last = (
        Link(link_id=LinkId(f"link_{n}"), right_id=RecordId(f"r{n}"), version=1)
        for n in (2, 3)
    )
    seen = [
        (L, values.seen("l1", "a@b.org")),
        (R, merged("r1", into="r2")),
        (R, merged("r2", into="r3")),
        (R, values.seen("r3", "a@b.org")),
    ]
    dirty = [(R, "r1"), (R, "r2"), (R, "r3")]
    for links in itertools.permutations((bond, between, last)):
        found = decide(*dirty, seen=seen, links=links)
        assert set(found.dropped) == {"link_2", "link_3"}
        (named,) = found.links
        assert (named.link.left_id, named.link.right_id) == ("l1", "r3")
    round_about = [*seen[:2], (R, merged("r2", into="r1"))]
    found = decide(*dirty[:2], seen=round_about, links=[bond, between])
    assert [named.link.right_id for named in found.links] == ["r2"]


def test_a_link_both_of_whose_records_were_merged_follows_both():
    """The second merge put the record of the first back."""
    bond = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        version=1,
    )
    seen = [
        (L, merged("l1", into="l2")),
        (L, values.seen("l2", "a@b.org")),
        (R, merged("r1", into="r2")),
        (R, values.seen("r2", "a@b.org")),
    ]
    found = decide((L, "l1"), (R, "r1"), seen=seen, links=[bond])
    (named,) = found.links
    assert (named.link.left_id, named.link.right_id) == ("l2", "r2")


def test_a_link_does_not_take_the_place_that_another_has_just_left():
    """r1 into r2 into r3: the link of r2 goes on to r3, which so is not to be had.

    The link of r1 came as far as r2, where the other one was still stored; to save
    that failed, again and again, and nothing of the connection was planned any more
    (seed 40207).
    """
    first, second = (
        Link(
            link_id=LinkId(f"link_{number}"),
            left_id=RecordId(f"l{number}"),
            right_id=RecordId(f"r{number}"),
            version=1,
        )
        for number in (1, 2)
    )
    seen = [
        (L, values.seen("l1", "a@b.org")),
        (L, values.seen("l2", "b@b.org")),
        (R, merged("r1", into="r2")),
        (R, merged("r2", into="r3")),
        (R, values.seen("r3", "c@b.org")),
    ]
    for links in itertools.permutations((first, second)):
        found = decide((R, "r1"), (R, "r2"), seen=seen, links=links)
        after = {named.link.link_id: named.link for named in found.links}
        assert (after["link_1"].right_id, after["link_2"].right_id) == ("r1", "r3")
        assert after["link_1"].state is RecordState.MERGED


def test_only_links_of_dirty_records_follow_merges():
    """Whether the others' heirs are on links is not known (seed 198).

    To bind one that is fails in the database, again and again, and nothing else of
    the connection is planned any more.
    """
    bond, rival = (
        Link(
            link_id=LinkId(f"link_{number}"),
            left_id=RecordId(f"l{number}"),
            right_id=RecordId(f"r{number}"),
            state=RecordState.MERGED,
            version=1,
        )
        for number in (1, 2)
    )
    seen = [
        (L, values.seen("l1", "a@b.org")),
        (R, merged("r1", into="r2")),
        (L, merged("l2", into="l3")),
        (R, values.seen("r2", "c@b.org")),
    ]
    found = decide((R, "r1"), seen=seen, links=[bond, rival])
    assert {named.link.link_id for named in found.links} <= {"link_1"}
