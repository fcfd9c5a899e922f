"""What the ActiveCampaign emulator pushes of which change."""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.contract.activecampaign_account import connected
from tests.emulators.core.hooks import Hook

URL = "http://127.0.0.1:1/nobody-listens"


@pytest.fixture
async def account():
    async with connected() as standing:
        hook = Hook(url=URL, account_id=standing.held.account_id)
        standing.emulator.hooks.enter(hook)
        yield standing


async def forms(account: Any) -> list[dict[str, str]]:
    sent = await account.emulator.hooks.settled()
    texts = [one.request.body.decode() for one in sent]
    return [dict(parse_qsl(text, keep_blank_values=True)) for text in texts]


async def test_each_change_has_its_type_and_a_deletion_none(account):
    def act(name: str, **about: object) -> int:
        return account.emulator.act(account.held, name, **about)

    ann = act("create", contact={"email": "ann@example.org", "firstName": "Ann"})
    act("edit", contact_id=ann, changes={"lastName": "Baker"})
    act("tag", contact_id=ann, names=["VIP"])
    act("unsubscribe", contact_id=ann)
    act("subscribe", contact_id=ann)
    act("bounce", contact_id=ann)
    act("delete", contact_id=ann)
    told = await forms(account)
    assert [(one["type"], one["list"], one["initiated_by"]) for one in told] == [
        ("subscribe", "0", "admin"),
        ("subscribe", "1", "admin"),
        ("update", "0", "admin"),
        ("contact_tag_added", "0", "admin"),
        ("unsubscribe", "1", "public"),
        ("subscribe", "1", "admin"),
        ("bounce", "1", "admin"),
    ]
    assert {one["contact[id]"] for one in told} == {str(ann)}
    assert told[2]["contact[last_name]"] == "Baker"
    assert told[3]["contact[tags]"] == "VIP"


async def test_what_an_application_does_is_not_told(account):
    body = {"contact": {"email": "ann@example.org"}}
    headers = account.emulator.proof(account.emulator.issue(account.held).access_token)
    url = f"{account.emulator.url}/api/3/contacts"
    async with account._session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 201
    assert await forms(account) == []
