"""Derives what each service's NATS user may publish and subscribe to.

The messages in `proto` name their senders, owners and receivers; everything else is
refused by the server. `permissions.conf` is the committed result.
"""

from pathlib import Path
from typing import NamedTuple

from proto import subjects, traces
from proto.base import Command, Message
from proto.subjects import SERVICES

PATH = Path(__file__).with_name("permissions.conf")

REPLY_WITHIN_S = 60
"""How long after a command its one reply is let through."""

_HEADER = """\
# Generated from proto by `python -m deploy.nats`; do not edit.
# A service may send and receive its own messages, and no others.
"""


class Permissions(NamedTuple):
    """The subjects one user may publish and subscribe to, in a fixed order."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def of_service(service: str) -> Permissions:
    """Derive one service's allow-lists from the messages it takes part in."""
    publish: set[str] = set()
    # The second word of an entry is the queue group: outside of it a replica would
    # hear commands that another one answers.
    receipts = f"{subjects.receipt_subject(service)} {service}"
    subscribe = {f"{inbox_prefix(service)}.>", receipts}
    for message_class in subjects.all_messages():
        if service in subjects.publishers_of(message_class):
            publish.add(subjects.filter_subject(message_class))
        if issubclass(message_class, Command):
            if service in subjects.receivers_of(message_class):
                subscribe.add(f"{subjects.filter_subject(message_class)} {service}")
            continue
        if service == message_class.owner:
            publish |= _stream_keeping(subjects.stream_of(message_class))
        if service in subjects.receivers_of(message_class):
            publish |= _consuming(message_class, service)
    return Permissions(
        publish=tuple(sorted(publish)), subscribe=tuple(sorted(subscribe))
    )


def inbox_prefix(service: str) -> str:
    """Return the first token of the subjects on which a service awaits replies."""
    return f"_INBOX_{service}"


def render() -> str:
    """Render the file that nats.conf includes."""
    return _HEADER + "".join(_block(service) for service in SERVICES)


def main() -> int:
    """Write the file; tell whether it changed."""
    text = render()
    changed = not PATH.exists() or PATH.read_text() != text
    PATH.write_text(text)
    print(f"{PATH.name}: {'written' if changed else 'unchanged'}")
    return 0


def _stream_keeping(stream: str) -> set[str]:
    """Return what the owner of a stream needs to create and correct it.

    One that carries contacts is emptied of a person who is erased, too.
    """
    verbs = ["CREATE", "UPDATE", "INFO"]
    if stream in map(subjects.stream_of, traces.CARRIERS):
        verbs.append("PURGE")
    return {f"$JS.API.STREAM.{verb}.{stream}" for verb in verbs}


def _consuming(message_class: type[Message], service: str) -> set[str]:
    """Return what a receiver needs: its consumer, its messages, acks and receipts."""
    stream = subjects.stream_of(message_class)
    consumer = subjects.consumer_of(message_class, service)
    # With the filter in the subject, the server refuses a consumer of anything else.
    create = f"$JS.API.CONSUMER.CREATE.{stream}.{consumer}"
    receipts = {
        subjects.receipt_subject(sender)
        for sender in subjects.publishers_of(message_class)
    }
    return receipts | {
        f"$JS.API.STREAM.INFO.{stream}",
        f"{create}.{subjects.filter_subject(message_class)}",
        f"$JS.API.CONSUMER.INFO.{stream}.{consumer}",
        f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}",
        f"$JS.ACK.{stream}.{consumer}.>",
    }


def _block(service: str) -> str:
    allowed = of_service(service)
    return (
        f"\n{service.upper()}_PERMISSIONS: {{\n"
        f"  publish: {{ allow: [\n{_lines(allowed.publish)}  ] }}\n"
        f"  subscribe: {{ allow: [\n{_lines(allowed.subscribe)}  ] }}\n"
        f'  allow_responses: {{ max: 1, expires: "{REPLY_WITHIN_S}s" }}\n'
        "}\n"
    )


def _lines(entries: tuple[str, ...]) -> str:
    return "".join(f'    "{subject}"\n' for subject in entries)
