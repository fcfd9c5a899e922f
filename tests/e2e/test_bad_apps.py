"""Apps that answer with nonsense or no longer let us in: nothing lost, and it heals.

One installation goes through one evil after another. Each time the reason is shown
with what to do, nothing is written on the strength of a bad answer, and what people
edited meanwhile arrives once, afterwards.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from deploy.demo.browser import Browser
from deploy.demo.vendors import CardDav
from tests.e2e import plain
from tests.e2e.installation import QUICK, Installation, installation
from tests.e2e.plain import send

ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    **QUICK,
    "auth": {"AUTH_REFUSAL_CONFIRM_S": "1", "AUTH_REFRESH_PAUSE_S": "1"},
}
LISTING = "/v3/contacts"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_apps_that_answer_badly_or_refuse_us_cost_nothing():
    """Behaviours 2, 25, 27, 30 and 36."""
    async with installation(
        left_count=126, right_count=126, shared_count=120, environment=ENVIRONMENT
    ) as system:
        await system.start()
        await system.until_live()
        assert (await system.agreement()).is_whole

        await _an_empty_listing_removes_nobody(system)
        for number, kind in enumerate(("html", "truncated_json", "malformed_page")):
            await _an_unreadable_answer_is_told(system, kind, number=number)
        other_id = await _an_endless_listing_holds_up_nobody_else(system)
        await _a_revoked_token_is_told_and_healed_once(system, other_id)
        await _a_changed_password_is_told_and_healed(system, other_id)

        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        plain.assert_logs_are_clean(system)


async def _an_empty_listing_removes_nobody(system: Installation) -> None:
    """Where 120 people were linked, a scan shows none: absence is not deletion."""
    linked = (await system.status())["counts"]["linked"]
    assert linked >= 120
    before = await _written(system)
    await system.fault("empty_listing", path=LISTING)
    await _scan_again(system)
    await system.until_live()
    assert (await system.status())["counts"]["linked"] == linked
    await system.no_faults()
    await system.settle()
    await _scan_again(system)
    status = await system.until_live()
    assert status["counts"]["linked"] == linked
    assert status["counts"]["deleted"] == 0
    assert await _written(system) == before


async def _an_unreadable_answer_is_told(
    system: Installation, kind: str, *, number: int
) -> None:
    email = system.story.crowd.left[number].emails[0]
    before = await _written(system)
    await system.fault(kind, path=LISTING)
    await _scan_again(system)
    status = await system.until(_has_trouble("left"))
    _assert_trouble(status, side="left", code="app_broken", word="later")
    await _retitle_card(system, email, f"Editor {number}")
    assert (await _written(system))[0] == before[0]
    await system.no_faults()
    await system.tell("sync")
    status = await system.until_live()
    assert status["troubles"] == []
    await system.settle()
    after = await _written(system)
    assert len(after[0]) == len(before[0]) + 1, kind
    assert after[1].keys() == before[1].keys()
    assert (await system.agreement()).is_whole


async def _an_endless_listing_holds_up_nobody_else(system: Installation) -> str:
    """One shop's pages go in circles; the other shop is connected and read."""
    before = await _written(system)
    account_id = await system.left.account_id()
    await system.fault("endless_listing", path=LISTING, account_id=account_id)
    await _scan_again(system)
    status = await system.until(_has_trouble("left"))
    _assert_trouble(status, side="left", code="app_broken", word="later")

    other_id = await _connect_second_shop(system)
    await system.tandem.until(other_id, state="live", timeout_s=60)
    accounts = await system.emulator("GET", "/accounts")
    path = f"/accounts/{accounts[1]['account_id']}/contacts"
    assert len(await system.emulator("GET", path)) >= 120
    assert await _written(system) == before

    await system.no_faults()
    await system.tell("sync")
    status = await system.until_live()
    assert status["troubles"] == []
    assert await _written(system) == before
    return other_id


async def _a_revoked_token_is_told_and_healed_once(
    system: Installation, other_id: str
) -> None:
    """Lost with its side and what to do; no write; one new consent catches up."""
    before = await _written(system)
    first, second = system.story.crowd.left[10:12]
    vendor_id = await system.left.account_id()
    await system.emulator("POST", f"/accounts/{vendor_id}/revoke", {"tokens": "all"})
    await _retitle_card(system, first.emails[0], "Edited while lost")
    await system.left.act(
        {
            "act": "edit",
            "email": second.emails[0],
            "changes": {"job_title": "Also edited while lost"},
        }
    )
    await system.tell("sync")
    status = await system.until(_needs_attention)
    _assert_lost(status, side="left")
    account = await _account(system, "constant_contact", lost=True)
    listed = await system.tandem.pages("/v1/connections")
    assert listed[0]["connection_id"] == system.story.connection_id
    answer = await send(
        system, "POST", f"/v1/connections/{system.story.connection_id}/sync"
    )
    assert answer.status in (200, 409), answer
    assert await system.writes_to_left() == before[0]
    assert "Also edited" not in str(await system.right.cards())

    await system.authorise(account_id=account["account_id"])
    await system.until(_is_live)
    await system.settle()
    after = await _written(system)
    assert len(after[0]) == len(before[0]) + 1
    assert "Also edited" in str(after[1])
    assert (await system.agreement()).is_whole
    status = await system.tandem.call("GET", f"/v1/connections/{other_id}/status")
    assert status["state"] in ("live", "syncing"), "another account of the app"


async def _a_changed_password_is_told_and_healed(
    system: Installation, other_id: str
) -> None:
    """Both connections of the account wait, and one new password heals both."""
    before = await system.writes_to_left()
    login = {**system.story.card_login, "password": "changed-meanwhile-1"}
    radicale = system.system.radicale
    assert radicale is not None
    (radicale.directory / "users").write_text(
        f"{login['username']}:{login['password']}\n"
    )
    await system.tell("sync")
    status = await system.until(_needs_attention)
    _assert_lost(status, side="right")
    path = f"/v1/connections/{other_id}/status"
    assert (await system.tandem.call("GET", path))["state"] == "needs_attention"

    email = system.story.crowd.left[12].emails[0]
    act = {"act": "edit", "email": email, "changes": {"job_title": "Edited meanwhile"}}
    await system.left.act(act)
    account = await _account(system, "carddav", lost=True)
    body = {"app": "carddav", "account_id": account["account_id"]}
    wrong = await send(
        system, "POST", "/v1/accounts", body={**system.story.card_login, **body}
    )
    wrong.assert_problem(422, "credentials_refused", "[Cc]heck")
    assert (await system.status())["state"] == "needs_attention"
    again = await send(system, "POST", "/v1/accounts", body={**login, **body})
    assert again.status == 200, again

    system.story.right = CardDav(
        system.session,
        radicale.url,
        user=login["username"],
        password=login["password"],
    )
    await system.until(_is_live)
    await system.settle()
    await system.tandem.until(other_id, state="live", timeout_s=60)
    assert "Edited meanwhile" in str(await system.right.cards())
    assert await system.writes_to_left() == before


async def _written(system: Installation) -> tuple[list[Any], dict[str, str]]:
    """Return what was ever written on the left, and the right as it is."""
    return await system.writes_to_left(), await system.right.cards()


async def _scan_again(system: Installation) -> None:
    """Have both sides read completely."""
    await system.tell("pause")
    await system.tell("resume")


async def _retitle_card(system: Installation, email: str, title: str) -> None:
    found = await system.right.card_of(email)
    assert found is not None
    path, card = found
    lines = [line for line in card.splitlines() if not line.startswith("TITLE")]
    lines.insert(-1, f"TITLE:{title}")
    await system.right.put(path, "\r\n".join([*lines, ""]))


async def _connect_second_shop(system: Installation) -> str:
    """Connect the emulator's second account; only it is written to."""
    path = "/v1/accounts/authorisations"
    begun = await system.tandem.call("POST", path, body={"app": "constant_contact"})
    vendor_id = (await system.emulator("GET", "/accounts"))[1]["account_id"]
    async with Browser() as browser:
        await browser.agree(begun["authorise_url"], account=vendor_id)
    found = await system.tandem.pages("/v1/accounts")
    ids = {account["vendor_account_id"]: account["account_id"] for account in found}
    book = next(a["account_id"] for a in found if a["app"] == "carddav")
    body = {
        "name": "Second shop",
        "left": {"account_id": ids[vendor_id]},
        "right": {"account_id": book},
        "direction": "to_left",
    }
    made = await system.tandem.call("POST", "/v1/connections", body=body)
    connection_id = str(made["connection_id"])
    await system.tandem.call("POST", f"/v1/connections/{connection_id}/start")
    return connection_id


async def _account(system: Installation, app: str, *, lost: bool) -> dict[str, Any]:
    state = "lost" if lost else "connected"
    found = await system.tandem.pages("/v1/accounts")
    return next(a for a in found if a["app"] == app and a["state"] == state)


def _has_trouble(side: str):
    return lambda status: any(t["side"] == side for t in status["troubles"])


def _assert_trouble(status: dict[str, Any], *, side: str, code: str, word: str) -> None:
    (trouble,) = status["troubles"]
    assert (trouble["side"], trouble["code"]) == (side, code), status
    assert word in trouble["detail"], status
    assert status["state"] != "needs_attention", status


def _needs_attention(status: dict[str, Any]) -> bool:
    return status["state"] == "needs_attention"


def _is_live(status: dict[str, Any]) -> bool:
    return status["state"] == "live"


def _assert_lost(status: dict[str, Any], *, side: str) -> None:
    assert (status["attention"], status["attention_side"]) == ("account_lost", side)
    assert "Authorise the account again" in status["attention_detail"]
