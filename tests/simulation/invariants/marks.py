"""I2: whatever is not as Tandem left it is going to be looked at.

Nothing but a comparison of both accounts would find what is neither marked nor under
way, a day later; so it is looked for in the tables before one is over (hazard 13).
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from proto.reconciler import ConnectionState, RecordState, Side
from services.reconciler.engine.model import Link
from tests.simulation.invariants.aftermath import Rows
from tests.simulation.invariants.truth import Wrong

RESTING: Final = (RecordState.IN_SYNC, RecordState.HELD)
"""Links that nobody looks at until something happens to them."""
RUNNING: Final = (ConnectionState.SYNCING, ConnectionState.LIVE)
"""Who is not is looked at as a whole before it goes on."""
ENDS: Final = ((Side.LEFT, "left_account"), (Side.RIGHT, "right_account"))


def check(rows: Rows) -> Iterator[Wrong]:
    """Yield links at rest of which a record was seen to be otherwise by now."""
    connections = {
        (row["tenant_id"], row["connection_id"]): row
        for row in rows("reconciler.connections")
    }
    seen = {
        (row["tenant_id"], row["account_id"], row["record_id"]): row
        for row in rows("reconciler.observations")
    }
    marked = {
        (row["tenant_id"], row["connection_id"], row["side"], row["record_id"])
        for row in rows("reconciler.dirty")
    }
    for row in rows("reconciler.links"):
        if row["state"] not in RESTING or row["retry_at"] or row["intent_id"]:
            continue
        connection = connections[row["tenant_id"], row["connection_id"]]
        if connection["state"] not in RUNNING:
            continue
        link = msgspec.json.decode(row["body"], type=Link)
        if any(
            (row["tenant_id"], row["connection_id"], side, row[f"{side}_record_id"])
            in marked
            for side, _ in ENDS
        ):
            continue
        places = {
            side: (row["tenant_id"], connection[account], row[f"{side}_record_id"])
            for side, account in ENDS
        }
        if any(
            place in seen and seen[place]["missing_since"] for place in places.values()
        ):
            # Nothing is decided until it is known whether it is gone (hazard 70).
            continue
        for side, place in places.items():
            shadow = link.shadow(side)
            if place in seen and shadow and shadow.digest != seen[place]["digest"]:
                what = f"{side} of {link.link_id}: {link.left_id}, {link.right_id}"
                yield Wrong("I2", f"{what} was seen to change, and forgotten")
