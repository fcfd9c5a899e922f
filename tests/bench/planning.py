"""Plans a first sync of N people in this process against a real Postgres.

Run as `python -m tests.bench.planning [--people N] [--common SHARE]`. There is no
broker and no vendor: jobs are taken from the outbox and answered as if written, so
that what is measured is the reconciler alone. Prints JSON.
"""

import argparse
import asyncio
import datetime
import json
import shutil
import tempfile
import time
from pathlib import Path

from deploy.local import databases, postgres
from proto import codec
from proto.connector import (
    AccountDescription,
    Capabilities,
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    FollowAccount,
    ScanPart,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.fields import Field, FieldKind, Fields, Role
from proto.ids import AccountId, AppId, ConnectionId, FieldId, RecordId, TenantId
from proto.reconciler import End, Settings
from proto.record import Record
from services.chassis import database, logs, migrations
from services.chassis.clock import Clock, SystemClock
from services.chassis.database import QUERIES, Database
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.queries import Query
from services.chassis.store import Store, Work
from services.reconciler import following, handlers
from services.reconciler.config import Config
from services.reconciler.engine.model import SideConfig
from services.reconciler.planner import Planner
from services.reconciler.store import connections

TENANT = TenantId("tnt_bench")
LEFT, RIGHT = AccountId("acct_left"), AccountId("acct_right")
PAGE = 500
TEXTS = (
    ("email", Role.EMAIL, FieldKind.EMAIL),
    ("first_name", Role.NAME_GIVEN, FieldKind.TEXT),
    ("last_name", Role.NAME_FAMILY, FieldKind.TEXT),
    ("job_title", Role.JOB_TITLE, FieldKind.TEXT),
    ("company", Role.COMPANY, FieldKind.TEXT),
    ("phone", Role.PHONE, FieldKind.PHONE),
    ("birthday", Role.BIRTHDAY, FieldKind.DATE),
    ("website", Role.WEBSITE, FieldKind.URL),
    ("note", Role.NOTE, FieldKind.TEXT),
)
FIELDS = tuple(
    Field(field_id=FieldId(field_id), label=field_id, kind=kind, role=role)
    for field_id, role, kind in TEXTS
)


def person(number: int) -> Fields:
    """Return the fields of one made-up person."""
    values = (
        f"person{number}@example.org",
        f"Given{number}",
        f"Family{number % 997}",
        "Engineer",
        f"Company {number % 313}",
        f"+1202555{number % 10_000:04d}",
        f"19{number % 60 + 40}-0{number % 9 + 1}-1{number % 9}",
        f"https://example.org/{number}",
        "Met at the fair; wants the new catalogue and a call back in spring.",
    )
    return {
        FieldId(field_id): value
        for (field_id, _, _), value in zip(TEXTS, values, strict=True)
    }


class Bench:
    """A reconciler without its process, and what answers its jobs."""

    def __init__(self, pool: Database, *, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.identifiers = Identifiers(self.clock)
        self.pool = pool
        config = Config(database_url="", nats_url="")
        wake = Wake()
        self.store: Store[Work] = Store(
            pool,
            Work,
            clock=self.clock,
            identifiers=self.identifiers,
            relay_wake=Wake(),
        )
        self.planner = Planner(
            self.store,
            config=config,
            clock=self.clock,
            identifiers=self.identifiers,
            wake=wake,
        )
        self.events = handlers.events(config=config, wake=wake)
        self.created = 0

    async def take(self, message: object) -> None:
        """Handle one message as the inbox would."""
        async with self.store.transaction(TENANT) as work:
            await self.events[type(message)](work, message)  # type: ignore[index]

    async def prepare(self) -> ConnectionId:
        """Store a connection that has just been started."""
        connection_id = self.identifiers.new(ConnectionId)
        sides = tuple(
            SideConfig(
                account_id=account_id,
                app=AppId("bench"),
                fields=FIELDS,
                capabilities=Capabilities(can_find_by_email=True),
            )
            for account_id in (LEFT, RIGHT)
        )
        settings = Settings(
            name="Bench", left=End(account_id=LEFT), right=End(account_id=RIGHT)
        )
        async with self.store.transaction(TENANT) as work:
            for side in sides:
                await connections.describe_account(
                    work.transaction,
                    tenant_id=TENANT,
                    description=AccountDescription(
                        account_id=side.account_id,
                        app=side.app,
                        fields=FIELDS,
                        containers=(),
                        capabilities=side.capabilities,
                    ),
                )
            await connections.add(
                work.transaction,
                tenant_id=TENANT,
                connection_id=connection_id,
                settings=settings,
                sides=(sides[0], sides[1]),
                now=self.clock.now(),
            )
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            assert stored is not None
            await following.scan(work, stored)
        return connection_id

    async def scan(self, account_id: AccountId, numbers: range) -> None:
        """Observe people of one account as a complete scan."""
        wanted = "SELECT payload FROM outbox WHERE subject LIKE $1"
        payloads = await self._outbox(wanted, "follow")
        jobs = [codec.decode(payload, FollowAccount) for payload in payloads]
        scan_id = next(j.scan_id for j in jobs if j.account_id == account_id)
        assert scan_id is not None
        starts = range(0, len(numbers), PAGE) or range(1)
        for part, start in enumerate(starts):
            records = tuple(
                Record(
                    record_id=RecordId(f"{account_id}-{number}"),
                    version="1",
                    fields=person(number),
                )
                for number in numbers[start : start + PAGE]
            )
            await self.take(
                ContactsObserved(
                    tenant_id=TENANT,
                    account_id=account_id,
                    records=records,
                    read_at=self.clock.now(),
                    scan=ScanPart(
                        scan_id=scan_id,
                        part=part,
                        part_count=len(starts) if part == len(starts) - 1 else None,
                    ),
                )
            )

    async def sync(self) -> dict[str, float]:
        """Plan and answer until nothing is due; returns seconds by stage."""
        spent = {"plan_s": 0.0, "fold_s": 0.0}
        while True:
            began = time.perf_counter()
            is_due = await self.planner.step()
            spent["plan_s"] += time.perf_counter() - began
            began = time.perf_counter()
            payloads = await self.take_writes()
            await self.answer(payloads)
            spent["fold_s"] += time.perf_counter() - began
            if not is_due and not payloads:
                return spent

    async def take_writes(self) -> list[bytes]:
        """Take the writes that wait out of the outbox."""
        return await self.take_jobs("write")

    async def take_jobs(self, kind: str) -> list[bytes]:
        """Take the jobs of one kind that wait out of the outbox."""
        return await self._outbox(
            "DELETE FROM outbox WHERE subject LIKE $1 RETURNING payload", kind
        )

    async def answer(self, payloads: list[bytes]) -> None:
        """Fold the answers to jobs, all of them written."""
        for payload in payloads:
            await self.take(self._answer(codec.decode(payload, WriteContacts)))

    def _answer(self, job: WriteContacts) -> ContactsWritten:
        return ContactsWritten(
            tenant_id=TENANT,
            account_id=job.account_id,
            connection_id=job.connection_id,
            results=tuple(self._written(write) for write in job.writes),
        )

    def _written(self, write: ContactWrite) -> ContactWritten:
        assert write.kind is WriteKind.CREATE
        self.created += 1
        now = datetime.datetime.now(datetime.UTC)
        record = Record(
            record_id=RecordId(f"new-{self.created}"),
            version="1",
            fields={f.field_id: write.fields.get(f.field_id) for f in FIELDS},
        )
        return ContactWritten(
            intent_id=write.intent_id,
            kind=write.kind,
            outcome=WriteOutcome.WRITTEN,
            record=record,
            sent_at=now,
            read_at=now,
        )

    async def _outbox(self, text: str, kind: str) -> list[bytes]:
        query = Query("jobs", text, (f"job.connector.{kind}%",))
        async with self.pool.transaction(TENANT) as transaction:
            rows = await transaction.fetch(query)
        return [row["payload"] for row in rows]


async def measure(pool: Database, *, people: int, common: float) -> dict[str, object]:
    """Run a first sync and an idle pass; return what they took."""
    bench = Bench(pool)
    connection_id = await bench.prepare()
    alone = round(people * (1 - common))
    before, began = QUERIES._value.get(), time.perf_counter()
    await bench.scan(LEFT, range(people))
    await bench.scan(RIGHT, range(alone, people + alone))
    observed_s = time.perf_counter() - began
    observing = QUERIES._value.get() - before
    spent = await bench.sync()
    total_s = time.perf_counter() - began
    statements = QUERIES._value.get() - before
    row = await pool.reader(TENANT).fetch_row(
        Query(
            "count_synced",
            "SELECT count(*) AS links FROM links"
            " WHERE connection_id = $1 AND state = 'in_sync'",
            (connection_id,),
        )
    )
    assert row is not None
    links = int(row["links"])
    assert links == people + alone, f"{links} in sync"
    return {
        "people": people,
        "common": common,
        "links": links,
        "created": bench.created,
        "observe_s": round(observed_s, 3),
        **{key: round(value, 3) for key, value in spent.items()},
        "total_s": round(total_s, 3),
        "records_per_s": round(2 * people / total_s),
        "statements": int(statements),
        "statements_observing": int(observing),
        "statements_per_500_records": round(statements / (2 * people / PAGE), 1),
    }


async def main(people: int, common: float) -> None:
    """Start a Postgres of its own, measure, stop it."""
    logs.configure("reconciler", "error")
    directory = Path(tempfile.mkdtemp(prefix="tandem-bench-"))
    server = postgres.Server(
        directory / "data", programs=postgres.find_programs(), durable=True
    )
    try:
        await server.start()
        await server.create_database("bench")
        await databases.prepare(server.dsn(database="bench"))
        owner = server.dsn(role=databases.owner_role("reconciler"), database="bench")
        url = server.dsn(role=databases.service_role("reconciler"), database="bench")
        await migrations.apply(
            owner, service="reconciler", role=migrations.role_of(url)
        )
        async with database.connect(
            url, schema="reconciler", clock=SystemClock()
        ) as pool:
            print(json.dumps(await measure(pool, people=people, common=common)))
    finally:
        await server.stop()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--common", type=float, default=0.8)
    given = parser.parse_args()
    asyncio.run(main(given.people, given.common))
