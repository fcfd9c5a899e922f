"""What every emulator does, whoever its vendor is: they are found by their folders."""

import asyncio
import importlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.emulators.core.emulator import Emulator, serving
from tests.emulators.core.settings import unlimited
from tests.tidy.tree import ROOT

FOLDERS = sorted(
    path.parent.name for path in ROOT.glob("tests/emulators/*/emulator.py")
)
EMULATORS = [name for name in FOLDERS if name != "core"]
START_S = 20


def kind_of(name: str) -> type[Emulator[Any]]:
    return importlib.import_module(f"tests.emulators.{name}.emulator").Emulator


@pytest.fixture(params=EMULATORS)
def kind(request: pytest.FixtureRequest) -> type[Emulator[Any]]:
    return kind_of(request.param)


@pytest.fixture
async def emulator(kind: type[Emulator[Any]]) -> AsyncIterator[Emulator[Any]]:
    async with serving(kind(unlimited(kind.settings_kind()))) as running:
        yield running


async def admin(
    emulator: Emulator[Any], method: str, path: str, body: Any = None
) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{emulator.url}/_emulator{path}", json=body) as reply,
    ):
        raw = await reply.read()
        return reply.status, json.loads(raw) if raw else None


async def test_accounts_are_opened_shown_and_given_tokens(emulator):
    status, opened = await admin(emulator, "POST", "/accounts", {"name": "Second"})
    assert (status, opened["name"], opened["journal_number"]) == (201, "Second", 0)
    path = f"/accounts/{opened['account_id']}"
    assert await admin(emulator, "GET", path) == (200, opened)
    client = {"client_id": next(iter(emulator.server.clients))}
    status, tokens = await admin(emulator, "POST", f"{path}/tokens", client)
    grant = emulator.server.check(tokens["access_token"])
    assert (status, grant.account_id) == (201, opened["account_id"])
    usual = emulator.vendor.usual_scopes or emulator.vendor.scopes
    assert grant.scopes == usual
    await admin(emulator, "POST", f"{path}/revoke", {"tokens": "access"})
    assert emulator.server.check(tokens["access_token"]) is None


async def test_what_the_administration_cannot_do_is_refused_with_words(emulator):
    status, told = await admin(emulator, "GET", "/accounts/nobody")
    assert (status, told) == (404, {"error": "There is no such account"})
    (account_id,) = emulator.accounts
    status, told = await admin(
        emulator, "POST", f"/accounts/{account_id}/acts", [{"act": "dance"}]
    )
    assert status == 400
    assert "dance" in told["error"]
    path = f"/accounts/{account_id}/journal?after=soon"
    status, _ = await admin(emulator, "GET", path)
    assert status == 400


async def test_every_part_of_the_settings_can_be_changed(emulator):
    status, shown = await admin(emulator, "GET", "/settings")
    assert {"limits", "tokens", "behaviour"} <= shown.keys()
    change = {"limits": {"requests_per_day": 1}}
    status, shown = await admin(emulator, "PATCH", "/settings", change)
    assert (status, shown["limits"]["requests_per_day"]) == (200, 1)
    assert emulator.limiter.limits.requests_per_day == 1


async def test_a_call_behind_the_door_needs_a_token_and_stays_in_the_limit(emulator):
    (account,) = emulator.accounts.values()
    route = next(
        one
        for one in emulator.host.routes()
        if one.scope and one.method == "GET" and "{" not in one.template
    )
    async with aiohttp.ClientSession() as session:

        async def status(**headers: str) -> int:
            url = emulator.url + (emulator.probe or route.template)
            async with session.get(url, headers=headers) as reply:
                return reply.status

        stranger = emulator.vendor.stranger_status
        proof = emulator.proof(emulator.issue(account).access_token)
        assert await status() == stranger
        assert await status(**emulator.proof("nonsense")) == stranger
        assert await status(**proof) == 200
        emulator.limiter.limits.requests_per_day = 1
        assert await status(**proof) == 429
        narrow = emulator.issue(account, frozenset({"none of theirs"})).access_token
        emulator.limiter.limits.requests_per_day = None
        # Some vendors answer so to everything that is not for the caller.
        assert await status(**emulator.proof(narrow)) in (401, 403)


@pytest.mark.parametrize("name", EMULATORS)
async def test_it_runs_alone_with_the_same_options(name):
    kind = kind_of(name)
    choice = kind.settings_kind().behaviour.__struct_fields__[0]
    common = (sys.executable, "-m", f"tests.emulators.{name}", "--account", "One")
    default = getattr(kind.settings_kind().behaviour, choice)
    value = json.dumps(default).strip('"')
    options = ("--behaviour", f"{choice}={value}", "--requests-per-day", "unlimited")
    process = await _started(*common, *options)
    async with asyncio.timeout(START_S):
        ready = json.loads(await process.stdout.readline())
    assert ready["ready"]
    if kind.vendor.token_path:
        assert ready["token_url"] == ready["url"] + kind.vendor.token_path
    else:
        assert len(ready["api_keys"]) == 1
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")
    wrong = await _started(*common, "--behaviour", "no_such_choice=1")
    out, err = await wrong.communicate()
    assert (wrong.returncode, out) == (1, b"")
    assert b"cannot start" in err
    assert b"no_such_choice" in err


async def _started(*command: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
