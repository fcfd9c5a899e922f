"""A tenant's client is tried at its app, and what is wrong with it is told."""

import pytest

from proto.auth import CheckAppClient, ClientChecked, ClientPart, Verdict
from proto.errors import ErrorCode
from proto.ids import AppId
from tests.contract.emulator_caller import REDIRECT_URI
from tests.emulators.constant_contact.emulator import AUTHORIZE_PATH, TOKEN_PATH
from tests.emulators.core.faults import Fault
from tests.integration.auth_fixtures import shared, world
from tests.integration.auth_world import (
    CARDS,
    MAIL,
    TENANT,
    World,
)

__all__ = ["shared", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED, REFUSED, UNKNOWN = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.UNKNOWN


def trial(app: AppId = MAIL, redirect_uri: str = REDIRECT_URI) -> CheckAppClient:
    return CheckAppClient(tenant_id=TENANT, app=app, redirect_uri=redirect_uri)


async def verdicts(world: World, command: CheckAppClient) -> list[Verdict]:
    checked: ClientChecked = await world.ask(command)
    parts = [finding.part for finding in checked.findings]
    assert parts == [ClientPart.SECRET, ClientPart.REDIRECT_URI, ClientPart.SCOPES]
    return [finding.verdict for finding in checked.findings]


async def test_a_good_client_is_accepted_and_nothing_is_left_behind(world: World):
    assert await verdicts(world, trial()) == [ACCEPTED] * 3
    for table in ("authorisations", "accounts", "credentials"):
        assert await world.rows(f"SELECT 1 FROM auth.{table}") == []
    assert world.emulator.statistics.report().calls == {
        f"POST {TOKEN_PATH}": 2,
        f"GET {AUTHORIZE_PATH}": 3,
    }


@pytest.mark.parametrize(
    ("changes", "redirect_uri", "expected"),
    [
        ({"client_secret": "another"}, REDIRECT_URI, [REFUSED, ACCEPTED, ACCEPTED]),
        ({"client_id": "another"}, REDIRECT_URI, [REFUSED, UNKNOWN, UNKNOWN]),
        ({}, f"{REDIRECT_URI}/", [ACCEPTED, REFUSED, UNKNOWN]),
        ({}, "https://us.example/callback", [ACCEPTED, REFUSED, UNKNOWN]),
    ],
)
async def test_what_is_wrong_is_told(
    world: World,
    changes: dict[str, str],
    redirect_uri: str,
    expected: list[Verdict],
):
    await world.set_client(**changes)
    assert await verdicts(world, trial(redirect_uri=redirect_uri)) == expected


async def test_scopes_that_the_app_does_not_know_are_told(world: World):
    greedy = AppId("greedy_mail")
    scopes = ("contact_data", "more_than_there_is")
    world.further_apps = (world.app(greedy, scopes=scopes),)
    await world.set_client(greedy)
    assert await verdicts(world, trial(greedy)) == [ACCEPTED, ACCEPTED, REFUSED]


@pytest.mark.parametrize("kind", ["status", "timeout"])
async def test_an_app_that_is_away_has_said_nothing(world: World, kind: str):
    for path in (TOKEN_PATH, AUTHORIZE_PATH):
        world.emulator.faults.add(Fault(kind=kind, path=path, status=503))
    assert await verdicts(world, trial()) == [UNKNOWN] * 3


async def test_a_client_that_cannot_be_tried_is_an_error(world: World):
    await world.rows("DELETE FROM auth.app_clients")
    assert (await world.refusal(trial())).code is ErrorCode.CLIENT_MISSING
    assert (await world.refusal(trial(CARDS))).code is ErrorCode.INVALID
    assert (await world.refusal(trial(AppId("none")))).code is ErrorCode.UNKNOWN_APP
    broken = trial(redirect_uri="javascript:alert(1)")
    assert (await world.refusal(broken)).code is ErrorCode.INVALID
