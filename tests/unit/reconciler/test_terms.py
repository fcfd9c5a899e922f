"""What a connection is set to: found out once for the same bytes."""

import msgspec

from proto import codec
from proto.reconciler import Direction
from services.reconciler.store import terms
from services.reconciler.store.terms import Terms
from tests.unit.reconciler import values


def _decoded(version: int, direction: Direction = Direction.BOTH) -> Terms:
    stored = values.connection()
    settings = msgspec.structs.replace(stored.settings, direction=direction)
    left, right = map(codec.encode, (stored.left, stored.right))
    columns = (codec.encode(settings), b'{"email":2}', left, right)
    return terms.decoded(version, columns)


def test_the_same_row_read_twice_is_resolved_once() -> None:
    """Each turn of the planner loads its connection anew, and nothing has changed."""
    first = _decoded(3)
    assert _decoded(3) is first
    assert first.config.pairs is _decoded(3).config.pairs


def test_what_is_kept_says_what_the_row_says() -> None:
    found, stored = _decoded(4), values.connection()
    assert (found.settings, found.left, found.right) == (
        stored.settings,
        stored.left,
        stored.right,
    )
    assert (found.config.version, found.config.renewed) == (4, {"email": 2})


def test_another_version_or_another_setting_is_another_value() -> None:
    first = _decoded(3)
    assert _decoded(4).config.version == 4
    assert first.config.version == 3
    assert _decoded(3, Direction.TO_LEFT).config.direction is Direction.TO_LEFT
