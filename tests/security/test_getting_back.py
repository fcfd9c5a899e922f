"""Forgotten passwords, and what only somebody who has just signed in may do."""

import asyncio
import re
from typing import Any

import pytest
import pytest_asyncio

from services.api.people import resetting
from services.api.proofs.passwords import Hasher
from services.api.requests import access
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Answer, Client, System
from tests.security.test_doors import secret_of, send
from tests.security.test_people import (
    OTHER,
    PASSWORD,
    acts_of,
    browser,
    sign_in,
)

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _nobody_guessed(system: System) -> None:
    await system.rows("DELETE FROM guesses")


async def pair(system: System) -> tuple[Client, Client, str]:
    """Return an owner, an editor who has a password, and the editor's address."""
    owner = await system.person()
    editor = await system.person(
        "editor",
        tenant_id=owner.tenant_id,
        password_hash=await Hasher().hash(PASSWORD),
    )
    return owner, editor, f"{editor.person_id}@example.org"


async def reset_by(owner: Client, person: Client) -> Answer:
    return await owner("POST", f"/v1/people/{person.person_id}/password-reset")


async def choose(system: System, link: Answer, password: str = OTHER) -> Answer:
    form = {"secret": secret_of(link), "email": "x", "password": password}
    return await send(system, "/reset/password", **form)


async def age_sessions(system: System, person: Client) -> None:
    await system.rows(
        "UPDATE sessions SET created_at = created_at - $2::interval"
        " WHERE person_id = $1",
        person.person_id,
        access.FRESH,
    )


async def test_a_forgotten_password_is_chosen_anew_once(system: System) -> None:
    owner, editor, email = await pair(system)
    link = await reset_by(owner, editor)
    assert link.status == 201
    shown = await send(system, "/reset", secret=secret_of(link))
    assert (shown.status, email in shown.body) == (200, True)
    assert (await choose(system, link, "short")).status == 422
    # Nothing is over before it is used: it may have been sent in error.
    assert (await editor("GET", "/v1/session")).status == 200
    answers = await asyncio.gather(*(choose(system, link) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [303, 410, 410]
    assert (await editor("GET", "/v1/session")).code == "session_over"
    assert (await sign_in(system, email)).code == "sign_in_refused"
    assert (await sign_in(system, email, OTHER)).status == 201
    assert (await choose(system, link, PASSWORD)).status == 410
    acts = await acts_of(system, owner.tenant_id)
    assert acts[:2] == [
        (owner.person_id, "person.reset_password", "done"),
        (editor.person_id, "password.reset", "done"),
    ]


async def test_a_resets_link_is_stored_nowhere_and_in_no_address(
    system: System,
) -> None:
    owner, editor, _ = await pair(system)
    link = await reset_by(owner, editor)
    assert re.fullmatch(
        rf"{re.escape(system.url)}/reset#[\w-]{{43}}", link.body["link"]
    )
    rows = await system.rows("SELECT one::text AS row FROM password_resets AS one")
    assert rows
    assert not any(secret_of(link) in row["row"] for row in rows)
    opened = await system.stranger()("GET", "/reset")
    assert "history.replaceState" in opened.body


async def test_a_reset_that_is_over_changes_nothing(system: System) -> None:
    owner, editor, email = await pair(system)
    replaced = await reset_by(owner, editor)
    late = await reset_by(owner, editor)
    await system.rows(
        "UPDATE password_resets SET expires_at = now() WHERE person_id = $1",
        editor.person_id,
    )
    assert [(await choose(system, one)).status for one in (replaced, late)] == [410] * 2
    changed = await reset_by(owner, editor)
    body = {"current_password": PASSWORD, "password": "nine brave umbrellas"}
    assert (await editor("PUT", "/v1/password", body)).status == 204
    # Whoever knew the password again needs no reset, and nobody else either.
    assert (await choose(system, changed)).status == 410
    assert (await sign_in(system, email, "nine brave umbrellas")).status == 201
    removed = await reset_by(owner, editor)
    assert (await owner("DELETE", f"/v1/people/{editor.person_id}")).status == 204
    assert (await choose(system, removed)).status == 410
    assert (await send(system, "/reset", secret="nothing")).status == 410


async def test_a_reset_holds_for_four_hours(system: System) -> None:
    owner, editor, _ = await pair(system)
    await reset_by(owner, editor)
    (row,) = await system.rows(
        "SELECT expires_at - created_at AS holds FROM password_resets"
        " WHERE person_id = $1",
        editor.person_id,
    )
    assert row["holds"] == resetting.HOLDS


async def test_nobody_resets_their_own_password_or_that_of_a_provider(
    system: System,
) -> None:
    """Else whoever finds an owner's browser open would keep the account."""
    owner, editor, _ = await pair(system)
    assert (await reset_by(owner, owner)).code == "not_allowed_now"
    assert (await reset_by(editor, owner)).code == "role_missing"
    elsewhere = await system.person("viewer", tenant_id=owner.tenant_id)
    await system.rows(
        "INSERT INTO identities VALUES ($1, $2, 'issuer', 'subject')",
        owner.tenant_id,
        elsewhere.person_id,
    )
    assert (await reset_by(owner, elsewhere)).code == "not_allowed_now"
    assert (
        await system.rows(
            "SELECT 1 FROM password_resets WHERE tenant_id = $1", owner.tenant_id
        )
        == []
    )


async def test_ways_in_are_changed_right_after_signing_in_alone(
    system: System, figures: dict[str, Any]
) -> None:
    """ASVS 7.5.2: who ends another session of theirs has proved again who they are."""
    owner, editor, email = await pair(system)
    other = browser(system, await sign_in(system, email))
    listed = (await editor("GET", "/v1/sessions")).body["items"]
    (theirs,) = [one for one in listed if not one["is_current"]]
    (own,) = [one for one in listed if one["is_current"]]
    await age_sessions(system, editor)
    await age_sessions(system, owner)
    for client, method, path in (
        (editor, "DELETE", f"/v1/sessions/{theirs['session_id']}"),
        (owner, "POST", f"/v1/people/{editor.person_id}/password-reset"),
    ):
        answer = await client(method, path)
        assert (answer.status, answer.code) == (403, "sign_in_again")
        figures["stale_refused"] = int(figures.get("stale_refused", 0)) + 1
    assert (await other("GET", "/v1/session")).status == 200
    again = browser(system, await sign_in(system, email))
    path = f"/v1/sessions/{theirs['session_id']}"
    assert (await again("DELETE", path)).status == 204
    assert (await other("GET", "/v1/session")).code == "session_over"
    # The one that is at hand may always end.
    assert (await editor("DELETE", f"/v1/sessions/{own['session_id']}")).status == 204
