"""A process of the connector on a bench's account: its own poller, journal and writer.

What it reads and writes goes by the connector's own rules, so that every call it makes
is there to be counted: looks before creates, reads before updates, batches and chunks.
The database is in memory; messages stay in the outbox.
"""

import datetime
import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from proto import codec
from proto.base import Message
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    WriteKind,
    WriteOutcome,
)
from proto.fields import Fields
from proto.ids import ConnectionId, IntentId, RecordId, ScanId
from proto.record import Record
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store
from services.connector.poller import Poller
from services.connector.store import ConnectorWork
from services.connector.turns import Leases
from services.connector.writer import PUT_OFF_S, Writer
from tests.contract.conformance.bench import Bench
from tests.fakes.database.database import MemoryDatabase
from tests.fakes.database.faults import DatabaseFaults
from tests.fakes.database.locks import Patience

M = TypeVar("M", bound=Message)
CONNECTION: Final = ConnectionId("conn_1")
LEASE_S: Final = 100_000.0
"""Nobody renews it here, and nobody else wants it."""
TAKEN_OVER_S: Final = 60.0
"""After so long an account that was given back may be called by somebody else."""
WRITE_AGE: Final = datetime.timedelta(hours=1)
TURNS_MAX: Final = 50
RECORDS_MAX: Final = 500


class Replica:
    """Reads and writes one account; ``restart`` it with its bench."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._identifiers = Identifiers(bench.clock)
        database = MemoryDatabase(
            random.Random(1),
            faults=DatabaseFaults(yields=0.0, delays=0.0),
            patience=Patience(deadlock_s=0.0),
        )
        self._database = database
        self.store: Store[ConnectorWork] = Store(
            database.as_service("connector"),
            ConnectorWork,
            clock=bench.clock,
            identifiers=self._identifiers,
            relay_wake=Wake(),
        )
        self._numbers = 0
        self.scanned: Mapping[RecordId, Record] = {}
        """What the last scan showed."""
        self._begin()

    def _begin(self) -> None:
        bench = self._bench
        leases = Leases(
            self.store,
            bench.transport,
            owner=str(uuid.uuid4()),
            lease_s=LEASE_S,
            clock=bench.clock,
        )
        self._poller = Poller(
            self.store,
            bench.transport,
            leases=leases,
            settings=bench.settings,
            clock=bench.clock,
            identifiers=self._identifiers,
        )
        self._writer = Writer(
            self.store,
            bench.transport,
            leases=leases,
            settings=bench.settings,
            clock=bench.clock,
        )

    def restart(self) -> None:
        """Go on as another process would: with cursors, and without memory."""
        self._bench.restart()
        self._bench.clock.move(TAKEN_OVER_S)
        self._begin()

    async def die(self) -> None:
        """Have the process end in the midst of its writing, and another go on."""
        turns = self._writer.turns
        for task in turns._under_way.values():
            task.cancel()
        await turns.settle()
        self.restart()

    async def scan(self) -> Mapping[RecordId, Record]:
        """Read everybody, as when the account begins to be used."""
        async with self.store.transaction(self._bench.ref.tenant_id) as work:
            await work.follow(
                self._bench.ref,
                is_wanted=True,
                scan_id=ScanId("scan_1"),
                asked_at=self._bench.clock.now(),
            )
        self.scanned = await self.read_due()
        return self.scanned

    async def changes(self) -> dict[RecordId, Record]:
        """Read what changed, as when the account is due."""
        ref = self._bench.ref
        async with self.store.transaction(ref.tenant_id) as work:
            await work.make_due(ref.tenant_id, ref.account_id)
        return await self.read_due()

    async def read_due(self) -> dict[RecordId, Record]:
        """Read the account if it is due; return what was told of it."""
        before = len(self._told(ContactsObserved))
        await self._poller.turns.start_due()
        await self._poller.turns.settle()
        told = self._told(ContactsObserved)[before:]
        return {one.record_id: one for message in told for one in message.records}

    async def create(self, people: Sequence[tuple[Fields, str]]) -> list[WriteOutcome]:
        """Create people with these fields and addresses."""
        creates = [self.new(fields, email) for fields, email in people]
        return [result.outcome for result in await self.write(creates)]

    def new(self, fields: Fields, email: str, **more: Any) -> ContactWrite:
        """Return a create of somebody, who agreed as far as the app needs it."""
        asked: dict[str, Any] = {"consent": self._bench.stage.least_consent, **more}
        return ContactWrite(
            intent_id=self._intent_id(),
            kind=WriteKind.CREATE,
            fields=fields,
            emails=(email,),
            marker=str(self._identifiers.uuid()),
            not_after=self._bench.clock.now() + WRITE_AGE,
            **asked,
        )

    def look(self, email: str) -> ContactWrite:
        """Return the question what became of a create."""
        return ContactWrite(
            intent_id=self._intent_id(),
            kind=WriteKind.LOOK,
            fields={},
            emails=(email,),
            not_after=self._bench.clock.now() + WRITE_AGE,
        )

    async def update(
        self, changes: Mapping[RecordId, Fields], *, seen: Mapping[RecordId, Record]
    ) -> list[WriteOutcome]:
        """Change records that were seen so."""
        updates = [
            ContactWrite(
                intent_id=self._intent_id(),
                kind=WriteKind.UPDATE,
                record_id=record_id,
                fields=fields,
                seen={name: seen[record_id].fields[name] for name in fields},
                seen_version=seen[record_id].version,
                seen_created_at=seen[record_id].created_at,
                not_after=self._bench.clock.now() + WRITE_AGE,
            )
            for record_id, fields in changes.items()
        ]
        return [result.outcome for result in await self.write(updates)]

    async def write(self, writes: Sequence[ContactWrite]) -> list[ContactWritten]:
        """Carry intents out to their end, and return what became of them in order."""
        await self.ask(writes)
        return await self.done(writes)

    async def ask(self, writes: Sequence[ContactWrite]) -> None:
        """Have intents in the journal, also while others are carried out."""
        ref = self._bench.ref
        for start in range(0, len(writes), RECORDS_MAX):
            async with self.store.transaction(ref.tenant_id) as work:
                batch = writes[start : start + RECORDS_MAX]
                await work.add_writes(ref, CONNECTION, writes=batch)

    async def done(self, writes: Sequence[ContactWrite]) -> list[ContactWritten]:
        """Carry out what is in the journal until some intents are answered."""
        wanted = [write.intent_id for write in writes]
        for _ in range(TURNS_MAX):
            await self._writer.turns.start_due()
            await self._writer.turns.settle()
            found = {
                result.intent_id: result
                for message in self._told(ContactsWritten)
                for result in message.results
            }
            if found.keys() >= set(wanted):
                return [found[intent_id] for intent_id in wanted]
            self._bench.clock.move(PUT_OFF_S)
        raise AssertionError("the writes have no end")

    def _intent_id(self) -> IntentId:
        self._numbers += 1
        return IntentId(f"int_{self._numbers}")

    def _told(self, kind: type[M]) -> list[M]:
        """Return the messages of a kind, in the order they were told."""
        name = {ContactsObserved: "observed", ContactsWritten: "written"}[kind]
        rows = [
            row
            for row in self._database.rows("connector.outbox")
            if f"contacts_{name}" in row["subject"]
        ]
        rows.sort(key=lambda row: str(row["message_id"]))
        return [codec.decode(row["payload"], kind) for row in rows]
