"""Subject names, derived from message classes; nobody types one by hand.

``<kind>.<owner>.<name>.v<version>[.<id>[.<id>]]``, receipts ``rcpt.<service>``.
"""

import functools
import re
from typing import Final

from proto.base import Command, Event, Job, Message

SERVICES: Final = ("auth", "connector", "reconciler", "api")

_CLASSES_KEPT: Final = 256
"""Of so many classes of messages the names are remembered; there are fewer."""

_WORD_START = re.compile(r"(?<!^)(?=[A-Z])")


@functools.lru_cache(maxsize=_CLASSES_KEPT)
def name_of(message_class: type[Message]) -> str:
    """Return the class name in snake_case."""
    return _WORD_START.sub("_", message_class.__name__).lower()


@functools.lru_cache(maxsize=_CLASSES_KEPT)
def base_subject(message_class: type[Message]) -> str:
    """Return the subject without identifiers."""
    return ".".join(
        (
            message_class.kind,
            message_class.owner,
            name_of(message_class),
            f"v{message_class.wire_version}",
        )
    )


def subject_of(message: Message) -> str:
    """Return the full subject of one message."""
    ids = (getattr(message, field) for field in message.addressed_by)
    return ".".join((base_subject(type(message)), *ids))


def filter_subject(message_class: type[Message]) -> str:
    """Return the subject that matches every message of a class."""
    return ".".join((base_subject(message_class), *("*" for _ in _ids(message_class))))


def stream_of(message_class: type[Message]) -> str:
    """Return the JetStream stream that holds a class of events or jobs."""
    public = issubclass(message_class, Event) and message_class.public
    return f"{message_class.owner}_{'public' if public else 'internal'}".upper()


def consumer_of(message_class: type[Message], receiver: str) -> str:
    """Return the durable consumer's name of one receiver."""
    return f"{receiver}_{name_of(message_class)}_v{message_class.wire_version}"


def receipt_subject(sender: str) -> str:
    """Return where receipts for a sender's outbox go."""
    return f"rcpt.{sender}"


def publishers_of(message_class: type[Message]) -> tuple[str, ...]:
    """Return the services that may send a class of messages."""
    if issubclass(message_class, Event):
        return (message_class.owner,)
    return message_class.senders


def receivers_of(message_class: type[Message]) -> tuple[str, ...]:
    """Return the services that must get a class of messages."""
    if issubclass(message_class, Command | Job):
        return (message_class.owner,)
    return message_class.receivers


def all_messages() -> tuple[type[Message], ...]:
    """Return every concrete message class, ordered by subject."""
    from proto import (  # noqa: PLC0415
        auth,  # noqa: F401
        connector,  # noqa: F401
        erasure,  # noqa: F401
        export,  # noqa: F401
        pushes,  # noqa: F401
        reconciler,  # noqa: F401
    )

    found = [
        leaf
        for kind in (Command, Event, Job)
        for leaf in _leaves(kind)
        if leaf is not kind and leaf.__module__.startswith("proto.")
    ]
    return tuple(sorted(set(found), key=base_subject))


def _ids(message_class: type[Message]) -> tuple[str, ...]:
    return message_class.addressed_by


def _leaves(parent: type[Message]) -> list[type[Message]]:
    children = [c for c in parent.__subclasses__() if hasattr(c, "owner")]
    return [parent, *(leaf for child in children for leaf in _leaves(child))]
