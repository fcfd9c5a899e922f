"""Whom an open create has made is remembered once its account shows them.

Nothing is planned here: what a record was first is gone by the time of that.
"""

import datetime
import random

import msgspec
import pytest

from proto.connector import ContactsObserved
from proto.fields import Fields
from proto.ids import AccountId, FieldId, LinkId, RecordId
from proto.record import Record
from services.reconciler.engine.model import Link
from services.reconciler.store import connections, intents, links
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.links import NamedLink
from tests.bench import planning
from tests.fakes import loop
from tests.fakes.clock import MovableClock
from tests.fakes.database.database import MemoryDatabase
from tests.unit.reconciler import values
from tests.unit.reconciler.values import NOW

LEFT, RIGHT, TENANT = planning.LEFT, planning.RIGHT, planning.TENANT
MADE, OTHER = RecordId("made"), RecordId("other")
CREATED = LinkId("link_1")
MEANT: Fields = {
    FieldId("email"): "a@b.org",
    FieldId("first_name"): "Ann",
    FieldId("last_name"): "Smith",
}
READDRESSED: Fields = {**MEANT, FieldId("email"): "new@b.org"}
RENAMED: Fields = {**MEANT, FieldId("first_name"): "Bo", FieldId("last_name"): "Berg"}
HALF_RENAMED: Fields = {**MEANT, FieldId("first_name"): "Bo"}
SOMEBODY: Fields = {**RENAMED, FieldId("email"): "bo@b.org"}
EMPTIED: Fields = {**MEANT, FieldId("last_name"): None}


async def show(bench: planning.Bench, account_id: AccountId, record: Record) -> None:
    bench.clock.move(10.0)
    await bench.take(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=account_id,
            records=(record,),
            read_at=bench.clock.now(),
        )
    )


async def begin_create(
    bench: planning.Bench, connection: StoredConnection, *, bond: Link | None
) -> None:
    """Store a create on the right without an answer, with its link."""
    now = bench.clock.now()
    intent = msgspec.structs.replace(
        values.intent(1), fields=MEANT, mapping_ids=("name", "email"), decided_at=now
    )
    link = Link(
        link_id=CREATED,
        left_id=RecordId("s1"),
        intent_id=intent.intent_id,
        version=0,
    )
    named = [NamedLink(link=each) for each in (link, bond) if each is not None]
    async with bench.store.transaction(TENANT) as work:
        assert await links.save(work.transaction, connection, links=named, now=now)
        await intents.add(
            work.transaction, connection, intents=[intent], now=now, look_at=now
        )


async def noted(
    *shown: Fields,
    known: Fields | None = None,
    other: Fields | None = None,
    left: Fields | None = None,
    bond: Link | None = None,
) -> tuple[str | None, str | None]:
    """Return whom a create's link remembers as made, and as met.

    Args:
        shown: What the right account shows of one record after the create was stored.
        known: What it showed of that before.
        other: What it shows of another record first, after the create was stored.
        left: Somebody whom the other account has.
        bond: Another link.
    """
    database = MemoryDatabase(random.Random(1))
    database.watches_order = True
    bench = planning.Bench(database.as_service("reconciler"), clock=MovableClock())
    connection_id = await bench.prepare()
    if left is not None:
        await show(bench, LEFT, Record(record_id=RecordId("l9"), fields=left))
    if known is not None:
        await show(bench, RIGHT, Record(record_id=MADE, fields=known))
    reader = database.as_service("reconciler").reader(TENANT)
    stored = await connections.load(
        reader, tenant_id=TENANT, connection_id=connection_id
    )
    assert stored is not None
    await begin_create(bench, stored, bond=bond)
    if other is not None:
        await show(bench, RIGHT, Record(record_id=OTHER, fields=other))
    for fields in shown:
        await show(bench, RIGHT, Record(record_id=MADE, fields=fields))
    (found,) = await links.load(reader, stored, link_ids={CREATED})
    return found.parked_id, found.met_id


BOND = Link(link_id=LinkId("link_2"), left_id=RecordId("l9"), right_id=MADE, version=0)


@pytest.mark.parametrize(
    ("shown", "around", "expected"),
    [
        pytest.param([MEANT, SOMEBODY], {}, (MADE, None), id="edited afterwards"),
        pytest.param([READDRESSED], {}, (MADE, None), id="only its address edited"),
        pytest.param([RENAMED], {}, (None, MADE), id="only its address left"),
        pytest.param([SOMEBODY], {}, (None, None), id="edited before"),
        pytest.param([RENAMED], {"other": RENAMED}, (None, OTHER), id="met first"),
        pytest.param(
            [HALF_RENAMED], {"other": RENAMED}, (None, MADE), id="has more of it"
        ),
        pytest.param(
            [RENAMED], {"other": HALF_RENAMED}, (None, OTHER), id="has less of it"
        ),
        pytest.param([MEANT], {"other": EMPTIED}, (MADE, None), id="comes to be told"),
        pytest.param([EMPTIED], {"other": MEANT}, (OTHER, None), id="is told already"),
        pytest.param([EMPTIED], {"other": EMPTIED}, (OTHER, None), id="tells no more"),
        pytest.param([MEANT], {"known": SOMEBODY}, (None, None), id="there before"),
        pytest.param([MEANT], {"bond": BOND}, (None, None), id="of another link"),
        pytest.param(
            [READDRESSED], {"left": READDRESSED}, (None, None), id="a namesake's"
        ),
    ],
)
def test_whom_an_account_shows_is_held_against_its_open_creates(
    shown, around, expected
):
    """Before it is shown what their users have made of them (seed 400591).

    Of two that read so, the one that does wholly is it: the other one's empty fields
    would be taken for cleared ones, and empty those on the other side (seed 605592).
    """
    start = NOW + datetime.timedelta(days=1)
    assert loop.run(noted(*shown, **around), start=start) == expected
