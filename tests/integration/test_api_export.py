"""Everything that a tenant owns can be taken along, and nothing of anybody else."""

import asyncpg
import pytest

from deploy.local import postgres
from proto.subjects import SERVICES
from services.api.routes import export
from services.reconciler import exporting
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Client, System
from tests.security.tenants import TABLES
from tests.servers import migrated_database

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_EXPORTED = {
    **{f"reconciler.{table}": why for table, why in exporting.LEFT_OUT.items()},
    "api.audit_heads": "the number and digest of the newest audit entry",
    "api.authorisations": "open for minutes; sealed under a link",
    "api.password_resets": "open for hours; the digest of a link",
    "api.enrolments": "open for minutes; sealed",
    "api.half_sessions": "open for minutes; the digest of a cookie",
    "api.recovery_codes": "digests of codes; that there is a factor is with people",
    "api.second_factors": "sealed; that there is one is with people",
    "api.sessions": "shown by GET /v1/sessions, to each person their own",
    "auth.app_clients": "a client's secret; its id is the app's to show",
    "auth.authorisations": "open for minutes; sealed",
    "auth.credentials": "secrets",
    "connector.accounts": "when accounts were read, and how far",
    "connector.writes": "the same writes as in history, for a day",
    "connector.wanted_reads": "what is about to be read",
    **{
        f"{service}.{table}": "messages on their way, and that they came"
        for service in SERVICES
        for table in ("outbox", "inbox", "attempts", "dead_letters")
    },
}
"""Tables of tenants that are in no part, each with the reason."""


async def everything(client: Client, part: str, *, limit: int = 2) -> list[dict]:
    """Read all pages of a part."""
    path = f"/v1/export/{part}?limit={limit}"
    answer = await client("GET", path)
    found = list(answer.body["items"])
    while answer.body["next"] is not None:
        answer = await client(
            "GET", f"/v1/export/{part}", params={"limit": limit, **_after(answer)}
        )
        assert answer.status == 200, answer.body
        found += answer.body["items"]
    return found


def _after(answer) -> dict[str, str]:
    return {"after": answer.body["next"]}


async def test_every_table_of_a_tenant_is_exported_or_says_why_not(
    postgres_server: postgres.Server,
) -> None:
    async with migrated_database(postgres_server, *SERVICES) as database:
        admin = await asyncpg.connect(database.admin_url)
        try:
            found = await admin.fetch(TABLES, list(SERVICES))
        finally:
            await admin.close()
    there = {f"{row['schema']}.{row['name']}" for row in found if row["has_tenant"]}
    assert export.EXPORTED.keys() & NOT_EXPORTED.keys() == set()
    assert export.EXPORTED.keys() | NOT_EXPORTED.keys() == there
    assert set(export.EXPORTED.values()) == set(export.PARTS)


async def test_what_the_api_keeps_is_exported_page_by_page(system: System) -> None:
    owner, stranger = await system.person(), await system.person()
    keys = [await owner("POST", "/v1/api-keys", {"name": f"k{n}"}) for n in range(5)]
    invited = await owner(
        "POST", "/v1/invitations", {"email": "ana@example.org", "role": "viewer"}
    )
    await stranger("POST", "/v1/api-keys", {"name": "theirs"})
    found = await everything(owner, "api_keys")
    assert [each["key_id"] for each in found] == sorted(
        made.body["key_id"] for made in keys
    )
    (tenant,) = await everything(owner, "tenant")
    assert tenant["tenant_id"] == owner.tenant_id
    (person,) = await everything(owner, "people")
    assert (person["person_id"], person["role"]) == (owner.person_id, "owner")
    (invitation,) = await everything(owner, "invitations")
    assert invitation["invitation_id"] == invited.body["invitation_id"]
    entries = await everything(owner, "audit_entries")
    assert [each["number"] for each in entries] == list(range(1, len(entries) + 1))
    # Secrets are in no part, nor is anything that is made of one.
    every = str([await everything(owner, part) for part in export.PARTS])
    for made in keys:
        assert made.body["key"] not in every
    assert "password" not in every
    (digest,) = await system.rows(
        "SELECT digest FROM api_keys WHERE key_id = $1", keys[0].body["key_id"]
    )
    assert digest["digest"].hex() not in every


async def test_each_part_that_is_begun_is_in_the_audit_log(system: System) -> None:
    owner = await system.person()
    for part in ("people", "links"):
        await everything(owner, part)
    log = (await owner("GET", "/v1/audit?act=tenant.export")).body["items"]
    assert [each["object_id"] for each in log] == ["links", "people"]


async def test_what_others_keep_is_asked_of_them(system: System) -> None:
    owner = await system.person()
    account = system.others.add_account(owner.tenant_id)
    (shown,) = await everything(owner, "accounts")
    assert shown["account_id"] == account.account_id
    found = await everything(owner, "history")
    assert found == [{"table": "intents", "of": owner.tenant_id}] * 2
    wrong = await owner("GET", "/v1/export/credentials")
    assert (wrong.status, wrong.code) == (404, "no_such_route")
    for part, after in (("audit_entries", "x"), ("people", "x" * 501)):
        bad = await owner("GET", f"/v1/export/{part}?after={after}")
        assert (bad.status, bad.code) == (422, "query_invalid")
