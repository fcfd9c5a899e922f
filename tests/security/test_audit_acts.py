"""What is done is in the audit log, whoever does it, and owners can read it there."""

from typing import Any

import pytest

from proto.ids import TenantId
from services.api import routes
from services.api.requests import permissions
from services.api.requests.routing import Route
from services.api.store import ledger
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Client, System
from tests.integration.test_api_refusals import VALID
from tests.security.test_foreign_ids import things_of

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

UNSAFE = [
    route
    for route in routes.ROUTES
    if route.method != "GET" and route.name not in permissions.SEARCHES
]


async def body_for(system: System, route: Route, owner: Client) -> Any:
    body = {} if route.method == "DELETE" else dict(VALID.get(route.path, {}))
    for side in {"left", "right"} & body.keys():
        account = system.others.add_account(owner.tenant_id)
        body[side] = {"account_id": account.account_id}
    return body or None


@pytest.mark.parametrize("route", UNSAFE, ids=lambda r: r.name)
async def test_every_act_says_who_did_it_and_how_it_ended(
    system: System, route: Route, figures: dict[str, Any]
) -> None:
    owner = await system.person()
    things = await things_of(system, owner)
    head = await ledger.head_of(
        system.runtime.database.reader(TenantId(owner.tenant_id)),
        TenantId(owner.tenant_id),
    )
    path = route.path.format(app="carddav", **things)
    answer = await owner(route.method, path, await body_for(system, route, owner))
    reader = await system.key(owner.tenant_id, "manage")
    log = await system.stranger(reader)("GET", f"/v1/audit?actor={owner.person_id}")
    new = [entry for entry in log.body["items"] if entry["number"] > head.number]
    assert new, "nothing was written down"
    assert new[0]["outcome"] == ("done" if answer.status < 400 else answer.code)
    assert all(entry["request_id"] == answer.headers["X-Request-Id"] for entry in new)
    assert all(entry["remote"] == "127.0.0.1" for entry in new)
    whole = await ledger.check(
        system.runtime.database.reader(TenantId(owner.tenant_id)),
        TenantId(owner.tenant_id),
    )
    assert whole[1] == ""
    figures["acts_seen"] = int(figures.get("acts_seen", 0)) + 1


async def test_the_log_is_read_page_by_page_and_filtered(system: System) -> None:
    owner, stranger = await system.person(), await system.person()
    for n in range(5):
        made = await owner("POST", "/v1/api-keys", {"name": f"k{n}"})
    await owner("DELETE", f"/v1/api-keys/{made.body['key_id']}")
    first = await owner("GET", "/v1/audit?limit=4")
    rest = await owner("GET", f"/v1/audit?limit=4&after={first.body['next']}")
    numbers = [e["number"] for e in [*first.body["items"], *rest.body["items"]]]
    assert (numbers, rest.body["next"]) == ([6, 5, 4, 3, 2, 1], None)
    at = first.body["items"][0]["at"]
    for query, count in (
        (f"actor={owner.person_id}", 6),
        ("actor=nobody", 0),
        ("act=api_key.revoke", 1),
        (f"object_id={made.body['key_id']}", 2),
        (f"from={at}", 1),
        (f"until={at}", 5),
        (f"from={at}&until={at}", 0),
        ("after=3&act=api_key.create", 2),
    ):
        answer = await owner("GET", f"/v1/audit?{query.replace('+', '%2B')}")
        assert len(answer.body["items"]) == count, query
    head = await ledger.head_of(
        system.runtime.database.reader(TenantId(owner.tenant_id)),
        TenantId(owner.tenant_id),
    )
    assert first.body["items"][0]["digest"] == head.digest.hex()
    assert (await stranger("GET", "/v1/audit")).body["items"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("after=x", "after"),
        ("after=-1", "after"),
        ("after=" + "9" * 19, "after"),
        ("after=%C2%B2", "after"),
        ("from=yesterday", "from"),
        ("until=2026-01-01T00:00:00", "until"),
        ("from=9999-12-31T23:59:59-14:00", "from"),
        ("act=" + "x" * 201, "act"),
        ("actor=%0a", "actor"),
    ],
)
async def test_what_is_no_filter_is_said(
    system: System, query: str, pointer: str
) -> None:
    answer = await (await system.person())("GET", f"/v1/audit?{query}")
    assert (answer.status, answer.faults) == (422, [pointer])
