"""How an unsubscribe is told may change: who has it in another way has not got it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import Capabilities, WriteOutcome
from proto.reconciler import UNSUBSCRIBE_TAG, Side
from proto.record import Consent
from proto.rules import Unsubscribes
from services.reconciler.engine import consent
from services.reconciler.engine.model import Carried, Cause
from tests.engine.test_consent import pair_with
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import ABLE, Pair, config

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NO = Consent.UNSUBSCRIBED
IGNORE, TAG, STATUS = Unsubscribes.IGNORE, Unsubscribes.TAG, Unsubscribes.STATUS
DUMB = msgspec.structs.replace(ABLE, has_consent=False, can_unsubscribe=False)
"""An app that has tags and knows nothing of consent."""


def told_of_a_no(mode: Unsubscribes = STATUS) -> Pair:
    """Link two, tell the right one of the left one's no in this way."""
    pair = pair_with(mode)
    pair.put(LEFT, consent=NO)
    pair.settle()
    return pair


def told_by(pair: Pair, mode: Unsubscribes, **options: object) -> int:
    """Have unsubscribes told in this way from now on; returns how many writes come."""
    number = pair.config.version + 1
    more = {**BOTH_ABLE, "unsubscribes": mode, "version": number, **options}
    pair.config = config(**more)
    return pair.settle()


def made_of_an_unsubscribed_one(
    mode: Unsubscribes, able: Capabilities = ABLE, *, kept: Consent | None = None
) -> Pair:
    """Create the counterpart of somebody who has said no before.

    Args:
        kept: What its app has of that afterwards, if it is not what was written.
    """
    more = {**BOTH_ABLE, "right_more": {"capabilities": able}}
    pair = Pair(config(unsubscribes=mode, **more), {"email": "a@x.com"})
    pair.put(LEFT, consent=NO)
    intent = pair.plan().intent
    pair.apply(intent)
    if kept is not None:
        pair.put(RIGHT, consent=kept)
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.records[RIGHT])
    pair.settle()
    return pair


def tags(pair: Pair) -> tuple[str, ...]:
    return pair.records[RIGHT].tags


def level(pair: Pair) -> Consent:
    return pair.records[RIGHT].consent


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a no counts as told to an app that knows"
    " nothing of consent",
)
def test_b39_who_was_made_of_an_unsubscribed_contact_is_tagged_once_that_is_wanted():
    """Its app has no consent, so that the no which went along was told to nobody.

    Somebody who was there already was tagged.
    """
    pair = made_of_an_unsubscribed_one(IGNORE, DUMB, kept=Consent.UNKNOWN)
    assert tags(pair) == ()
    both_told = {"right_more": {"capabilities": DUMB}}
    assert told_by(pair, TAG, **both_told) == 1
    assert tags(pair) == (UNSUBSCRIBE_TAG,)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: who was told in one way counts as told in"
    " another",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
@pytest.mark.parametrize("between", [(), (IGNORE,)])
def test_b39_who_was_only_tagged_is_unsubscribed_once_that_is_wanted(side, between):
    """They stayed subscribed, and got mail, as if nobody had said no."""
    pair = pair_with(TAG)
    pair.put(side, consent=NO)
    pair.settle()
    other = RIGHT if side is LEFT else LEFT
    assert pair.records[other].consent is Consent.SUBSCRIBED
    for mode in between:
        assert told_by(pair, mode) == 0
    assert told_by(pair, STATUS) == 1
    assert pair.writes[-1].is_urgent
    [change] = pair.writes[-1].changes
    assert (change.field_id, change.before, change.after, change.cause) == (
        "consent",
        Consent.SUBSCRIBED.value,
        NO.value,
        Cause.UNSUBSCRIBE,
    )
    assert pair.records[other].consent is NO
    assert pair.records[other].tags == (UNSUBSCRIBE_TAG,), "nothing is taken away"


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: who was told in one way counts as told in"
    " another",
)
def test_b39_who_was_unsubscribed_is_tagged_once_that_is_wanted():
    """By the tag people find everybody who said no, as those who say it from now on."""
    pair = told_of_a_no()
    assert told_by(pair, TAG) == 1
    assert (tags(pair), level(pair)) == ((UNSUBSCRIBE_TAG,), NO)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a tag of another name counts as the tag",
)
def test_b39_a_tag_by_another_name_is_added_and_the_old_one_left():
    """To take it away would be to say that they may be mailed."""
    pair = told_of_a_no(TAG)
    assert told_by(pair, TAG, unsubscribe_tag="No mail") == 1
    assert set(tags(pair)) == {UNSUBSCRIBE_TAG, "No mail"}


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a new record's level stands for the tag",
)
@pytest.mark.parametrize("first", [IGNORE, STATUS, TAG])
def test_b39_a_no_that_went_along_with_a_create_is_not_told_twice(first):
    """Subscribed anew there, it stays so: the create was how it was told."""
    pair = made_of_an_unsubscribed_one(first)
    assert level(pair) is NO
    assert (tags(pair) == (UNSUBSCRIBE_TAG,)) is (first is TAG)
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    assert told_by(pair, STATUS) == 0
    assert told_by(pair, TAG) == (0 if first is TAG else 1)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: one word is carried again and again",
)
def test_b39_one_word_is_told_once_in_each_way():
    """Whoever took it back on the other side is left alone, as often as ways change."""
    pair = told_of_a_no()
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    assert told_by(pair, TAG) == 1
    pair.put(RIGHT, tags=())
    for mode in (STATUS, TAG, IGNORE, STATUS, TAG):
        assert told_by(pair, mode) == 0
    pair.put(LEFT, consent=Consent.SUPPRESSED)
    assert pair.settle() == 1, "a complaint is a tighter word"
    assert told_by(pair, STATUS) == 1
    assert (tags(pair), level(pair)) == ((UNSUBSCRIBE_TAG,), Consent.SUPPRESSED)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a second unsubscribe is not carried",
)
@pytest.mark.parametrize("mode", [TAG, STATUS])
def test_b39_a_no_said_again_while_nobody_wanted_it_told_is_a_new_word(mode):
    pair = told_of_a_no(mode)
    told_by(pair, IGNORE)
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    pair.put(RIGHT, consent=Consent.SUBSCRIBED, tags=())
    pair.settle()
    pair.put(LEFT, consent=NO)
    assert pair.settle() == 0
    assert told_by(pair, mode) == 1


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: an answer counts for the way of today",
)
def test_b39_what_was_under_way_when_the_way_changed_counts_for_its_own():
    pair = pair_with(TAG)
    pair.put(LEFT, consent=NO)
    intent = pair.plan().intent
    pair.config = config(unsubscribes=STATUS, version=2, **BOTH_ABLE)
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    assert pair.settle() == 1
    assert (tags(pair), level(pair)) == ((UNSUBSCRIBE_TAG,), NO)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: what we set ourselves counts as a"
    " person's word",
)
@pytest.mark.parametrize("mode", [TAG, STATUS])
def test_b39_what_we_set_is_not_told_back_in_another_way(mode):
    """They subscribe anew where they had said no, and the way is changed."""
    pair = told_of_a_no(TAG if mode is STATUS else STATUS)
    told_by(pair, STATUS)
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    assert told_by(pair, mode) == 0
    assert pair.records[LEFT].consent is Consent.SUBSCRIBED
    assert pair.records[LEFT].tags == ()
    assert level(pair) is NO


# What was carried before ways were kept


def carried_before(pair: Pair) -> None:
    """Forget in which way each side was told, as links have it that are older."""
    carried = [msgspec.structs.replace(each, ways=()) for each in pair.link.carried]
    pair.link = msgspec.structs.replace(pair.link, carried=tuple(carried))


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: whoever was told before is told again",
)
@pytest.mark.parametrize("mode", [TAG, STATUS])
def test_b39_who_was_told_before_ways_were_kept_is_not_told_again(mode):
    pair = told_of_a_no(mode)
    carried_before(pair)
    pair.edit(LEFT, job="Clerk")
    intent = pair.turn()
    assert intent.fields == {"title": "Clerk"}, "nothing but the edit is written"
    [got] = pair.link.carried
    assert got.ways == (consent.name_of_tag(UNSUBSCRIBE_TAG),) or mode is STATUS
    assert pair.settle() == 0


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: whoever was told before is told again",
)
def test_b39_who_subscribed_anew_before_ways_were_kept_is_left_alone():
    """Nobody knows how they were told, and they may have had the last word since."""
    pair = told_of_a_no()
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    pair.settle()
    carried_before(pair)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert level(pair) is Consent.SUBSCRIBED
    assert told_by(pair, STATUS, unsubscribe_tag="No mail") == 0
    assert level(pair) is Consent.SUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: who was told in one way counts as told in"
    " another",
)
def test_b39_who_was_tagged_before_ways_were_kept_is_unsubscribed_once_wanted():
    """The tag tells that it was by this that they had it."""
    pair = told_of_a_no(TAG)
    carried_before(pair)
    assert told_by(pair, STATUS) == 1
    assert level(pair) is NO
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    assert pair.settle() == 0, "and that is known from now on"


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a no counts as told to an app that knows"
    " nothing of consent",
)
def test_b39_who_was_made_before_ways_were_kept_is_tagged():
    pair = made_of_an_unsubscribed_one(IGNORE, DUMB, kept=Consent.UNKNOWN)
    old = (Carried(side=RIGHT, level=NO),)
    pair.link = msgspec.structs.replace(pair.link, carried=old)
    assert told_by(pair, TAG, right_more={"capabilities": DUMB}) == 1
    assert tags(pair) == (UNSUBSCRIBE_TAG,)


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a word is carried also where it is looser",
)
@given(
    acts=st.lists(
        st.one_of(
            st.tuples(st.sampled_from((LEFT, RIGHT)), st.sampled_from(list(Consent))),
            st.tuples(
                st.sampled_from((IGNORE, TAG, STATUS)),
                st.sampled_from((UNSUBSCRIBE_TAG, "No mail")),
            ),
        ),
        max_size=8,
    )
)
def test_b39_whatever_ways_come_and_go_nobody_is_subscribed_and_it_comes_to_rest(acts):
    """I7: each word is written once a way, and no tag or level is taken back."""
    pair = pair_with(IGNORE)
    for what, how in acts:
        before = {side: pair.records[side] for side in (LEFT, RIGHT)}
        if isinstance(what, Side):
            pair.put(what, consent=how)
            before[what] = pair.records[what]
            assert pair.settle() <= 1
        else:
            assert told_by(pair, what, unsubscribe_tag=how) <= len(before)
            assert told_by(pair, what, unsubscribe_tag=how) == 0
        for side in (LEFT, RIGHT):
            now = pair.records[side]
            assert set(before[side].tags) <= set(now.tags)
            assert not consent.is_tighter(before[side].consent, than=now.consent)
