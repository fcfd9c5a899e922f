"""Hazards, section 4.7: two records with one mark of ours."""

import msgspec
import pytest

from proto.ids import IntentId, LinkId, RecordId
from proto.record import Presence, Record
from services.reconciler.engine import doubles
from services.reconciler.engine.model import Link, Seen
from tests.engine import world


def marked(record_id: str, marker: str = "1", **changes: object) -> Seen:
    record = Record(record_id=RecordId(record_id), marker=marker)
    return world.seen(msgspec.structs.replace(record, **changes))


LINK = Link(link_id=LinkId("link_1"), right_id=RecordId("r1"))
MISSED = msgspec.structs.replace(marked("r1"), is_missing=True)
WRITTEN_TO = msgspec.structs.replace(LINK, intent_id=IntentId("int_1"))


def test_another_live_record_with_the_mark_of_a_link_is_found():
    assert doubles.is_second(LINK, marked("r2"), own=marked("r1"))


@pytest.mark.parametrize(
    ("link", "found", "own"),
    [
        (LINK, marked("r1"), marked("r1")),
        (LINK, marked("r2"), marked("r1", "2")),
        (LINK, marked("r2", ""), marked("r1", "")),
        (LINK, marked("r2"), None),
        (LINK, marked("r2"), MISSED),
        (LINK, marked("r2"), marked("r1", presence=Presence.DELETED)),
        (LINK, marked("r2", presence=Presence.MERGED), marked("r1")),
        (WRITTEN_TO, marked("r2"), marked("r1")),
    ],
)
def test_one_record_for_each_mark_is_as_it_should_be(link, found, own):
    """A link that is being written to may be about either, until its answer comes."""
    assert not doubles.is_second(link, found, own=own)
