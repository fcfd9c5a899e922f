"""The Constant Contact emulator fails on request, tells what happened, runs alone."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.constant_contact_caller import Caller, calling
from tests.contract.emulator_caller import CLIENT_ID
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.core.limits import Limits

REPOSITORY = Path(__file__).parents[2]
START_S = 20
STOP_S = 10
LOST_S_MAX = 20
MODULE = "tests.emulators.constant_contact"
ANN = {"create_source": "Account", "email_address": {"address": "ann@example.com"}}


@pytest.fixture
async def cc() -> AsyncIterator[Caller]:
    """Yield an authorised caller of an emulator without limits."""
    async with calling(Settings(limits=Limits())) as caller:
        caller.token = (await caller.authorize()).body["access_token"]
        yield caller


async def raw(cc: Caller, path: str = "/v3/contacts") -> Any:
    """Send an authorised GET and check nothing."""
    return await cc.send("GET", path, headers={"Authorization": f"Bearer {cc.token}"})


async def test_applied_but_lost(cc: Caller) -> None:
    fault = {"kind": "applied_but_lost", "method": "POST", "count": 1}
    await cc.admin("POST", "/faults", fault)
    with pytest.raises(aiohttp.ClientError):
        await cc.call("POST", "/v3/contacts", ANN)
    # The write happened, so doing it again conflicts.
    assert (await cc.call("POST", "/v3/contacts", ANN)).status == 409
    assert len(await cc.listed()) == 1


async def test_a_lost_refresh_has_rotated_the_token(cc: Caller) -> None:
    token = (await cc.authorize()).body["refresh_token"]
    fault = {"kind": "applied_but_lost", "path": "/oauth2", "count": 1}
    await cc.admin("POST", "/faults", fault)
    with pytest.raises(aiohttp.ClientError):
        await cc.refresh(token)
    assert (await cc.refresh(token)).status == 400


@pytest.mark.parametrize("kind", ["timeout", "late"])
async def test_no_answer_in_time(cc: Caller, kind: str) -> None:
    """A request that timed out was never applied, or, worse, is applied later."""
    fault = {"kind": kind, "method": "POST", "count": 1, "delay_s": 1}
    await cc.admin("POST", "/faults", fault)
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.05):
            await cc.call("POST", "/v3/contacts", ANN)
    assert await cc.listed() == []
    await _until_lost(cc)
    assert len(await cc.listed()) == (1 if kind == "late" else 0)


async def _until_lost(cc: Caller) -> None:
    """Wait until a call has ended without an answer, which is counted as status 0."""
    async with asyncio.timeout(LOST_S_MAX):
        while "0" not in (await cc.admin("GET", "/statistics"))["statuses"]:
            await asyncio.sleep(0.02)


async def test_latency(cc: Caller) -> None:
    await cc.admin("POST", "/faults", {"kind": "latency", "delay_s": 0.1, "count": 1})
    started = asyncio.get_running_loop().time()
    assert (await raw(cc)).status == 200
    assert asyncio.get_running_loop().time() - started >= 0.1


async def test_a_status_on_request_applies_nothing(cc: Caller) -> None:
    for status in (403, 409, 429, 500, 503):
        fault = {"kind": "status", "status": status, "count": 1}
        await cc.admin("POST", "/faults", fault)
        answer = await cc.call("POST", "/v3/contacts", ANN)
        assert answer.status == status
    assert await cc.listed() == []


async def test_html_in_place_of_an_answer(cc: Caller) -> None:
    for order, status in (({}, 200), ({"status": 500}, 500)):
        await cc.admin("POST", "/faults", {"kind": "html", "count": 1} | order)
        answer = await raw(cc)
        assert (answer.status, answer.content_type) == (status, "text/html")
        assert answer.body.startswith("<!doctype html>")


async def test_truncated_json(cc: Caller) -> None:
    await cc.create("ann@example.com")
    await cc.admin("POST", "/faults", {"kind": "truncated_json", "count": 1})
    with pytest.raises(json.JSONDecodeError):
        await raw(cc)


async def test_empty_listing(cc: Caller) -> None:
    await cc.create("ann@example.com")
    fault = {"kind": "empty_listing", "path": "/v3/contacts", "count": 1}
    await cc.admin("POST", "/faults", fault)
    assert await cc.get("/v3/contacts") == {"contacts": []}
    assert len(await cc.listed()) == 1


async def test_endless_listing(cc: Caller) -> None:
    await cc.create("ann@example.com")
    await cc.admin("POST", "/faults", {"kind": "endless_listing"})
    path = "/v3/contacts"
    for _ in range(5):
        page = await cc.get(path)
        assert len(page["contacts"]) == 1
        path = page["_links"]["next"]["href"]
    lists = await cc.get("/v3/contact_lists")
    assert lists["_links"]["next"]["href"].startswith("/v3/contact_lists?cursor=")


async def test_malformed_page(cc: Caller) -> None:
    await cc.create("ann@example.com")
    await cc.create("bob@example.com")
    await cc.admin("POST", "/faults", {"kind": "malformed_page", "count": 1})
    contacts = (await raw(cc)).body["contacts"]
    assert contacts[0]["contact_id"] == 17
    assert contacts[1]["email_address"]["address"] == "bob@example.com"


async def test_faults_are_drawn_from_a_seed(cc: Caller) -> None:
    rounds = []
    for seed in (7, 7, 8):
        await cc.admin("DELETE", "/faults")
        fault = {"kind": "status", "status": 503, "probability": 0.3, "seed": seed}
        await cc.admin("POST", "/faults", fault)
        rounds.append([(await raw(cc)).status for _ in range(60)])
    assert rounds[0] == rounds[1] != rounds[2]
    assert 5 <= rounds[0].count(503) <= 35
    (rule,) = await cc.admin("GET", "/faults")
    assert rule["fired"] == rounds[2].count(503)


async def test_a_fault_hits_only_what_it_names(cc: Caller) -> None:
    for fault in (
        {"kind": "status", "method": "PUT"},
        {"kind": "status", "path": "/v3/contact_tags"},
        {"kind": "status", "account_id": "another"},
        {"kind": "status", "path": "/v3/contacts/{contact_id}"},
    ):
        await cc.admin("POST", "/faults", fault)
    assert (await raw(cc)).status == 200
    assert (await raw(cc, "/v3/contact_tags")).status == 500
    await cc.admin("DELETE", "/faults")
    fault = {"kind": "status", "account_id": cc.account.account_id, "skip": 1}
    await cc.admin("POST", "/faults", fault | {"count": 1})
    assert [(await raw(cc)).status for _ in range(3)] == [200, 500, 200]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "earthquake"}),
        ("POST", "/faults", {"kind": "status", "probability": 2}),
        ("POST", "/faults", {"kind": "latency", "delay_s": 601}),
        ("POST", "/faults", {"kind": "latency", "delay": 1}),
        ("PATCH", "/settings", {"limits": {"requests_per_second": "many"}}),
        ("PATCH", "/settings", {"limits": {"requests": 1}}),
        ("PATCH", "/settings", {"colours": {}}),
        ("POST", "/clock", {"advance": 1}),
    ],
)
async def test_a_wrong_order_is_refused(
    cc: Caller, method: str, path: str, body: Any
) -> None:
    before = await cc.admin("GET", "/settings")
    answer = await cc.send(method, f"/_emulator{path}", json=body)
    assert answer.status == 400
    assert await cc.admin("GET", "/settings") == before
    assert await cc.admin("GET", "/faults") == []


async def test_people_and_the_api_are_told_apart(cc: Caller) -> None:
    ids = await cc.of_account("POST", "/contacts", [{"first_name": "Seeded"}])
    made = await cc.act("create", contact=ANN)
    cc.emulator.clock.advance(60)
    await cc.act(
        "edit",
        email="ann@example.com",
        changes={"last_name": "Lee", "phone_numbers": [{"phone_number": "1"}]},
    )
    await cc.act("change_email", contact_id=made, address="lee@example.com")
    await cc.put(made, first_name="Ann", last_name="Lee")
    await cc.act("edit", contact_id=made, changes={"last_name": None})
    shown = await cc.of_account("GET", "/contacts")
    assert [entry["contact"]["contact_id"] for entry in shown] == [
        *ids["contact_ids"],
        made,
    ]
    entry = shown[1]
    assert entry["contact"]["email_address"]["address"] == "lee@example.com"
    assert entry["contact"]["phone_numbers"][0]["phone_number"] == "1"
    assert entry["contact"]["first_name"] == "Ann"
    assert "last_name" not in entry["contact"]
    assert (entry["last_writer"], entry["api_writes"], entry["user_writes"]) == (
        "user",
        1,
        4,
    )
    lines = await cc.of_account("GET", "/journal?after=1")
    edited = ["last_name", "update_source", "updated_at", "phone_numbers"]
    assert [(line["who"], line["operation"], line["fields"]) for line in lines] == [
        ("user", "create", ["contact_id"]),
        ("user", "edit", edited),
        ("user", "edit", ["email_address"]),
        ("api", "update", ["first_name"]),
        ("user", "edit", ["last_name"]),
    ]
    assert await cc.of_account("GET", f"/journal?after={lines[-1]['number']}") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"},
        {"updated_at": "2026-01-01T00:00:00.5Z"},
        {"deleted_at": "2026-01-01T00:00:00Z"},
        {"first_name": None},
        {"email_address": {"address": "ann@example.com"}},
    ],
)
async def test_a_wrong_seed_is_refused(cc: Caller, changes: dict[str, Any]) -> None:
    await cc.create("ann@example.com")
    path = f"/_emulator/accounts/{cc.account.account_id}/contacts"
    seeds = [{"first_name": "Ann"} | changes]
    assert 400 <= (await cc.send("POST", path, json=seeds)).status < 500
    assert len(await cc.listed("status=all")) == 1


async def test_a_seed_has_the_past_it_is_given(cc: Caller) -> None:
    email = {"address": "ann@example.com", "permission_to_send": "unsubscribed"}
    seed = {
        "email_address": email,
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-02-01T00:00:00Z",
        "opt_out_date": "2025-03-01T00:00:00Z",
    }
    gone = {"email_address": {"address": "bob@example.com"}, "deleted_at": "2025-04-01"}
    await cc.of_account("POST", "/contacts", [seed, gone])
    (ann,) = await cc.listed("optout_after=2025-02-15&status=unsubscribed")
    assert ann["created_at"] == ann["email_address"]["created_at"] == seed["created_at"]
    assert ann["updated_at"] == seed["updated_at"]
    assert ann["email_address"]["opt_out_date"] == seed["opt_out_date"]
    assert ann["email_address"]["opt_out_source"] == "Contact"
    (bob,) = await cc.listed("optout_after=2025-03-15&status=deleted")
    assert bob["deleted_at"] == "2025-04-01"
    assert bob["email_address"]["opt_out_source"] == "Account"


async def test_people_delete_and_revive(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    await cc.act("delete", contact_id=ann["contact_id"])
    edit = {"act": "edit", "email": "ann@example.com", "changes": {"first_name": "A"}}
    path = f"/_emulator/accounts/{cc.account.account_id}/acts"
    assert (await cc.send("POST", path, json=[edit])).status == 409
    assert await cc.ids("status=deleted") == [ann["contact_id"]]
    await cc.act("revive", email="ann@example.com")
    assert await cc.ids() == [ann["contact_id"]]


@pytest.mark.parametrize(
    "act",
    [
        {"act": "dance"},
        {"act": "delete"},
        {"act": "delete", "contact_id": "x", "email": "y"},
        {"act": "delete", "email": "nobody@example.com"},
        {"act": "edit", "email": "ann@example.com", "changes": {"nickname": "A"}},
        {"act": "edit", "email": "ann@example.com", "changes": []},
        {"act": "edit", "email": "ann@example.com", "changes": {"first_name": 1}},
        {"act": "change_email", "email": "ann@example.com", "address": "b@example.com"},
        {"act": "come_back", "email": "ann@example.com"},
    ],
)
async def test_a_wrong_act_is_refused(cc: Caller, act: dict[str, Any]) -> None:
    ann = await cc.create("ann@example.com")
    await cc.create("b@example.com")
    path = f"/_emulator/accounts/{cc.account.account_id}/acts"
    assert 400 <= (await cc.send("POST", path, json=[act])).status < 500
    assert (await cc.listed())[0] == {
        name: value for name, value in ann.items() if not isinstance(value, list)
    }


async def test_calls_are_counted(cc: Caller) -> None:
    await cc.admin("DELETE", "/statistics")
    ann = await cc.create("ann@example.com")
    await cc.put(ann["contact_id"], first_name="Ann")
    await cc.call("PUT", f"/v3/contacts/{ann['contact_id']}", {})
    await raw(cc)
    await cc.act("edit", contact_id=ann["contact_id"], changes={"first_name": "A"})
    report = await cc.admin("GET", "/statistics")
    assert report["total"] == 4
    assert report["calls"] == {
        "POST /v3/contacts": 1,
        "PUT /v3/contacts/{contact_id}": 2,
        "GET /v3/contacts": 1,
    }
    assert report["statuses"] == {"201": 1, "200": 2, "400": 1}
    assert report["writes"] == {cc.account.account_id: 2}
    assert report["by_account"][cc.account.account_id] == report["calls"]
    await cc.admin("DELETE", "/statistics")
    assert (await cc.admin("GET", "/statistics"))["total"] == 0


async def test_accounts_can_be_opened(cc: Caller) -> None:
    order = {"name": "Third", "has_confirmed_opt_in": True}
    opened = await cc.admin("POST", "/accounts", order)
    shown = await cc.admin("GET", f"/accounts/{opened['account_id']}")
    assert shown == opened
    assert shown["default_list_id"] == shown["lists"][0]["list_id"]
    assert [found["name"] for found in await cc.admin("GET", "/accounts")] == [
        cc.account.name,
        "Third",
    ]


async def test_it_runs_alone_and_stops_cleanly(tmp_path: Path) -> None:
    seeds = tmp_path / "contacts.json"
    seeds.write_text(json.dumps([{"first_name": "Ann"}]))
    options = ("--port", "0", "--seed-file", str(seeds), "--account", "A")
    for stop in (signal.SIGTERM, signal.SIGINT):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE, *options),
            *("--requests-per-second", "unlimited", "--client-id", CLIENT_ID),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            ready = json.loads(await process.stdout.readline())
        assert ready["ready"] is True
        await _check_alone(ready["url"])
        process.send_signal(stop)
        async with asyncio.timeout(STOP_S):
            out, err = await process.communicate()
        assert (process.returncode, out, err) == (0, b"", b"")


async def _check_alone(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        # A request that hangs must not hold up the end.
        fault = {"kind": "timeout", "delay_s": 600, "path": "/oauth2"}
        await session.post(f"{url}/_emulator/faults", json=fault)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.2):
                await session.post(f"{url}/oauth2/default/v1/token")
        async with session.get(f"{url}/_emulator/accounts") as reply:
            (account,) = await reply.json()
        assert (account["name"], account["contacts"]["not_set"]) == ("A", 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--requests-per-second", "0"), b"must be at least 1, or unlimited"),
        (("--requests-per-second", "few"), b"invalid"),
        (("--seed-file", "/nowhere.json"), b"cannot start"),
        (("--port", "99999"), b"must be from 0 to 65535"),
    ],
)
async def test_wrong_options_end_with_words_and_no_traceback(
    options: tuple[str, ...], words: bytes
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", MODULE, *options),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(START_S):
        out, err = await process.communicate()
    assert process.returncode not in (0, None)
    assert words in err
    assert out == b""
    assert b"Traceback" not in err
