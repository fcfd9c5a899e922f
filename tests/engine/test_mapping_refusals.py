"""Settings about mappings that are refused when a person saves them."""

import pytest

from proto.fields import FieldKind, Option, Role
from proto.reconciler import CustomMapping, Direction, MappedField, Side
from services.reconciler.engine import graph, pairing
from services.reconciler.engine.compatibility import Bar
from services.reconciler.engine.pairing import Fault
from services.reconciler.engine.refusals import Objection
from tests.engine import mapped, world
from tests.engine.mapped import custom
from tests.engine.world import CARDS, NEWSLETTER, field

LEFT, RIGHT = Side.LEFT, Side.RIGHT
TO_LEFT, TO_RIGHT = Direction.TO_LEFT, Direction.TO_RIGHT
OPTIONS = tuple(Option(option_id=i, label=i) for i in ("1", "2"))
LEFTS = (
    *NEWSLETTER,
    *(field(name) for name in ("x", "z")),
    field("score", FieldKind.NUMBER),
    field("sealed", is_writable=False),
    field("colour", FieldKind.CHOICE, options=OPTIONS),
)
RIGHTS = (
    *CARDS,
    *(field(name) for name in ("y", "w")),
    field("farbe", FieldKind.CHOICE, options=OPTIONS),
)


def refused(*made: CustomMapping, **more: object) -> list[tuple[str, object]]:
    found = pairing.refused(
        left=world.end(LEFTS),
        right=world.end(RIGHTS),
        settings=mapped.settings(*made, **more),
    )
    assert all(each.detail.endswith(".") for each in found)
    return [(each.pointer, each.reason) for each in found]


def test_what_can_be_is_not_refused():
    assert refused() == []
    assert (
        refused(
            custom("x", "y"),
            custom("score", "w", direction=TO_RIGHT),
            custom("colour", "farbe", ("1", "2")),
            custom("phones/work", "tel/office"),
            custom("phones/Home ", "tel/home"),
            mappings_off=("phone",),
            winners={"custom:x:y": RIGHT, "email": LEFT, "phone": LEFT},
        )
        == []
    )


def test_fields_that_an_account_does_not_have():
    assert refused(custom("nope", "y"), custom("x", "nada")) == [
        ("/custom_mappings/0/left/field_id", Objection.UNKNOWN_FIELD),
        ("/custom_mappings/1/right/field_id", Objection.UNKNOWN_FIELD),
    ]


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/pairing.py: a field of an active default mapping can"
    " be mapped",
)
def test_b13_a_field_of_an_active_default_mapping_has_to_be_freed_first():
    made = custom("job", "y")
    where = "/custom_mappings/0/left"
    assert refused(made) == [(where, Fault.IN_DEFAULT_MAPPING)]
    assert refused(made, mappings_off=("job_title",)) == []
    assert refused(custom("x", "fn")) == [
        ("/custom_mappings/0/right", Fault.IN_DEFAULT_MAPPING)
    ], "the name is one of its fields"


@pytest.mark.behaviour(
    15,
    broken_by="reconciler/engine/custom.py: a field is mapped twice",
)
def test_b15_a_field_is_mapped_once_or_by_label():
    assert refused(custom("x", "y"), custom("z", "y")) == [
        ("/custom_mappings/1/right", Fault.MAPPED_TWICE)
    ]
    off = {"mappings_off": ("phone",)}
    assert refused(custom("phones/work", "y"), custom("phones/home", "w"), **off) == []
    for twice in ("phones", "phones/WORK"):
        assert refused(custom("phones/work", "y"), custom(twice, "w"), **off) == [
            ("/custom_mappings/1/left", Fault.MAPPED_TWICE)
        ]


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/pairing.py: an impossible direction is not refused",
)
def test_b16_directions_that_are_not_possible_name_their_reason():
    way = "/custom_mappings/0/direction"
    assert refused(custom("score", "y")) == [(way, Bar.KINDS_DIFFER)]
    assert refused(custom("score", "y", direction=TO_LEFT)) == [(way, Bar.KINDS_DIFFER)]
    assert refused(custom("sealed", "y")) == [(way, Bar.READ_ONLY)]
    assert refused(custom("score", "farbe")) == [
        ("/custom_mappings/0", Bar.KINDS_DIFFER)
    ]
    assert refused(custom("colour", "farbe")) == [
        ("/custom_mappings/0", Bar.NEEDS_OPTIONS)
    ]
    assert refused(custom("phones/pager", "y"), mappings_off=("phone",)) == [
        ("/custom_mappings/0", Bar.LABEL_NOT_OFFERED)
    ]
    assert refused(custom("x", "y", direction=Direction.UNKNOWN)) == [
        (way, Objection.UNKNOWN_WORD)
    ]


@pytest.mark.behaviour(
    17,
    broken_by="reconciler/engine/pairing.py: a mapping beyond the connection is not"
    " refused",
)
def test_b17_a_mapping_may_not_go_further_than_the_connection():
    way = "/custom_mappings/0/direction"
    for direction in (Direction.BOTH, TO_RIGHT):
        made = custom("x", "y", direction=direction)
        assert refused(made, direction=TO_LEFT) == [(way, Fault.BEYOND_CONNECTION)]
    assert refused(custom("x", "y", direction=TO_LEFT), direction=TO_LEFT) == []


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/pairing.py: an option that does not exist is not"
    " refused",
)
def test_b16_options_are_known_and_paired_once():
    at = "/custom_mappings/0/options"
    assert refused(custom("colour", "farbe", ("1", "9"))) == [
        (f"{at}/0/right", Objection.NOT_AN_OPTION)
    ]
    assert refused(custom("colour", "farbe", ("1", "1"), ("1", "2"))) == [
        (f"{at}/1/left", Fault.OPTION_PAIRED_TWICE)
    ]
    assert refused(custom("x", "y", ("1", "1"))) == [
        ("/custom_mappings/0", Bar.OPTIONS_UNUSED)
    ]
    many = (("1", "1"),) * (pairing.OPTION_PAIRS_MAX + 1)
    assert refused(custom("colour", "farbe", *many)) == [(at, Objection.TOO_MANY)]


@pytest.mark.behaviour(
    17,
    broken_by="reconciler/engine/pairing.py: a cycle is not refused",
)
def test_b17_values_that_would_come_round_are_refused():
    """The round of three of hazard 65: x to y, y to z, z to x again."""
    round_trip = (
        custom("x", "y", direction=TO_RIGHT),
        custom("z", "y", direction=TO_LEFT),
        custom("z", "w", direction=TO_RIGHT),
        custom("x", "w", direction=TO_LEFT),
    )
    found = refused(*round_trip)
    for number in range(4):
        assert (f"/custom_mappings/{number}", Fault.CYCLE) in found
    assert not any(reason is Fault.CYCLE for _, reason in refused(*round_trip[:3]))


def test_a_mapping_of_both_directions_is_no_round():
    arrows = [
        arrow for pair in world.config().mappings for arrow in graph.of_mapping(pair)
    ]
    assert arrows
    assert graph.looping(arrows) == set()


def test_switches_and_winners_are_of_mappings_that_exist():
    assert refused(
        custom("x", "y"),
        mappings_off=("nope", "custom:x:y"),
        winners={"nada": LEFT, "custom:x:y": Side.UNKNOWN},
    ) == [
        ("/mappings_off/0", Fault.UNKNOWN_MAPPING),
        ("/mappings_off/1", Fault.UNKNOWN_MAPPING),
        ("/winners/nada", Fault.UNKNOWN_MAPPING),
        ("/winners/custom:x:y", Objection.UNKNOWN_WORD),
    ]


def test_there_are_limits():
    most = pairing.CUSTOM_MAPPINGS_MAX
    assert refused(*(custom("x", "y"),) * (most + 1)) == [
        ("/custom_mappings", Objection.TOO_MANY)
    ]
    label = "l" * (pairing.LABEL_LENGTH_MAX + 1)
    end = MappedField(field_id="tel", label=label)
    made = CustomMapping(left=MappedField(field_id="x"), right=end)
    assert refused(made, mappings_off=("phone",)) == [
        ("/custom_mappings/0/right/label", Objection.TOO_LONG)
    ]


def test_a_default_mapping_that_needs_the_field_says_its_name():
    found = pairing.refused(
        left=world.end((field("title", role=Role.JOB_TITLE),)),
        right=world.end((*CARDS, field("y"))),
        settings=mapped.settings(custom("title", "y")),
    )
    assert "Job title" in found[0].detail
