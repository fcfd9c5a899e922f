"""Hazards, section 4.7: an app says it took an unsubscribe, and does not show it."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import WriteOutcome
from proto.ids import RecordId
from proto.reconciler import Side
from proto.record import Consent, Presence
from proto.rules import Unsubscribes
from services.reconciler.engine import match, unheeded
from services.reconciler.engine.model import Intent
from tests.engine.test_consent import DEAF, LEVELS, SIDES, pair_with
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import LOOK, Pair, config

LEFT, RIGHT = Side.LEFT, Side.RIGHT
STATUS, TAG = Unsubscribes.STATUS, Unsubscribes.TAG
NO, YES, NOTHING = Consent.UNSUBSCRIBED, Consent.SUBSCRIBED, Consent.UNKNOWN


def found(pair: Pair) -> tuple[Side, ...]:
    """Return what a comparison finds that reads both records later."""
    pair.now += datetime.timedelta(minutes=1)
    return unheeded.of(pair.link, left=pair.seen(LEFT), right=pair.seen(RIGHT))


def carried(pair: Pair, side: Side = LEFT, *, level: Consent = NO) -> Intent:
    """Return the write that carries an unsubscribe from a side."""
    pair.put(side, consent=level)
    intent = pair.plan().intent
    assert intent is not None
    return intent


def ignored(pair: Pair, side: Side = LEFT, *, level: Consent = NO) -> None:
    """Have an app say that it took an unsubscribe, and do nothing about it."""
    intent = carried(pair, side, level=level)
    record = pair.records[intent.side]
    pair.answer(intent, WriteOutcome.WRITTEN, record=record)


@pytest.mark.parametrize("mode", [STATUS, TAG])
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_an_unsubscribe_that_is_not_shown_is_found_and_not_told_again(mode, side):
    pair = pair_with(mode)
    ignored(pair, side)
    assert pair.settle() == 0, "nobody would ever look again"
    target = RIGHT if side is LEFT else LEFT
    assert found(pair) == (target,)
    pair.edit(LEFT, job="Clerk")
    assert pair.settle() == 1
    assert found(pair) == (target,), "what else is edited explains nothing"


@pytest.mark.parametrize("mode", [STATUS, TAG])
def test_one_that_is_shown_is_not_found(mode):
    pair = pair_with(mode)
    pair.put(LEFT, consent=NO)
    assert pair.settle() == 1
    assert found(pair) == ()
    pair.put(RIGHT, consent=YES, tags=())
    assert pair.settle() == 0
    assert found(pair) == (), "a person may be subscribed anew there"


@pytest.mark.parametrize("shown", [YES, NOTHING])
def test_it_is_found_where_it_went_along_with_a_create(shown):
    pair = Pair(config(unsubscribes=STATUS, **BOTH_ABLE), {"email": "a@x.com"})
    intent = carried(pair)
    pair.apply(intent)
    pair.put(RIGHT, consent=shown)
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.records[RIGHT])
    assert pair.settle() == 0
    assert found(pair) == (RIGHT,)


def test_what_was_not_read_since_is_no_evidence():
    """Apps may show for some seconds what was there before."""
    pair = pair_with()
    ignored(pair)
    assert unheeded.of(pair.link, left=pair.seen(LEFT), right=pair.seen(RIGHT)) == ()
    assert found(pair) == (RIGHT,)


@pytest.mark.parametrize("mode", [STATUS, TAG])
def test_one_that_shows_late_is_not_found_whatever_people_do_after_that(mode):
    pair = pair_with(mode)
    before = pair.records[RIGHT]
    ignored(pair)
    tags = ("PieSync Unsubscribes",) if mode is TAG else ()
    pair.put(RIGHT, consent=NO if mode is STATUS else YES, tags=tags)
    assert found(pair) == ()
    assert pair.settle() == 0
    pair.records[RIGHT] = before
    assert pair.settle() == 0
    assert found(pair) == ()


def test_a_word_since_explains_it():
    """They were not known to have agreed until after the write that did nothing."""
    pair = pair_with()
    pair.put(RIGHT, consent=NOTHING)
    pair.settle()
    ignored(pair)
    assert found(pair) == (RIGHT,)
    pair.put(RIGHT, consent=YES)
    assert pair.settle() == 0
    assert found(pair) == ()


def test_who_takes_it_back_asks_for_nothing_any_more():
    pair = pair_with()
    ignored(pair)
    pair.settle()
    pair.put(LEFT, consent=YES)
    assert pair.settle() == 0
    assert found(pair) == ()


def test_one_that_is_carried_again_counts_by_the_last_answer():
    pair = pair_with()
    ignored(pair)
    pair.settle()
    pair.put(LEFT, consent=Consent.SUPPRESSED)
    assert pair.settle() == 1
    assert found(pair) == ()


def test_a_complaint_may_be_shown_as_an_unsubscribe():
    pair = pair_with()
    intent = carried(pair, level=Consent.SUPPRESSED)
    pair.put(RIGHT, consent=NO)
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.records[RIGHT])
    pair.settle()
    assert found(pair) == ()


@pytest.mark.parametrize(
    ("version", "is_found"), [("v1", True), ("v2", False), ("", False)]
)
def test_a_record_read_after_the_write_tells_by_its_version(version, is_found):
    """Somebody may have been subscribed anew between the write and the read."""
    pair = pair_with()
    pair.put(RIGHT, version="v1" if version else "")
    intent = carried(pair)
    record = msgspec.structs.replace(pair.records[RIGHT], version=version)
    pair.answer(intent, WriteOutcome.WRITTEN, record=record, is_read_after=True)
    pair.settle()
    assert found(pair) == ((RIGHT,) if is_found else ())


def test_what_was_never_sent_was_taken_by_nobody():
    pair = pair_with()
    intent = carried(pair)
    record = pair.records[RIGHT]
    pair.answer(intent, WriteOutcome.WRITTEN, record=record, sent_at=None)
    assert found(pair) == ()


def test_an_app_that_does_not_tell_who_unsubscribed_shows_nobody():
    pair = pair_with(right_more={"capabilities": DEAF})
    ignored(pair)
    pair.settle()
    assert found(pair) == ()


def test_a_write_that_is_looked_up_is_told_again_by_itself():
    pair = pair_with()
    intent = carried(pair)
    pair.answer(intent, WriteOutcome.UNKNOWN)
    pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=pair.records[RIGHT])
    assert pair.settle() == 1
    assert found(pair) == ()


def test_another_record_has_got_nothing():
    pair = pair_with()
    ignored(pair)
    pair.settle()
    pair.put(RIGHT, record_id=RecordId("r2"))
    pair.link = match.rebind(pair.link, RIGHT, record_id=RecordId("r2"))
    assert found(pair) == ()
    assert pair.settle() == 1
    assert found(pair) == ()


@pytest.mark.parametrize("is_missing", [True, False])
def test_a_record_that_is_gone_or_missed_shows_nothing(is_missing):
    pair = pair_with()
    ignored(pair)
    pair.settle()
    pair.now += datetime.timedelta(minutes=1)
    if not is_missing:
        pair.mark(RIGHT, Presence.DELETED)
    right = msgspec.structs.replace(pair.seen(RIGHT), is_missing=is_missing)
    assert unheeded.of(pair.link, left=pair.seen(LEFT), right=right) == ()


@given(
    acts=st.lists(st.tuples(SIDES, LEVELS), max_size=8),
    mode=st.sampled_from(list(Unsubscribes)),
)
def test_whatever_people_do_no_app_that_does_as_it_is_told_is_found(acts, mode):
    pair = pair_with(mode)
    for side, level in acts:
        pair.put(side, consent=level)
        pair.settle()
        assert found(pair) == ()
