"""Who was erased is left out of what accounts show, on the database in memory."""

import datetime
import hashlib
import random

import pytest

from proto.connector import ContactsObserved
from proto.ids import ErasureId, RecordId
from proto.record import Presence, Record
from services.chassis.keyring import KeyRing
from services.reconciler import observing
from services.reconciler.config import Config
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.store import connections, suppressions
from services.reconciler.store.suppressions import Suppression
from tests.bench import planning
from tests.fakes import loop
from tests.fakes.clock import MovableClock
from tests.fakes.database.database import MemoryDatabase
from tests.unit.reconciler.values import NOW

LEFT, RIGHT, TENANT = planning.LEFT, planning.RIGHT, planning.TENANT
EMAIL = "ana@example.org"
KEYS = {name: hashlib.sha256(name.encode()).digest() for name in ("k1", "k2")}
ERASURE = ErasureId("eras_1")
CONFIG = Config(database_url="", nats_url="")


def ring(*names: str) -> Pseudonyms:
    return Pseudonyms(KeyRing(names[0], {name: KEYS[name] for name in names}))


async def shown_to(
    *records: Record, before: Pseudonyms, after: Pseudonyms
) -> MemoryDatabase:
    """Return the database after an account showed records, with Ana erased before."""
    database, clock = MemoryDatabase(random.Random(1)), MovableClock()
    database.watches_order = True
    bench = planning.Bench(database.as_service("reconciler"), clock=clock)
    await bench.prepare()
    digest = before.of_email(TENANT, EMAIL)
    async with bench.store.transaction(TENANT) as work:
        await suppressions.add(
            work.transaction,
            {digest: Suppression(digest, "", ERASURE)},
            tenant_id=TENANT,
            key_id=before.key_id,
            now=clock.now(),
        )
    for _ in range(2):
        clock.move(60.0)
        message = ContactsObserved(
            tenant_id=TENANT, account_id=LEFT, records=records, read_at=clock.now()
        )
        async with bench.store.transaction(TENANT) as work:
            await observing.observe(work, message, config=CONFIG, screen=after)
    return database


async def email_field(database: MemoryDatabase) -> str:
    """Return which field of the left account holds addresses."""
    user = database.as_service("reconciler")
    async with user.transaction(TENANT) as opened:
        account = await connections.load_account(
            opened, tenant_id=TENANT, account_id=LEFT
        )
    assert account is not None
    (field_id,) = observing.side_of(account).email_ids
    return field_id


@pytest.mark.parametrize("after", [("k1",), ("k2", "k1")], ids=["same", "rotated"])
def test_an_address_keeps_somebody_out_and_then_their_id_does(after):
    async def scene() -> None:
        empty = MemoryDatabase(random.Random(1))
        await planning.Bench(
            empty.as_service("reconciler"), clock=MovableClock()
        ).prepare()
        name = await email_field(empty)
        ana = Record(record_id=RecordId("r1"), fields={name: EMAIL.upper()})
        bo = Record(record_id=RecordId("r2"), fields={name: "bo@example.org"})
        screen = ring(*after)
        database = await shown_to(ana, bo, before=ring("k1"), after=screen)
        stored = database.rows("reconciler.observations")
        assert {row["record_id"] for row in stored} == {"r2"}
        assert {row["email"] for row in database.rows("reconciler.emails")} == {
            "bo@example.org"
        }
        assert {row["record_id"] for row in database.rows("reconciler.dirty")} <= {"r2"}
        kept = {
            bytes(row["digest"]): row
            for row in database.rows("reconciler.suppressions")
        }
        own = kept[screen.of_record(TENANT, LEFT, record_id=RecordId("r1"))]
        assert (own["account_id"], own["erasure_id"]) == (LEFT, ERASURE)
        assert own["seen_at"] is not None
        # Under the active key, whichever key the person was erased with.
        assert screen.of_email(TENANT, EMAIL) in kept
        assert EMAIL not in str(kept)

    loop.run(scene(), start=NOW + datetime.timedelta(days=1))


def test_nobody_is_named_by_what_they_were_merged_into():
    async def scene() -> None:
        screen = ring("k1")
        gone = Record(
            record_id=RecordId("r3"),
            presence=Presence.MERGED,
            merged_into=RecordId("r1"),
        )
        own = screen.of_record(TENANT, LEFT, record_id=RecordId("r1"))
        database, clock = MemoryDatabase(random.Random(1)), MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        await bench.prepare()
        async with bench.store.transaction(TENANT) as work:
            await suppressions.add(
                work.transaction,
                {own: Suppression(own, LEFT, ERASURE)},
                tenant_id=TENANT,
                key_id="k1",
                now=clock.now(),
            )
        message = ContactsObserved(
            tenant_id=TENANT, account_id=LEFT, records=(gone,), read_at=clock.now()
        )
        async with bench.store.transaction(TENANT) as work:
            await observing.observe(work, message, config=CONFIG, screen=screen)
        stored = database.rows("reconciler.observations")
        assert {row["record_id"] for row in stored} == {"r3"}

    loop.run(scene(), start=NOW + datetime.timedelta(days=1))
