"""Mappings that a person makes: their ids, their place among the default ones."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import FieldKind, Option, Role
from proto.reconciler import CustomMapping, Direction, MappedField, RecordState, Side
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.reconciler.engine import custom, mapping, options, pairing
from services.reconciler.engine.compatibility import Bar
from services.reconciler.engine.model import Lens
from services.reconciler.engine.refusals import Objection
from tests.engine import mapped, world
from tests.engine.examples import tries
from tests.engine.world import CARDS, NEWSLETTER, field

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NICK, SCORE = field("nick"), field("score", FieldKind.NUMBER)
LEFTS = (*NEWSLETTER, NICK, SCORE, field("sealed", is_writable=False))
RIGHTS = (*CARDS, field("alias"), field("rating"), field("memo"))
names = st.text(st.characters(codec=None), max_size=8)


def by_id(*made, left=LEFTS, right=RIGHTS, **more):
    return mapped.config(left, right, *made, **more).pair_by_id


@pytest.mark.behaviour(
    15,
    broken_by="reconciler/engine/mapping.py: custom mappings do nothing",
)
def test_b15_any_two_fields_that_go_together_can_be_mapped():
    found = by_id(
        mapped.custom("nick", "alias"),
        mapped.custom("score", "rating", direction=Direction.TO_RIGHT),
    )
    assert found["custom:nick:alias"].mapping.lens is Lens.COPY
    assert found["custom:score:rating"].mapping.lens is Lens.TEXT
    assert not found["custom:score:rating"].left.is_written
    assert "email" in found, "the default ones stay"


@pytest.mark.behaviour(
    15,
    broken_by="reconciler/engine/mapping.py: custom mappings do nothing",
)
def test_b15_standard_fields_that_the_other_app_lacks_can_be_mapped():
    """For an app without fields of one's own, those are what is left to map."""
    left = (*NEWSLETTER, field("site", FieldKind.URL, Role.WEBSITE))
    right = (*CARDS, field("note", role=Role.NOTE))
    made = mapped.custom("site", "note")
    ends = {"left": world.end(left), "right": world.end(right)}
    assert pairing.refused(**ends, settings=mapped.settings(made)) == ()
    pair = world.Pair(
        mapped.config(left, right, made),
        {"email": "a@x.com", "site": "https://a.example"},
        {"emails": world.items("a@x.com")},
    )
    pair.settle()
    assert pair.right["note"] == "https://a.example"
    pair.edit(RIGHT, note="https://b.example")
    assert pair.settle() == 1
    assert pair.left["site"] == "https://b.example"


@pytest.mark.behaviour(
    17,
    broken_by="reconciler/engine/custom.py: a custom mapping goes further than the"
    " connection",
)
def test_b17_a_custom_mapping_never_goes_further_than_the_connection():
    made = mapped.custom("nick", "alias")
    pair = by_id(made, direction=Direction.TO_LEFT)["custom:nick:alias"]
    assert pair.mapping.direction is Direction.TO_LEFT
    assert not pair.right.is_written
    away = mapped.custom("nick", "alias", direction=Direction.TO_RIGHT)
    assert "custom:nick:alias" not in by_id(away, direction=Direction.TO_LEFT)


@pytest.mark.behaviour(
    19,
    broken_by="reconciler/engine/custom.py: a custom mapping goes where a field is"
    " only read",
)
def test_b19_what_is_only_read_goes_one_way():
    pair = by_id(mapped.custom("sealed", "memo"))["custom:sealed:memo"]
    assert pair.mapping.direction is Direction.TO_RIGHT


@pytest.mark.behaviour(
    19,
    broken_by="reconciler/engine/weigh.py: a copied value is written where nothing may"
    " be",
)
def test_b19_a_field_of_the_company_is_read_for_filters_and_mappings_only():
    """An app offers such a field as one that is not written."""
    industry = field("company.industry", is_writable=False)
    left = (*NEWSLETTER, industry)
    made = mapped.custom("company.industry", "memo", direction=Direction.TO_RIGHT)
    is_mining = Condition(
        operator=Operator.IS, field_id=industry.field_id, value="Mining"
    )
    nobody = Condition(operator=Operator.HAS_TAG, value="nobody")
    settings = mapped.config(
        left,
        RIGHTS,
        made,
        left_rules=(Rule(rule_id="mining", conditions=(is_mining,)),),
        right_rules=(Rule(rule_id="nobody", conditions=(nobody,)),),
    )
    pair = world.Pair(
        settings,
        {"email": "a@x.com", "company.industry": "Mining"},
        {"emails": world.items("a@x.com"), "memo": "Ours"},
    )
    pair.settle()
    assert pair.right["memo"] == "Mining", "what is only read decides"
    pair.edit(RIGHT, memo="Farming")
    assert pair.settle() == 0
    pair.edit(LEFT, **{"company.industry": "Banking"})
    assert pair.settle() == 0
    assert pair.link.state is RecordState.EXCLUDED, "it is filtered by"
    assert pair.left["company.industry"] == "Banking"
    assert all(write.side is RIGHT for write in pair.writes)


@pytest.mark.behaviour(
    19,
    broken_by="reconciler/engine/vetting.py: a rule sets a field that is only read",
)
def test_b19_nothing_may_be_set_to_write_a_field_of_the_company():
    left = (*NEWSLETTER, field("company.industry", is_writable=False))
    made = mapped.custom("company.industry", "memo")
    ends = {"left": world.end(left), "right": world.end(RIGHTS)}
    both = pairing.refused(**ends, settings=mapped.settings(made))
    assert [each.reason for each in both] == [Bar.READ_ONLY]
    action = Action(
        kind=ActionKind.SET_FIELD, field_id="company.industry", value="Mining"
    )
    rules = (Rule(rule_id="r", actions=(action,)),)
    settings = world.config(left, RIGHTS, right_rules=rules)
    found = options.refused(settings, containers={})
    assert [each.reason for each in found] == [Objection.READ_ONLY]


@pytest.mark.behaviour(
    32,
    broken_by="reconciler/engine/mapping.py: a default mapping has no winner of its"
    " own",
)
def test_b32_each_mapping_can_have_a_winner_of_its_own():
    winners = {"custom:nick:alias": RIGHT, "email": RIGHT}
    found = by_id(mapped.custom("nick", "alias"), winners=winners)
    assert found["custom:nick:alias"].winner is RIGHT
    assert found["email"].winner is RIGHT
    assert found["company"].winner is LEFT


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: a default mapping keeps a field that is"
    " mapped otherwise",
)
def test_b13_a_field_that_is_mapped_otherwise_leaves_its_default_mapping():
    """An account may get a default mapping for a field after it was mapped."""
    made = mapped.custom("nick", "alias")
    titled = field("alias", role=Role.JOB_TITLE)
    rights = (*(f for f in CARDS if f.role is not Role.JOB_TITLE), titled)
    found = by_id(made, right=rights)
    assert "job_title" not in found
    assert "custom:nick:alias" in found


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: a mapping is shown without its direction",
)
def test_b13_all_mappings_are_shown_with_direction_and_whether_they_are_on():
    settings = mapped.settings(
        mapped.custom("score", "rating", direction=Direction.TO_RIGHT),
        mapped.custom("lost", "memo"),
        mapped.custom("phones/work", "alias"),
        mappings_off=("company", "phone"),
    )
    found = {
        view.mapping_id: view
        for view in mapping.views(
            left=world.end(LEFTS), right=world.end(RIGHTS), settings=settings
        )
    }
    assert not found["company"].is_on
    assert found["job_title"].is_on
    assert found["custom:score:rating"].direction is Direction.TO_RIGHT
    assert found["custom:score:rating"].is_on
    assert found["custom:phones[work]:alias"].label == "phones (work) and alias"
    assert not found["custom:lost:memo"].is_on
    assert found["custom:lost:memo"].left == ("lost",)


def test_a_mapping_whose_field_the_account_lost_is_left_out():
    found = by_id(mapped.custom("nick", "alias"), right=CARDS)
    assert "custom:nick:alias" not in found


def test_what_is_mapped_twice_is_mapped_once():
    found = by_id(
        mapped.custom("nick", "alias"),
        mapped.custom("nick", "memo"),
        mapped.custom("sealed", "alias"),
    )
    assert [i for i in found if i.startswith("custom:")] == ["custom:nick:alias"]


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/mapping.py: labels of one field are mappings apart",
)
def test_b18_labels_of_one_field_are_mapped_together():
    off = {"mappings_off": ("phone",)}
    made = (
        mapped.custom("phones/work", "alias"),
        mapped.custom("phones/home", "memo", direction=Direction.TO_LEFT),
        mapped.custom("nick", "rating"),
    )
    found = by_id(*made, **off, winners={"custom:phones[home]:memo": RIGHT})
    (whole,) = [pair for pair in found.values() if pair.parts]
    assert whole.mapping.mapping_id.split(" ") == [
        "custom:phones[home]:memo",
        "custom:phones[work]:alias",
    ]
    home, work = whole.parts
    assert (home.winner, work.winner) == (RIGHT, LEFT)
    assert not home.right.is_written
    assert work.right.is_written
    assert whole.left.ids == ("phones",)
    assert set(whole.right.ids) == {"memo", "alias"}
    assert by_id(*reversed(made), **off).keys() == found.keys(), "in whatever order"


ends = st.builds(MappedField, field_id=names, label=names)


@tries(200, deep=20_000)
@given(one=st.builds(CustomMapping, left=ends, right=ends))
def test_ids_are_plain_short_text_and_tell_ends_apart(one):
    found = custom.id_of(one)
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found
    assert len(found) <= custom.ID_LENGTH_MAX
    assert msgspec.json.decode(msgspec.json.encode(found)) == found
    swapped = CustomMapping(left=one.right, right=one.left)
    same = (custom.label_of(one.left), one.left.field_id) == (
        custom.label_of(one.right),
        one.right.field_id,
    )
    assert (custom.id_of(swapped) == found) is same
    turned = msgspec.structs.replace(one, direction=Direction.TO_LEFT)
    assert custom.id_of(turned) == found, "only its ends make the id"


def test_ids_of_any_length_fit_and_differ():
    long = "x" * 5_000
    one = custom.id_of(mapped.custom(f"{long}1", "b"))
    two = custom.id_of(mapped.custom(f"{long}2", "b"))
    assert len(one) == len(two) == custom.ID_LENGTH_MAX
    assert one != two


def test_a_choice_is_mapped_with_its_options():
    options = tuple(Option(option_id=i, label=i) for i in ("1", "2"))
    left = (field("a", FieldKind.CHOICE, options=options),)
    right = (field("b", FieldKind.CHOICE, options=options),)
    made = mapped.custom("a", "b", ("1", "2"), ("2", "1"))
    pair = by_id(made, left=left, right=right)["custom:a:b"]
    assert pair.left.meanings == {"1": "1", "2": "2"}
    assert pair.right.options == {"1": "2", "2": "1"}
