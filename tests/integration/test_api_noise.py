"""Requests that nobody thought of: whatever comes, the answer is as described."""

import json
import random
from typing import Any

import pytest

from services.api import routes
from services.api.routing import Route
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUNDS = 25
WORDS = (
    *("app", "account_id", "name", "left", "right", "scopes", "winner", "direction"),
    *("client_id", "client_secret", "base_url", "username", "password", "token_url"),
    *("mappings_off", "expires_at", "read", "carddav", "constant_contact", "both"),
    *("https://x.example", "", "é", "\x00", "\ud83d\ude00", "'; --", "x" * 300, "%00"),
)


def value(source: random.Random, depth: int = 0) -> Any:
    """Return some JSON."""
    kind = source.randrange(9 if depth < 4 else 6)
    if kind < 3:
        return source.choice(WORDS)
    if kind < 6:
        return source.choice((None, True, 0, -1, 1e300, 2**70))
    if kind == 6:
        return [value(source, depth + 1) for _ in range(source.randrange(4))]
    return {
        source.choice(WORDS): value(source, depth + 1)
        for _ in range(source.randrange(6))
    }


def body(source: random.Random) -> bytes:
    """Return JSON, or what is left of it after an accident."""
    data = json.dumps(value(source)).encode()
    if source.random() < 0.3 and data:
        place = source.randrange(len(data))
        data = data[:place] + source.randbytes(1) + data[place + 1 :]
    return data


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda r: f"{r.method} {r.path}")
async def test_noise_is_answered_as_described(system: System, route: Route) -> None:
    """The client holds each answer against openapi.yaml; a fault of ours is 500."""
    source = random.Random(f"{route.method} {route.path}")
    client = await system.client()
    connection = system.others.add_connection(client.tenant_id)
    ids = {
        "app": "carddav",
        "account_id": connection.settings.left.account_id,
        "connection_id": connection.connection_id,
        "authorisation_id": "athz_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
        "key_id": "key_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11",
    }
    for _ in range(ROUNDS):
        path = route.path.format(**ids)
        if source.random() < 0.3:
            name = source.choice(("limit", "after", "state", "email", "x%00", "%ff"))
            path += f"?{name}={source.choice(('', '1', 'x', '%00', '%ff', '9' * 40))}"
        sent = None if route.method == "GET" else body(source)
        answer = await client(route.method, path, sent)
        assert answer.status < 500, (path, sent)
