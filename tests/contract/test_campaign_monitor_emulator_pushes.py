"""What the Campaign Monitor emulator pushes of which change, and together with what."""

import json
from typing import Any

import pytest

from tests.contract.campaign_monitor_account import connected
from tests.emulators.core.hooks import Hook

URL = "http://127.0.0.1:1/nobody-listens"
ANN = "ann@example.org"


@pytest.fixture
async def account():
    async with connected() as standing:
        hook = Hook(url=URL, account_id=standing.held.account_id)
        standing.emulator.hooks.enter(hook)
        yield standing


async def pushed(account: Any) -> list[dict[str, Any]]:
    sent = await account.emulator.hooks.settled()
    return [json.loads(one.request.body) for one in sent]


async def told(account: Any, act: str, **about: Any) -> list[tuple[str, str]]:
    """Do something; return the type and state of what is told of it alone."""
    if act != "subscribe":
        about.setdefault("contact_id", f"{account.main_list.list_id}/{ANN}")
    before = len(await account.emulator.hooks.settled())
    account.emulator.act(account.held, act, **about)
    events = [one for push in await pushed(account) for one in push["Events"]]
    del events[:before]
    assert all(one["EmailAddress"] == ANN for one in events)
    return [(one["Type"], one.get("State", "")) for one in events]


async def test_each_change_has_its_type(account):
    ann = {"email": ANN}
    assert await told(account, "subscribe", subscriber=ann) == [("Subscribe", "")]
    assert await told(account, "edit", changes={"name": "Ann"}) == [
        ("Update", "Active")
    ]
    # Who is on the list already and comes again is changed.
    assert await told(account, "subscribe", subscriber=ann) == [("Update", "Active")]
    assert await told(account, "unsubscribe") == [("Deactivate", "Unsubscribed")]
    assert await told(account, "subscribe", subscriber=ann) == [("Subscribe", "")]
    assert await told(account, "bounce") == [("Deactivate", "Bounced")]
    assert await told(account, "delete") == [("Deactivate", "Deleted")]
    assert await told(account, "await") == []
    assert await told(account, "confirm") == [("Subscribe", "")]


async def test_an_event_tells_what_the_reference_says(account):
    one = account.main_list.define("subscription date", "Date", ())
    seed = {"email": "Old@example.org", "name": "Ann"}
    seed["values"] = {one.key: "2026-03-09"}
    account.emulator.act(account.held, "subscribe", subscriber=seed)
    old_id = f"{account.main_list.list_id}/old@example.org"
    account.emulator.act(
        account.held, "edit", contact_id=old_id, changes={"email": ANN}
    )
    (push,) = await pushed(account)
    assert push["ListID"] == account.main_list.list_id
    first, second = push["Events"]
    assert first.keys() == {
        "Type",
        "Date",
        "EmailAddress",
        "Name",
        "SignupIPAddress",
        "CustomFields",
    }
    assert first["CustomFields"] == [
        {"Key": "subscription date", "Value": "2026-03-09"}
    ]
    assert second["OldEmailAddress"] == "Old@example.org"
    assert second["EmailAddress"] == ANN
    assert len(second["Date"]) == len("2026-03-10 22:00:00")


async def test_a_thousand_events_of_one_list_go_in_one_push(account):
    client = next(iter(account.held.clients.values()))
    other = account.held.new_list(client, "Offers").list_id
    for number in range(1_001):
        seed = {"email": f"p{number}@example.org"}
        account.emulator.act(account.held, "subscribe", subscriber=seed)
    seed = {"email": ANN, "list_id": other}
    account.emulator.act(account.held, "subscribe", subscriber=seed)
    own = account.main_list.list_id
    counts = [(one["ListID"], len(one["Events"])) for one in await pushed(account)]
    assert counts == [(own, 1_000), (own, 1), (other, 1)]


async def test_what_an_application_does_is_told_and_of_a_no_each_list(account):
    client = next(iter(account.held.clients.values()))
    other = account.held.new_list(client, "Offers")
    other.unsubscribes_everywhere = True
    lists = (account.main_list.list_id, other.list_id)
    account.seed([{"email": ANN, "list_id": one} for one in lists])
    account.held.unsubscribe(other, account.subscriber(ANN), who="api")
    told = [(one["ListID"], one["Events"]) for one in await pushed(account)]
    assert [list_id for list_id, _ in told] == [*lists]
    assert {one["State"] for _, (one,) in told} == {"Unsubscribed"}
