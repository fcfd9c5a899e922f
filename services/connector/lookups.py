"""Finds records at an app: by id, by our marker, by email. Writes nothing."""

import asyncio
import datetime
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from proto.connector import ContactWrite
from proto.fields import Fields
from proto.ids import IntentId, RecordId
from proto.record import Record
from services.chassis.clock import Clock
from services.connector import vendors
from services.connector.errors import MAYBE_OF_ONE, CallFailed, Meaning
from services.connector.pacing import Lane
from services.connector.port import Call, Snapshot
from services.connector.transport import OpenAccount, Transport

EMAILS_BATCH: Final = 50
MARKERS_BATCH: Final = 50
FAILURES_MAX: Final = 3
"""Records of a batch that are tried one by one in vain before the rest is not."""


class Fresh(NamedTuple):
    """A record just read, and the instant when the call was sent that showed it."""

    snapshot: Snapshot
    read_at: datetime.datetime
    is_searched: bool = False
    """Found by something else than its id, which may show it as it was before."""


Read: TypeAlias = dict[RecordId, Fresh | CallFailed]
"""Every record that was asked for, or why it could not be read."""

Found: TypeAlias = dict[IntentId, Fresh | CallFailed]
"""The intents whose record the app has, or could not be asked for."""


class Lookups:
    """Reads before a write, through the transport."""

    def __init__(
        self, transport: Transport, clock: Clock, *, lane: Lane = Lane.WRITE
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._lane = lane

    async def read(self, opened: OpenAccount, record_ids: Sequence[RecordId]) -> Read:
        """Read records by id, in the batches that the app takes."""
        size = max(1, opened.manifest.capabilities.get_batch)
        unique = list(dict.fromkeys(record_ids))
        parts = [unique[start : start + size] for start in range(0, len(unique), size)]
        merged: Read = {}
        for found in await asyncio.gather(*(self._get(opened, part) for part in parts)):
            merged |= found
        return merged

    async def find_marked(
        self, opened: OpenAccount, markers: Mapping[IntentId, str]
    ) -> Found:
        """Return which of these intents the app has a record with our marker for."""
        marked = [(intent_id, mark) for intent_id, mark in markers.items() if mark]
        batches = [
            dict(marked[start : start + MARKERS_BATCH])
            for start in range(0, len(marked), MARKERS_BATCH)
        ]
        merged: Found = {}
        for found in await asyncio.gather(
            *(self._find_marked(opened, batch) for batch in batches)
        ):
            merged |= found
        return merged

    async def find_each(
        self, opened: OpenAccount, emails: Mapping[IntentId, Sequence[str]]
    ) -> Found:
        """Return which of these intents the app has a record with an email for."""
        batched: list[list[IntentId]] = []
        size = EMAILS_BATCH
        for intent_id, own in emails.items():
            if not own:
                continue
            if size + len(own) > EMAILS_BATCH:
                batched.append([])
                size = 0
            batched[-1].append(intent_id)
            size += len(own)
        merged: Found = {}
        for found in await asyncio.gather(
            *(
                self._find_batch(opened, {key: emails[key] for key in batch})
                for batch in batched
            )
        ):
            merged |= found
        return merged

    async def _get(self, opened: OpenAccount, part: Sequence[RecordId]) -> Read:
        read_at = self._clock.now()
        first: Call | None = None

        def note(call: Call) -> None:
            nonlocal first, read_at
            if first is None or call is first:
                # It may have waited for its turn, and it may be the second try.
                first, read_at = call, self._clock.now()

        try:
            snapshots = await self._transport.drive(
                opened, opened.app.get(part), lane=self._lane, before_call=note
            )
        except CallFailed as err:
            if len(part) > 1 and err.meaning in MAYBE_OF_ONE:
                return await self._get_singly(opened, part)
            return dict.fromkeys(part, err)
        found: Read = {s.record.record_id: Fresh(s, read_at) for s in snapshots}
        left_out = CallFailed(Meaning.BROKEN, "a record was left out")
        return {record_id: found.get(record_id, left_out) for record_id in part}

    async def _get_singly(self, opened: OpenAccount, part: Sequence[RecordId]) -> Read:
        """Read records one by one, because one of them may spoil it for all."""
        found: Read = {}
        failures = 0
        for start, record_id in enumerate(part):
            (one,) = (await self._get(opened, [record_id])).values()
            found[record_id] = one
            failures = failures + 1 if isinstance(one, CallFailed) else 0
            if isinstance(one, CallFailed) and failures >= FAILURES_MAX:
                return found | dict.fromkeys(part[start:], one)
        return found

    async def _find_marked(
        self, opened: OpenAccount, markers: Mapping[IntentId, str]
    ) -> Found:
        read_at = self._clock.now()
        try:
            records = await self._transport.drive(
                opened,
                opened.app.find_by_markers(list(markers.values())),
                lane=self._lane,
            )
        except CallFailed as err:
            return dict.fromkeys(markers, err)
        return {
            intent_id: _searched(records[marker], read_at)
            for intent_id, marker in markers.items()
            if marker in records
        }

    async def _find_batch(
        self, opened: OpenAccount, emails: Mapping[IntentId, Sequence[str]]
    ) -> Found:
        read_at = self._clock.now()
        try:
            records = await self._find(
                opened, [email for own in emails.values() for email in own]
            )
        except CallFailed as err:
            if len(emails) > 1 and err.meaning in MAYBE_OF_ONE:
                return await self._find_singly(opened, emails)
            return dict.fromkeys(emails, err)
        if len(emails) == 1:
            # Whatever came was asked for by these emails, in any spelling.
            record = _first(records)
            if record is None:
                return {}
            return dict.fromkeys(emails, _searched(record, read_at))
        by_email = {email: record for record in records for email in emails_of(record)}
        asked = {vendors.email_key(email) for own in emails.values() for email in own}
        if any(not emails_of(record) & asked for record in records):
            # Found by a spelling that we do not recognise: ask for each by itself.
            return await self._find_singly(opened, emails)
        found: Found = {}
        for intent_id, own in emails.items():
            keys = [key for key in map(vendors.email_key, own) if key in by_email]
            if keys:
                found[intent_id] = _searched(by_email[keys[0]], read_at)
        return found

    async def _find_singly(
        self, opened: OpenAccount, emails: Mapping[IntentId, Sequence[str]]
    ) -> Found:
        merged: Found = {}
        failures = 0
        left = dict(emails)
        for intent_id, own in emails.items():
            found = await self._find_batch(opened, {intent_id: own})
            one = found.get(intent_id)
            failures = failures + 1 if isinstance(one, CallFailed) else 0
            if isinstance(one, CallFailed) and failures >= FAILURES_MAX:
                return merged | dict.fromkeys(left, one)
            merged |= found
            del left[intent_id]
        return merged

    async def _find(
        self, opened: OpenAccount, emails: Sequence[str]
    ) -> tuple[Record, ...]:
        operation = opened.app.find_by_email(emails)
        return await self._transport.drive(opened, operation, lane=self._lane)


def is_another(write: ContactWrite, record: Record) -> bool:
    """Tell whether an id means another record than it did (hazard 11)."""
    known, told = write.seen_created_at, record.created_at
    return known is not None and told is not None and known != told


def has_moved(seen: Fields, fresh: Fields) -> bool:
    """Tell whether any field is no longer as seen; one not shown any more is not."""
    return any(name not in fresh or fresh[name] != seen[name] for name in seen)


def emails_of(record: Record) -> set[str]:
    """Return everything in a record that looks like an email, in comparable form."""
    texts: list[str] = []
    for value in record.fields.values():
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, tuple):
            texts += [item.value for item in value if isinstance(item.value, str)]
    return {vendors.email_key(text) for text in texts if "@" in text}


def _searched(record: Record, read_at: datetime.datetime) -> Fresh:
    return Fresh(Snapshot(record=record), read_at, is_searched=True)


def _first(records: Sequence[Record]) -> Record | None:
    return min(records, key=lambda record: record.record_id, default=None)
