"""Requests that the description itself leads to: each answer is as it says.

What fits it and what just does not, made by schemathesis of openapi.yaml, against a
running api with ids that exist. That nothing else fits is what ``test_api_noise``
tries, without knowing the description.
"""

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import Client, System
from tests.security.conftest import Figures
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOL: Final = Path(sys.executable).with_name("schemathesis")
EXAMPLES: Final = 25 if os.environ.get("SECURITY_FULL") else 3
OFTEN: Final = {
    "requests_per_minute_max": 10_000_000,
    "keys_max": 100_000,
    "people_max": 100_000,
    "authorisations_open_max": 100_000,
}
PERSONAL: Final = "^(/v1/(session|sessions|password)|/sign-|/account|/invitations)"
PHASES: Final = "coverage,fuzzing" if os.environ.get("SECURITY_FULL") else "fuzzing"
HOOKS: Final = '''
import urllib.parse

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """A line of more than 8 KiB is refused before it is a request, as is described."""
    query = case.query or {}
    if len(urllib.parse.urlencode(query)) > 7_000:
        case.query = {name: str(value)[:200] for name, value in query.items()}
'''


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    async with fixtures.alone(postgres_server, nats_server, **OFTEN) as started:
        yield started


async def ids_of(system: System, client: Client) -> dict[str, str]:
    """Make one of each thing in a caller's tenant."""
    connection = system.others.add_connection(client.tenant_id)
    account = system.others.add_account(client.tenant_id).account_id
    person = await system.person(tenant_id=client.tenant_id)
    begun = await client(
        "POST", "/v1/accounts/authorisations", {"app": "constant_contact"}
    )
    invited = await client(
        "POST", "/v1/invitations", {"email": "eve@example.org", "role": "viewer"}
    )
    made = await client("POST", "/v1/api-keys", {"name": "k"})
    link = {"left_record_id": "l", "right_record_id": "r"}
    path = f"/v1/connections/{connection.connection_id}/links"
    linked = await client("POST", path, link)
    return {
        "app": "carddav",
        "account_id": account,
        "connection_id": connection.connection_id,
        "authorisation_id": begun.body["authorisation_id"],
        "invitation_id": invited.body["invitation_id"],
        "key_id": made.body["key_id"],
        "link_id": linked.body["link_id"],
        "person_id": person.person_id,
    }


def settings(ids: dict[str, str], *, place: Path) -> str:
    """Return what schemathesis is told besides the command line."""
    (place / "hooks.py").write_text(HOOKS)
    known = "\n".join(f'"path.{name}" = {json.dumps(ids[name])}' for name in ids)
    return f"""
hooks = {json.dumps(str(place / "hooks.py"))}

[parameters]
{known}

# A value may fit its schema and mean nothing; and a fixed word of a path is an id of
# nothing to the route beside it, whose methods count as well.
[checks.positive_data_acceptance]
enabled = false
[checks.allow_header_conformance]
enabled = false
[checks.unsupported_method]
enabled = false
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "410", "412", "413",
    "415", "422", "429", "503"]
"""


async def run(system: System, *, config: Path, options: tuple[str, ...]) -> str:
    """Let schemathesis try an api; return what it says when it has ended."""
    child = await asyncio.create_subprocess_exec(
        *(TOOL, "--config-file", config, "run", ROOT / "services/api/openapi.yaml"),
        *("--url", system.url, "--seed", "1", "--max-examples", str(EXAMPLES)),
        *("--no-color", "--phases", PHASES, *options),
        cwd=config.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await child.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    text = out.decode()
    assert child.returncode == 0, text
    return text


def cases_in(text: str) -> int:
    """Return how many requests were made of the description."""
    found = re.search(r"([\d,]+) generated", text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("by", ["key", "person"])
async def test_each_answer_is_as_described(
    system: System, tmp_path: Path, by: str, figures: Figures
) -> None:
    """S2: no fault of ours, no status, type, header or body that is not described."""
    client = await (system.client() if by == "key" else system.person())
    config = tmp_path / "schemathesis.toml"
    config.write_text(settings(await ids_of(system, client), place=tmp_path))
    own: dict[str, Any] = {
        "key": ("-H", f"Authorization: Bearer {client.key}"),
        "person": (
            *("-H", f"Cookie: {client.cookie}"),
            *("-H", "Sec-Fetch-Site: same-origin"),
            *("--include-path-regex", PERSONAL),
        ),
    }
    told = await run(system, config=config, options=own[by])
    cases = cases_in(told)
    assert cases > 30
    figures["cases"] = int(figures.get("cases", 0)) + cases
