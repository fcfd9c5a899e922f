"""Tenants do not see each other: a foreign id is answered like an absent one (S4).

The matrix is every route of the app with an identifier in it, tried with one of another
tenant by a key and by a person; none may answer anything but 404.
"""

from typing import Any

import pytest
from aiohttp import web

from services.api import routes, service
from services.api.requests.routing import Route
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Client, System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_ID = [route for route in routes.ROUTES if "_id}" in route.path]
BODIES: dict[str, dict[str, str]] = {
    "PATCH /v1/connections/{connection_id}": {"name": "mine now"},
    "POST /v1/connections/{connection_id}/links": {
        "left_record_id": "l",
        "right_record_id": "r",
    },
    "PATCH /v1/people/{person_id}": {"role": "viewer"},
    "POST /v1/connections/{connection_id}/records/search": {"email": "a@b.example"},
}
NOWHERE = "0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11"
PREFIXES = {
    "account_id": "acct",
    "authorisation_id": "athz",
    "connection_id": "conn",
    "erasure_id": "eras",
    "invitation_id": "inv",
    "key_id": "key",
    "link_id": "link",
    "person_id": "pers",
    "session_id": "sess",
}


async def things_of(system: System, owner: Client) -> dict[str, str]:
    """Return one id of each kind that a path can hold."""
    connection = system.others.add_connection(owner.tenant_id)
    begun = await owner(
        "POST", "/v1/accounts/authorisations", {"app": "constant_contact"}
    )
    key = await owner("POST", "/v1/api-keys", {"name": "k"})
    link = await owner(
        "POST",
        f"/v1/connections/{connection.connection_id}/links",
        {"left_record_id": "l", "right_record_id": "r"},
    )
    invited = await owner(
        "POST", "/v1/invitations", {"email": "ana@example.org", "role": "viewer"}
    )
    person = await system.person("editor", tenant_id=owner.tenant_id)
    (session,) = await system.rows(
        "SELECT session_id FROM sessions WHERE person_id = $1",
        owner.person_id or person.person_id,
    )
    return {
        "account_id": system.others.add_account(owner.tenant_id).account_id,
        "authorisation_id": begun.body["authorisation_id"],
        "connection_id": connection.connection_id,
        "erasure_id": system.others.add_erasure(owner.tenant_id).erasure_id,
        "invitation_id": invited.body["invitation_id"],
        "key_id": key.body["key_id"],
        "link_id": link.body["link_id"],
        "person_id": person.person_id,
        "session_id": session["session_id"],
    }


@pytest.mark.parametrize("by", ["key", "person"])
@pytest.mark.parametrize("route", WITH_ID, ids=lambda r: f"{r.method} {r.path}")
async def test_a_foreign_id_is_not_found(
    system: System, route: Route, by: str, figures: dict[str, Any]
) -> None:
    owner = await system.person()
    stranger = await (system.client() if by == "key" else system.person())
    path = route.path.format(**await things_of(system, owner))
    body = BODIES.get(f"{route.method} {route.path}")
    foreign = await stranger(route.method, path, body)
    if route.is_personal and by == "key":
        assert (foreign.status, foreign.code) == (403, "person_missing")
        return
    answered = int(figures.get("answered", 0)) + (foreign.status != 404)
    figures |= {"tried": int(figures.get("tried", 0)) + 1, "answered": answered}
    assert (foreign.status, foreign.code) == (404, "not_found")
    absent_ids = {name: f"{kind}_{NOWHERE}" for name, kind in PREFIXES.items()}
    absent = await stranger(route.method, route.path.format(**absent_ids), body)
    # Word for word the same, but for the request's own id.
    assert {**absent.body, "request_id": ""} == {**foreign.body, "request_id": ""}
    own = await owner(route.method, path, body)
    assert own.status in (200, 201, 204)


async def test_the_matrix_is_every_route_with_an_id_that_the_app_serves(
    system: System,
) -> None:
    """Seen from the application itself, so that none is left out of the list."""
    served = {
        f"{route.method} {route.resource.canonical}"
        for route in service.application(system.parts).router.routes()
        if isinstance(route.resource, web.DynamicResource) and route.method != "HEAD"
    }
    # What else has a place to fill in holds the name of an app, or of a part.
    named = {
        "PUT /v1/apps/{app}/client",
        "POST /v1/apps/{app}/client/check",
        "GET /oauth/callback/{app}",
        "GET /v1/export/{part}",
    }
    assert served - named == {route.name for route in WITH_ID}
    kinds = {
        part[1:-1]
        for route in WITH_ID
        for part in route.path.split("/")
        if part.startswith("{")
    }
    assert kinds == set(PREFIXES)


async def test_a_foreign_link_of_an_own_connection_is_not_found(system: System) -> None:
    owner, stranger = await system.client(), await system.client()
    things = await things_of(system, owner)
    own = system.others.add_connection(stranger.tenant_id)
    path = f"/v1/connections/{own.connection_id}/links/{things['link_id']}"
    answer = await stranger("DELETE", path)
    assert (answer.status, answer.code, answer.faults) == (404, "not_found", [])


async def test_sessions_of_a_colleague_are_as_far_as_those_of_a_stranger(
    system: System,
) -> None:
    owner = await system.person()
    things = await things_of(system, owner)
    colleague = await system.person(tenant_id=owner.tenant_id)
    path = f"/v1/sessions/{things['session_id']}"
    assert (await colleague("DELETE", path)).status == 404
    assert (await owner("GET", "/v1/session")).status == 200


async def test_lists_show_the_own_tenants_things_alone(system: System) -> None:
    owner, stranger = await system.person(), await system.person()
    await things_of(system, owner)
    for path in ("/v1/accounts", "/v1/connections", "/v1/api-keys"):
        assert (await owner("GET", path)).body["items"]
        assert (await stranger("GET", path)).body["items"] == []
    for path in ("/v1/people", "/v1/sessions"):
        assert len((await stranger("GET", path)).body["items"]) == 1


async def test_a_foreign_account_filters_nothing_in(system: System) -> None:
    owner, stranger = await system.client(), await system.client()
    connection = system.others.add_connection(owner.tenant_id)
    path = f"/v1/connections?account_id={connection.settings.left.account_id}"
    assert len((await owner("GET", path)).body["items"]) == 1
    assert (await stranger("GET", path)).body["items"] == []


async def test_a_foreign_id_in_a_body_is_not_found(system: System) -> None:
    owner, stranger = await system.client(), await system.client()
    foreign = system.others.add_account(owner.tenant_id).account_id
    own = system.others.add_account(stranger.tenant_id).account_id
    connection = system.others.add_connection(stranger.tenant_id)
    password = {"base_url": "https://x", "username": "u", "password": "p"}
    ends = {"name": "n", "left": {"account_id": own}, "right": {"account_id": foreign}}
    for path, body in (
        ("/v1/accounts", {"app": "carddav", **password, "account_id": foreign}),
        (
            "/v1/accounts/authorisations",
            {"app": "constant_contact", "account_id": foreign},
        ),
        ("/v1/connections", ends),
    ):
        answer = await stranger("POST", path, body)
        assert (answer.status, answer.code) == (404, "not_found"), path
    path = f"/v1/connections/{connection.connection_id}"
    answer = await stranger("PATCH", path, {"left": {"account_id": foreign}})
    assert answer.status == 404
