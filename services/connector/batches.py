"""Cuts what is told into messages within the bounds of the bus. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from proto import codec
from proto.base import BATCH_BYTES_MAX, BATCH_RECORDS_MAX
from proto.fields import Fields
from proto.record import Presence, Record

_ENVELOPE_BYTES: Final = 2 * 1024
"""What a message needs besides its records."""

T = TypeVar("T", bound=msgspec.Struct)


def split(items: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """Yield the items in order, as few batches as fit."""
    batch: list[T] = []
    size = _ENVELOPE_BYTES
    for item in items:
        item_size = len(codec.encode(item)) + 1
        is_full = len(batch) == BATCH_RECORDS_MAX or size + item_size > BATCH_BYTES_MAX
        if batch and is_full:
            yield tuple(batch)
            batch, size = [], _ENVELOPE_BYTES
        batch.append(item)
        size += item_size
    if batch:
        yield tuple(batch)


def fitting(record: Record) -> Record:
    """Return a record that one message can carry.

    The longest fields of a monstrous one are left out: absent means not known, so
    nobody concludes anything from that. Where that is not enough, it is the tags or
    containers. Without tags the record stays where it is. Without its containers it
    would seem to have left them, so that not even its presence is told then.
    """
    excess = _excess(record)
    if excess <= 0:
        return record
    sizes = {name: len(codec.encode(value)) for name, value in record.fields.items()}
    kept: Fields = dict(record.fields)
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if excess <= 0:
            break
        excess -= sizes[name]
        del kept[name]
    cut = msgspec.structs.replace(record, fields=kept)
    if _excess(cut) > 0:
        cut = msgspec.structs.replace(record, fields={}, tags=())
    if _excess(cut) > 0:
        cut = Record(record_id=record.record_id, presence=Presence.UNKNOWN)
    return cut


def _excess(record: Record) -> int:
    return len(codec.encode(record)) + _ENVELOPE_BYTES - BATCH_BYTES_MAX
