"""A person is erased: nothing of them is left, and nothing brings them back (b52)."""

import asyncpg
import pytest

from proto import codec
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWritten,
    WriteKind,
    WriteOutcome,
)
from proto.erasure import LiftSuppression
from proto.errors import ErrorCode
from proto.ids import IntentId
from services.chassis.errors import CommandFailed
from tests.integration.reconciler import erased
from tests.integration.reconciler.conftest import QUICK
from tests.integration.reconciler.world import TENANT, World, running, until

EMAIL = "Zenobia.Quixworth@Example.org"
GIVEN, FAMILY = "Zenobiaxyzzy", "Quixworthplugh"
LOST, EDITED = "Chief Frobozz Officer", "Vice Frobozz President"
OTHER_TENANT = "tnt_2"
_SHARED = ("accounts", "connections", "observations", "emails", "links", "intents")
_ENTER = "SET session_replication_role = replica"


@pytest.fixture
async def world(database, nats_server, tmp_path):
    ring = erased.key_ring(tmp_path, "k1")
    it = World(database, nats_server)
    async with running(it, **QUICK, key_ring_file=ring):
        yield it


async def spread(world):
    """Have a person in every place that can hold one; returns what tells of them."""
    left = world.left.add(EMAIL, GIVEN, FAMILY, "Chef")
    right = world.right.add(EMAIL.lower(), GIVEN, FAMILY, "Chef")
    world.left.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    world.left.edit(left, title=EDITED)
    world.right.edit(right, title=LOST)
    await world.poll()
    await world.settled(connection_id)
    return left, right, connection_id


def _messages(world, left, *, right):
    record, bystander = world.left.records[left], world.left.find("ann@example.org")
    now = world.now()
    observed = codec.encode(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=world.left.account_id,
            records=(record, bystander),
            read_at=now,
        )
    )
    written = codec.encode(
        ContactsWritten(
            tenant_id=TENANT,
            account_id=world.right.account_id,
            connection_id="conn_gone",
            results=(
                ContactWritten(
                    intent_id=IntentId("int_gone"),
                    kind=WriteKind.UPDATE,
                    outcome=WriteOutcome.WRITTEN,
                    record=world.right.records[right],
                    read_at=now,
                ),
            ),
        )
    )
    return observed, written


async def _bury(world, left, right):
    """Leave the person where only a fault or an outage leaves anybody."""
    observed, written = _messages(world, left, right=right)
    subject = "evt.connector.{}.v1.acct_left"
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        for name, payload in (
            ("contacts_observed", observed),
            ("contacts_written", written),
        ):
            await connection.execute(
                "INSERT INTO reconciler.dead_letters (tenant_id, message_id, subject,"
                " sender, payload, reason, received_at)"
                " VALUES ($1, $2, $3, 'connector', $4, 'a test', now())",
                *(TENANT, f"msg_{name}", subject.format(name), payload),
            )
            await connection.execute(
                "INSERT INTO connector.outbox (tenant_id, message_id, subject, stream,"
                " payload, awaiting, created_at, next_at) VALUES ($1, $2, $3,"
                " 'CONNECTOR_INTERNAL', $4, '{reconciler}', now(), now() + '1 day')",
                *(TENANT, f"msg_{name}", subject.format(name), payload),
            )
        await connection.execute(
            "INSERT INTO connector.wanted_reads (tenant_id, account_id, record_id,"
            " asked_at) VALUES ($1, $2, $3, now())",
            *(TENANT, world.left.account_id, left),
        )
        await connection.execute(
            "INSERT INTO connector.writes (tenant_id, intent_id, account_id,"
            " connection_id, payload, state, created_at, done_at, result)"
            " SELECT tenant_id, intent_id, account_id, connection_id, body, 'done',"
            " now(), now(), body FROM reconciler.intents"
        )
        await connection.execute(
            "INSERT INTO reconciler.dirty (tenant_id, connection_id, side, record_id)"
            " SELECT tenant_id, connection_id, 'left', left_record_id"
            " FROM reconciler.links WHERE email <> '' ON CONFLICT DO NOTHING"
        )
        await _copy_to_another_tenant(connection)
    finally:
        await connection.close()


async def _copy_to_another_tenant(connection):
    """Let another tenant have the same person, who asked for nothing there."""
    await connection.execute(_ENTER)
    for table in _SHARED:
        for row in await connection.fetch(f"SELECT * FROM reconciler.{table}"):
            values = {**row, "tenant_id": OTHER_TENANT}
            if table == "connections":
                values["state"] = "paused"
            places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
            await connection.execute(
                f"INSERT INTO reconciler.{table} ({', '.join(values)})"
                f" VALUES ({places})",
                *values.values(),
            )


async def rows_of(world, tenant_id):
    """Return everything of a tenant that is about contacts."""
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        return {
            table: sorted(
                str(dict(row))
                for row in await connection.fetch(
                    f"SELECT * FROM reconciler.{table} WHERE tenant_id = $1", tenant_id
                )
            )
            for table in _SHARED
        }
    finally:
        await connection.close()


async def hidden(world, texts):
    """Return where any of the texts is, but with the other tenant."""
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        await connection.execute(_ENTER)
        for table in _SHARED:
            await connection.execute(
                f"DELETE FROM reconciler.{table} WHERE tenant_id = $1", OTHER_TENANT
            )
    finally:
        await connection.close()
    return await erased.places_of(texts, admin_url=world.database.admin_url)


@pytest.mark.behaviour(
    52, broken_by="reconciler/erasing.py: losses and stored messages are left alone"
)
async def test_b52_a_search_for_the_bytes_finds_nothing(world):
    left, right, _ = await spread(world)
    await _bury(world, left, right)
    texts = [EMAIL, GIVEN, FAMILY, LOST, EDITED, left, right]
    before = await erased.places_of(texts, admin_url=world.database.admin_url)
    # What the search has to find before, it would find afterwards, too.
    assert before[GIVEN] >= {
        "reconciler.observations",
        "reconciler.links",
        "reconciler.dead_letters",
        "connector.outbox",
    }
    assert "reconciler.emails" in before[EMAIL]
    assert before[EDITED] >= {"reconciler.intents", "connector.writes"}
    assert "reconciler.losses" in before[LOST]
    assert before[left] >= {"connector.wanted_reads", "reconciler.dirty"}
    theirs = await rows_of(world, OTHER_TENANT)

    done = await erased.erase(world, email=EMAIL)

    assert await rows_of(world, OTHER_TENANT) == theirs
    assert (done.records, done.links, done.shared_emails) == (2, 1, 0)
    assert done.writes >= 1
    assert {(each.app, each.record_ids) for each in done.left} == {
        ("lefty", (left,)),
        ("righty", (right,)),
    }
    assert await hidden(world, texts) == {text: set() for text in texts}
    assert erased.streams_with(texts, broker=world.broker) == []
    info = await world.connector.bus._jetstream.stream_info("CONNECTOR_INTERNAL")
    assert info.state.messages == 0
    # Whoever was in the same messages is in them still.
    ann = await erased.places_of(
        ["ann@example.org"], admin_url=world.database.admin_url
    )
    assert ann["ann@example.org"] >= {"reconciler.dead_letters", "connector.outbox"}
    assert left in world.left.records
    assert right in world.right.records


@pytest.mark.behaviour(
    52, broken_by="reconciler/suppressing.py: records are known by their ids alone"
)
async def test_b52_neither_scan_nor_poll_nor_a_read_by_id_brings_anybody_back(world):
    left, _, connection_id = await spread(world)
    await erased.erase(world, email=EMAIL)
    texts = [EMAIL, GIVEN, FAMILY]

    await world.act(connection_id, "pause")
    await world.act(connection_id, "resume")
    await world.live(connection_id)
    world.left.edit(left, title="Anew")
    await world.poll()
    # The same person under an id that nobody has seen, and under another address.
    world.right.delete(world.right.find(EMAIL).record_id)
    world.right.add(EMAIL.upper(), GIVEN, FAMILY)
    world.left.edit(left, email="zen@example.org")
    await world.poll()
    await world.show(world.right, world.right.live())
    await world.settled(connection_id)

    texts.append("zen@example.org")
    found = await erased.places_of(texts, admin_url=world.database.admin_url)
    assert found == {text: set() for text in texts}
    status = await world.status(connection_id)
    # Two by their ids, one by its address.
    assert status.counts.erased == 3
    answer = await world.records(connection_id, email=EMAIL)
    assert (answer.records, answer.is_erased) == ((), True)
    assert not (await world.records(connection_id, email="ann@example.org")).is_erased


async def test_who_is_not_known_is_kept_out_all_the_same(world):
    done = await erased.erase(world, email=EMAIL)
    assert (done.records, done.links, done.writes, done.left) == (0, 0, 0, ())
    world.left.add(EMAIL, GIVEN, FAMILY)
    connection_id = await world.start()
    assert (await world.records(connection_id)).records == ()
    assert world.right.writes == []


async def test_lifting_lets_somebody_come_back(world):
    world.left.add(EMAIL, GIVEN, FAMILY)
    connection_id = await world.start()
    done = await erased.erase(world, email=EMAIL)
    lifted = await world.ask(
        LiftSuppression(tenant_id=TENANT, email=f" {EMAIL.upper()} ")
    )
    assert lifted.digest == done.digest
    # The address, and a record on each side.
    assert lifted.count == 3
    await world.act(connection_id, "pause")
    await world.act(connection_id, "resume")
    await world.live(connection_id)
    records = (await world.records(connection_id)).records
    assert [record.email for record in records] == [EMAIL]
    again = await world.ask(LiftSuppression(tenant_id=TENANT, email=EMAIL))
    assert again.count == 0


async def test_a_shared_mailbox_makes_nobody_the_person(world):
    """By a record: its own addresses go, and others who have one of them go along."""
    left = world.left.add(EMAIL, GIVEN, FAMILY)
    world.right.add(EMAIL, GIVEN, FAMILY)
    world.left.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    done = await erased.erase(world, account_id=world.left.account_id, record_id=left)
    assert (done.records, done.links) == (2, 1)
    names = {record.name for record in (await world.records(connection_id)).records}
    assert names == {"Ann Smith"}


@pytest.mark.parametrize(
    ("whom", "code"),
    [
        ({}, ErrorCode.INVALID),
        ({"email": "nobody"}, ErrorCode.INVALID),
        ({"account_id": "acct_left"}, ErrorCode.INVALID),
        ({"email": EMAIL, "account_id": "a", "record_id": "b"}, ErrorCode.INVALID),
        ({"account_id": "acct_x", "record_id": "b"}, ErrorCode.NOT_FOUND),
        ({"connection_id": "conn_x", "link_id": "link_x"}, ErrorCode.NOT_FOUND),
    ],
)
async def test_a_question_that_names_nobody_is_refused(world, whom, code):
    with pytest.raises(CommandFailed) as refused:
        await erased.erase(world, **whom)
    assert refused.value.code is code


async def test_without_keys_nobody_is_erased(database, nats_server):
    async with running(World(database, nats_server), **QUICK) as world:
        with pytest.raises(CommandFailed) as refused:
            await erased.erase(world, email=EMAIL)
    assert refused.value.code is ErrorCode.NOT_ALLOWED_NOW
    assert "RECONCILER_KEY_RING_FILE" in refused.value.detail


async def test_a_create_that_waits_is_called_off(world):
    """Nothing is made of the person on the other side, and nothing waits for it."""
    world.left.add(EMAIL, GIVEN, FAMILY)
    created = await world.create()
    world.held_writes = []
    await world.act(created.connection_id, "start")
    await until(lambda: _is_held(world))
    done = await erased.erase(world, email=EMAIL)
    assert (done.records, done.links, done.writes) == (1, 1, 1)
    assert world.right.writes == []


async def test_a_create_under_way_is_waited_for_and_its_record_is_told(world):
    """Its answer names a record that nobody knew, which is kept out as well."""
    world.left.add(EMAIL, GIVEN, FAMILY)
    created = await world.create()
    world.held_writes = []
    await world.act(created.connection_id, "start")
    await until(lambda: _is_held(world))
    await _note_sent(world)
    begun = await erased.ask(world, email=EMAIL)
    await until(lambda: _is_swept(world))
    assert (await erased.get(world, begun)).state.value == "running"
    await world.release_writes()
    done = await erased.finished(world, begun)
    (made,) = world.right.live()
    assert {each.record_ids for each in done.left if each.app == "righty"} == {
        (made.record_id,)
    }
    texts = [EMAIL, GIVEN, FAMILY, made.record_id]
    found = await erased.places_of(texts, admin_url=world.database.admin_url)
    assert found == {text: set() for text in texts}


async def _is_held(world):
    return bool(world.held_writes)


async def _is_swept(world):
    rows = await world.query("SELECT step FROM reconciler.erasures")
    seen = await world.query("SELECT record_id FROM reconciler.observations")
    return [row["step"] for row in rows] == ["sweep"] and not seen


async def _note_sent(world):
    """Have the journal say that what is held has been sent."""
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        await connection.execute(
            "INSERT INTO connector.writes (tenant_id, intent_id, account_id,"
            " connection_id, payload, state, created_at, sent_at)"
            " SELECT tenant_id, intent_id, account_id, connection_id, body, 'sent',"
            " now(), now() FROM reconciler.intents"
        )
    finally:
        await connection.close()
