"""An app that answers 401 although the token is good: borne for a while, then told.

A short spell heals by itself and asks nobody for anything. A lasting one needs a
person: the account stayed live once, was never read again, and no one knew.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.e2e import plain
from tests.e2e.installation import QUICK, Installation, installation

CONFIRM_S = 4
ENVIRONMENT: Mapping[str, Mapping[str, str]] = {
    **QUICK,
    "auth": {"AUTH_REFUSAL_CONFIRM_S": str(CONFIRM_S)},
}
LISTING = "/v3/contacts"


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_an_account_that_is_refused_heals_or_asks_for_a_person():
    """Behaviour 2."""
    async with installation(environment=ENVIRONMENT) as system:
        await system.start()
        await system.until_live()
        await _a_short_spell_heals_by_itself(system)
        await _a_lasting_one_needs_a_person_once(system)
        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        plain.assert_logs_are_clean(system)


async def _a_short_spell_heals_by_itself(system: Installation) -> None:
    await _edit(system, 0, "Edited in a short spell")
    await system.fault("status", status=401, path=LISTING)
    await system.tell("sync")
    status = await system.until(_is_refused)
    assert status["state"] != "needs_attention", status
    await system.no_faults()
    await system.settle()
    assert "Edited in a short spell" in str(await system.right.cards())
    (account,) = await _accounts(system)
    assert account["state"] == "connected"


async def _a_lasting_one_needs_a_person_once(system: Installation) -> None:
    before = await _refreshes(system)
    await system.fault("status", status=401, path=LISTING)
    await system.tell("sync")
    status = await system.until(lambda status: status["state"] == "needs_attention")
    assert (status["attention"], status["attention_side"]) == ("account_lost", "left")
    assert await _refreshes(system) - before <= 3, "and not one for each call"
    (account,) = await _accounts(system)
    assert account["state"] == "lost"

    await _edit(system, 1, "Edited while lost")
    await system.no_faults()
    await system.authorise(account_id=account["account_id"])
    await system.until(lambda status: status["state"] == "live")
    await system.settle()
    assert "Edited while lost" in str(await system.right.cards())


def _is_refused(status: dict[str, Any]) -> bool:
    return ("left", "credentials_refused") in [
        (trouble["side"], trouble["code"]) for trouble in status["troubles"]
    ]


async def _edit(system: Installation, number: int, title: str) -> None:
    email = system.story.crowd.left[number].emails[0]
    act = {"act": "edit", "email": email, "changes": {"job_title": title}}
    await system.left.act(act)


async def _accounts(system: Installation) -> list[dict[str, Any]]:
    found = await system.tandem.pages("/v1/accounts")
    return [account for account in found if account["app"] == "constant_contact"]


async def _refreshes(system: Installation) -> int:
    """Return how often a token was refreshed, as the version of the newest tells."""
    rows = await system.rows(
        "SELECT credentials.version FROM auth.credentials"
        " JOIN auth.accounts USING (tenant_id, account_id)"
        " WHERE accounts.app = 'constant_contact'"
    )
    return int(rows[0]["version"])
