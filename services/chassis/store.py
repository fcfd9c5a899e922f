"""A unit of work: one transaction, with what it receives and what it tells.

Each service's ``store.py`` adds one method per query. The memory stores of the
simulation offer the same methods without a database.
"""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

from proto.base import Message
from proto.ids import MessageId, TenantId
from services.chassis import outbox, queries
from services.chassis.clock import Clock
from services.chassis.database import Database, Transaction
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.tenancy import Scope

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")


class Work:
    """What can be done inside one transaction, whatever the service."""

    def __init__(
        self,
        transaction: Transaction,
        *,
        clock: Clock,
        identifiers: Identifiers,
        relay_wake: Wake,
    ) -> None:
        self.transaction = transaction
        self.clock = clock
        self.identifiers = identifiers
        self._relay_wake = relay_wake

    async def is_first_sight(
        self, message_id: MessageId, *, tenant_id: TenantId
    ) -> bool:
        """Remember a message; False if it was handled before (hazard 91)."""
        row = await self.transaction.fetch_row(
            Q["remember_message"](
                tenant_id=tenant_id, message_id=message_id, now=self.clock.now()
            )
        )
        return row is not None

    async def end_attempts(self, message_id: MessageId, *, tenant_id: TenantId) -> None:
        """Forget how often a message was tried, because it took effect."""
        await self.transaction.execute(
            Q["end_attempts"](tenant_id=tenant_id, message_id=message_id)
        )

    async def send(self, *messages: Message) -> None:
        """Tell these once the transaction has committed."""
        await outbox.put(
            self.transaction,
            messages,
            identifiers=self.identifiers,
            clock=self.clock,
        )
        if messages:
            self.transaction.after_commit(self._relay_wake.ring)

    async def bury(self, envelope: outbox.Envelope, *, reason: str) -> None:
        """Keep a message that cannot be handled, for an operator."""
        await self.transaction.execute(
            Q["add_dead_letter"](
                tenant_id=envelope.tenant_id,
                # Without one of its own it gets one: each of them is to be seen.
                message_id=envelope.message_id or self.identifiers.new(MessageId),
                subject=envelope.subject,
                sender=envelope.sender,
                payload=envelope.payload,
                reason=reason,
                now=self.clock.now(),
            )
        )


W = TypeVar("W", bound=Work)


class Store(Generic[W]):
    """Opens units of work of one service's kind."""

    def __init__(
        self,
        database: Database,
        work: type[W],
        *,
        clock: Clock,
        identifiers: Identifiers,
        relay_wake: Wake,
    ) -> None:
        self.database = database
        self._work = work
        self._clock = clock
        self._identifiers = identifiers
        self._relay_wake = relay_wake

    def transaction(self, scope: Scope) -> "Opening[W]":
        """Open one for a tenant or for all; committed when the block ends well.

        Raises:
            DatabaseUnavailable: Also when it is not known whether it committed.
        """
        return Opening(self.database.transaction(scope), self._new)

    def _new(self, transaction: Transaction) -> W:
        return self._work(
            transaction,
            clock=self._clock,
            identifiers=self._identifiers,
            relay_wake=self._relay_wake,
        )


class Opening(AbstractAsyncContextManager[W]):
    """A unit of work that lasts as long as the block that it is the context of."""

    __slots__ = ("_new", "_opening")

    def __init__(
        self,
        opening: AbstractAsyncContextManager[Transaction],
        new: Callable[[Transaction], W],
    ) -> None:
        self._opening = opening
        self._new = new

    async def __aenter__(self) -> W:
        """Open the transaction."""
        return self._new(await self._opening.__aenter__())

    def __aexit__(self, *error: Any) -> Coroutine[Any, Any, bool | None]:
        """Commit it, or undo it after an error."""
        return self._opening.__aexit__(*error)
