"""Messages that could not be handled: an operator sees them and replays them.

``python -m services.<name> dead-letters`` lists them without their content, which
may be about people; with ``--replay`` the running service handles them again. Those
that nobody asks for are kept for a month.
"""

import argparse
import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from proto import codec, subjects
from proto.base import Message
from proto.ids import MessageId
from services.chassis import queries
from services.chassis.clock import Clock
from services.chassis.errands import Desk, Errand
from services.chassis.errors import Unavailable
from services.chassis.outbox import NOBODY
from services.chassis.store import Store

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

KEPT: Final = datetime.timedelta(days=30)
"""How long a message waits for an operator; it may hold contact values."""
FORGET_BATCH: Final = 1_000
LISTED_MAX: Final = 1_000
ALL: Final = "all"


class Replayer:
    """Handles again what an operator asked to be handled again."""

    def __init__(
        self, store: Store[Any], handlers: Mapping[type[Message], Any], *, clock: Clock
    ) -> None:
        self._store = store
        self._handlers = {
            subjects.base_subject(message_class): (message_class, handler)
            for message_class, handler in handlers.items()
        }
        self._clock = clock

    async def step(self) -> bool:
        """Replay one message; False if none waits for it."""
        tenant_id, message_id = NOBODY, MessageId("")
        try:
            async with self._store.transaction() as work:
                row = await work.transaction.fetch_row(Q["take_dead_letter"]())
                if row is None:
                    return False
                tenant_id, message_id = row["tenant_id"], row["message_id"]
                message_class, handler = self._handlers[_base(row["subject"])]
                message = codec.decode(row["payload"], message_class)
                if await work.is_first_sight(message_id, tenant_id=tenant_id):
                    await handler(work, message)
        except Unavailable:
            raise
        except Exception as err:
            # What failed is rolled back, and the message stays with its new reason.
            log.exception("replay_failed", message_id=message_id)
            reason = f"replay failed: {type(err).__name__}"
            async with self._store.transaction() as work:
                await work.transaction.execute(
                    Q["keep_dead_letter"](
                        tenant_id=tenant_id, message_id=message_id, reason=reason
                    )
                )
        else:
            log.info("message_replayed", message_id=message_id)
        return True

    async def forget_old(self) -> bool:
        """Forget a batch of messages that no operator asked for in time."""
        before = self._clock.now() - KEPT
        async with self._store.transaction() as work:
            count = await work.transaction.execute(
                Q["forget_dead_letters"](before=before, limit=FORGET_BATCH)
            )
        if count:
            log.warning("dead_letters_forgotten", count=count)
        return bool(count == FORGET_BATCH)


async def _list_or_replay(desk: Desk, arguments: argparse.Namespace) -> int:
    async with desk.store.transaction() as work:
        if arguments.replay:
            chosen = None if arguments.replay == ALL else arguments.replay
            count = await work.transaction.execute(
                Q["replay_dead_letters"](chosen=chosen, now=desk.clock.now())
            )
            sys.stdout.write(f"{count} to be replayed by the running service\n")
            return 0 if count or chosen is None else 1
        rows = await work.transaction.fetch(Q["list_dead_letters"](limit=LISTED_MAX))
    for row in rows:
        sys.stdout.write(codec.encode(dict(row)).decode() + "\n")
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--replay",
        metavar="MESSAGE_ID",
        help=f"have this message, or '{ALL}', handled again",
    )


def _base(subject: str) -> str:
    """Return a subject without its identifiers: kind, owner, name, version."""
    return ".".join(subject.split(".")[:4])


ERRAND: Final = Errand(
    name="dead-letters",
    help="list the messages that could not be handled, or replay them",
    add_arguments=_add_arguments,
    do=_list_or_replay,
)
