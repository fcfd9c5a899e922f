"""What the HubSpot emulator pushes of which change."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.contract.hubspot_account import Account, connected
from tests.emulators.core.hooks import Hook, Sent

URL = "http://127.0.0.1:1/nobody-listens"


@pytest.fixture
async def account():
    async with connected() as standing:
        standing.emulator.hooks.enter(Hook(url=URL, secret="s"))
        yield standing


async def sent(account: Account) -> Sequence[Sent]:
    return await account.emulator.hooks.settled()


async def events(account: Account) -> list[dict[str, Any]]:
    return [e for one in await sent(account) for e in json.loads(one.request.body)]


async def test_each_change_is_an_event_and_each_property_too(account):
    ann, bob = account.act("create", properties={"email": "ann@example.org"}), None
    bob = account.act("create", properties={"email": "bob@example.org"})
    account.edit([ann], jobtitle="Baker", city="Freiburg")
    account.edit([ann], jobtitle="")
    account.act("unsubscribe", contact_id=bob)
    account.act("archive", contact_id=bob)
    account.act("restore", contact_id=bob)
    account.act("merge", contact_id=ann, other_id=bob)
    told = await events(account)
    kinds = [one["subscriptionType"].removeprefix("contact.") for one in told]
    changes = ["propertyChange"] * 4
    ends = ["deletion", "restore", "merge"]
    assert kinds == ["creation", "creation", *changes, *ends]
    assert [
        (one.get("propertyName"), one.get("propertyValue")) for one in told[2:6]
    ] == [
        ("city", "Freiburg"),
        ("jobtitle", "Baker"),
        ("jobtitle", ""),
        ("hs_email_optout", "true"),
    ]
    assert {one["portalId"] for one in told} == {account.held.portal_id}
    assert len({one["eventId"] for one in told}) == len(told)


async def test_no_more_than_a_hundred_events_go_together(account):
    account.add(250)
    sizes = [len(json.loads(one.request.body)) for one in await sent(account)]
    assert sum(sizes) == 250
    assert max(sizes) == 100


async def test_what_is_sent_is_signed(account):
    account.add(1)
    (one,) = await sent(account)
    stamp = one.request.headers["X-HubSpot-Request-Timestamp"]
    assert int(stamp) == account.held.now_ms()
    text = b"POST" + URL.encode() + one.request.body + stamp.encode()
    signed = base64.b64encode(hmac.new(b"s", text, hashlib.sha256).digest())
    assert one.request.headers["X-HubSpot-Signature-v3"] == signed.decode()
