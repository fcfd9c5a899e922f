"""Streams and consumers that another release, or an operator, left on the broker."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StorageType
from nats.js.errors import NotFoundError

from deploy.local.nats import Server
from deploy.nats import permissions
from proto import subjects
from proto.connector import WriteContacts
from services.chassis import bus, process, streams
from services.chassis.bus import Bus
from services.chassis.clock import SystemClock
from services.chassis.errors import BusRefused, BusUnavailable
from services.chassis.outbox import Envelope

INTERNAL = "CONNECTOR_INTERNAL"
GONE = "job.connector.gone.v1.*"
"""What a message was called that today's code no longer has."""


@pytest.fixture
def server(open_nats_server: Server) -> Server:
    return open_nats_server


@asynccontextmanager
async def jetstream(server: Server) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(server.url)
    try:
        yield client.jetstream(timeout=5)
    finally:
        await client.close()


@asynccontextmanager
async def left_behind(server: Server, **changes: object) -> AsyncIterator[None]:
    """Keep connector's internal stream otherwise than today, until the end."""
    today = streams.stream_config(INTERNAL, streams.owned_by("connector")[INTERNAL])
    async with jetstream(server) as js:
        with contextlib.suppress(NotFoundError):
            await js.delete_stream(INTERNAL)
        await js.add_stream(today.evolve(**changes))
        yield
        await js.delete_stream(INTERNAL)


@asynccontextmanager
async def connected(
    server: Server, service: str = "connector", **options: int
) -> AsyncIterator[Bus]:
    async with bus.connect(
        server.url, service=service, seed_file=None, clock=SystemClock(), **options
    ) as found:
        yield found


async def test_an_upgrade_that_adds_a_message_starts_on_yesterdays_stream(server):
    """It once did not: NATS answered, and the service said that it was away.

    Yesterday's replicas run on beside the new one, so their subjects stay.
    """
    written = subjects.filter_subject(WriteContacts)
    today = streams.owned_by("connector")[INTERNAL]
    others = [subjects.filter_subject(c) for c in today if c is not WriteContacts]
    async with left_behind(server, subjects=[*others, GONE], max_bytes=1024 * 1024):
        async with connected(server):
            pass
        async with jetstream(server) as js:
            config = (await js.stream_info(INTERNAL)).config
            assert {written, GONE, *others} == set(config.subjects or ())
            assert config.max_bytes == streams.INTERNAL_BYTES_MAX
            await js.publish(GONE.replace("*", "acct_1"), b"")


async def test_a_replica_of_yesterday_comes_back_beside_todays(server):
    """It brings its own limits back, and takes no subject away."""
    async with connected(server):
        pass
    async with jetstream(server) as js:
        newer = (await js.stream_info(INTERNAL)).config
        await js.update_stream(
            newer.evolve(subjects=[*(newer.subjects or ()), "job.connector.new.v1.*"])
        )
        async with connected(server):
            found = (await js.stream_info(INTERNAL)).config
        assert "job.connector.new.v1.*" in (found.subjects or ())
        await js.delete_stream(INTERNAL)


async def test_an_owner_may_change_its_stream_under_its_own_permissions(nats_server):
    """The list of what it may ask NATS covers the change."""
    client = await nats.connect(
        nats_server.url,
        nkeys_seed=str(nats_server.seed_file("connector")),
        inbox_prefix=permissions.inbox_prefix("connector"),
    )
    js = client.jetstream(timeout=5)
    await streams.ensure_streams(js, "connector")
    config = (await js.stream_info(INTERNAL)).config
    await js.update_stream(config.evolve(max_bytes=1024 * 1024))
    await streams.ensure_streams(js, "connector")
    changed = (await js.stream_info(INTERNAL)).config
    await client.close()
    assert changed.max_bytes == streams.INTERNAL_BYTES_MAX


async def test_a_consumer_of_yesterday_gets_todays_settings(server):
    """Creating it again changes it; what is pending in it stays."""
    name = subjects.consumer_of(WriteContacts, "connector")
    async with connected(server) as connector, jetstream(server) as js:
        await js.add_consumer(
            INTERNAL,
            ConsumerConfig(
                name=name,
                durable_name=name,
                filter_subject=subjects.filter_subject(WriteContacts),
                ack_wait=3,
                max_ack_pending=1,
            ),
        )
        subject = subjects.filter_subject(WriteContacts).replace("*", "acct_1")
        await js.publish(subject, b"{}")
        delivery = await connector.fetch(WriteContacts, wait_s=5)
        assert delivery is not None
        config = (await js.consumer_info(INTERNAL, name)).config
        await js.delete_stream(INTERNAL)
    assert config.ack_wait == streams.ACK_WAIT_S
    assert config.max_ack_pending == streams.UNACKNOWLEDGED_MAX


async def test_a_stream_that_cannot_be_changed_is_told_as_what_it_is(server):
    """Whether NATS is running was the question; it was, and had said what is wrong."""
    async with left_behind(server, storage=StorageType.FILE):
        with pytest.raises(BusRefused, match="can not change storage type"):
            async with connected(server):
                pass


async def test_public_streams_are_kept_by_as_many_servers_as_are_set(server):
    """One server is no cluster, and says so; internal streams are never copied."""
    with pytest.raises(BusRefused, match="replicas > 1 not supported"):
        async with connected(server, "reconciler", public_replicas=3):
            pass
    async with connected(server, "connector", public_replicas=3):
        pass


def test_what_nats_refuses_is_no_question_whether_it_runs():
    refused = BusRefused("subjects overlap with an existing stream")
    faults, code = process.explain(refused, "connector")
    assert code == process.EXIT_CONFIGURATION
    assert len(faults) == 1
    assert "subjects overlap" in faults[0]
    assert "running" not in faults[0]


async def test_a_message_of_no_stream_makes_the_streams_anew(server):
    """An operator's slip, or a broker that lost them, heals by itself."""
    async with connected(server) as connector, jetstream(server) as js:
        await js.delete_stream(INTERNAL)
        envelope = Envelope(
            tenant_id="tnt_1",
            message_id="msg_1",
            sender="connector",
            subject=subjects.filter_subject(WriteContacts).replace("*", "acct_1"),
            stream=INTERNAL,
            payload=b"{}",
        )
        with pytest.raises(BusUnavailable):
            await connector.publish(envelope)
        await connector.publish(envelope)
        await js.delete_stream(INTERNAL)
