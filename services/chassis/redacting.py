"""Takes what must not be kept any more out of messages that are stored.

Those that wait for a receipt in the outbox, and those that could not be handled. What a
message says is none of the chassis' business: whoever asks brings what strips it.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from proto import codec, subjects
from proto.base import Message
from proto.ids import TenantId
from services.chassis import queries
from services.chassis.database import Row, Transaction
from services.chassis.queries import Template

Q = queries.load(Path(__file__).parent / "sql" / "erasure_queries.sql")

PAGE: Final = 16
"""Messages looked at together; each may have half a megabyte."""


class _Stored(NamedTuple):
    """Where messages are stored, and what can be done to them there."""

    page: Template
    redact: Template
    drop: Template


_STORED: Final = (
    _Stored(Q["page_outbox"], Q["redact_outbox"], Q["drop_from_outbox"]),
    _Stored(Q["page_dead_letters"], Q["redact_dead_letter"], Q["erase_dead_letter"]),
)

_Change: TypeAlias = tuple[Template, dict[str, object]]

Strip = Callable[[Any], Message | None]
"""Returns a message as it may be kept, or None if it may not be kept at all."""


async def redact(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    classes: Sequence[type[Message]],
    strip: Strip,
) -> int:
    """Strip a tenant's stored messages of these classes; returns how many changed.

    One that cannot be read is not kept: nobody can tell what is in it.
    """
    by_subject = {subjects.base_subject(each): each for each in classes}
    count = 0
    for stored in _STORED:
        after, is_more = "", True
        while is_more:
            rows = await transaction.fetch(
                stored.page(tenant_id=tenant_id, after=after, limit=PAGE)
            )
            is_more = len(rows) == PAGE
            after = rows[-1]["message_id"] if rows else after
            for row in rows:
                change = _change(row, by_subject, strip=strip, stored=stored)
                count += await _carry_out(transaction, change, tenant_id=tenant_id)
    return count


async def count_waiting(
    transaction: Transaction, message: Message, *, tenant_id: TenantId
) -> int:
    """Return how many messages of the subject of this one wait for receipts."""
    row = await transaction.fetch_row(
        Q["count_of_subject"](tenant_id=tenant_id, subject=subjects.subject_of(message))
    )
    return int(row["waiting"]) if row else 0


async def _carry_out(
    transaction: Transaction, change: _Change | None, *, tenant_id: TenantId
) -> bool:
    if change is None:
        return False
    template, values = change
    await transaction.execute(template(tenant_id=tenant_id, **values))
    return True


def _change(
    row: Row,
    by_subject: Mapping[str, type[Message]],
    *,
    strip: Strip,
    stored: _Stored,
) -> _Change | None:
    """Return what is to be done to a stored message; None where nothing is."""
    message_class = by_subject.get(_base(row["subject"]))
    if message_class is None:
        return None
    left: Message | None = None
    with contextlib.suppress(codec.Undecodable):
        message = codec.decode(row["payload"], message_class)
        left = strip(message)
        if left == message:
            return None
    values: dict[str, object] = {"message_id": row["message_id"]}
    if left is None:
        return stored.drop, values
    return stored.redact, values | {"payload": codec.encode(left)}


def _base(subject: str) -> str:
    """Return a subject without its identifiers: kind, owner, name, version."""
    return ".".join(subject.split(".")[:4])
