"""Hazards 53 and 54: an app that writes capitals as it likes, at once or much later.

Nobody can tell that from somebody who only changes capitals: where there is no other
edit it goes across, and where there is one it gives way, and is kept in history.
"""

import pytest

from proto.reconciler import Direction, Side
from tests.engine.world import Pair, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT
BOTH, TO_RIGHT = Direction.BOTH, Direction.TO_RIGHT


def in_step(direction: Direction, winner: Side) -> Pair:
    return linked(
        {"first": "ana", "last": "silva", "job": "boss"},
        {"fn": "ana silva", "title": "boss"},
        direction=direction,
        winner=winner,
    )


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
@pytest.mark.parametrize("direction", [BOTH, TO_RIGHT])
@pytest.mark.parametrize(("first", "job"), [("Eva", "Chef"), (None, None)])
def test_an_edit_does_not_give_way_to_other_capitals(direction, winner, first, job):
    """Seed 101875: a name was cleared while the other app recased it, and stayed."""
    pair = in_step(direction, winner)
    pair.edit(LEFT, first=first, job=job)
    pair.edit(RIGHT, fn="Ana Silva", title="Boss")
    pair.settle()
    assert (pair.left["first"], pair.left["job"]) == (first, job)
    assert (pair.right["fn"], pair.right["title"]) == (
        " ".join(filter(None, (first, "Silva"))),
        job,
    )
    lost = {(loss.side, *loss.values.values()) for loss in pair.losses}
    assert lost == {(RIGHT, "Ana Silva"), (RIGHT, "Boss")}


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_other_capitals_go_across_by_themselves(winner):
    pair = in_step(BOTH, winner)
    pair.edit(RIGHT, fn="Ana Silva", title="Boss")
    assert pair.settle() == 1
    assert (pair.left["first"], pair.left["last"]) == ("Ana", "Silva")
    assert pair.left["job"] == "Boss"
    assert not pair.losses


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_of_two_new_spellings_the_winner_s_stays(winner):
    pair = in_step(BOTH, winner)
    pair.edit(LEFT, job="BOSS")
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    job = "BOSS" if winner is LEFT else "Boss"
    assert (pair.left["job"], pair.right["title"]) == (job, job)
