"""Nobody is made twice (I4), and nobody again whom a user deleted (I5)."""

import msgspec
import pytest

from proto.fields import Role
from proto.ids import ConnectionId, LinkId
from proto.reconciler import Side
from tests.simulation.hand_made import History
from tests.simulation.invariants import safety
from tests.simulation.invariants.truth import LinkRow
from tests.simulation.vendors.ways import Markers, Merges

LEFT, RIGHT = Side.LEFT, Side.RIGHT
BARE = {"unique_emails": False, "finds_by_email": False}
FINDING = {"unique_emails": False, "finds_by_email": True}


def test_i4_two_records_of_one_link():
    history = History(right=BARE)
    _, left, _ = history.pair()
    fields = history.books[LEFT].holders[left].now.fields
    history.make(RIGHT, mark="1", given=fields["given"])
    assert history.broken() == {"I4"}


@pytest.mark.parametrize("is_given_away", [True, False])
def test_i4_a_record_of_ours_whose_id_means_somebody_new(is_given_away):
    """Its user deleted it while its create had no answer (35; seed 42451)."""
    history = History(right={**BARE, "markers": Markers.KEPT})
    person = history.person()
    given = {"given": history.value(Role.NAME_GIVEN, person)}
    history.link(history.enter(LEFT, person, **given), None)
    lost, book = history.make(RIGHT, mark="1", **given), history.books[RIGHT]
    book.delete(lost)
    if is_given_away:
        heir = history.person()
        name = history.value(Role.NAME_GIVEN, heir)
        book.recycle(lost, history.fields(RIGHT, given=name), person=heir)
    else:
        book.restore(lost)
    history.make(RIGHT, mark="1", **given)
    assert history.broken() == (set() if is_given_away else {"I4"})


def test_i4_two_records_of_one_person():
    history = History(right=BARE)
    _, left, _ = history.pair()
    fields = history.books[LEFT].holders[left].now.fields
    history.make(RIGHT, mark="2", given=fields["given"])
    assert history.broken() == {"I4"}


@pytest.mark.parametrize("is_of_two", [True, False])
def test_i4_two_connections_may_make_somebody_at_once(is_of_two):
    """In an account that is on both of them, and finds nobody (seed 602924)."""
    history = History(right=BARE)
    _, left, _ = history.pair()
    owned = history.owned
    if is_of_two:
        owned = msgspec.structs.replace(owned, connection_id=ConnectionId("conn_2"))
        history.more.append(owned)
    row = LinkRow(owned.connection_id, LinkId("link_2"), left, None, "pending", "")
    history.links.append(row)
    fields = history.books[LEFT].holders[left].now.fields
    history.make(RIGHT, mark="2", given=fields["given"])
    assert history.broken() == (set() if is_of_two else {"I4"})


@pytest.mark.parametrize(
    ("but", "markers"),
    [
        ("", Markers.IGNORED),
        ("not renamed", Markers.IGNORED),
        ("told", Markers.IGNORED),
        ("bound", Markers.IGNORED),
        ("answered", Markers.IGNORED),
        ("", Markers.KEPT),
        ("but to somebody else", Markers.IGNORED),
    ],
)
def test_i4_a_record_that_nothing_told_any_more(but, markers):
    """Its create had no answer, and its user changed all of it before it was seen.

    Hazard 35 allows that, and asks how often it happens. So it does where it got the
    address of somebody else then, and is taken for them (seed 608971).
    """
    history = History(right={**BARE, "markers": markers})
    person = history.person()
    given = {
        "email": history.value(Role.EMAIL, person),
        "given": history.value(Role.NAME_GIVEN, person),
    }
    left = history.enter(LEFT, person, **given)
    history.link(left, None)
    lost = history.make(RIGHT, mark="1", **given)
    if but == "answered":
        history.answered.add(history.key(RIGHT, lost))
    history.wait(1.0)
    if but == "told":
        history.tell(RIGHT, lost)
        history.wait(1.0)
    history.edit(RIGHT, lost, email=history.value(Role.EMAIL, person))
    if but != "not renamed":
        history.edit(RIGHT, lost, given=history.value(Role.NAME_GIVEN, person))
    if but == "bound":
        history.link(left, lost)
    if but == "but to somebody else":
        history.link(history.enter(LEFT, history.person()), lost)
    history.wait(1.0)
    history.make(RIGHT, mark="1", **given)
    is_told = but not in ("", "but to somebody else")
    is_allowed = not is_told and markers is Markers.IGNORED
    assert history.broken() == (set() if is_allowed else {"I4"})
    assert sum(history.truth.exempt.values()) == is_allowed


@pytest.mark.parametrize("is_rest_left", [True, False])
def test_i4_a_record_of_which_only_the_name_is_left_may_be_anybodys(is_rest_left):
    """Two people may have one name (hazard 14; seeds 590 and 753)."""
    history = History(right=BARE)
    person = history.person()
    roles = {"email": Role.EMAIL, "given": Role.NAME_GIVEN, "job": Role.JOB_TITLE}
    given = {name: history.value(role, person) for name, role in roles.items()}
    history.link(history.enter(LEFT, person, **given), None)
    lost = history.make(RIGHT, mark="1", **given)
    history.edit(RIGHT, lost, email=history.value(Role.EMAIL, person))
    if not is_rest_left:
        history.edit(RIGHT, lost, job=history.value(Role.JOB_TITLE, person))
    history.wait(1.0)
    history.make(RIGHT, mark="1", **given)
    assert history.broken() == ({"I4"} if is_rest_left else set())


@pytest.mark.parametrize("is_rewritten", [True, False])
def test_i4_whoever_is_made_for_one_of_ours_that_nobody_knew(is_rewritten):
    """It counts as its user's, and so it has a counterpart to be made (seed 40033)."""
    history = History(left=BARE, right=BARE)
    person = history.person()
    name, other = (history.value(Role.NAME_GIVEN, person) for _ in range(2))
    history.link(
        history.make(LEFT, mark="1", given=other),
        history.enter(RIGHT, person, given=other),
    )
    history.link(history.enter(LEFT, person, given=name), None)
    lost = history.make(RIGHT, mark="2", given=name)
    if is_rewritten:
        history.edit(RIGHT, lost, given=history.value(Role.NAME_GIVEN, person))
    history.link(None, lost)
    history.wait(1.0)
    history.wrongs.clear()
    history.make(
        LEFT, mark="3", given=history.books[RIGHT].holders[lost].now.fields["GIVEN"]
    )
    assert history.broken() == (set() if is_rewritten else {"I4"})


@pytest.mark.parametrize("is_there_first", [True, False])
def test_i4_a_record_whose_address_a_search_would_have_shown(is_there_first):
    history = History(right=FINDING)
    person = history.person()
    email = history.value(Role.EMAIL, person)
    history.enter(LEFT, person, email=email)
    finds = history.truth.calls(history.owned.right).finds[email.casefold()]
    if not is_there_first:
        finds.append(history.time)
        history.wait(1.0)
    history.enter(RIGHT, person, email=email)
    if is_there_first:
        history.wait(1.0)
        finds.append(history.time)
    history.make(RIGHT, email=email)
    assert history.broken() == ({"I4"} if is_there_first else set())


@pytest.mark.parametrize(
    ("there_s", "searched_s_ago", "is_wrong"),
    [
        (2 * safety.CHECKED_S_MAX, None, True),
        (0.5 * safety.CHECKED_S_MAX, None, False),
        (2 * safety.CHECKED_S_MAX, 3 * safety.CHECKED_S_MAX, True),
    ],
)
def test_i4_a_record_whose_address_was_not_searched_for(
    there_s, searched_s_ago, is_wrong
):
    """Right before a create it is, or what is found is too old to go by (hazard 34)."""
    history = History(right=FINDING)
    person = history.person()
    email = history.value(Role.EMAIL, person)
    history.enter(LEFT, person, email=email)
    history.enter(RIGHT, person, email=email)
    history.wait(there_s)
    if searched_s_ago is not None:
        finds = history.truth.calls(history.owned.right).finds[email.casefold()]
        finds.append(history.time - searched_s_ago)
    history.make(RIGHT, email=email)
    assert history.broken() == ({"I4"} if is_wrong else set())


@pytest.mark.parametrize("is_long_ago", [True, False])
def test_i4_a_record_whose_address_was_shown_long_before(is_long_ago):
    history = History(right=BARE)
    person = history.person()
    email = history.value(Role.EMAIL, person)
    history.enter(LEFT, person, email=email)
    there = history.enter(RIGHT, person, email=email)
    shown = history.truth.calls(history.owned.right).shown
    shown[there, email.casefold()] = history.time
    history.wait(2 * safety.SHOWN_S if is_long_ago else 10.0)
    history.make(RIGHT, email=email)
    assert history.broken() == ({"I4"} if is_long_ago else set())


@pytest.mark.parametrize("is_restored", [True, False])
def test_i5_a_record_that_was_deleted_and_is_made_again(is_restored):
    history = History(right=BARE)
    _, left, right = history.pair()
    fields = history.books[LEFT].holders[left].now.fields
    history.books[RIGHT].delete(right)
    assert history.wrongs == []
    if is_restored:
        history.books[RIGHT].restore(right)
    history.make(RIGHT, mark="1", given=fields["given"])
    assert history.broken() == ({"I4"} if is_restored else {"I5"})


@pytest.mark.parametrize(
    ("turns", "lag_s", "is_allowed"),
    [
        ("D+", 0.0, False),
        ("D", 0.0, True),
        ("D+", 2.0, True),
        ("D+R", 0.0, True),
        ("DR+", 0.0, True),
        ("D+RD", 0.0, True),
        ("M+", 0.0, True),
    ],
)
def test_i5_a_record_whose_source_was_deleted_before(turns, lag_s, is_allowed):
    """Before a create its source is read again; one merged away is followed (36, 9).

    What was shown of it may be a little old, all the more where listings lag.
    """
    history = History(left={"lag_s": lag_s}, right=BARE)
    person, book = history.person(), history.books[LEFT]
    given = {"given": history.value(Role.NAME_GIVEN, person)}
    left = history.enter(LEFT, person, **given)
    history.link(left, None)
    history.wait(100.0)
    for turn in turns:
        match turn:
            case "D":
                book.delete(left)
            case "R":
                book.restore(left)
            case "M":
                book.merge(left, history.enter(LEFT, person))
            case "+":
                history.wait(safety.CHECKED_S_MAX + 1.0)
    history.make(RIGHT, mark="1", **given)
    assert history.broken() == (set() if is_allowed else {"I5"})


@pytest.mark.parametrize(
    ("turns", "has_another"),
    [("R", True), ("R", False), ("", True), ("RD", True), ("RDN", True)],
)
def test_i5_a_restored_record_whose_counterpart_has_got_another(turns, has_another):
    """It is as if its user had entered it: nobody else is left for it (hazard 74).

    It was restored, gone again, and then its id meant somebody new.
    """
    history = History(right=BARE)
    book = history.books[LEFT]
    person, left, right = history.pair()
    fields = book.holders[left].now.fields
    book.delete(left)
    if has_another:
        other = history.enter(LEFT, history.person())
        history.link(other, right)
    for turn in turns:
        match turn:
            case "R":
                book.restore(left)
            case "D":
                book.delete(left)
            case "N":
                book.recycle(left, fields, person=person)
    history.books[RIGHT].delete(right)
    history.make(RIGHT, mark="1", given=fields["given"])
    is_allowed = turns == "R" and has_another
    assert history.broken() == (set() if is_allowed else {"I5"})
    assert sum(history.truth.exempt.values()) == is_allowed


@pytest.mark.parametrize(("s_old", "is_allowed"), [(0.0, True), (2.0, False)])
def test_i5_a_record_counts_as_restored_once_anything_told_of_it(s_old, is_allowed):
    """A listing tells as much as a read by id, but is a little old (seed 60294)."""
    history = History(right=BARE)
    _, left, right = history.pair()
    fields = history.books[LEFT].holders[left].now.fields
    history.books[LEFT].delete(left)
    history.truth.calls(history.owned.left).reads[left].append(history.time)
    history.tell(LEFT, left)
    history.link(history.enter(LEFT, history.person()), right)
    history.wait(1.0)
    history.books[LEFT].restore(left)
    history.books[RIGHT].delete(right)
    history.tell(LEFT, left, s_old=s_old)
    history.make(RIGHT, mark="1", given=fields["given"])
    assert history.broken() == (set() if is_allowed else {"I5"})


@pytest.mark.parametrize(
    ("but", "is_allowed"),
    [("", True), ("same person", False), ("same link", False), ("untold", False)],
)
def test_i5_an_id_that_means_somebody_new(but, is_allowed):
    """Its counterpart was somebody else's, who is gone (seed 60526).

    As long as there is a link of those two, it waits for a person (hazard 11).
    """
    history = History(right=BARE)
    person, left, right = history.pair()
    history.link(history.enter(LEFT, history.person()), right)
    history.books[RIGHT].delete(right)
    history.books[LEFT].delete(left)
    history.tell(LEFT, left)
    history.wait(1.0)
    heir = person if but == "same person" else history.person()
    given = {"given": history.value(Role.NAME_GIVEN, heir)}
    history.books[LEFT].recycle(left, history.fields(LEFT, **given), person=heir)
    mark = "1" if but == "same link" else "3"
    if mark == "3":
        history.links[0] = history.links[0]._replace(left_id=None)
        history.link(left, None)
    if but != "untold":
        history.tell(LEFT, left)
    history.make(RIGHT, mark=mark, **given)
    assert history.broken() == (set() if is_allowed else {"I5"})
    assert sum(history.truth.exempt.values()) == is_allowed


@pytest.mark.parametrize("merges", [Merges.POINTS, Merges.SILENT])
@pytest.mark.parametrize("has_another", [True, False])
def test_i5_a_restored_record_whose_counterpart_was_merged(merges, has_another):
    """What its counterpart has become a part of had got another (seed 42309)."""
    history = History(right={**BARE, "merges": merges})
    _, left, right = history.pair()
    fields = history.books[LEFT].holders[left].now.fields
    heir = history.enter(RIGHT, history.person())
    history.books[RIGHT].merge(right, heir)
    history.books[LEFT].delete(left)
    if has_another:
        history.link(history.enter(LEFT, history.person()), heir)
    history.books[LEFT].restore(left)
    history.make(RIGHT, mark="1", given=fields["given"])
    is_allowed = has_another and merges is Merges.POINTS
    assert history.broken() == (set() if is_allowed else {"I5"})
