"""Mappings that a person made, through plan and fold: what goes, what is held."""

import pytest

from proto.connector import WriteOutcome
from proto.fields import Address, FieldKind, Item, Option, Role
from proto.reconciler import Direction, RecordState, Side
from services.reconciler.engine.model import Reason
from tests.engine import mapped, world
from tests.engine.world import CARDS, NEWSLETTER, Pair, field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
TO_RIGHT = Direction.TO_RIGHT


def options(*labels: str) -> tuple[Option, ...]:
    return tuple(Option(option_id=label.lower(), label=label) for label in labels)


LEFTS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("colour", FieldKind.CHOICE, options=options("Red", "Green", "Blue")),
    field("size", FieldKind.CHOICE, options=options("Small", "Large")),
    field("score", FieldKind.NUMBER),
    field("vip", FieldKind.BOOLEAN),
    field("joined", FieldKind.DATE),
    field("nick"),
)
RIGHTS = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("farbe", FieldKind.CHOICE, options=options("Rot", "Gruen", "Blue")),
    field("size_text"),
    field("score_text"),
    field("vip_text"),
    field("since", FieldKind.DATETIME),
    field("alias", length_max=5),
)
COLOURS = mapped.custom("colour", "farbe", ("red", "rot"), ("green", "gruen"))
MADE = (
    COLOURS,
    mapped.custom("size", "size_text", direction=TO_RIGHT),
    mapped.custom("score", "score_text", direction=TO_RIGHT),
    mapped.custom("vip", "vip_text", direction=TO_RIGHT),
    mapped.custom("joined", "since"),
    mapped.custom("nick", "alias"),
)


def linked(left: dict | None = None, right: dict | None = None, **more) -> Pair:
    """A pair in step, after its first match."""
    config = mapped.config(LEFTS, RIGHTS, *MADE, **more)
    pair = Pair(
        config,
        {"email": "a@x.com", **(left or {})},
        {"mail": "a@x.com", **(right or {})},
    )
    pair.settle()
    pair.writes.clear()
    return pair


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/lenses/texts.py: yes and no have no words",
)
def test_b16_values_of_other_kinds_become_text_and_never_come_back():
    pair = linked()
    pair.edit(LEFT, size="small", score="1250.50", vip=False, joined="1990-05-03")
    assert pair.settle() == 1
    assert pair.right["size_text"] == "Small"
    assert pair.right["score_text"] == "1250.5"
    assert pair.right["vip_text"] == "no"
    assert pair.right["since"] == "1990-05-03T00:00:00Z"
    pair.edit(RIGHT, size_text="Huge", score_text="many", vip_text="maybe")
    assert pair.settle() == 0
    assert (pair.left["size"], pair.left["vip"]) == ("small", False)
    pair.edit(LEFT, vip=True)
    assert pair.settle() == 1
    assert pair.right["vip_text"] == "yes"
    assert pair.right["score_text"] == "many", "an edit moves its own value only"


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/lenses/days.py: a moment loses its time of day",
)
def test_b16_a_date_goes_to_a_moment_and_keeps_its_time_of_day():
    pair = linked({"joined": "1990-05-03"}, {"since": "1990-05-03T22:15:00Z"})
    assert pair.writes == []
    pair.edit(LEFT, joined="1991-06-04")
    assert pair.settle() == 1
    assert pair.right["since"] == "1991-06-04T22:15:00Z"
    pair.edit(RIGHT, since="1991-06-04T01:00:00+02:00")
    assert pair.settle() == 1
    assert pair.left["joined"] == "1991-06-03", "its day in UTC, and only that"
    pair.edit(RIGHT, since="1991-06-03T09:00:00Z")
    assert pair.settle() == 0


def test_a_day_without_a_year_is_no_moment_and_is_held():
    left = (LEFTS[0], field("day", FieldKind.DATE, is_year_optional=True))
    config = mapped.config(left, RIGHTS, mapped.custom("day", "since"))
    pair = Pair(config, {"email": "a@x.com", "day": "--02-29"}, {"mail": "a@x.com"})
    assert pair.settle() == 0
    assert [hold.reason for hold in pair.link.held] == [Reason.BAD_VALUE]
    pair.edit(RIGHT, since="2024-02-01T10:00:00Z")
    pair.settle()
    assert pair.right["since"] == "2024-02-29T10:00:00Z", "its year is known there"
    assert pair.link.state is RecordState.IN_SYNC


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/lenses/choices.py: an option without a pair is passed"
    " over in silence",
)
def test_b16_a_choice_without_a_pair_is_held_and_others_go_on():
    """Hazard 60: one option that the other side lacks stopped the whole contact."""
    pair = linked({"colour": "red"})
    assert pair.right["farbe"] == "rot"
    pair.edit(LEFT, colour="blue", score="7")
    assert pair.settle() == 1
    assert pair.right["score_text"] == "7"
    assert pair.right["farbe"] == "rot", "blue there is not said to be blue here"
    (hold,) = pair.link.held
    assert (hold.mapping_id, hold.reason) == (
        "custom:colour:farbe",
        Reason.NO_PAIR,
    )
    assert pair.link.state is RecordState.HELD
    pair.edit(LEFT, colour="green")
    assert pair.settle() == 1
    assert pair.right["farbe"] == "gruen"
    assert pair.link.state is RecordState.IN_SYNC
    pair.edit(RIGHT, farbe="blue")
    assert pair.settle() == 0
    assert pair.left["colour"] == "green"
    pair.edit(RIGHT, farbe=None)
    assert pair.settle() == 1
    assert pair.left["colour"] is None


def test_a_pair_that_is_made_later_lets_the_held_choice_go():
    pair = linked({"colour": "red"})
    pair.edit(LEFT, colour="blue")
    assert pair.settle() == 0
    more = mapped.custom("colour", "farbe", ("red", "rot"), ("blue", "blue"))
    pair.config = mapped.config(LEFTS, RIGHTS, more, *MADE[1:], version=2)
    assert pair.settle() == 1
    assert pair.right["farbe"] == "blue"


def test_an_option_that_has_no_label_any_more_is_held():
    pair = linked({"size": "small"})
    pair.edit(LEFT, size="gone", nick="Bo")
    assert pair.settle() == 1
    assert pair.right["size_text"] == "Small"
    assert [hold.reason for hold in pair.link.held] == [Reason.NOT_AN_OPTION]


@pytest.mark.behaviour(
    15,
    broken_by="reconciler/engine/weigh.py: a value that does not fit is written",
)
def test_b15_a_value_that_does_not_fit_is_held_never_cut():
    pair = linked()
    pair.edit(LEFT, nick="much too long", score="3")
    assert pair.settle() == 1
    assert pair.right["alias"] is None
    assert [hold.reason for hold in pair.link.held] == [Reason.TOO_LONG]


@pytest.mark.behaviour(
    32,
    broken_by="reconciler/engine/config.py: a mapping has no winner of its own",
)
def test_b32_a_mapping_of_its_own_winner_decides_its_own_conflict():
    winners = {"custom:nick:alias": RIGHT}
    pair = linked({"nick": "Al"}, {"alias": "Al"}, winners=winners)
    pair.edit(LEFT, nick="Bo", colour="red")
    pair.edit(RIGHT, alias="Cy", farbe="gruen")
    pair.settle()
    assert (pair.left["nick"], pair.right["alias"]) == ("Cy", "Cy")
    assert (pair.left["colour"], pair.right["farbe"]) == ("red", "rot")


def test_a_create_carries_what_can_be_said():
    config = mapped.config(LEFTS, RIGHTS, *MADE)
    pair = Pair(config, {"email": "a@x.com", "colour": "blue", "joined": "2020-01-01"})
    assert pair.settle() == 1
    assert pair.right["farbe"] is None
    assert pair.right["since"] == "2020-01-01T00:00:00Z"
    assert [hold.reason for hold in pair.link.held] == [Reason.NO_PAIR]


@pytest.mark.behaviour(
    28,
    broken_by="reconciler/engine/items.py: a country is not written as the app writes"
    " it",
)
def test_b28_countries_in_another_form_are_no_difference():
    def home(country: str, street: str = "1 Main St") -> tuple[Item, ...]:
        value = Address(street=street, city="Berlin", country=country)
        return (Item(value=value, label="home"),)

    config = world.config(NEWSLETTER, CARDS)
    pair = Pair(
        config,
        {"email": "a@x.com", "addresses": home("DE")},
        {"emails": items("a@x.com"), "adr": home("Germany")},
    )
    assert pair.settle() == 0
    pair.edit(LEFT, addresses=home("DE", "2 Side St"))
    assert pair.settle() == 1
    assert pair.right["adr"] == home("Germany", "2 Side St")
    pair.edit(LEFT, addresses=home("FR", "2 Side St"))
    assert pair.settle() == 1
    assert pair.right["adr"] == home("France", "2 Side St"), "as this app writes them"
    pair.edit(RIGHT, adr=home("Utopia", "2 Side St"))
    assert pair.settle() == 1
    assert pair.left["addresses"] == home("Utopia", "2 Side St"), "unknown passes raw"


@pytest.mark.parametrize("shown", ["Ana", "ANA"])
def test_a_name_that_was_written_without_an_answer_is_not_written_twice(shown):
    """The full name was there already, and was split otherwise; the words came twice.

    Other capitals than they were written in are a new spelling, and no new words.
    """
    pair = Pair(
        world.config(), {"email": "a@x.com"}, {"emails": items("a@x.com"), "fn": None}
    )
    pair.settle()
    pair.edit(LEFT, first="Ana")
    intent = pair.plan().intent
    pair.apply(intent)
    pair.edit(RIGHT, fn=shown)
    record = pair.records[RIGHT]
    pair.answer(intent, WriteOutcome.CHANGED, record=record)
    assert pair.settle() == (shown != "Ana")
    assert (pair.left["first"], pair.left["last"]) == ("Ana", None)
    assert pair.right["fn"] == "Ana"


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("parts", "full", "agreed"),
    [
        ({"last": "Soto"}, "Soto", ("", "soto")),
        ({"last": "SOTO"}, "Soto", ("", "soto")),
        ({"first": "Soto", "last": None}, "Soto", ("soto", "")),
        ({"first": "Ana Lea"}, "Ana Lea Garcia", ("ana lea", "garcia")),
        ({"first": "Ana", "last": "Ana"}, "Ana Ana", ("ana", "ana")),
    ],
)
def test_words_that_both_sides_entered_are_the_same_words(winner, parts, full, agreed):
    """Else a family name came to be the given name, too (seed 200341)."""
    pair = world.linked(
        {"first": "Maria", "last": "Garcia"}, {"fn": "Maria Garcia"}, winner=winner
    )
    pair.edit(LEFT, **parts)
    pair.edit(RIGHT, fn=full)
    pair.settle()
    told = [(pair.left[each] or "").casefold() for each in ("first", "last")]
    assert tuple(told) == agreed
    assert pair.right["fn"].casefold() == " ".join(filter(None, told))
