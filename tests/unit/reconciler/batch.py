"""A batch in few words: what is decided about it, and records in situations."""

import itertools

import msgspec

from proto.ids import IntentId, LinkId, RecordId
from proto.reconciler import Side
from proto.record import Presence
from services.reconciler import deciding
from services.reconciler.batches import Batch, Decisions
from services.reconciler.engine.model import Seen
from services.reconciler.store.queue import Dirty
from tests.unit.reconciler import values

L, R = Side.LEFT, Side.RIGHT


def decide(
    *dirty,
    seen,
    links=(),
    open_since=None,
    creates=(),
    around=(),
    config=None,
    is_check=False,
    now=values.NOW,
) -> Decisions:
    numbers = itertools.count(1)
    return deciding.decide(
        Batch(
            dirty=tuple(
                Dirty(
                    side=side, record_id=RecordId(record_id), mark=1, is_check=is_check
                )
                for side, record_id in dirty
            ),
            links=tuple(links),
            seen={(side, RecordId(s.record.record_id)): s for side, s in seen},
            open_since=open_since or {},
            creates=tuple(creates),
            around=frozenset(around),
        ),
        config=config or values.connection().config,
        now=now,
        new_link=lambda: LinkId(f"link_{next(numbers)}"),
        new_intent=lambda: IntentId(f"int_{next(numbers)}"),
    )


def merged(record_id: str, *, into: str) -> Seen:
    """Return a record that its app has made one with another."""
    seen = values.seen(record_id, "a@b.org")
    record = msgspec.structs.replace(
        seen.record, presence=Presence.MERGED, merged_into=RecordId(into)
    )
    return msgspec.structs.replace(seen, record=record)


def born(record_id: str, email: str | None, given: str = "Ann", *, number: int = 2):
    seen = values.seen(record_id, email, given)
    return msgspec.structs.replace(seen, live_number=number)
