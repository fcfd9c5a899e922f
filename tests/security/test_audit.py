"""The audit log of each tenant is one chain that only grows (hazard 129)."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from deploy.local import postgres
from proto.ids import TenantId
from services.api.store import api_keys, chain, ledger, tenants
from services.api.store.chain import Head
from services.api.store.ledger import AuditEntry
from services.chassis import database as databases
from services.chassis import migrations
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.identifiers import Identifiers
from services.chassis.tenancy import ALL_TENANTS
from tests import servers

WRITERS = 40
ENTRIES_EACH = 25
ODD = ("", "a:1,", "é", "1:a,", "\n", "𝔘")


@pytest_asyncio.fixture
async def place(postgres_server: postgres.Server) -> AsyncIterator[servers.Database]:
    async with servers.migrated_database(postgres_server, "api") as made:
        yield made


@contextlib.asynccontextmanager
async def connected(place: servers.Database) -> AsyncIterator[Database]:
    async with databases.connect(
        place.service_url("api"), schema="api", clock=SystemClock(), timeout_s=10
    ) as opened:
        yield opened


@contextlib.asynccontextmanager
async def admin(place: servers.Database) -> AsyncIterator[Any]:
    """Somebody who can do everything, and rewrites the log."""
    connection = await asyncpg.connect(place.admin_url)
    try:
        yield connection
    finally:
        await connection.close()


async def new_tenant(database: Database, name: str) -> TenantId:
    clock = SystemClock()
    async with database.transaction(ALL_TENANTS) as transaction:
        return await tenants.take_tenant(
            transaction,
            name,
            new_id=Identifiers(clock).new(TenantId),
            requires_second_factor=False,
            now=clock.now(),
        )


def entry(tenant_id: TenantId, **changes: Any) -> AuditEntry:
    values = {"actor": "key_1", "act": "account.add", "outcome": "done", **changes}
    return AuditEntry(tenant_id=tenant_id, **values)


async def write(database: Database, *entries: AuditEntry) -> None:
    async with database.transaction(entries[0].tenant_id) as transaction:
        for one in entries:
            await ledger.add_audit_entry(transaction, one, now=SystemClock().now())


async def test_database_and_code_agree_on_every_digest(place: servers.Database) -> None:
    """Values that could be read in two ways are told apart, in both languages."""
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        assert await ledger.check(database.reader(tenant_id), tenant_id) == (
            chain.BEGINNING,
            "",
        )
        for text in ODD:
            await write(
                database,
                entry(tenant_id, actor=text, object_id=text, fields=(text, text)),
                entry(tenant_id, act=text, remote=text, request_id=text),
            )
        head, reason = await ledger.check(database.reader(tenant_id), tenant_id)
        assert (head.number, reason) == (2 * len(ODD), "")
        assert head == await ledger.head_of(database.reader(tenant_id), tenant_id)


async def test_many_who_write_at_once_make_one_chain(
    place: servers.Database, figures: dict[str, Any]
) -> None:
    """No deadlock and no gap, also where a transaction holds the tenant's row."""
    async with connected(place) as database:
        tenants = [await new_tenant(database, f"tenant {n}") for n in range(2)]
        began = asyncio.get_running_loop().time()

        async def keep_writing(number: int) -> None:
            for _ in range(ENTRIES_EACH):
                tenant_id = tenants[number % 2]
                async with database.transaction(tenant_id) as transaction:
                    if number % 3 == 0:
                        now = SystemClock().now()
                        await api_keys.count_keys(transaction, tenant_id, now=now)
                    for one in (entry(tenant_id), entry(tenant_id, outcome="begun")):
                        await ledger.add_audit_entry(
                            transaction, one, now=SystemClock().now()
                        )

        await asyncio.gather(*map(keep_writing, range(WRITERS)))
        took_s = asyncio.get_running_loop().time() - began
        for tenant_id in tenants:
            head, reason = await ledger.check(database.reader(tenant_id), tenant_id)
            assert (head.number, reason) == (WRITERS * ENTRIES_EACH, "")
    figures["audit_entries_a_second"] = round(2 * WRITERS * ENTRIES_EACH / took_s)


async def test_what_was_rolled_back_leaves_no_gap(place: servers.Database) -> None:
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        await write(database, entry(tenant_id))
        with contextlib.suppress(ZeroDivisionError):
            async with database.transaction(tenant_id) as transaction:
                now = SystemClock().now()
                await ledger.add_audit_entry(transaction, entry(tenant_id), now=now)
                raise ZeroDivisionError
        await write(database, entry(tenant_id))
        head, reason = await ledger.check(database.reader(tenant_id), tenant_id)
        assert (head.number, reason) == (2, "")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api.audit_entries SET actor = 'nobody'",
        "DELETE FROM api.audit_entries",
        "TRUNCATE api.audit_entries",
        "UPDATE api.audit_heads SET number = 0",
        "DELETE FROM api.audit_heads",
        "INSERT INTO api.audit_heads (tenant_id, number, digest)"
        " SELECT tenant_id, 9, '' FROM api.tenants",
        "ALTER TABLE api.audit_entries DISABLE TRIGGER audit_entries_stay",
        "DROP TRIGGER audit_entries_chained ON api.audit_entries",
    ],
)
async def test_the_services_role_is_not_granted_a_rewrite(
    place: servers.Database, statement: str
) -> None:
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        await write(database, entry(tenant_id))
    connection = await asyncpg.connect(place.service_url("api"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_migrating_again_does_not_grant_it_either(
    place: servers.Database,
) -> None:
    await migrations.apply(place.owner_url("api"), service="api", role="tandem_api")
    async with admin(place) as connection:
        granted = await connection.fetch(
            "SELECT table_name, privilege_type FROM information_schema.table_privileges"
            " WHERE grantee = 'tandem_api' AND table_name LIKE 'audit%' ORDER BY 1, 2"
        )
    assert [tuple(row) for row in granted] == [
        ("audit_entries", "INSERT"),
        ("audit_entries", "SELECT"),
        ("audit_heads", "SELECT"),
    ]


async def test_the_owner_is_stopped_by_the_trigger(place: servers.Database) -> None:
    async with connected(place) as database:
        await write(database, entry(await new_tenant(database, "acme")))
    connection = await asyncpg.connect(place.owner_url("api"))
    try:
        await connection.execute("SET tandem.tenant_id = 'tnt_1'")
        for statement in (
            "UPDATE api.audit_entries SET actor = 'nobody'",
            "DELETE FROM api.audit_entries",
            "TRUNCATE api.audit_entries",
        ):
            with pytest.raises(asyncpg.RaiseError, match="neither changed nor removed"):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_number_or_digest_of_ones_own_is_not_taken(
    place: servers.Database,
) -> None:
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        connection = await asyncpg.connect(place.service_url("api"))
        await connection.execute(f"SET tandem.tenant_id = '{tenant_id}'")
        await connection.execute(
            "INSERT INTO api.audit_entries (tenant_id, at, actor, act, object_id,"
            " fields, outcome, request_id, remote, number, digest)"
            " VALUES ($1, now(), '', '', '', '{}', '', '', '', 77, 'x')",
            tenant_id,
        )
        await connection.close()
        head, reason = await ledger.check(database.reader(tenant_id), tenant_id)
    assert (head.number, reason) == (1, "")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE x SET actor = 'nobody' WHERE number = 3", "entry 3 is not what"),
        ("UPDATE x SET fields = '{b,a}' WHERE number = 3", "entry 3 is not what"),
        ("UPDATE x SET fields = '{a:1,1:b}' WHERE number = 3", "entry 3 is not what"),
        ("UPDATE x SET at = at + interval '1 us' WHERE number = 3", "entry 3 is not"),
        ("DELETE FROM x WHERE number = 3", "entry 3 is missing"),
        ("DELETE FROM x WHERE number = 5", "entry 5 is missing"),
        ("DELETE FROM x WHERE number = 1", "entry 1 is missing"),
        (
            "DELETE FROM x WHERE number = 3;"
            " UPDATE x SET number = number - 1 WHERE number > 3",
            "entry 3 is not what",
        ),
        ("UPDATE api.audit_heads SET number = 4", "does not end at entry 4"),
        ("UPDATE api.audit_heads SET digest = 'x'", "does not end at entry 5"),
    ],
)
async def test_what_was_changed_or_removed_is_found(
    place: servers.Database, statement: str, reason: str
) -> None:
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        await write(database, *(entry(tenant_id, fields=("a", "b")) for _ in range(5)))
        async with admin(place) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute(statement.replace(" x ", " api.audit_entries "))
        _, found = await ledger.check(database.reader(tenant_id), tenant_id)
    assert reason in found


async def test_a_log_that_was_written_anew_does_not_lead_through_an_older_head(
    place: servers.Database,
) -> None:
    async with connected(place) as database:
        tenant_id = await new_tenant(database, "acme")
        await write(database, entry(tenant_id), entry(tenant_id))
        noted, _ = await ledger.check(database.reader(tenant_id), tenant_id)
        await write(database, entry(tenant_id))
        assert (await ledger.check(database.reader(tenant_id), tenant_id, known=noted))[
            1
        ] == ""
        async with admin(place) as connection:
            await connection.execute("SET session_replication_role = replica")
            await connection.execute("DELETE FROM api.audit_entries")
            await connection.execute("DELETE FROM api.audit_heads")
        await write(database, *(entry(tenant_id, actor="other") for _ in range(3)))
        assert (await ledger.check(database.reader(tenant_id), tenant_id))[1] == ""
        _, reason = await ledger.check(
            database.reader(tenant_id), tenant_id, known=noted
        )
        assert "does not lead through" in reason
        _, reason = await ledger.check(
            database.reader(tenant_id), tenant_id, known=Head(9, b"x")
        )
        assert "does not lead through" in reason


async def test_a_log_of_an_earlier_release_is_chained_in_its_order(
    postgres_server: postgres.Server,
) -> None:
    """Row-level security is on by then, and binds the owner."""
    names = dict(migrations.names_of("api"))
    async with servers.fresh_database(postgres_server, template="prepared") as place:
        owner = await asyncpg.connect(place.owner_url("api"))
        await owner.execute("SET search_path TO api")
        await owner.execute(migrations._LEDGER)
        before = [name for name in names if name < "api/0002" or "chassis" in name]
        for name in before:
            await owner.execute(names[name].read_text())
            await owner.execute("INSERT INTO migrations (name) VALUES ($1)", name)
        tenants = [f"tnt_{n}" for n in range(2)]
        for tenant_id in tenants:
            await owner.execute(
                "INSERT INTO api.tenants VALUES ($1, $1, now())", tenant_id
            )
        for number in range(6):
            await owner.execute(
                "INSERT INTO api.audit_entries (tenant_id, at, actor, act, object_id,"
                " fields, outcome, request_id, remote)"
                " VALUES ($1, now(), $2, 'a', '', '{f}', 'done', '', '')",
                tenants[number % 2],
                f"key_{number}",
            )
        await owner.close()
        applied = await migrations.apply(
            place.owner_url("api"), service="api", role="tandem_api"
        )
        assert set(applied) == set(names) - set(before)
        async with connected(place) as database:
            for tenant_id in map(TenantId, tenants):
                head, reason = await ledger.check(database.reader(tenant_id), tenant_id)
                assert (head.number, reason) == (3, "")
                await write(database, entry(tenant_id))
                head = await ledger.head_of(database.reader(tenant_id), tenant_id)
                assert head.number == 4


async def run(place: servers.Database, *arguments: str) -> tuple[int, str]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "API_DATABASE_URL": place.service_url("api"),
            "API_NATS_URL": "nats://127.0.0.1:1",
            "API_KEY_RING_FILE": "not read",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(30):
        output, _ = await child.communicate()
    return child.returncode or 0, output.decode()


async def test_an_operator_can_check_all_tenants(place: servers.Database) -> None:
    for name in ("acme", "other"):
        await run(place, "create-key", "--tenant", name)
    code, output = await run(place, "check-audit")
    assert code == 0
    assert [line.partition(";")[0] for line in output.splitlines()] == [
        "acme: whole",
        "other: whole",
    ]
    head = output.splitlines()[0].rpartition(" ")[2]
    code, _ = await run(place, "check-audit", "--tenant", "acme", "--head", head)
    assert code == 0
    assert (await run(place, "check-audit", "--tenant", "nobody"))[0] == 2
    assert (await run(place, "check-audit", "--head", head))[0] == 2
    assert (await run(place, "check-audit", "--head", "1:x"))[0] == 2
    async with admin(place) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(
            "UPDATE api.audit_entries SET outcome = 'failed' FROM api.tenants"
            " WHERE tenants.tenant_id = audit_entries.tenant_id AND name = 'acme'"
        )
    code, output = await run(place, "check-audit")
    assert code == 1
    assert "acme: entry 1 is not what was written" in output
    assert "other: whole" in output
