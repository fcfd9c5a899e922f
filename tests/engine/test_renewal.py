"""Mappings that a person makes, changes or takes away while contacts are linked."""

import msgspec
import pytest

from proto.fields import FieldKind, Role
from proto.reconciler import RecordState, Side
from services.reconciler.engine import renewal
from tests.engine import mapped, world
from tests.engine.world import field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
LEFTS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("a"),
    field("b"),
    field("phones", FieldKind.PHONE, is_multiple=True, labels=("home", "work")),
)
RIGHTS = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("x"),
    field("y"),
    field("office", FieldKind.PHONE),
    field("house", FieldKind.PHONE),
)
EMAIL = "a@x.com"
STRAIGHT = (mapped.custom("a", "x"), mapped.custom("b", "y"))
CROSSED = (mapped.custom("a", "y"), mapped.custom("b", "x"))


def linked(*made, left=None, right=None) -> world.Pair:
    """A pair in step under these mappings."""
    pair = world.Pair(
        mapped.config(LEFTS, RIGHTS, *made),
        {"email": EMAIL, "a": None, "b": None, "phones": None, **(left or {})},
        {"mail": EMAIL, "x": None, "y": None, "office": None, "house": None}
        | (right or {}),
    )
    pair.settle()
    pair.writes.clear()
    return pair


def change(pair: world.Pair, *made) -> None:
    """Replace the mappings, as the store does."""
    old = pair.config
    new = mapped.config(LEFTS, RIGHTS, *made, version=old.version + 1)
    renewed = renewal.renewed(old, new)
    pair.config = msgspec.structs.replace(new, renewed=renewed)


def test_what_was_cleared_while_a_mapping_was_off_is_not_cleared_on_the_other_side():
    pair = linked(*STRAIGHT, left={"a": "one", "b": "two"})
    assert pair.right["y"] == "two"
    change(pair, STRAIGHT[0])
    pair.edit(LEFT, b=None)
    assert pair.settle() == 0
    change(pair, *STRAIGHT)
    assert pair.settle() == 1
    assert pair.left["b"] == "two"
    assert pair.right["y"] == "two"
    assert pair.link.state is RecordState.IN_SYNC


def test_mappings_that_change_places_compare_what_they_had_never_compared():
    pair = linked(*STRAIGHT, left={"a": "one", "b": "two"})
    change(pair, *CROSSED)
    assert pair.settle() == 1
    assert (pair.right["x"], pair.right["y"]) == ("two", "one")
    assert (pair.left["a"], pair.left["b"]) == ("one", "two")


def test_a_second_label_of_a_field_begins_as_a_first_match():
    work, home = (
        mapped.custom("phones/work", "office"),
        mapped.custom("phones/home", "house"),
    )
    pair = linked(work, left={"phones": items("work:111111", "home:222222")})
    assert (pair.right["office"], pair.right["house"]) == ("111111", None)
    change(pair, work, home)
    assert pair.settle() == 1
    assert (pair.right["office"], pair.right["house"]) == ("111111", "222222")


@pytest.mark.parametrize("edited", [LEFT, RIGHT])
def test_an_edit_that_waits_while_other_mappings_change_is_still_an_edit(edited):
    """Also one that clears: the mapping itself means what it meant."""
    pair = linked(*STRAIGHT, left={"a": "one", "b": "two"})
    pair.edit(edited, **{"a" if edited is LEFT else "x": None})
    change(pair, STRAIGHT[0])
    assert pair.settle() == 1
    assert pair.left["a"] is pair.right["x"] is None


def test_a_renewed_mapping_stays_so_for_links_that_are_looked_at_much_later():
    pair = linked(*STRAIGHT, left={"a": "one", "b": "two"})
    change(pair, *CROSSED)
    change(pair, *CROSSED, mapped.custom("phones/work", "office"))
    assert pair.config.renewed
    assert pair.settle() == 1
    assert (pair.right["x"], pair.right["y"]) == ("two", "one")
    was = pair.link
    change(pair, *CROSSED)
    pair.edit(LEFT, a=None)
    assert pair.settle() == 1
    assert pair.right["y"] is None, "in step by now, so clearing is an edit"
    assert was.left.values["a"] == "one"


def test_values_of_fields_that_are_mapped_no_longer_are_forgotten():
    pair = linked(*STRAIGHT, left={"a": "one", "b": "two"})
    change(pair, STRAIGHT[0])
    pair.settle()
    assert set(pair.link.left.values) == {"email", "a"}
    assert set(pair.link.right.values) == {"mail", "x"}
