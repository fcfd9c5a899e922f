"""Each table has a declared time, and what is past it goes (hazard 88; ASVS 14.2.4)."""

import datetime

import asyncpg
import pytest

from deploy.local import postgres
from proto.subjects import SERVICES
from services.chassis import database as databases
from services.chassis import retention
from services.chassis.clock import SystemClock
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.reconciler import kept
from services.reconciler.config import Config
from tests.fakes.database import catalogue
from tests.security.tenants import OURS, TABLES, THEIRS
from tests.servers import migrated_database
from tests.tidy import privacy
from tests.tidy.tree import ROOT

_NO_TABLE_OF_OURS = {"migrations"}
_ENTER = "SET session_replication_role = replica"


async def test_every_table_of_the_catalogue_is_declared(
    postgres_server: postgres.Server,
):
    """A table that a migration adds is in no declaration until somebody decides."""
    async with migrated_database(postgres_server, *SERVICES) as database:
        admin = await asyncpg.connect(database.admin_url)
        try:
            found = await admin.fetch(TABLES, list(SERVICES))
        finally:
            await admin.close()
    there = {
        (row["schema"], row["name"])
        for row in found
        if row["name"] not in _NO_TABLE_OF_OURS
    }
    declared = [
        (service, each.table)
        for service in SERVICES
        for each in (*retention.KEPT, *privacy.DECLARED[service])
    ]
    assert len(set(declared)) == len(declared)
    assert set(declared) == there


@pytest.mark.parametrize("service", SERVICES)
def test_what_takes_rows_away_exists(service: str):
    """A query that deletes from that very table, or its parent's end."""
    known = catalogue.templates_of(service) | catalogue.templates_of("chassis")
    for each in (*retention.KEPT, *privacy.DECLARED[service]):
        for name in each.by:
            if name == "ON DELETE CASCADE":
                schema = (ROOT / f"services/{service}/sql/schema.sql").read_text()
                table = schema.partition(f"CREATE TABLE {service}.{each.table} (")[2]
                assert name in table.partition(");")[0], each.table
                continue
            text = known[name].text
            assert f"DELETE FROM {service}.{each.table}" in text or (
                f"DELETE FROM {each.table}" in text
            ), name
        is_for_good = not each.by
        assert is_for_good is each.how_long.startswith("as long as the tenant")


def test_the_page_has_the_table_as_it_is_declared():
    page = (ROOT / privacy.PAGE).read_text()
    assert page == privacy.with_table(page), "run `python -m tests.tidy.privacy`"
    # Each class has rules of its own.
    for each in retention.Data:
        assert f"\n| {each} | " in page


async def test_history_goes_by_its_age_with_what_gave_way_to_it(
    postgres_server: postgres.Server,
):
    """What is open stays however old, and so does what is a day younger."""
    now = SystemClock().now()
    config = Config(database_url="", nats_url="")
    past = datetime.timedelta(days=config.history_days)
    async with migrated_database(postgres_server, "reconciler") as database:
        admin = await asyncpg.connect(database.admin_url)
        await _fill(admin, now=now, past=past)
        await _keep(database.service_url("reconciler"), config)
        left = {
            table: [
                row[0]
                for row in await admin.fetch(
                    f"SELECT {column} FROM reconciler.{table} ORDER BY tenant_id, 1"
                )
            ]
            for table, column in (
                ("intents", "intent_id"),
                ("losses", "intent_id"),
                ("erasures", "erasure_id"),
            )
        }
        await admin.close()
    assert left == {
        "intents": ["open", "young"] * 2,
        "losses": ["open", "young"] * 2,
        "erasures": ["running", "young"] * 2,
    }


async def _keep(url: str, config: Config) -> None:
    """Keep to the reconciler's rules until nothing is left to do."""
    clock = SystemClock()
    async with databases.connect(url, schema="reconciler", clock=clock) as pool:
        store: Store[Work] = Store(
            pool,
            Work,
            clock=clock,
            identifiers=Identifiers(clock),
            relay_wake=Wake(),
        )
        for rule in kept.rules(store, config=config, clock=clock):
            while await rule.step():
                pass


async def _fill(admin, *, now, past) -> None:
    """Store what is a day too old, a day younger, and not over yet, for two tenants."""
    day = datetime.timedelta(days=1)
    await admin.execute(_ENTER)
    for tenant_id in (OURS, THEIRS):
        for name, closed_at in (
            ("old", now - past - day),
            ("young", now - past + day),
            ("open", None),
        ):
            await admin.execute(
                "INSERT INTO reconciler.intents (tenant_id, connection_id,"
                " intent_id, link_id, account_id, side, kind, state, body,"
                " decided_at, closed_at) VALUES ($1, 'c', $2, $2, 'a', 'left',"
                " 'update', $3, '', $4, $5)",
                tenant_id,
                name,
                "open" if closed_at is None else "done",
                now - 2 * past,
                closed_at,
            )
            await admin.execute(
                "INSERT INTO reconciler.losses (tenant_id, connection_id,"
                " intent_id, mapping_id, side, fields, lost_at)"
                " VALUES ($1, 'c', $2, 'm', 'left', '', $3)",
                *(tenant_id, name, now),
            )
        for name, finished_at in (
            ("old", now - kept.ERASURES - day),
            ("young", now - kept.ERASURES + day),
            ("running", None),
        ):
            await admin.execute(
                "INSERT INTO reconciler.erasures (tenant_id, erasure_id, digest,"
                " key_id, step, asked_at, step_at, finished_at)"
                " VALUES ($1, $2, '', 'k1', 'told', $3, $3, $4)",
                *(tenant_id, name, now - past, finished_at),
            )
