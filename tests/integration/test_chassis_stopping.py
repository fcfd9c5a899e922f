"""An orderly stop: commands in hand are answered, later ones go to other replicas."""

import asyncio

import pytest

from deploy.local.nats import Server
from proto.connector import Apps, ListApps
from services.chassis import bus, process
from services.chassis.clock import SystemClock
from tests.integration.chassis_world import TENANT, service

ASKED = ListApps(tenant_id=TENANT)
MORE = 40
WORK_S = 0.05


def connected(server: Server, service: str = "connector"):
    return bus.connect(
        server.url, service=service, seed_file=None, clock=SystemClock(), timeout_s=10
    )


@pytest.fixture
def server(open_nats_server: Server) -> Server:
    return open_nats_server


class Answers:
    """A handler whose first command takes until it is let go, each other a moment."""

    def __init__(self) -> None:
        self.in_hand = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, _command: ListApps) -> Apps:
        if self.in_hand.is_set():
            await asyncio.sleep(WORK_S)
        self.in_hand.set()
        await self.let_go.wait()
        return Apps(apps=())


async def test_a_replica_that_stops_under_load_loses_no_command(server):
    """It once waited for the commands in hand, and took more until it closed."""
    leaving, staying = Answers(), Answers()
    staying.let_go.set()
    async with (
        connected(server) as first,
        connected(server) as second,
        connected(server, "api") as asking,
        asyncio.TaskGroup() as group,
    ):
        await first.answer(ListApps, leaving)
        await second.answer(ListApps, staying)
        asked = []
        while not leaving.in_hand.is_set():
            asked.append(group.create_task(asking.request(ASKED, timeout_s=5)))
            await asyncio.sleep(WORK_S / 10)
        stopping = group.create_task(first.drain(timeout_s=5))
        asked += [
            group.create_task(asking.request(ASKED, timeout_s=5)) for _ in range(MORE)
        ]
        leaving.let_go.set()
        await stopping
        assert await asyncio.gather(*asked) == [Apps(apps=())] * len(asked)


async def test_a_command_that_takes_too_long_does_not_hold_the_stop_up(server):
    leaving = Answers()
    async with connected(server) as only, connected(server, "api") as asking:
        await only.answer(ListApps, leaving)
        asked = asyncio.create_task(asking.request(ASKED, timeout_s=5))
        await leaving.in_hand.wait()
        async with asyncio.timeout(3):
            await only.drain(timeout_s=0.1)
        asked.cancel()
        await asyncio.wait([asked])


async def test_commands_are_answered_before_a_service_closes_what_they_need(
    database, nats_server
):
    """The connector closed its session first, and told whoever asked of a fault."""
    answers, is_open = Answers(), True

    async def answer(command: ListApps) -> Apps:
        reply = await answers(command)
        assert is_open
        return reply

    async with (
        service("connector", database, nats_server) as connector,
        service("api", database, nats_server) as api,
    ):
        stopping = asyncio.Event()
        await connector.bus.answer(ListApps, answer)
        serving = asyncio.create_task(process.serve_until(connector, stopping))
        asked = asyncio.create_task(api.bus.request(ASKED))
        await answers.in_hand.wait()
        stopping.set()
        await asyncio.wait([serving], timeout=WORK_S)
        assert not serving.done()
        answers.let_go.set()
        await serving
        is_open = False
        assert await asked == Apps(apps=())
