"""Situations are told by what happened: an act that comes to nothing is none."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from proto.fields import Role
from proto.reconciler import Direction, Side
from proto.record import Consent
from tests.simulation import situations
from tests.simulation.hand_made import History
from tests.simulation.people import fitting
from tests.simulation.situations import names, of_records
from tests.simulation.situations.story import Window

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def of(history: History, *windows: Window) -> set[str]:
    """Return the situations of a history, with writes that were open meanwhile."""
    story: Any = SimpleNamespace(
        entries=history.ledger.entries,
        truth=history.truth,
        open_writes=lambda _key, at: [w for w in windows if w.opened_at < at],
    )
    return {code for code, is_so in of_records.of(story) if is_so}


def test_every_number_that_the_catalogue_marks_is_told():
    numbers = {code.rstrip("abc") for code in names.KNOWN}
    assert numbers >= names.MARKED
    assert list(names.KNOWN) == sorted(names.KNOWN, key=_place)
    assert all(len(names.told(code)) <= 88 for code in names.KNOWN)


def _place(code: str) -> tuple[str, int, str]:
    number = code[1:].rstrip("abc")
    return code[0], int(number) if number.isdigit() else 999, code


def test_what_occurs_in_fewer_than_one_seed_in_a_hundred_is_told():
    counts = Counter(dict.fromkeys(names.KNOWN, 5))
    counts["A11"], counts["H112"] = 4, 0
    assert situations.rare(counts, seed_count=500) == ["A11"]
    assert situations.rare(counts, seed_count=400) == []


@pytest.mark.parametrize(("after_s", "is_told"), [(80.0, True), (100.0, False)])
def test_a01_one_person_entered_on_both_sides(after_s, is_told):
    history = History()
    person = history.person()
    email = history.value(Role.EMAIL, person)
    history.enter(LEFT, person, email=email)
    history.wait(after_s)
    history.enter(RIGHT, person, email=email.upper())
    assert ("A01" in of(history)) == is_told


def test_a02_two_records_with_one_email_and_no_more_than_one_at_a_time():
    history = History(left={"unique_emails": False})
    person = history.person()
    first = history.enter(LEFT, person, email="q0010001@x.example")
    history.books[LEFT].delete(first)
    history.enter(LEFT, person, email="q0010001@x.example")
    assert "A02" not in of(history)
    history.enter(LEFT, person, email="Q0010001@x.example")
    assert "A02" in of(history)


@pytest.mark.parametrize("is_linked", [True, False])
def test_a11_an_id_that_comes_to_mean_somebody_else(is_linked):
    history = History()
    if is_linked:
        _, left, _ = history.pair()
    else:
        left = history.enter(LEFT, history.person(), email="q0010001@x.example")
    history.books[LEFT].delete(left)
    fields = history.fields(LEFT, email="q0020002@x.example")
    history.books[LEFT].recycle(left, fields, person=history.person())
    assert ("A11" in of(history)) == is_linked


@pytest.mark.parametrize(("after_s", "is_told"), [(0.2, True), (1.5, False)])
def test_hazard_18_a_second_edit_with_the_stamp_of_the_first(after_s, is_told):
    history = History(left={"stamp_s": 1.0})
    _, left, _ = history.pair()
    history.wait(5.0)
    history.edit(LEFT, left, given="q0010003Ana")
    history.wait(after_s)
    history.edit(LEFT, left, given="q0010004Ana")
    assert ("B18" in of(history)) == is_told


@pytest.mark.parametrize("is_create", [True, False])
def test_c35_and_a13_while_a_create_was_open(is_create):
    history = History()
    _, _, right = history.pair()
    opened_at = history.time
    history.wait(5.0)
    history.edit(RIGHT, right, given="q0010003Ana")
    history.books[RIGHT].delete(right)
    window = Window(is_create, history.key(RIGHT, right), opened_at, history.time + 1)
    found = of(history, window)
    assert {"A13", "C35"} <= found if is_create else "C41" in found
    assert is_create or not {"A13", "C35"} & found


@pytest.mark.parametrize("tells_writes", [True, False])
def test_c37_an_edit_between_our_write_and_the_read_after_it(tells_writes):
    history = History(right={"tells_writes": tells_writes})
    _, _, right = history.pair()
    history.edit(RIGHT, right, given="q0010003Ana")
    assert "C37" not in of(history), "not read yet, and so unknown"
    history.wait(1.0)
    history.read(RIGHT, right)
    assert ("C37" in of(history)) is not tells_writes
    history.write(RIGHT, right, given="q0010004Ana")
    history.wait(1.0)
    history.read(RIGHT, right)
    before = len(history.ledger.entries)
    history.wait(1.0)
    history.edit(RIGHT, right, given="q0010005Ana")
    [*_, last] = history.ledger.entries[before:]
    assert not history.truth.is_unread(last)


def test_c39_an_edit_between_our_read_and_our_write():
    history = History()
    _, _, right = history.pair()
    history.wait(5.0)
    history.edit(RIGHT, right, given="q0010003Ana")
    history.wait(5.0)
    history.write(RIGHT, right, read_s_ago=1.0, given="q0010004Ana")
    assert "C39" not in of(history)
    history.edit(RIGHT, right, given="q0010005Ana")
    history.wait(0.5)
    history.write(RIGHT, right, read_s_ago=1.0, given="q0010006Ana")
    assert "C39" in of(history)


def test_d66_an_edit_on_the_side_that_is_only_written_to():
    history = History()
    _, left, right = history.pair()
    history.direct(Direction.TO_RIGHT)
    history.edit(LEFT, left, given="q0010003Ana")
    assert "D66" not in of(history)
    history.edit(RIGHT, right, given="q0010004Ana")
    assert "D66" in of(history)


@pytest.mark.parametrize(("after_s", "is_told"), [(80.0, True), (100.0, False)])
def test_e73_deleted_here_and_edited_there(after_s, is_told):
    history = History()
    _, left, right = history.pair()
    history.books[LEFT].delete(left)
    history.wait(after_s)
    history.edit(RIGHT, right, given="q0010003Ana")
    assert ("E73" in of(history)) == is_told
    assert "E72" in of(history)


def test_f85_nobody_opts_in_again_who_never_said_no():
    history = History(left={"has_consent": True, "default_consent": "unknown"})
    _, left, _ = history.pair()
    book = history.books[LEFT]
    book.edit(left, consent=Consent.SUBSCRIBED)
    assert "F85" not in of(history)
    book.edit(left, consent=Consent.UNSUBSCRIBED)
    book.edit(left, consent=Consent.SUBSCRIBED)
    assert {"F82", "F85"} <= of(history)


def test_f83_a_record_of_ours_where_silence_subscribes():
    history = History(right={"has_consent": True})
    person = history.person()
    left = history.enter(LEFT, person, email="q0010001@x.example")
    history.make(RIGHT, email="q0010001@x.example")
    history.link(left, None)
    assert "F83a" in of(history)


def test_no_half_of_a_mark_is_entered_where_a_name_does_not_fit():
    """What was left of it named nobody, and I3b found it invented (seed 3258)."""
    name = "q0060056Bhríde q0060056lopez"
    assert fitting(name, 18) == "q0060056Bhríde"
    assert fitting(name, 40) == name
    assert fitting("q0060056Bhríde", 10) == "q0060056Bh"
