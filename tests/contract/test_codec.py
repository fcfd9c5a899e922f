"""Bytes that are none of ours: the reason never quotes a value (hazard 119)."""

import enum
from typing import Literal

import msgspec
import pytest

from proto import codec

VALUE = "ana@example.org` - at `x"


class Colour(enum.StrEnum):
    RED = "red"


class Left(msgspec.Struct, tag="left"):
    number: int = 0


class Right(msgspec.Struct, tag="right"):
    number: int = 0


class Whole(msgspec.Struct):
    colour: Colour = Colour.RED
    choice: Literal["a", "b"] = "a"
    side: Left | Right | None = None
    number: int = 0
    by_name: dict[str, int] = {}


@pytest.mark.parametrize(
    "given",
    [
        {"colour": VALUE},
        {"choice": VALUE},
        {"side": {"type": VALUE}},
        {"number": VALUE},
        {"by_name": {VALUE: VALUE}},
        VALUE,
    ],
)
def test_what_does_not_fit_is_told_without_the_value(given):
    with pytest.raises(codec.Undecodable) as caught:
        codec.decode(codec.encode(given), Whole)
    assert caught.value.reason
    assert "ana" not in caught.value.reason
    assert "`x" not in caught.value.reason


def test_a_value_that_is_none_of_a_choice_is_told_by_its_place():
    with pytest.raises(codec.Undecodable) as caught:
        codec.decode(codec.encode({"choice": VALUE}), Whole)
    assert caught.value.reason == "Invalid enum value - at `$.choice`"
