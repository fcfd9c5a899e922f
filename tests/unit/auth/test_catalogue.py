"""The apps are asked for now and then, and remembered while nobody answers."""

from typing import Any

import pytest

from proto.connector import App, Apps, AuthMethod, Capabilities, ListApps
from proto.errors import ErrorCode
from proto.ids import AppId, TenantId
from services.auth.catalogue import REMEMBERED_S, Catalogue
from services.chassis.errors import BusUnavailable, CommandFailed
from tests.fakes.clock import MovableClock

TENANT = TenantId("tnt_1")
CARDS = AppId("books")


class Connector:
    """Answers from a catalogue, unless it is away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.name = "Books"

    async def request(self, command: ListApps) -> Apps:
        self.asked += 1
        if self.is_away:
            raise BusUnavailable("NoResponders")
        app = App(
            app=CARDS,
            name=self.name,
            tier="bronze",
            auth_method=AuthMethod.PASSWORD,
            capabilities=Capabilities(),
        )
        return Apps(apps=(app,))


@pytest.fixture
def parts() -> tuple[Any, Connector, MovableClock]:
    connector, clock = Connector(), MovableClock()
    return Catalogue(connector, clock), connector, clock  # type: ignore[arg-type]


async def test_the_connector_is_asked_now_and_then(parts):
    catalogue, connector, clock = parts
    for _ in range(3):
        assert (await catalogue.app(TENANT, CARDS)).name == "Books"
    assert connector.asked == 1
    connector.name = "Cards"
    clock.move(REMEMBERED_S + 1)
    assert (await catalogue.app(TENANT, CARDS)).name == "Cards"


async def test_a_refresh_needs_no_connector(parts):
    catalogue, connector, clock = parts
    connector.is_away = True
    with pytest.raises(BusUnavailable):
        await catalogue.app(TENANT, CARDS)
    connector.is_away = False
    await catalogue.app(TENANT, CARDS)
    connector.is_away, connector.asked = True, 0
    clock.move(REMEMBERED_S + 1)
    for _ in range(3):
        assert (await catalogue.app(TENANT, CARDS)).app == CARDS
    assert connector.asked == 1


async def test_an_unknown_app_is_said(parts):
    catalogue, _connector, _clock = parts
    with pytest.raises(CommandFailed) as failure:
        await catalogue.app(TENANT, AppId("nonesuch"))
    assert failure.value.code is ErrorCode.UNKNOWN_APP
    assert failure.value.field == "app"
