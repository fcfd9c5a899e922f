"""What a full comparison finds besides drift: it is counted, and told by link."""

import datetime

import msgspec
import pytest
import structlog
from prometheus_client import REGISTRY

from proto.ids import LinkId, RecordId
from proto.reconciler import RecordState
from proto.record import Consent
from services.reconciler import comparing
from services.reconciler.batches import Decisions
from services.reconciler.engine import model
from services.reconciler.engine.model import Carried, Link, Seen, Unheeded
from tests.unit.reconciler import values
from tests.unit.reconciler.batch import L, R, decide
from tests.unit.reconciler.values import NOW

LINK_1 = LinkId("link_1")


def link(number: int, **changes: object) -> Link:
    known = Link(
        link_id=LinkId(f"link_{number}"),
        left_id=RecordId(f"l{number}"),
        right_id=RecordId(f"r{number}"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    return msgspec.structs.replace(known, **changes)


def seen(record_id: str, marker: str = "", **changes: object) -> Seen:
    known = values.seen(record_id, f"{record_id[1:]}@b.org")
    record = msgspec.structs.replace(known.record, marker=marker, **changes)
    return msgspec.structs.replace(known, record=record, digest=model.digest_of(record))


UNHEEDED = link(
    1,
    carried=(Carried(side=R, level=Consent.UNSUBSCRIBED),),
    unheeded=(
        Unheeded(
            side=R,
            record_id=RecordId("r1"),
            at=NOW - datetime.timedelta(minutes=1),
        ),
    ),
)
NO = {"consent": Consent.UNSUBSCRIBED}


@pytest.mark.parametrize("is_check", [True, False])
def test_an_unsubscribe_that_was_not_heeded_is_found_and_left_as_it_is(is_check):
    known = [(L, seen("l1", **NO)), (R, seen("r1"))]
    found = decide((L, "l1"), seen=known, links=[UNHEEDED], is_check=is_check)
    assert found.intents == []
    assert found.unheeded == ({LINK_1: (R,)} if is_check else {})


def test_an_unsubscribe_that_is_shown_by_then_is_not_found():
    known = [(L, seen("l1", **NO)), (R, seen("r1", **NO))]
    found = decide((L, "l1"), seen=known, links=[UNHEEDED], is_check=True)
    assert found.unheeded == {}
    assert [named.link.unheeded for named in found.links] == [()]


def test_what_is_found_is_counted_and_told_by_link():
    name = "tandem_reconciler_unheeded_total"
    before = REGISTRY.get_sample_value(name) or 0.0
    connection = values.connection()
    with structlog.testing.capture_logs() as entries:
        comparing.report(connection, Decisions(unheeded={LINK_1: (R,)}))
    assert REGISTRY.get_sample_value(name) == before + 1
    of = {"log_level": "warning", "connection_id": connection.connection_id}
    assert entries == [
        {"event": "unsubscribe_unheeded", "link_id": LINK_1, "side": ["right"], **of}
    ]
