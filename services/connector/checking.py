"""What is read before anything is sent: the answers to looks, what writes depend on.

Conditions are checked mechanically, exactly as they came.
"""

import datetime
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import IntentId, RecordId
from proto.record import Consent, Presence
from services.chassis.clock import Clock
from services.connector import batches, lookups, remainder, vendors
from services.connector.accounts import AccountRef, OpenWrite
from services.connector.answers import Answers, Outcome, PutOff, Unclear
from services.connector.errors import CallFailed, Meaning, UnknownApp
from services.connector.lookups import Fresh, Lookups, Read
from services.connector.pacing import Lane
from services.connector.transport import OpenAccount, Transport

CHECK_AGE_MAX: Final = datetime.timedelta(seconds=10)
"""A write is not sent when what it depends on was checked longer ago."""
SOURCE_AGE_MAX: Final = CHECK_AGE_MAX / 2
"""A write whose source was seen longer ago has it read again first."""

Answered: TypeAlias = list[Outcome | Unclear]
Borrow: TypeAlias = Callable[[AccountRef], AbstractAsyncContextManager[bool]]
"""Leases another account for a few calls; False where another replica has it."""
Checked: TypeAlias = dict[IntentId, datetime.datetime]
"""Writes that may be sent, with the instant as of which that is known."""


class Checks:
    """Looks and conditions of one account's chunk of intents."""

    def __init__(
        self,
        transport: Transport,
        opened: OpenAccount,
        *,
        borrow: Borrow,
        clock: Clock,
        lane: Lane = Lane.WRITE,
    ) -> None:
        self._transport = transport
        self._opened = opened
        self._borrow = borrow
        self._clock = clock
        self._capabilities = opened.manifest.capabilities
        self._lookups = Lookups(transport, clock, lane=lane)
        self._answers = Answers(clock)

    async def look(self, looks: Sequence[OpenWrite]) -> Answered:
        """Find out what became of earlier writes."""
        ids = {
            item.intent_id: item.write.record_id
            for item in looks
            if item.write.record_id is not None
        }
        fresh = await self._lookups.read(self._opened, list(ids.values()))
        answers: Answered = []
        others: list[OpenWrite] = []
        for item in looks:
            record_id = ids.get(item.intent_id)
            if record_id is None:
                others.append(item)
            else:
                answers.append(self._looked(item, fresh[record_id]))
        return answers + await self._search(others)

    async def check(self, writes: Sequence[OpenWrite]) -> tuple[Answered, Checked]:
        """Answer writes that must not be sent; say since when the others may be.

        Args:
            writes: Creates, and updates that hang on the other side's record.
        """
        now = self._clock.now()
        checked = {
            item.intent_id: now if item.write.source is None else _seen_at(item)
            for item in writes
        }
        answers: Answered = []
        for step in (self._check_sources, self._check_emails):
            left = [item for item in writes if item.intent_id in checked]
            found = await step(left, checked)
            for answer in found:
                del checked[_intent_id(answer)]
            answers += found
        return answers, checked

    async def _search(self, looks: Sequence[OpenWrite]) -> Answered:
        """Look for records by our marker, and by email where none carries it."""
        can_find = self._capabilities.can_find_by_email
        keeps_marks = self._capabilities.keeps_marks
        found = await self._lookups.find_marked(
            self._opened, {item.intent_id: item.write.marker for item in looks}
        )
        if can_find:
            found |= await self._lookups.find_each(
                self._opened,
                {
                    item.intent_id: item.write.emails
                    for item in looks
                    if item.intent_id not in found
                },
            )
        answers: Answered = []
        for item in looks:
            fresh = found.get(item.intent_id)
            if fresh is not None:
                answers.append(self._looked(item, fresh))
            elif (item.write.marker and keeps_marks) or (
                item.write.emails and can_find
            ):
                answers.append(self._answers.answer(item, WriteOutcome.MISSING))
            else:
                # Nothing can be looked for, so that nothing can be said.
                answers.append(self._answers.answer(item, WriteOutcome.UNKNOWN))
        return answers

    def _looked(self, item: OpenWrite, fresh: Fresh | CallFailed) -> Outcome | Unclear:
        if isinstance(fresh, CallFailed):
            return Unclear(item, fresh)
        is_live = fresh.snapshot.record.presence is Presence.LIVE
        outcome = WriteOutcome.EXISTS if is_live else WriteOutcome.MISSING
        return self._answers.answer(item, outcome, fresh=fresh)

    async def _check_sources(
        self, writes: Sequence[OpenWrite], checked: Checked
    ) -> Answered:
        """Answer writes whose source is no longer as seen."""
        oldest = self._clock.now() - SOURCE_AGE_MAX
        by_account: dict[AccountRef, list[OpenWrite]] = {}
        for item in writes:
            source = item.write.source
            if source is not None and source.seen_at < oldest:
                ref = AccountRef(
                    self._opened.ref.tenant_id, source.account_id, source.app
                )
                by_account.setdefault(ref, []).append(item)
        answers: Answered = []
        for ref, items in by_account.items():
            async with self._borrow(ref) as is_ours:
                if not is_ours:
                    answers += [_busy(item) for item in items]
                    continue
                found = await self._read_sources(ref, items)
            is_served = any(isinstance(one, Fresh) for one in found.values())
            for item in items:
                fresh = found[_source_id(item)]
                if isinstance(fresh, CallFailed):
                    answers.append(self._unread(item, fresh, is_served=is_served))
                elif _is_same(item, fresh):
                    checked[item.intent_id] = fresh.read_at
                else:
                    answers.append(_source_changed(item, fresh))
        return answers

    async def _read_sources(self, ref: AccountRef, items: Sequence[OpenWrite]) -> Read:
        ids = [_source_id(item) for item in items]
        try:
            opened = await self._transport.open(ref)
        except CallFailed as err:
            return dict.fromkeys(ids, err)
        except UnknownApp as err:
            return dict.fromkeys(ids, CallFailed(Meaning.FORBIDDEN, str(err)))
        return await self._lookups.read(opened, ids)

    def _unread(self, item: OpenWrite, err: CallFailed, *, is_served: bool) -> Outcome:
        """Let a write wait for its source, and nothing else with it."""
        outcome = self._answers.failed(Unclear(item, err), is_served=is_served)
        if isinstance(outcome, PutOff):
            return outcome._replace(is_of_account=False)
        return outcome

    async def _check_emails(
        self, writes: Sequence[OpenWrite], checked: Checked
    ) -> Answered:
        """Answer creates for emails that the app has, where it does not check."""
        creates = [item for item in writes if item.write.kind is WriteKind.CREATE]
        if (
            self._capabilities.refuses_duplicate_emails
            or not self._capabilities.can_find_by_email
        ):
            return []
        asked_at = self._clock.now()
        found = await self._lookups.find_each(
            self._opened, {item.intent_id: item.write.emails for item in creates}
        )
        answers: Answered = []
        taken: set[str] = set()
        for item in creates:
            fresh = found.get(item.intent_id)
            keys = {vendors.email_key(email) for email in item.write.emails}
            if isinstance(fresh, CallFailed):
                answers.append(Unclear(item, fresh))
            elif fresh is not None:
                answers.append(
                    self._answers.answer(item, WriteOutcome.EXISTS, fresh=fresh)
                )
            elif keys & taken:
                # Another create is just about to make this person: once it has, it
                # will be found.
                answers.append(
                    PutOff(
                        item.intent_id, ErrorCode.ALREADY_EXISTS, is_of_account=False
                    )
                )
            else:
                taken |= keys
                if keys:
                    checked[item.intent_id] = min(checked[item.intent_id], asked_at)
        return answers


def _intent_id(answer: Outcome | Unclear) -> IntentId:
    return answer.item.intent_id if isinstance(answer, Unclear) else answer.intent_id


def _seen_at(item: OpenWrite) -> datetime.datetime:
    assert item.write.source is not None
    return item.write.source.seen_at


def _source_id(item: OpenWrite) -> RecordId:
    assert item.write.source is not None
    return item.write.source.record_id


def _is_same(item: OpenWrite, fresh: Fresh) -> bool:
    """Tell whether a source is still what its write was decided on.

    Who unsubscribed since must not be created as if they had not, nor who is no longer
    known to have agreed as if they were, although no field and, in some apps, no
    version tells of it.
    """
    source, record, said = item.write.source, fresh.snapshot.record, item.write.consent
    assert source is not None
    if source.is_gone:
        return record.presence is not Presence.LIVE
    if remainder.is_tighter(record.consent, than=(said, source.consent)):
        return False
    if said is Consent.SUBSCRIBED is not record.consent:
        return False
    return record.presence is Presence.LIVE and (
        (source.version != "" and record.version == source.version)
        or not lookups.has_moved(source.fields, record.fields)
    )


def _busy(item: OpenWrite) -> PutOff:
    """Let a write wait until no other replica calls its source's account."""
    return PutOff(item.intent_id, ErrorCode.RATE_LIMITED, is_of_account=False)


def _source_changed(item: OpenWrite, fresh: Fresh) -> ContactWritten:
    return ContactWritten(
        intent_id=item.intent_id,
        kind=item.write.kind,
        outcome=WriteOutcome.SOURCE_CHANGED,
        source_record=batches.fitting(fresh.snapshot.record),
        read_at=fresh.read_at,
    )
