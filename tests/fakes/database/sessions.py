"""One open transaction: what it sees, what it holds, what it waits for.

As Postgres does it at READ COMMITTED. A statement sees what is committed when it
begins, and its own writes before. What it changes it locks first, waiting for whoever
holds it; a row that changed during the wait must still fit, in its newest version.
The candidates of a statement are therefore chosen before its first wait.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from services.chassis.errors import AlreadyStored, DatabaseUnavailable
from services.chassis.tenancy import ALL_TENANTS, Scope
from tests.fakes.database import locks
from tests.fakes.database.locks import NO_KEY_UPDATE, UPDATE, Patience
from tests.fakes.database.ordering import Ordering
from tests.fakes.database.tables import Key, Row, Slot, Table, Where

Change = Callable[[Row], Mapping[str, object]]
"""Returns the columns of a row that get a new value."""
Resolve = Callable[[Row, Row], Mapping[str, object] | None]
"""DO UPDATE: given the row that is there and the new one; None leaves what is there."""


class Chosen(list[tuple[Slot, Row]]):
    """Rows as a statement saw them when it began, each with its place."""


class Session:
    """A transaction of one service."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        patience: Patience,
        *,
        scope: Scope | None = None,
    ) -> None:
        self.tables = tables
        self.scope = scope
        """Whom it serves, as row-level security has it; None sees no row at all."""
        self.is_over = False
        self.used_at = 0.0
        self.statement = ""
        """The name of what it does at present."""
        self.ordering: Ordering | None = None
        """Where the order of its locks is watched."""
        self.error: BaseException | None = None
        """Of a statement that failed: nothing can be done any more."""
        self._patience = patience
        self._written: dict[Slot, Table] = {}
        self._held: list[Slot] = []
        self._waiting: list[asyncio.Future[None]] = []
        """Those who wait for the end of this session."""
        self._waits_for: Session | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether another session has to end first."""
        other = self._waits_for
        return other is not None and not other.is_over

    # Reading.

    def get(self, table: str, *key: Key) -> Row | None:
        """Return the row with a primary key."""
        slot = self.tables[table].slots.get(key if len(key) > 1 else key[0])
        return None if slot is None else self._visible(slot)

    def get_all(self, table: str, keys: Iterable[tuple[Key, ...]]) -> list[Row]:
        """Return the rows with the given primary keys, each once."""
        found = [self.get(table, *key) for key in dict.fromkeys(keys)]
        return [row for row in found if row is not None]

    def scan(self, table: str, where: Where | None = None) -> list[Row]:
        """Return all rows that fulfil a condition."""
        found = []
        for slot in self.tables[table].slots.values():
            row = self._visible(slot)
            if row is not None and (where is None or where(row)):
                found.append(row)
        return found

    def find(self, table: str, index: str, *values: Key) -> list[Row]:
        """Return the rows that an index has under these values."""
        found = self.tables[table].indexes[index]
        key = values[0] if len(values) == 1 else values
        rows = []
        for slot in found.slots(key):
            row = self._visible(slot)
            # A slot that somebody drafts is found by both of its versions.
            if row is not None and (slot.writer is None or found.key_of(row) == key):
                rows.append(row)
        return rows

    def has_drafted(self, table: str, *key: Key) -> bool:
        """Say whether a row is one that this session has written."""
        slot = self.tables[table].slots.get(key if len(key) > 1 else key[0])
        return slot is not None and slot.writer is self and slot.draft is not None

    def choose(
        self,
        table: str,
        rows: Iterable[Row | None] | Chosen,
        *,
        where: Where | None = None,
    ) -> Chosen:
        """Return the candidates of a statement with their places.

        A statement that first waits for something else chooses by itself: a row that
        is deleted and inserted again meanwhile is not the one that it saw.
        """
        if isinstance(rows, Chosen):
            return rows
        found = Chosen()
        if not rows:
            return found
        place = self.tables[table]
        for row in rows:
            if row is None or (where is not None and not where(row)):
                continue
            slot = place.slots.get(place.key_of(row))
            if slot is not None:
                found.append((slot, row))
        return found

    # Locking and writing.

    async def lock(
        self,
        table: str,
        rows: Iterable[Row | None] | Chosen,
        *,
        mode: int = UPDATE,
        where: Where | None = None,
        skips: bool = False,
        limit: int | None = None,
    ) -> list[Row]:
        """Hold rows until the end; returns their newest versions.

        Args:
            table: The table's name.
            rows: The candidates, in the order in which they are locked.
            mode: How strongly, as in ``locks``.
            where: What a row that changed meanwhile must fulfil.
            skips: Leave out what others hold, as SKIP LOCKED does.
            limit: How many at most.
        """
        held: list[Row] = []
        for slot, row in self.choose(table, rows, where=where):
            if len(held) == limit:
                break
            if skips and self._rival(slot, mode) is not None:
                continue
            current = await self._hold(slot, mode, table=table, waits=not skips)
            if current is not None and _fits(current, row, where=where):
                held.append(current)
        return held

    async def update(
        self,
        table: str,
        rows: Iterable[Row | None] | Chosen,
        change: Change,
        *,
        where: Where | None = None,
        is_exact: bool = False,
    ) -> list[Row]:
        """Change rows; returns them as they are now.

        With ``is_exact`` they are addressed by their place (``ctid``), so one that
        changed since the statement began is left alone.
        """
        changed: list[Row] = []
        place = self.tables[table]
        for slot, row in self.choose(table, rows, where=where):
            current = await self._hold(slot, NO_KEY_UPDATE, table=table)
            if current is not row and (
                current is None or is_exact or not _fits(current, row, where=where)
            ):
                continue
            changed.append({**current, **change(current)})
            await self._write(place, slot, changed[-1])
        return changed

    async def delete(
        self,
        table: str,
        rows: Iterable[Row | None] | Chosen,
        *,
        where: Where | None = None,
        is_exact: bool = False,
    ) -> list[Row]:
        """Delete rows; returns them."""
        deleted: list[Row] = []
        place = self.tables[table]
        for slot, row in self.choose(table, rows, where=where):
            current = await self._hold(slot, UPDATE, table=table)
            if current is not row and (
                current is None or is_exact or not _fits(current, row, where=where)
            ):
                continue
            deleted.append(current)
            await self._write(place, slot, None)
        return deleted

    async def insert(
        self,
        table: str,
        rows: Iterable[Row],
        *,
        otherwise: Resolve | None = None,
    ) -> list[Row]:
        """Insert rows; returns those that were stored, changed ones included.

        ``otherwise`` says what happens where the primary key is there already:
        ``keep`` is DO NOTHING, any other function DO UPDATE. Without it the
        statement fails.
        """
        stored: list[Row] = []
        place = self.tables[table]
        touched: set[Slot] = set()
        for given in rows:
            slot, row = await self._merged(place, given, otherwise=otherwise)
            if row is None:
                continue
            assert slot not in touched, f"{table}: a row twice in one statement"
            touched.add(slot)
            stored.append(row)
            await self._write(place, slot, row)
        return stored

    # The end.

    def commit(self) -> None:
        """Have everybody see what was written."""
        for slot, table in self._written.items():
            table.settle(slot, slot.draft)
        self._end()

    def rollback(self) -> None:
        """Undo what was written; once more does no harm."""
        for slot, table in self._written.items():
            slot.is_reborn = False
            table.settle(slot, slot.committed)
        self._end()

    def fail(self, error: BaseException) -> None:
        """Undo everything, as the error of one statement does."""
        self.rollback()
        if not isinstance(error, DatabaseUnavailable):
            self.error = error

    @property
    def has_written(self) -> bool:
        """Whether there is anything to commit."""
        return bool(self._written)

    def written(self) -> list[tuple[str, Key, Row | None]]:
        """Return each row that was written with its table and its key.

        A row that is deleted is None.
        """
        return [(t.name, slot.key, slot.draft) for slot, t in self._written.items()]

    def _end(self) -> None:
        self.is_over = True
        self._written = {}
        for slot in self._held:
            if slot.locks is not None:
                slot.locks.pop(self, None)
                slot.locks = slot.locks or None
        self._held = []
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting = []

    # What the above is made of.

    def _visible(self, slot: Slot) -> Row | None:
        """Return a row as it is for us; those of other tenants are not there."""
        row = slot.draft if slot.writer is self else slot.committed
        scope = self.scope
        # What belongs to no tenant is there for all of them together, and for no one.
        if (
            row is None
            or scope is ALL_TENANTS
            or scope == row.get("tenant_id", ALL_TENANTS)
        ):
            return row
        assert scope is not None, f"{self.statement} runs without a tenant"
        return None

    def _version(self, slot: Slot) -> Row | None:
        return slot.draft if slot.writer is self else slot.committed

    async def _hold(
        self, slot: Slot, mode: int, *, table: str, waits: bool = True
    ) -> Row | None:
        """Lock a slot, waiting for whoever holds it; returns its newest version."""
        if self.ordering is not None and (slot.locks is None or self not in slot.locks):
            self.ordering.check(
                table,
                statement=self.statement,
                is_new=slot.committed is None,
                waits=waits,
            )
        while slot.locks is not None:
            rival = self._rival(slot, mode)
            if rival is None:
                break
            await self._wait_for(rival)
        if slot.locks is None:
            slot.locks = {self: mode}
            self._held.append(slot)
        else:
            held = slot.locks.get(self, 0)
            if not held:
                self._held.append(slot)
            if held < mode:
                slot.locks[self] = mode
        return self._visible(slot)

    def _rival(self, slot: Slot, mode: int) -> "Session | None":
        """Return a session that holds a slot too strongly for us to hold it."""
        if slot.locks is not None:
            for other, held in slot.locks.items():
                if other is not self and held > locks.STRONGEST_BESIDE[mode]:
                    return other  # type: ignore[no-any-return]
        return None

    async def _merged(
        self, table: Table, given: Row, *, otherwise: Resolve | None
    ) -> tuple[Slot, Row | None]:
        """Return where a row goes, and what it is then; None if nothing changes."""
        new = table.row(given)
        while True:
            slot, there = await self._claim(table, table.key_of(new))
            if there is None:
                return slot, new
            if otherwise is None:
                raise AlreadyStored(f"{table.name}_pkey")
            if otherwise is keep:
                return slot, None
            there = await self._hold(slot, NO_KEY_UPDATE, table=table.name)
            if there is not None:
                change = otherwise(there, new)
                return slot, None if change is None else {**there, **change}
            # Deleted while we waited: the place is free by now.

    async def _claim(self, table: Table, key: Key) -> tuple[Slot, Row | None]:
        """Return the slot of a key, ours if it was free, and the row that is there.

        Whether there is one is known only when nobody else is writing it.
        """
        slot = table.slots.get(key)
        while slot is not None and slot.writer not in (None, self):
            await self._wait_for(slot.writer)
            slot = table.slots.get(key)
        if slot is None:
            slot = table.slots[key] = Slot(key)
        there = self._visible(slot)
        if there is None:
            slot.is_reborn = slot.committed is not None
            await self._hold(slot, UPDATE, table=table.name)
        return slot, there

    async def _write(self, table: Table, slot: Slot, row: Row | None) -> None:
        """Draft a row that we hold, then make sure that no other has its values."""
        assert (
            row is None
            or self.scope is ALL_TENANTS
            or self.scope == row.get("tenant_id", ALL_TENANTS)
        ), f"{self.statement} writes a row of another tenant into {table.name}"
        before = self._visible(slot)
        if slot.writer is not self:
            slot.writer = self
            slot.draft = slot.committed
            self._written[slot] = table
        table.draft(slot, row)
        for index in table.unique_indexes:
            key = index.key_of(row)
            if key is None or key == index.key_of(before):
                continue
            rivals = [other for other in index.slots(key) if other is not slot]
            for other in rivals:
                while other.writer is not None and other.writer is not self:
                    await self._wait_for(other.writer)
                if index.key_of(self._version(other)) == key:
                    raise AlreadyStored(index.name)

    async def _wait_for(self, other: object) -> None:
        """Wait for the end of another session.

        Raises:
            DatabaseUnavailable: Each waits for the other, or it takes too long.
        """
        assert isinstance(other, Session)
        future = asyncio.get_running_loop().create_future()
        other._waiting.append(future)
        self._waits_for = other
        try:
            for pause_s in (
                self._patience.deadlock_s,
                self._patience.lock_s - self._patience.deadlock_s,
            ):
                await asyncio.wait([future], timeout=pause_s)
                if self.is_over:
                    raise DatabaseUnavailable("ConnectionDoesNotExistError")
                if future.done():
                    return
                if self._is_in_circle():
                    raise DatabaseUnavailable("DeadlockDetectedError")
        finally:
            self._waits_for = None
        raise DatabaseUnavailable("LockNotAvailableError")

    def _is_in_circle(self) -> bool:
        other = self._waits_for
        for _ in range(100):
            if other is None or other is self:
                return other is self
            other = other._waits_for
        return False


def keep(_there: Row, _new: Row) -> None:
    """DO NOTHING: what is there stays."""


def _fits(current: Row, row: Row, *, where: Where | None) -> bool:
    return current is row or where is None or where(current)
