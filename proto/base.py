"""What every message is: a frozen Struct that names its owner and its parties.

Three kinds: a command wants one reply, an event states a fact, a job is work to
be done at least once. The parties drive subjects, permissions and receipts.
"""

import datetime
from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec

from proto.ids import TenantId

Instant = Annotated[datetime.datetime, msgspec.Meta(tz=True)]
"""A moment in UTC, aware of its zone."""

BATCH_RECORDS_MAX = 500
"""The most records or writes one message carries."""

BATCH_BYTES_MAX = 512 * 1024
"""The most bytes one message carries; a larger batch is split by its sender."""


class Reply(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="reply", omit_defaults=True
):
    """Base of every reply, tagged by class so that an error is told apart."""


class Done(Reply, frozen=True, kw_only=True):
    """The reply of a command that has nothing to tell but success."""


R = TypeVar("R", bound=Reply)


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of commands, events and jobs."""

    kind: ClassVar[str]
    owner: ClassVar[str]
    """Who answers the command, publishes the event or does the job."""
    senders: ClassVar[tuple[str, ...]] = ()
    """Who may send it, where that is not the owner."""
    receivers: ClassVar[tuple[str, ...]] = ()
    """Who must get it: each one's receipt is awaited."""
    wire_version: ClassVar[int] = 1
    addressed_by: ClassVar[tuple[str, ...]] = ()
    """Fields whose values end the subject, coarsest first, at most two."""

    tenant_id: TenantId


class Command(Message, Generic[R], frozen=True, kw_only=True):
    """A request with exactly one reply, answered by its owner."""

    kind: ClassVar[str] = "cmd"
    reply: ClassVar[type[Reply]] = Done


class Event(Message, frozen=True, kw_only=True):
    """A fact, in the past tense, told by its owner."""

    kind: ClassVar[str] = "evt"
    public: ClassVar[bool] = False
    """Public events carry ids and outcomes only and are kept for integrators."""


class Job(Message, frozen=True, kw_only=True):
    """Work that its owner must do at least once."""

    kind: ClassVar[str] = "job"
