"""JetStream's part of the bus: the streams a service owns, the consumers it reads.

Internal streams carry contact values, so they live in memory, are emptied as they
are acknowledged, and keep nothing longer than an hour. Public ones are on file.
"""

from typing import Final

import structlog
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError

from proto import subjects
from proto.base import Command, Event, Message

log = structlog.get_logger()

INTERNAL_AGE_S_MAX: Final = 3_600
INTERNAL_BYTES_MAX: Final = 96 * 1024 * 1024
PUBLIC_AGE_S_MAX: Final = 7 * 24 * 3_600
PUBLIC_BYTES_MAX: Final = 256 * 1024 * 1024
ACK_WAIT_S: Final = 30
UNACKNOWLEDGED_MAX: Final = 64
_KEPT_OTHERWISE: Final = 10058
"""The server's code for a stream that exists with other settings."""


def owned_by(service: str) -> dict[str, list[type[Message]]]:
    """Return the message classes of each stream that a service keeps."""
    found: dict[str, list[type[Message]]] = {}
    for message_class in subjects.all_messages():
        if message_class.owner == service and not issubclass(message_class, Command):
            found.setdefault(subjects.stream_of(message_class), []).append(
                message_class
            )
    return found


def stream_config(
    stream: str, classes: list[type[Message]], *, public_replicas: int = 1
) -> StreamConfig:
    """Return how a stream is kept."""
    is_public = any(issubclass(kind, Event) and kind.public for kind in classes)
    return StreamConfig(
        name=stream,
        subjects=[subjects.filter_subject(kind) for kind in classes],
        retention=RetentionPolicy.LIMITS if is_public else RetentionPolicy.INTEREST,
        storage=StorageType.FILE if is_public else StorageType.MEMORY,
        max_age=PUBLIC_AGE_S_MAX if is_public else INTERNAL_AGE_S_MAX,
        max_bytes=PUBLIC_BYTES_MAX if is_public else INTERNAL_BYTES_MAX,
        # A full internal stream refuses: the sender's outbox keeps what waits. A
        # public one lets go of its oldest.
        discard=DiscardPolicy.OLD if is_public else DiscardPolicy.NEW,
        num_replicas=public_replicas if is_public else 1,
    )


async def ensure_streams(
    jetstream: JetStreamContext, service: str, *, public_replicas: int = 1
) -> None:
    """Make the service's own streams; give those of another release our settings."""
    for stream, classes in owned_by(service).items():
        config = stream_config(stream, classes, public_replicas=public_replicas)
        try:
            await jetstream.add_stream(config)
        except BadRequestError as err:
            if err.err_code != _KEPT_OTHERWISE:
                raise
            await _change(jetstream, config)


async def _change(jetstream: JetStreamContext, wanted: StreamConfig) -> None:
    """Give a stream our settings, and leave it every subject that it has.

    A replica of yesterday's release may still publish what ours no longer knows.
    """
    assert wanted.name is not None
    found = (await jetstream.stream_info(wanted.name)).config
    subjects_kept = sorted({*(wanted.subjects or ()), *(found.subjects or ())})
    await jetstream.update_stream(wanted.evolve(subjects=subjects_kept))
    log.info("stream_changed", stream=wanted.name)


async def bind_consumer(
    jetstream: JetStreamContext, message_class: type[Message], *, receiver: str
) -> JetStreamContext.PullSubscription:
    """Bind to the receiver's durable consumer; make it, or give it our settings."""
    stream = subjects.stream_of(message_class)
    name = subjects.consumer_of(message_class, receiver)
    await jetstream.add_consumer(
        stream,
        ConsumerConfig(
            name=name,
            durable_name=name,
            filter_subject=subjects.filter_subject(message_class),
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT_S,
            max_ack_pending=UNACKNOWLEDGED_MAX,
        ),
    )
    return await jetstream.pull_subscribe_bind(consumer=name, stream=stream)
