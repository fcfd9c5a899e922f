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
from services.chassis import queries
from services.chassis.clock import Clock
from services.chassis.database import Row
from services.chassis.errands import Desk, Errand
from services.chassis.errors import Unavailable
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

KEPT: Final = datetime.timedelta(days=30)
"""How long a message waits for an operator; it may hold contact values."""
FORGET_BATCH: Final = 1_000
LISTED_MAX: Final = 1_000
ALL: Final = "all"
CUT_OFF: Final = "replay was cut off"


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
        self._cut_off: Row | None = None
        """What an outage cut off, to be asked for again when that is over."""

    async def step(self) -> bool:
        """Replay one message; False if none waits for it."""
        if self._cut_off is not None:
            await self._keep(self._cut_off, reason=CUT_OFF, replay_at=self._clock.now())
            self._cut_off = None
        async with self._store.transaction(ALL_TENANTS) as work:
            row = await work.transaction.fetch_row(
                Q["take_dead_letter"](reason=CUT_OFF)
            )
        if row is None:
            return False
        try:
            await self._replay(row)
        except Unavailable:
            self._cut_off = row
            raise
        except Exception as err:
            # What failed is rolled back, and the message stays with its new reason.
            log.exception("replay_failed", message_id=row["message_id"])
            await self._keep(row, reason=f"replay failed: {type(err).__name__}")
        else:
            log.info("message_replayed", message_id=row["message_id"])
        return True

    async def _replay(self, row: Row) -> None:
        """Handle a message; what it leaves goes with its effect."""
        message_class, handler = self._handlers[_base(row["subject"])]
        message = codec.decode(row["payload"], message_class)
        tenant_id, message_id = row["tenant_id"], row["message_id"]
        # A message that nobody was believed to have sent is kept for no tenant.
        async with self._store.transaction(ALL_TENANTS) as work:
            is_first = await work.is_first_sight(message_id, tenant_id=tenant_id)
            await work.transaction.execute(
                Q["drop_dead_letter"](tenant_id=tenant_id, message_id=message_id)
            )
            await work.end_attempts(message_id, tenant_id=tenant_id)
            if is_first:
                await work.transaction.narrow(message.tenant_id)
                await handler(work, message)

    async def _keep(
        self, row: Row, *, reason: str, replay_at: datetime.datetime | None = None
    ) -> None:
        async with self._store.transaction(ALL_TENANTS) as work:
            await work.transaction.execute(
                Q["keep_dead_letter"](
                    tenant_id=row["tenant_id"],
                    message_id=row["message_id"],
                    reason=reason,
                    replay_at=replay_at,
                )
            )

    async def forget_old(self) -> bool:
        """Forget a batch of messages that no operator asked for in time."""
        before = self._clock.now() - KEPT
        async with self._store.transaction(ALL_TENANTS) as work:
            count = await work.transaction.execute(
                Q["forget_dead_letters"](before=before, limit=FORGET_BATCH)
            )
        if count:
            log.warning("dead_letters_forgotten", count=count)
        return bool(count == FORGET_BATCH)


async def _list_or_replay(desk: Desk, arguments: argparse.Namespace) -> int:
    async with desk.store.transaction(ALL_TENANTS) as work:
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
