"""What our mark in a record tells of a create whose answer was lost."""

import msgspec
import pytest

from proto.connector import Capabilities, WriteOutcome
from proto.reconciler import RecordState, Side
from proto.record import Presence
from tests.engine.world import LOOK, Pair, config

LEFT, RIGHT = Side.LEFT, Side.RIGHT


@pytest.mark.parametrize("presence", [Presence.DELETED, Presence.MERGED])
@pytest.mark.parametrize("is_marked", [False, True])
def test_a_search_for_its_mark_that_shows_it_gone_says_that_it_was_made(
    presence, is_marked
):
    """Who was deleted at once was made again, then restored (I4, seed 101351)."""
    pair = Pair(config(), {"email": "a@x.com"})
    intent = pair.write_unheard()
    pair.mark(RIGHT, presence)
    record = msgspec.structs.replace(
        pair.records[RIGHT], marker=intent.marker if is_marked else ""
    )
    pair.answer(intent, WriteOutcome.MISSING, kind=LOOK, record=record)
    assert pair.link.right_id == ("r1" if is_marked else None)
    is_gone = is_marked and presence is Presence.DELETED
    assert (pair.link.state is RecordState.DELETED) is is_gone


@pytest.mark.parametrize("failures", [0, 1])
def test_a_mark_tells_what_was_made_although_it_was_edited(failures):
    """Both sides are compared with what was written, and not as strangers.

    What somebody cleared meanwhile would else come back (behaviour 33, seed 100517). Of
    several creates of one link a mark does not tell which it was.
    """
    able = Capabilities(settle_s=5, keeps_marks=True)
    settings = config(right_more={"capabilities": able}, avoids_duplicates=False)
    pair = Pair(settings, {"email": "a@x.com", "first": "Ana", "job": "Boss"})
    intent = pair.plan().intent
    pair.link = msgspec.structs.replace(pair.link, failure_count=failures)
    pair.answer(intent, WriteOutcome.UNKNOWN)
    pair.apply(intent)
    pair.edit(RIGHT, fn="Eva")
    pair.edit(LEFT, job=None)
    record = msgspec.structs.replace(pair.records[RIGHT], marker=intent.marker)
    pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    pair.settle()
    is_told = failures == 0
    assert (pair.left["job"], pair.right["title"]) == (None if is_told else "Boss",) * 2
    assert (pair.left["first"], pair.right["fn"]) == ("Eva" if is_told else "Ana",) * 2
