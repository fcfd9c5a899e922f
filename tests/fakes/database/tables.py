"""Tables in memory: rows, the versions that transactions draft, indexes.

A row is a dict that nobody changes: a new version is a new dict. Who may write a row,
and who sees which version of it, is in ``sessions``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Key: TypeAlias = Any
Where: TypeAlias = Callable[[Row], bool]


@dataclass(frozen=True, kw_only=True)
class IndexShape:
    """What rows can be found by; without columns: all that fulfil ``where``."""

    columns: tuple[str, ...] = ()
    where: Where | None = None
    is_unique: bool = False


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What ``schema.sql`` says of a table."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    defaults: Mapping[str, object] = field(default_factory=dict)
    indexes: Mapping[str, IndexShape] = field(default_factory=dict)


class Slot:
    """The place of one row."""

    __slots__ = ("committed", "draft", "is_reborn", "key", "locks", "past", "writer")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.committed: Row | None = None
        self.draft: Row | None = None
        """What ``writer`` made of the row; None where it deleted it."""
        self.past: list[Row] = []
        """Drafts that gave way to later ones: what they hold is taken until the end."""
        self.writer: object | None = None
        self.locks: dict[Any, int] | None = None
        """The sessions that hold the row, with the mode of each."""
        self.is_reborn = False
        """Deleted and inserted again by one transaction: to others a new row."""


class Index:
    """Slots by what a version of their row holds, committed or drafted."""

    def __init__(self, name: str, shape: IndexShape) -> None:
        self.name = name
        self.is_unique = shape.is_unique
        self._where = shape.where
        self._values = itemgetter(*shape.columns) if shape.columns else _nothing
        self._buckets: dict[Key, dict[Slot, None]] = {}

    def key_of(self, row: Row | None) -> Key:
        """Return what a row is found by; None if it is not found here."""
        if row is None or (self._where is not None and not self._where(row)):
            return None
        return self._values(row)

    def slots(self, key: Key) -> Iterable[Slot]:
        """Return the slots one of whose versions is found by ``key``."""
        return self._buckets.get(key, ())

    def add(self, key: Key, slot: Slot) -> None:
        """Have a slot found; again does no harm."""
        bucket = self._buckets.get(key)
        if bucket is None:
            self._buckets[key] = {slot: None}
        else:
            bucket[slot] = None

    def keys(self) -> dict[Key, list[Key]]:
        """Return the primary keys of the rows found, by what they are found by."""
        return {
            key: [slot.key for slot in bucket] for key, bucket in self._buckets.items()
        }

    def discard(self, key: Key, slot: Slot) -> None:
        """Have a slot found no more by ``key``; again does no harm."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.pop(slot, None)
            if not bucket:
                del self._buckets[key]


class Table:
    """The rows of one table."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.name = name
        self.shape = shape
        self.slots: dict[Key, Slot] = {}
        self.indexes = {
            name: Index(name, index) for name, index in shape.indexes.items()
        }
        self.key_of = itemgetter(*shape.key)
        self._all_indexes = tuple(self.indexes.values())
        self.unique_indexes = tuple(i for i in self._all_indexes if i.is_unique)
        self._blank = {name: shape.defaults.get(name) for name in shape.columns}
        self._sequence = 0

    def row(self, given: Row) -> Row:
        """Return a row with every column, the missing ones at their defaults."""
        assert given.keys() <= self._blank.keys(), f"{self.name}: unknown columns"
        return {**self._blank, **given}

    def next_value(self) -> int:
        """Draw from the table's sequence, which no rollback winds back."""
        self._sequence += 1
        return self._sequence

    def rows(self) -> list[Row]:
        """Return what is committed."""
        return [s.committed for s in self.slots.values() if s.committed is not None]

    def check(self) -> None:
        """Make sure that nothing is left of any transaction but what it committed."""
        found: dict[str, dict[Key, list[Key]]] = {name: {} for name in self.indexes}
        for slot in self.slots.values():
            assert slot.committed is not None, f"{self.name} {slot.key} is empty"
            is_free = not slot.locks and slot.writer is None and not slot.past
            assert is_free, f"{self.name} {slot.key} is somebody's"
            for name, index in self.indexes.items():
                key = index.key_of(slot.committed)
                if key is not None:
                    found[name].setdefault(key, []).append(slot.key)
        for name, index in self.indexes.items():
            for key, slots in index.keys().items():
                assert sorted(slots) == sorted(found[name].pop(key)), f"{name} {key}"
            assert not found[name], f"{name} misses {found[name]}"

    def draft(self, slot: Slot, row: Row | None) -> None:
        """Note what a slot's writer makes of its row."""
        if slot.draft is not None and slot.draft is not slot.committed:
            slot.past.append(slot.draft)
        slot.draft = row
        for index in self._all_indexes:
            new = index.key_of(row)
            if new is not None and new != index.key_of(slot.committed):
                index.add(new, slot)

    def settle(self, slot: Slot, row: Row | None) -> None:
        """End a draft: ``row``, one of the slot's two versions, is what stays."""
        if self._all_indexes:
            gone = [slot.committed if row is slot.draft else slot.draft, *slot.past]
            self._discard(slot, gone, kept=row)
        if slot.past:
            slot.past = []
        slot.committed, slot.draft, slot.writer = row, None, None
        if row is None:
            del self.slots[slot.key]
        elif slot.is_reborn:
            self._replace(slot)

    def _discard(
        self, slot: Slot, gone: Sequence[Row | None], *, kept: Row | None
    ) -> None:
        """Have a slot found no more by versions of its row that are gone."""
        for index in self._all_indexes:
            key = index.key_of(kept)
            for old in map(index.key_of, gone):
                if old is not None and old != key:
                    index.discard(old, slot)

    def _replace(self, slot: Slot) -> None:
        """Give a row a slot of its own, apart from that of its earlier life."""
        fresh = Slot(slot.key)
        fresh.committed, slot.committed = slot.committed, None
        self.slots[slot.key] = fresh
        for index in self._all_indexes:
            key = index.key_of(fresh.committed)
            if key is not None:
                index.discard(key, slot)
                index.add(key, fresh)


def only(*columns: str) -> Callable[[Row], Row]:
    """Return a function that keeps these columns of a row, as SELECT does."""

    def select(row: Row) -> Row:
        return {column: row[column] for column in columns}

    return select


def _nothing(_row: Row) -> Key:
    return ()
