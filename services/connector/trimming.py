"""Cuts what was read to what a message can carry, and does not keep quiet about it."""

from collections.abc import Iterable

import structlog

from proto.record import Record
from services.connector import batches

log = structlog.get_logger()


def fitting(records: Iterable[Record]) -> tuple[Record, ...]:
    """Return the records as far as each can be told."""
    count = 0
    found = []
    for record in records:
        cut = batches.fitting(record)
        count += cut is not record
        found.append(cut)
    if count:
        log.warning("records_too_large", count=count)
    return tuple(found)
