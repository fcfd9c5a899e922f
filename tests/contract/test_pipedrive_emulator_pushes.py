"""What the Pipedrive emulator pushes of which change."""

import json
from typing import Any

import pytest

from tests.contract.pipedrive_account import connected
from tests.emulators.core.hooks import Hook

URL = "http://127.0.0.1:1/nobody-listens"


@pytest.fixture
async def account():
    async with connected() as standing:
        hook = Hook(url=URL, account_id=standing.held.account_id)
        standing.emulator.hooks.enter(hook)
        yield standing


async def events(account: Any) -> list[dict[str, Any]]:
    sent = await account.emulator.hooks.settled()
    return [json.loads(one.request.body) for one in sent]


async def test_each_change_is_a_push_and_a_merge_is_two(account):
    def act(name: str, **about: object) -> int:
        return account.emulator.act(account.held, name, **about)

    ann = act("create", person={"name": "Ann"})
    bob = act("create", person={"name": "Bob"})
    act("edit", contact_id=ann, changes={"name": "Anna"})
    act("delete", contact_id=bob)
    act("restore", contact_id=bob)
    act("merge", contact_id=bob, into_id=ann)
    told = await events(account)
    changes = [(one["meta"]["action"], one["meta"]["entity_id"]) for one in told]
    assert changes == [
        ("create", str(ann)),
        ("create", str(bob)),
        ("change", str(ann)),
        ("delete", str(bob)),
        ("change", str(bob)),
        ("delete", str(bob)),
        ("change", str(ann)),
    ]
    assert told[2]["data"]["name"] == "Anna"
    assert told[3]["data"] is None
    assert {one["meta"]["company_id"] for one in told} == {account.held.account_id}


async def test_a_password_is_brought_where_one_was_entered(account):
    hooks = account.emulator.hooks
    hooks.enter(Hook(url=URL, account_id=account.held.account_id, secret="s"))
    account.emulator.act(account.held, "create", person={"name": "Ann"})
    brought = [
        one.request.headers.get("Authorization") for one in await hooks.settled()
    ]
    assert brought == [None, "Basic cHVzaGVkOnM="]
