"""Bytes once sent are understood for ever: yesterday's may still wait to be sent."""

import msgspec
import pytest

from proto import codec
from tests.contract import golden_messages

CLASSES = golden_messages.recorded_classes()


@pytest.mark.parametrize("name", CLASSES)
def test_recorded_bytes_are_still_understood(name):
    path = golden_messages.path_of(name)
    assert path.exists(), "record it: python -m tests.contract.golden_messages"
    recorded = path.read_bytes().strip()
    value = codec.decode(recorded, CLASSES[name])
    assert msgspec.json.decode(codec.encode(value)) == msgspec.json.decode(recorded)


@pytest.mark.parametrize("name", CLASSES)
def test_a_field_that_is_not_known_yet_is_ignored(name):
    """A newer sender may say more than this code knows (hazard 102)."""
    recorded = golden_messages.path_of(name).read_bytes().strip()
    newer = recorded[:-1] + b',"a_field_of_tomorrow":{"x":[1]}}'
    assert codec.decode(newer, CLASSES[name]) == codec.decode(recorded, CLASSES[name])


def test_nothing_is_recorded_that_no_class_reads():
    known = {golden_messages.path_of(name).name for name in CLASSES}
    assert {path.name for path in golden_messages.FOLDER.glob("*")} == known
