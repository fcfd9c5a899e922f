"""What the Mailchimp emulator pushes of which change, and to whom."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from tests.contract.mailchimp_account import connected
from tests.emulators.core.hooks import Hook


class Listener:
    """Somebody who is told, once they have answered well."""

    def __init__(self) -> None:
        self.forms: list[dict[str, str]] = []
        self.status = 200

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "POST":
            text = (await request.read()).decode()
            self.forms.append(dict(parse_qsl(text, keep_blank_values=True)))
        return web.Response(status=self.status)


@pytest.fixture
async def listener():
    listening = Listener()
    runner = web.ServerRunner(web.Server(listening.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listening.url = f"http://127.0.0.1:{runner.addresses[0][1]}/x"
    yield listening
    await runner.cleanup()


@pytest.fixture
async def account(listener):
    async with connected() as standing:
        hook = Hook(url=listener.url, account_id=standing.held.account_id)
        standing.emulator.hooks.enter(hook)
        await standing.emulator.hooks.settled()
        yield standing


async def told(account: Any, listener: Listener, act: str, **about: object) -> Any:
    """Do something; return the types that are told of it, and the last form."""
    listener.forms.clear()
    about.setdefault("contact_id", getattr(account, "who", ""))
    if act == "create":
        del about["contact_id"]
    account.who = account.emulator.act(account.held, act, **about)
    await account.emulator.hooks.settled()
    return [one["type"] for one in listener.forms], *listener.forms[-1:]


async def test_each_change_has_its_type(account, listener):
    async def types(act: str, **about: object) -> list[str]:
        return (await told(account, listener, act, **about))[0]

    ann = {"email_address": "ann@example.org", "status": "subscribed"}
    assert await types("create", member=ann) == ["subscribe"]
    assert await types("edit", changes={"merge_fields": {"FNAME": "Ann"}}) == [
        "profile"
    ]
    assert await types("edit", changes={"email_address": "a@example.org"}) == [
        "upemail"
    ]
    assert await types("tag", names=["VIP"]) == []
    assert await types("archive") == ["unsubscribe"]
    assert await types("bring_back") == ["subscribe"]
    assert await types("unsubscribe") == ["unsubscribe"]
    assert await types("bounce") == ["cleaned"]
    assert await types("forget") == ["unsubscribe"]
    bob = {"email_address": "bob@example.org", "status": "transactional"}
    assert await types("create", member=bob) == []


async def test_a_form_names_the_audience_and_the_member(account, listener):
    address = {"addr1": "Main St 1", "city": "Bern"}
    fields = {"FNAME": "Zoë", "ADDRESS": address | {"state": "BE", "zip": "3000"}}
    ann = {"email_address": "ann@example.org", "merge_fields": fields}
    _, form = await told(
        account, listener, "create", member=ann | {"status": "subscribed"}
    )
    assert form["data[list_id]"] == account.list_id
    assert form["data[email]"] == "ann@example.org"
    assert form["data[merges][FNAME]"] == "Zoë"
    assert form["data[merges][ADDRESS][city]"] == "Bern"
    assert len(form["fired_at"]) == len("2026-02-11 12:00:00")


async def test_an_address_that_does_not_answer_is_told_nothing(account, listener):
    account.emulator.hooks.entered.clear()
    listener.status = 404
    hook = Hook(url=listener.url, account_id=account.held.account_id)
    account.emulator.hooks.enter(hook)
    await account.emulator.hooks.settled()
    ann = {"email_address": "ann@example.org", "status": "subscribed"}
    assert await told(account, listener, "create", member=ann) == ([],)
