"""I2 sees tables in which somebody is forgotten, and others in which nobody is."""

from typing import Any

import msgspec
import pytest

from proto.ids import LinkId, RecordId
from proto.reconciler import ConnectionState, RecordState
from services.reconciler.engine.model import Link, Shadow
from tests.simulation.invariants import marks

TENANT, CONNECTION = "tnt_one", "conn_1"


def tables(**changes: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the tables with a link whose left record was seen to change."""
    link = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        left=Shadow(digest="old"),
        right=Shadow(digest="same"),
    )
    of_connection = {"tenant_id": TENANT, "connection_id": CONNECTION}
    seen = {"tenant_id": TENANT, "missing_since": None}
    rows = {
        "connections": [
            {
                **of_connection,
                "state": ConnectionState.LIVE,
                "left_account": "acct_1",
                "right_account": "acct_2",
            }
        ],
        "links": [
            {
                **of_connection,
                "state": RecordState.IN_SYNC,
                "intent_id": None,
                "retry_at": None,
                "left_record_id": "l1",
                "right_record_id": "r1",
                "body": msgspec.json.encode(link),
            }
        ],
        "left": [
            {**seen, "account_id": "acct_1", "record_id": "l1", "digest": "new"},
        ],
        "right": [
            {**seen, "account_id": "acct_2", "record_id": "r1", "digest": "same"},
        ],
        "dirty": [{**of_connection, "side": "right", "record_id": "r2"}],
    }
    for name, change in changes.items():
        rows[name][0].update(change)
    rows["observations"] = rows.pop("left") + rows.pop("right")
    return {f"reconciler.{name}": table for name, table in rows.items()}


def forgotten(**changes: dict[str, Any]) -> int:
    return len(list(marks.check(tables(**changes).__getitem__)))


def test_who_was_seen_to_change_and_is_nowhere_marked_is_forgotten():
    assert forgotten() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"left": {"digest": "old"}},
        {"dirty": {"side": "left", "record_id": "l1"}},
        {"dirty": {"side": "right", "record_id": "r1"}},
        {"links": {"intent_id": "int_1"}},
        {"links": {"retry_at": "later"}},
        {"links": {"state": RecordState.DUPLICATE}},
        {"connections": {"state": ConnectionState.PAUSED}},
        {"right": {"missing_since": "a while ago"}},
    ],
    ids=str,
)
def test_who_is_looked_at_some_time_is_not(change: dict[str, Any]):
    assert forgotten(**change) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"dirty": {"side": "left", "record_id": "l2"}},
        {"dirty": {"side": "right", "record_id": "l1"}},
        {"links": {"state": RecordState.HELD}},
        {"connections": {"state": ConnectionState.SYNCING}},
    ],
    ids=str,
)
def test_what_does_not_concern_the_link_is_no_excuse(change: dict[str, Any]):
    assert forgotten(**change) == 1
