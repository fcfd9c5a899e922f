"""Who may be made where whoever is there gets mail, and whose word a no is."""

import pytest

from proto.fields import Role
from proto.reconciler import Side
from proto.record import Consent
from proto.rules import Unsubscribes
from tests.simulation.hand_made import History
from tests.simulation.invariants import agreement, convergence
from tests.simulation.ledger import Cause, Who

LEFT, RIGHT = Side.LEFT, Side.RIGHT
TELLS = {"has_consent": True, "default_consent": "unknown"}
MAILS = {"has_consent": True, "default_consent": "subscribed", "mails_everybody": True}
LONG_S = agreement.KNOWN_S_MAX + 1


@pytest.mark.parametrize(
    ("said", "over_s_ago", "is_fine"),
    [
        (Consent.SUBSCRIBED, None, True),
        (Consent.SUBSCRIBED, 5.0, True),
        (Consent.SUBSCRIBED, LONG_S, False),
        (Consent.UNKNOWN, None, False),
        (Consent.UNSUBSCRIBED, None, False),
    ],
)
@pytest.mark.parametrize("right", [MAILS, TELLS])
def test_i7_somebody_whom_we_made_where_whoever_is_there_gets_mail(
    said, over_s_ago, is_fine, right
):
    history = History(left=TELLS, right=right)
    left = history.enter(LEFT, history.person())
    history.wait(LONG_S)
    history.books[LEFT].edit(left, consent=said)
    history.wait(LONG_S)
    if over_s_ago is not None:
        history.books[LEFT].edit(left, consent=Consent.UNKNOWN)
        history.wait(over_s_ago)
    history.link(left, None)
    made = history.make(RIGHT)
    consent = history.books[RIGHT].holders[made].now.consent
    assert (consent is Consent.SUBSCRIBED) is (right is MAILS)
    assert history.broken() == (set() if is_fine or right is TELLS else {"I7"})


@pytest.mark.parametrize(
    ("right", "said", "is_fine"),
    [
        (MAILS, Consent.UNKNOWN, True),
        (MAILS, Consent.UNSUBSCRIBED, True),
        (MAILS, Consent.SUBSCRIBED, False),
        (TELLS, Consent.UNKNOWN, False),
    ],
)
def test_i1_who_stays_alone_because_they_have_not_agreed(right, said, is_fine):
    history = History(left=TELLS, right=right)
    left = history.enter(LEFT, history.person())
    history.books[LEFT].edit(left, consent=said)
    history.link(left, None, state="excluded", reason="not_agreed")
    wrongs = list(convergence.check(history.after(), history.truth))
    assert (wrongs == []) is is_fine


@pytest.mark.parametrize("is_emptied", [True, False])
def test_i1_a_record_whose_last_address_was_never_shown_is_known_by_the_one_before(
    is_emptied,
):
    """Of an account that is empty nobody counts as gone."""
    history = History()
    person = history.person()
    email, later = (history.value(Role.EMAIL, person) for _ in range(2))
    left = history.enter(LEFT, person, email=email)
    right = history.enter(RIGHT, history.person(), email=email)
    changed = history.fields(LEFT, email=later)
    history.books[LEFT].edit(left, changed, cause=Cause(who=Who.TANDEM))
    if is_emptied:
        history.books[LEFT].delete(left)
    history.link(None, right, state="duplicate", reason="match_is_linked")
    after = history.after()
    wrongs = [
        each.text
        for each in convergence.check(after, history.truth)
        if "not so" in each.text
    ]
    assert (wrongs == []) is is_emptied


@pytest.mark.parametrize("is_seen", [True, False])
def test_i12_a_no_of_ours_that_nobody_saw_before_it_was_gone_counts_as_theirs(is_seen):
    """Nobody can tell whose it is once the record is back (seed 606615)."""
    history = History(left=TELLS, right=TELLS)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    _, left, right = history.pair()
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED)
    ours = Cause(who=Who.TANDEM)
    history.books[RIGHT].edit(right, consent=Consent.UNSUBSCRIBED, cause=ours)
    history.wait(5.0)
    if is_seen:
        history.tell(RIGHT, right)
    history.books[RIGHT].delete(right)
    history.books[LEFT].edit(left, consent=Consent.SUBSCRIBED)
    history.wait(5.0)
    history.books[RIGHT].restore(right)
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED, cause=ours)
    assert history.broken() == ({"I12"} if is_seen else set())
