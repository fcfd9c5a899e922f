"""A real NATS server enforces the permissions: what is declared, and nothing else."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

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
    receipt_subject,
    stream_of,
)
from services.chassis import migrations, process, streams
from services.chassis.config import Settings
from services.chassis.errors import BusDenied
from services.chassis.process import Runtime
from tests.security.conftest import Figures
from tests.servers import Database, running_nats

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


STREAM_API: Final = (
    *("STREAM.CREATE", "STREAM.UPDATE", "STREAM.INFO", "STREAM.DELETE"),
    *("STREAM.PURGE", "STREAM.MSG.GET", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT"),
    *("STREAM.RESTORE", "STREAM.PEER.REMOVE", "STREAM.LEADER.STEPDOWN"),
    *("CONSUMER.CREATE", "CONSUMER.NAMES", "CONSUMER.LIST", "DIRECT.GET"),
)
"""What can be asked of a stream; the subject goes on with its name."""
CONSUMER_API: Final = (
    *("CONSUMER.CREATE", "CONSUMER.DURABLE.CREATE", "CONSUMER.INFO"),
    *("CONSUMER.DELETE", "CONSUMER.MSG.NEXT", "CONSUMER.PAUSE", "CONSUMER.RESET"),
    *("CONSUMER.UNPIN", "CONSUMER.LEADER.STEPDOWN"),
)
"""What can be asked of a consumer; then follow its stream's name and its own."""
ACCOUNT_API: Final = (
    *("INFO", "STREAM.NAMES", "STREAM.LIST", "STREAM.CREATE.OTHER"),
    *("STREAM.RESTORE.OTHER", "STREAM.TEMPLATE.CREATE.x", "META.LEADER.STEPDOWN"),
    *("SERVER.REMOVE", "ACCOUNT.PURGE.TANDEM", "ACCOUNT.STREAM.MOVE.TANDEM.x"),
)


def _everything_to_publish() -> set[str]:
    """List what may be published by somebody, all of JetStream's API, and more."""
    declared = {s for name in SERVICES for s in permissions.of_service(name).publish}
    messages = {filter_subject(message_class) for message_class in all_messages()}
    receipts = {receipt_subject(service) for service in SERVICES}
    foreign = {f"_INBOX_{service}.forged" for service in SERVICES} | {"_INBOX.forged"}
    kept = [each for each in all_messages() if not issubclass(each, Command)]
    names = {stream_of(each) for each in kept}
    streams = {f"$JS.API.{verb}.{name}" for verb in STREAM_API for name in names}
    consumers = {
        f"$JS.API.{verb}.{stream_of(each)}.{consumer_of(each, receiver)}{rest}"
        for each in kept
        for receiver in (*SERVICES, "stranger")
        for verb in CONSUMER_API
        for rest in ("", f".{filter_subject(each)}", ".>")
    }
    acknowledgements = {
        f"$JS.ACK.{stream_of(each)}.{consumer_of(each, receiver)}.>"
        for each in kept
        for receiver in (*SERVICES, "stranger")
    }
    others = {"$SYS.REQ.SERVER.PING", "$SYS.REQ.x", "$JS.FC.x.y", "$KV.x.y", "x"}
    account = {f"$JS.API.{verb}" for verb in ACCOUNT_API}
    return set().union(
        *(declared, messages, receipts, foreign, streams, consumers),
        *(acknowledgements, account, others),
    )


def _everything_to_hear() -> set[str]:
    """List what somebody may subscribe to, with every queue group, and more."""
    declared = {s for name in SERVICES for s in permissions.of_service(name).subscribe}
    subjects = {entry.partition(" ")[0] for entry in declared}
    subjects |= {filter_subject(message_class) for message_class in all_messages()}
    grouped = {f"{s} {group}" for s in subjects for group in (*SERVICES, "stranger")}
    wild = {">", "*", "*.>", "cmd.>", "evt.>", "job.>", "rcpt.*", "rcpt.>", "$SYS.>"}
    wild |= {"$JS.>", "$JS.API.>", "$JS.EVENT.>", "$JS.ACK.>", "_INBOX.>", "*.*.>"}
    return declared | subjects | grouped | wild


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
    nats_server: Server, figures: Figures, service: str
):
    """The matrix: every subject of every service, tried by each of them."""
    allowed = {_literal(s) for s in permissions.of_service(service).publish}
    everything = {_literal(s) for s in _everything_to_publish()}
    assert allowed < everything
    async with _signed_in(nats_server, service) as (client, refused):
        for subject in sorted(everything):
            await client.publish(subject, b"")
        await refused.settle(client)
    expected = {subject.lower() for subject in everything - allowed}
    assert {subject for _, subject in refused.seen} == expected
    figures[f"publish_tried_{service}"] = len(everything)
    figures[f"publish_allowed_{service}"] = len(allowed)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_subscribes_to_what_is_declared_and_nothing_else(
    nats_server: Server, figures: Figures, service: str
):
    """Commands of others, their inboxes and their receipts stay unheard."""
    own = set(permissions.of_service(service).subscribe)
    # Its own inbox may be heard in any queue group, as nobody else hears it.
    inbox = f"{permissions.inbox_prefix(service)}.>"
    everything = _everything_to_hear()
    assert own < everything
    heard = set()
    async with _signed_in(nats_server, service) as (client, refused):
        for entry in sorted(everything):
            refused.seen.clear()
            subject, _, queue = entry.partition(" ")
            subscription = await client.subscribe(subject, queue=queue)
            await refused.settle(client)
            if not refused.seen:
                heard.add(entry)
                await subscription.unsubscribe()
    assert {entry for entry in heard if entry.partition(" ")[0] != inbox} == {
        entry for entry in own if entry != inbox
    }
    figures[f"subscribe_tried_{service}"] = len(everything)
    figures[f"subscribe_allowed_{service}"] = len(own)


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
        # Twice: the first PING may overtake what is still to be sent (see InOrder).
        await auth.flush(timeout=_WAIT_S)
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


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_is_denied_something_stops_and_says_what(
    database: Database, nats_server: Server, service: str
):
    """Its sender sees a timeout only, so whoever goes on does so for ever (S5)."""
    await migrations.apply(
        database.owner_url(service), service=service, role=f"tandem_{service}"
    )
    settings = Settings(
        database_url=database.service_url(service),
        nats_url=nats_server.url,
        nats_seed_file=nats_server.seed_file(service),
    )

    async def serve(runtime: Runtime[Settings], stopping: asyncio.Event) -> None:
        await runtime.bus._client.publish("$JS.API.STREAM.LIST", b"")
        await stopping.wait()
        assert await runtime.health.faults() == {"bus_permissions": "failed"}

    async with asyncio.timeout(30):
        with pytest.raises(BusDenied) as denied:
            await process._serve(service, settings, serve=serve)
    said, code = process.explain(denied.value, service)
    assert code == process.EXIT_CONFIGURATION
    assert "$js.api.stream.list: load deploy/nats/permissions.conf" in said[0]
