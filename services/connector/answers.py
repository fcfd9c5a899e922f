"""What became of an intent, said in the closed set of outcomes of the bus."""

import datetime
from typing import Final, NamedTuple, TypeAlias

from proto.connector import ContactWritten, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import IntentId
from services.chassis.clock import Clock
from services.connector import batches
from services.connector.accounts import OpenWrite
from services.connector.errors import MAYBE_OF_ONE, CallFailed, Meaning
from services.connector.lookups import Fresh


class PutOff(NamedTuple):
    """An intent that was not carried out for sure and may be tried again."""

    intent_id: IntentId
    reason: ErrorCode
    retry_after_s: float = 0.0
    is_of_account: bool = True
    """What stands in its way stands in the way of the account's other writes too."""


class Unclear(NamedTuple):
    """A call that failed and changed nothing; it may be about this record alone."""

    item: OpenWrite
    err: CallFailed


Outcome: TypeAlias = ContactWritten | PutOff

_FINAL: Final = frozenset({Meaning.QUOTA_EXHAUSTED, Meaning.LOST, Meaning.UNSETTLED})
"""What does not pass soon enough to wait for it here."""
_UNKNOWN: Final = frozenset({Meaning.NO_ANSWER, Meaning.BROKEN})


class Answers:
    """Makes the answers to intents."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def sent(
        self, item: OpenWrite, err: CallFailed, *, sent_at: datetime.datetime
    ) -> Outcome | Unclear:
        """Return what it means that the write itself failed."""
        if err.meaning in _UNKNOWN:
            return self.answer(item, WriteOutcome.UNKNOWN, sent_at=sent_at)
        if err.meaning is Meaning.REFUSED:
            return self.answer(
                item, WriteOutcome.REFUSED, reason=err.code, sent_at=sent_at
            )
        return Unclear(item, err)

    def failed(self, unclear: Unclear, *, is_served: bool) -> Outcome:
        """Return what a call means that failed before anything was written.

        Args:
            is_served: The account was served otherwise at the same time, so that this
                is about the record, and nothing else needs to wait for it.
        """
        item, err = unclear
        if err.meaning in _FINAL:
            return self.stale(item, err.code)
        if err.meaning is Meaning.REFUSED or (
            is_served and err.meaning is Meaning.FORBIDDEN
        ):
            return self.answer(item, WriteOutcome.REFUSED, reason=err.code)
        if is_served and err.meaning in MAYBE_OF_ONE:
            return self.stale(item, err.code)
        return PutOff(item.intent_id, err.code, err.retry_after_s or 0.0)

    def stale(self, item: OpenWrite, reason: ErrorCode | None = None) -> Outcome:
        """Return that a write was not begun."""
        return self.answer(item, WriteOutcome.STALE, reason=reason or item.reason)

    def answer(
        self,
        item: OpenWrite,
        outcome: WriteOutcome,
        *,
        fresh: Fresh | None = None,
        reason: ErrorCode | None = None,
        field: str = "",
        sent_at: datetime.datetime | None = None,
        is_read_after: bool = False,
    ) -> ContactWritten:
        """Return an outcome, with the record as it was just seen."""
        return ContactWritten(
            intent_id=item.intent_id,
            kind=item.write.kind,
            outcome=outcome,
            record=batches.fitting(fresh.snapshot.record) if fresh else None,
            reason=reason,
            field=field,
            sent_at=sent_at,
            read_at=fresh.read_at if fresh else self._clock.now(),
            is_searched=fresh is not None and fresh.is_searched,
            is_read_after=is_read_after,
        )
