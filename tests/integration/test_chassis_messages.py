"""Messages over a real broker and a real database: sent once, received once."""

import asyncio

import msgspec
import pytest

from proto import codec
from proto.auth import (
    Account,
    AccountState,
    CredentialKind,
    GetAccount,
    IssueToken,
    RemoveAccount,
    Token,
)
from proto.base import Done
from proto.connector import ContactsObserved, ReadNow
from proto.errors import ErrorCode
from proto.ids import AccountId, MessageId
from services.chassis import migrations, process
from services.chassis import outbox as outbox_module
from services.chassis.clock import SystemClock
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration, BusUnavailable, CommandFailed
from services.chassis.inbox import count_dead_letters
from services.chassis.outbox import Envelope
from services.chassis.store import Work
from services.chassis.tenancy import ALL_TENANTS
from tests.integration.chassis_world import (
    ACCOUNT,
    EVENT,
    TENANT,
    is_empty,
    relaying,
    service,
    until,
    waiting,
)


@pytest.fixture
async def pair(database, nats_server):
    async with (
        service("connector", database, nats_server) as connector,
        service("reconciler", database, nats_server) as reconciler,
    ):
        yield connector, reconciler


async def test_a_message_is_handled_once_and_its_outbox_row_closed(pair):
    connector, reconciler = pair
    seen: list[ContactsObserved] = []

    async def handle(work: Work, message: ContactsObserved) -> None:
        seen.append(message)

    stopping = asyncio.Event()
    receiver = reconciler.receiver(reconciler.store(Work), {ContactsObserved: handle})
    async with relaying(connector), asyncio.TaskGroup() as group:
        group.create_task(receiver.run(stopping))
        async with connector.store(Work).transaction(TENANT) as work:
            await work.send(EVENT, EVENT)
        await until(lambda: is_empty(connector))
        stopping.set()
    assert seen == [EVENT, EVENT]


async def test_nothing_is_lost_with_the_brokers_directory(
    database, nats_server, monkeypatch
):
    """Hazard 90: what JetStream acknowledged and lost is sent again."""
    async with (
        service("connector", database, nats_server) as connector,
        service("reconciler", database, nats_server) as reconciler,
        relaying(connector),
    ):
        async with connector.store(Work).transaction(TENANT) as work:
            await work.send(*[EVENT] * 20)
        await asyncio.sleep(0.3)
        assert await waiting(connector) == 20
        await nats_server.kill()
        await nats_server.delete_store()
        await nats_server.start()
        seen: list[ContactsObserved] = []

        async def handle(work: Work, message: ContactsObserved) -> None:
            seen.append(message)

        stopping = asyncio.Event()
        receiver = reconciler.receiver(
            reconciler.store(Work), {ContactsObserved: handle}
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(receiver.run(stopping))
            await until(lambda: is_empty(connector), seconds=40)
            stopping.set()
    assert len(seen) == 20


async def test_an_undecodable_message_is_buried_and_receipted(pair):
    connector, reconciler = pair

    async def handle(work: Work, message: ContactsObserved) -> None:
        raise AssertionError("never called")

    stopping = asyncio.Event()
    store = reconciler.store(Work)
    receiver = reconciler.receiver(store, {ContactsObserved: handle})
    async with relaying(connector), asyncio.TaskGroup() as group:
        async with connector.store(Work).transaction(TENANT) as work:
            await work.send(EVENT)
            await work.transaction.execute(
                outbox_module.Q["add_to_outbox"](
                    message_ids=["msg_bad"],
                    tenant_ids=[TENANT],
                    subjects=["evt.connector.contacts_observed.v1.acct_1"],
                    streams=["CONNECTOR_INTERNAL"],
                    payloads=[b"[" * 5000],
                    awaiting=["reconciler"],
                    now=connector.clock.now(),
                )
            )

        async def no_op(work: Work, message: ContactsObserved) -> None:
            return None

        receiver = reconciler.receiver(store, {ContactsObserved: no_op})
        group.create_task(receiver.run(stopping))
        await until(lambda: is_empty(connector))
        stopping.set()
    assert await count_dead_letters(reconciler.database) == 1


@pytest.mark.parametrize(
    ("message_id", "sender"),
    [
        ("msg_1", "api"),
        ("msg_1", "nobody"),
        ("msg_1", ""),
        ("msg_1", "x" * 5_000),
        ("", "connector"),
    ],
)
async def test_a_message_of_a_stranger_is_buried(pair, message_id: str, sender: str):
    """A receipt to a forged name was denied by NATS, and showed as our own fault."""
    connector, reconciler = pair

    async def handle(work: Work, message: ContactsObserved) -> None:
        raise AssertionError("never called")

    stopping = asyncio.Event()
    receiver = reconciler.receiver(reconciler.store(Work), {ContactsObserved: handle})
    envelope = Envelope(
        tenant_id=TENANT,
        message_id=MessageId(message_id),
        sender=sender,
        subject="evt.connector.contacts_observed.v1.acct_1",
        stream="CONNECTOR_INTERNAL",
        payload=codec.encode(EVENT),
    )

    async def is_buried() -> bool:
        return await count_dead_letters(reconciler.database) == 1

    async with asyncio.TaskGroup() as group:
        group.create_task(receiver.run(stopping))
        # The broker keeps nothing for a receiver that is not there yet.
        async with asyncio.timeout(10):
            while not await is_buried():
                await connector.bus.publish(envelope)
                await asyncio.sleep(0.1)
        stopping.set()
    assert "bus_permissions" not in await reconciler.health.faults()


async def test_one_id_of_two_tenants_is_two_messages(pair):
    """The tenant is part of every key: one tenant's receipt closes nothing else."""
    connector, reconciler = pair
    seen: list[str] = []

    async def handle(work: Work, message: ContactsObserved) -> None:
        seen.append(message.tenant_id)
        if seen.count("tnt_2") == 1 and message.tenant_id == "tnt_2":
            raise ValueError

    stopping = asyncio.Event()
    receiver = reconciler.receiver(reconciler.store(Work), {ContactsObserved: handle})
    events = [msgspec.structs.replace(EVENT, tenant_id=f"tnt_{n}") for n in (1, 2)]
    async with relaying(connector), asyncio.TaskGroup() as group:
        group.create_task(receiver.run(stopping))
        async with connector.store(Work).transaction(ALL_TENANTS) as work:
            await work.transaction.execute(
                outbox_module.Q["add_to_outbox"](
                    message_ids=["msg_1"] * 2,
                    tenant_ids=[event.tenant_id for event in events],
                    subjects=["evt.connector.contacts_observed.v1.acct_1"] * 2,
                    streams=["CONNECTOR_INTERNAL"] * 2,
                    payloads=[codec.encode(event) for event in events],
                    awaiting=["reconciler"] * 2,
                    now=connector.clock.now(),
                )
            )

        async def is_one_left() -> bool:
            return len(seen) >= 2 and await waiting(connector) == 1

        await until(is_one_left)
        await until(lambda: is_empty(connector))
        stopping.set()
    assert sorted(seen) == ["tnt_1", "tnt_2", "tnt_2"]


async def test_a_failing_handler_is_tried_again_and_leaves_no_effect(pair):
    connector, reconciler = pair
    tries: list[int] = []

    async def handle(work: Work, message: ContactsObserved) -> None:
        tries.append(1)
        await work.send(ReadNow(tenant_id=TENANT, account_id=ACCOUNT))
        if len(tries) < 2:
            raise ValueError("once")

    stopping = asyncio.Event()
    receiver = reconciler.receiver(reconciler.store(Work), {ContactsObserved: handle})
    async with relaying(connector), asyncio.TaskGroup() as group:
        group.create_task(receiver.run(stopping))
        async with connector.store(Work).transaction(TENANT) as work:
            await work.send(EVENT)
        await until(lambda: is_empty(connector))
        stopping.set()
    assert len(tries) == 2
    assert await waiting(reconciler) == 1


async def test_commands_are_answered_and_errors_come_back_as_errors(
    database, nats_server
):
    async with (
        service("auth", database, nats_server) as auth,
        service("api", database, nats_server) as api,
    ):

        async def get(command: GetAccount) -> Account:
            if command.account_id != ACCOUNT:
                raise CommandFailed(ErrorCode.NOT_FOUND, "no such account")
            return Account(account_id=ACCOUNT, app="x", state=AccountState.CONNECTED)

        async def broken(command: RemoveAccount) -> Done:
            raise ValueError("secret")

        await auth.bus.answer(GetAccount, get)
        await auth.bus.answer(RemoveAccount, broken)
        command = GetAccount(tenant_id=TENANT, account_id=ACCOUNT)
        assert (await api.bus.request(command)).account_id == ACCOUNT
        with pytest.raises(CommandFailed) as failure:
            await api.bus.request(
                GetAccount(tenant_id=TENANT, account_id=AccountId("acct_2"))
            )
        assert failure.value.code is ErrorCode.NOT_FOUND
        with pytest.raises(CommandFailed) as failure:
            await api.bus.request(RemoveAccount(tenant_id=TENANT, account_id=ACCOUNT))
        assert failure.value.code is ErrorCode.UNKNOWN
        assert "secret" not in failure.value.detail


async def test_a_service_may_not_send_what_is_not_its_own(database, nats_server):
    async with service("connector", database, nats_server) as connector:
        command = RemoveAccount(tenant_id=TENANT, account_id=ACCOUNT)
        with pytest.raises(BusUnavailable):
            await connector.bus.request(command, timeout_s=0.5)
        assert "bus_permissions" in await connector.health.faults()


@pytest.mark.parametrize(("role", "what"), [("", "everything"), ("_owner", "owns")])
async def test_a_service_refuses_to_work_as_a_role_that_may_do_more(
    database, nats_server, role, what
):
    """Hazard 112: an owner or a superuser reads past every policy."""
    owner_url = database.owner_url("auth")
    await migrations.apply(owner_url, service="auth", role="tandem_auth")
    settings = Settings(
        database_url=owner_url if role else database.admin_url,
        nats_url=nats_server.url,
        nats_seed_file=nats_server.seed_file("auth"),
    )
    with pytest.raises(BadConfiguration) as refused:
        async with process.standing("auth", settings, clock=SystemClock()):
            pass
    assert what in refused.value.faults[0]
    assert "tandem_auth" in refused.value.faults[0]


async def test_an_answer_that_outlasts_its_connection_is_no_breach(
    database, nats_server
):
    """NATS came back while a command was in hand, and knew nothing of it any more.

    It refused the answer, and the service held itself for one that may not speak.
    """
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def handle(_command: IssueToken) -> Token:
        has_begun.set()
        await may_end.wait()
        return Token(kind=CredentialKind.BEARER, secret="s-1", version=1)

    async with (
        service("auth", database, nats_server) as auth,
        service("connector", database, nats_server) as connector,
    ):
        await auth.bus.answer(IssueToken, handle)
        command = IssueToken(tenant_id=TENANT, account_id=ACCOUNT)
        asking = asyncio.create_task(connector.bus.request(command, timeout_s=2.0))
        await has_begun.wait()
        await nats_server.stop()
        await nats_server.start()

        async def is_back() -> bool:
            return auth.bus.is_connected

        await until(is_back)
        may_end.set()
        with pytest.raises(BusUnavailable):
            await asking
        again = await connector.bus.request(command)
        assert again.secret == "s-1"
        assert await auth.health.faults() == {}
