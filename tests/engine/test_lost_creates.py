"""A create without an answer, and who is told by likeness alone to have come of it.

Where an app keeps no marks it may be another's work, with less than was to be made.
"""

import msgspec
import pytest

from proto.connector import Capabilities
from proto.fields import Value
from proto.reconciler import Side
from tests.engine import world
from tests.engine.world import Pair, config

RIGHT = Side.RIGHT


def lone(*, keeps_marks: bool = False, **more: Value) -> Pair:
    """Return somebody who is on the left alone, and is to be made on the right."""
    able = Capabilities(settle_s=5, keeps_marks=keeps_marks)
    left = {"email": "a@x.com", "first": "Ana", **more}
    return Pair(config(right_more={"capabilities": able}), left)


@pytest.mark.parametrize("is_marked", [False, True])
def test_what_a_lost_create_lacks_was_cleared_only_if_it_is_ours_for_sure(is_marked):
    """In a ring, another connection had made them, and has no such field itself.

    What they lacked was cleared at the source, where a user had entered it (I3).
    """
    pair = lone(keeps_marks=is_marked, job="Owner", company="Acme")
    intent = pair.write_unheard()
    pair.edit(RIGHT, title=None)
    mark = intent.marker if is_marked else ""
    assert pair.look(intent, marker=mark).is_written
    assert pair.settle() == 1
    job = None if is_marked else "Owner"
    assert (pair.left["job"], pair.right["title"]) == (job, job)
    assert pair.left["company"] == pair.right["org"] == "Acme"


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        (("+1 202 555 0101",), ("0101", "0102")),
        ((), ("0101", "0102")),
        (("+1 202 555 0101", "+1 202 555 0109"), ("0101", "0109")),
        (("+1 202 555 0109",), ("0109", "0101", "0102")),
    ],
)
def test_items_that_a_likely_create_lacks_are_carried_once_more(shown, there):
    """As many as are gone may have taken their places, and are edits then."""
    phones = world.items("+1 202 555 0101", "+1 202 555 0102")
    pair = lone(job="Owner", phones=phones)
    intent = pair.write_unheard()
    pair.edit(RIGHT, tel=world.items(*shown))
    assert pair.look(intent).is_written
    pair.settle()
    ends = [each.value[-4:] for each in pair.right["tel"]]
    assert ends == list(there)
    assert sorted(each.value[-4:] for each in pair.left["phones"]) == sorted(there)


def test_a_field_that_a_likely_create_does_not_tell_was_not_cleared():
    """It is told to be empty only later, as it was for whoever made them."""
    pair = lone(job="Owner", company="Acme")
    intent = pair.write_unheard()
    pair.edit(RIGHT, title=None)
    told = {i: v for i, v in pair.right.items() if i != "title"}
    assert pair.look(intent, marker="", fields=told).is_written
    pair.settle()
    assert pair.left["job"] == pair.right["title"] == "Owner"


def test_a_number_that_was_meant_twice_is_not_lacking():
    """It is there in one spelling, and cleared by somebody before we look again."""
    pair = lone(phones=world.items("+1 202 555 0101"))
    intent = pair.write_unheard()
    twice = intent.fields | {"tel": world.items("+1 202 555 0101", "+12025550101")}
    intent = msgspec.structs.replace(intent, fields=twice)
    assert pair.look(intent, marker="").is_written
    pair.edit(RIGHT, tel=None)
    pair.settle()
    assert pair.left["phones"] is None
