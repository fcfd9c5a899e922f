"""A real NATS server enforces the permissions: what is declared, and nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats as nats_client
import nats.errors
import pytest
from nats.aio.client import Client

from deploy.local.nats import Server
from deploy.nats import permissions
from proto.base import Command
from proto.subjects import (
    SERVICES,
    all_messages,
    consumer_of,
    filter_subject,
    stream_of,
)
from services.chassis import streams
from tests.servers import running_nats

pytestmark = pytest.mark.integration

_VIOLATION = re.compile(r'permissions violation for (\w+) to "([^"]+)"', re.IGNORECASE)
_WAIT_S = 5.0
_LAST = "nobody.may.say.this"


@pytest.fixture
def nats_server(servers_directory: Path) -> Iterator[Server]:
    """A server for each test: one leaves what the next would take for its own.

    The matrix publishes empty messages to every subject; with a stream left over from
    a test before, the last test once fetched one of those instead of its own job.
    """
    yield from running_nats(servers_directory, secured=True)


def _everything_to_publish() -> set[str]:
    """List all subjects that any service may publish to, and some nobody may."""
    declared = {s for name in SERVICES for s in permissions.of_service(name).publish}
    foreign = {f"_INBOX_{service}.forged" for service in SERVICES}
    dangerous = {
        f"$JS.API.{verb}.{stream_of(message_class)}"
        for message_class in all_messages()
        if not issubclass(message_class, Command)
        for verb in ("STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.GET", "DIRECT.GET")
    }
    others = {"$JS.API.STREAM.CREATE.OTHER", "$JS.API.STREAM.LIST", "$SYS.REQ.x", "x"}
    return declared | foreign | dangerous | others


def _literal(pattern: str) -> str:
    return pattern.replace("*", "id_1").replace(">", "1.1.1.1.1")


class _Refusals:
    """What the server refused, in the small letters in which the client tells it."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()
        self._last = asyncio.Event()

    async def note(self, error: Exception) -> None:
        if found := _VIOLATION.search(str(error)):
            if found[2] == _LAST:
                self._last.set()
            else:
                self.seen.add((found[1], found[2]))

    async def settle(self, client: Client) -> None:
        """Wait until all refusals so far have come: they keep their order."""
        self._last.clear()
        await client.publish(_LAST, b"")
        async with asyncio.timeout(_WAIT_S):
            await self._last.wait()


@asynccontextmanager
async def _signed_in(
    server: Server, service: str
) -> AsyncIterator[tuple[Client, _Refusals]]:
    refusals = _Refusals()
    client = await nats_client.connect(
        server.url,
        nkeys_seed=str(server.seed_file(service)),
        inbox_prefix=permissions.inbox_prefix(service),
        error_cb=refusals.note,
        allow_reconnect=False,
    )
    try:
        yield client, refusals
    finally:
        await client.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_publishes_what_is_declared_and_nothing_else(
    nats_server: Server, service: str
):
    """The matrix: every subject of every service, tried by each of them."""
    allowed = {_literal(s) for s in permissions.of_service(service).publish}
    everything = {_literal(s) for s in _everything_to_publish()}
    async with _signed_in(nats_server, service) as (client, refused):
        for subject in sorted(everything):
            await client.publish(subject, b"")
        await refused.settle(client)
    expected = {subject.lower() for subject in everything - allowed}
    assert {subject for _, subject in refused.seen} == expected


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_subscribes_to_what_is_declared_and_nothing_else(
    nats_server: Server, service: str
):
    """Commands of others, their inboxes and their receipts stay unheard."""
    declared = {s for name in SERVICES for s in permissions.of_service(name).subscribe}
    own = set(permissions.of_service(service).subscribe)
    others = {">", "*", "cmd.>", "evt.>", "job.>", "$SYS.>", "rcpt.*"}
    everything = declared | others
    async with _signed_in(nats_server, service) as (client, refused):
        for entry in sorted(everything):
            subject, _, queue = entry.partition(" ")
            await client.subscribe(subject, queue=queue)
        await refused.settle(client)
    expected = {entry.partition(" ")[0].lower() for entry in everything - own}
    assert {subject for _, subject in refused.seen} == expected


async def test_a_command_is_not_heard_outside_the_queue_group(nats_server: Server):
    """Without the group every replica would answer the same command."""
    command = next(c for c in all_messages() if c.__name__ == "IssueToken")
    async with _signed_in(nats_server, "auth") as (client, refused):
        await client.subscribe(filter_subject(command))
        await refused.settle(client)
    assert refused.seen == {("subscription", filter_subject(command))}


async def test_nobody_signs_in_without_a_key(nats_server: Server):
    """The server is on loopback, and still asks who is there."""
    with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
        await nats_client.connect(
            nats_server.url, allow_reconnect=False, max_reconnect_attempts=0
        )


async def test_the_owner_answers_once_and_only_who_asked(nats_server: Server):
    """A reply goes through although the owner may not publish to foreign inboxes."""
    command = next(c for c in all_messages() if c.__name__ == "IssueToken")
    subject = filter_subject(command)
    async with (
        _signed_in(nats_server, "auth") as (auth, refused),
        _signed_in(nats_server, "connector") as (connector, _),
    ):
        replies: list[str] = []

        async def answer(message) -> None:
            replies.append(message.reply)
            await auth.publish(message.reply, b"first")
            await auth.publish(message.reply, b"second")

        await auth.subscribe(subject, queue="auth", cb=answer)
        await auth.flush(timeout=_WAIT_S)
        reply = await connector.request(subject, b"", timeout=_WAIT_S)
        await refused.settle(auth)
        assert reply.data == b"first"
        assert refused.seen == {("publish", replies[0].lower())}


async def test_a_job_goes_from_its_sender_to_its_owner(nats_server: Server):
    """Stream, consumer, fetch, acknowledgement: each side needs only its own list."""
    job = next(c for c in all_messages() if c.__name__ == "WriteContacts")
    subject = filter_subject(job).replace("*", "acct_1")
    stream, consumer = stream_of(job), consumer_of(job, "connector")
    async with (
        _signed_in(nats_server, "connector") as (owner, refused_to_owner),
        _signed_in(nats_server, "reconciler") as (sender, refused_to_sender),
    ):
        js = owner.jetstream(timeout=_WAIT_S)
        await streams.ensure_streams(js, "connector")
        pull = await streams.bind_consumer(js, job, receiver="connector")
        await sender.jetstream(timeout=_WAIT_S).publish(subject, b"work")
        (message,) = await pull.fetch(1, timeout=_WAIT_S)
        await message.ack_sync(timeout=_WAIT_S)
        info = await js.consumer_info(stream, consumer)
    assert message.data == b"work"
    assert info.num_ack_pending == 0
    assert refused_to_owner.seen == refused_to_sender.seen == set()
