"""An app in memory: records, what is done to them, and faults on request."""

import datetime
import itertools
from collections import Counter

import msgspec

from proto.connector import (
    AccountDescription,
    Capabilities,
    ContactWrite,
    ContactWritten,
    Container,
    WriteKind,
    WriteOutcome,
)
from proto.errors import ErrorCode
from proto.fields import Field, FieldKind, Fields, Role
from proto.ids import AccountId, AppId, ContainerId, FieldId, RecordId
from proto.record import Presence, Record
from services.reconciler.engine import canon, consent

LEFT_IDS = ("email", "first_name", "last_name", "job_title")
RIGHT_IDS = ("MAIL", "GIVEN", "FAMILY", "TITLE")
ROLES = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, Role.JOB_TITLE)


def fields_of(ids: tuple[str, ...]) -> tuple[Field, ...]:
    """Describe four fields under the ids that an app gives them."""
    return tuple(
        Field(
            field_id=FieldId(field_id),
            label=role.value,
            kind=FieldKind.EMAIL if role is Role.EMAIL else FieldKind.TEXT,
            role=role,
        )
        for field_id, role in zip(ids, ROLES, strict=True)
    )


class Vendor:
    """One account of an app, with a change log to poll."""

    def __init__(self, account_id: str, app: str, ids: tuple[str, ...]) -> None:
        self.account_id = AccountId(account_id)
        self.app = AppId(app)
        self.ids = ids
        self.fields = fields_of(ids)
        self.containers = (Container(container_id=ContainerId("list_1"), name="One"),)
        self.records: dict[RecordId, Record] = {}
        self.changed: list[RecordId] = []
        self.markers: dict[str, RecordId] = {}
        self.writes: list[tuple[WriteKind, RecordId, Fields]] = []
        self.looks = 0
        self.lose_answers = 0
        """So many writes are applied and their answers lost."""
        self.drop_writes = 0
        """So many writes are lost before they are applied."""
        self.refused_emails: set[str] = set()
        self._numbers = itertools.count(1)
        self._ticks = itertools.count(1)

    def describe(self) -> AccountDescription:
        return AccountDescription(
            account_id=self.account_id,
            app=self.app,
            fields=self.fields,
            containers=self.containers,
            capabilities=Capabilities(
                detects_deletions=True,
                detects_unsubscribes=True,
                has_consent=True,
                can_unsubscribe=True,
                can_tag=True,
                can_change_containers=True,
                refuses_duplicate_emails=True,
                can_find_by_email=True,
                settle_s=1,
            ),
        )

    def add(
        self,
        email: str | None,
        given: str = "",
        family: str = "",
        title: str | None = None,
    ) -> RecordId:
        """Have a user add a contact."""
        values = (email, given or None, family or None, title)
        return self._create(dict(zip(self.ids, values, strict=True)))

    def edit(self, record_id: RecordId, **values: str | None) -> None:
        """Have a user edit a contact: email, given, family or title."""
        names = dict(zip(("email", "given", "family", "title"), self.ids, strict=True))
        self._update(record_id, {names[key]: value for key, value in values.items()})

    def delete(self, record_id: RecordId) -> None:
        """Have a user delete a contact."""
        self._put(
            msgspec.structs.replace(
                self.records[record_id], presence=Presence.DELETED, fields={}
            )
        )

    def put(self, record_id: RecordId, **changes: object) -> None:
        """Have a user change what is not a field."""
        self._put(msgspec.structs.replace(self.records[record_id], **changes))

    def vanish(self, record_id: RecordId) -> Record:
        """Lose a contact without a word; returns it, to be brought back."""
        return self.records.pop(record_id)

    def live(self) -> list[Record]:
        return [r for r in self.records.values() if r.presence is Presence.LIVE]

    def people(self) -> set[tuple[str | None, ...]]:
        """Return everybody as plain values, comparable across apps."""
        return {tuple(r.fields.get(i) for i in self.ids) for r in self.live()}

    def twins(self) -> list[str]:
        """Return addresses that more than one live contact has."""
        count = Counter(str(r.fields.get(self.ids[0])).lower() for r in self.live())
        return [email for email, times in count.items() if times > 1]

    def value(self, record_id: RecordId, name: str) -> object:
        names = dict(zip(("email", "given", "family", "title"), self.ids, strict=True))
        return self.records[record_id].fields.get(names[name])

    def find(self, email: str) -> Record | None:
        wanted = canon.email(email)
        for record in self.live():
            value = record.fields.get(self.ids[0])
            if isinstance(value, str) and canon.email(value) == wanted:
                return record
        return None

    def take_changes(self) -> list[Record]:
        """Return what changed since the last call, oldest first."""
        taken, self.changed = list(dict.fromkeys(self.changed)), []
        return [self.records[record_id] for record_id in taken]

    def carry_out(
        self, write: ContactWrite, *, source: "Vendor | None", now: datetime.datetime
    ) -> ContactWritten:
        """Do a write if its conditions hold, and say what came of it."""
        outcome, record, source_record = self._try(write, source, now)
        reason = None
        if outcome is WriteOutcome.REFUSED:
            reason = ErrorCode.VALUE_REFUSED
        return ContactWritten(
            intent_id=write.intent_id,
            kind=write.kind,
            outcome=outcome,
            record=record,
            source_record=source_record,
            reason=reason,
            sent_at=now,
            read_at=datetime.datetime.now(datetime.UTC),
        )

    def _try(
        self, write: ContactWrite, source: "Vendor | None", now: datetime.datetime
    ) -> tuple[WriteOutcome, Record | None, Record | None]:
        if write.kind is WriteKind.LOOK:
            self.looks += 1
            found = self._look(write)
            is_there = found is not None
            return (
                (WriteOutcome.EXISTS if is_there else WriteOutcome.MISSING),
                found,
                None,
            )
        if now > write.not_after:
            return WriteOutcome.STALE, None, None
        if refusal := self._condition(write, source):
            return refusal
        if self.drop_writes:
            self.drop_writes -= 1
            return WriteOutcome.UNKNOWN, None, None
        record = self._apply(write)
        if self.lose_answers:
            self.lose_answers -= 1
            return WriteOutcome.UNKNOWN, None, None
        return WriteOutcome.WRITTEN, record, None

    def _condition(
        self, write: ContactWrite, source: "Vendor | None"
    ) -> tuple[WriteOutcome, Record | None, Record | None] | None:
        if self.refused_emails & set(map(str, write.fields.values())):
            return WriteOutcome.REFUSED, None, None
        if write.kind is WriteKind.CREATE:
            assert write.source is not None
            assert source is not None
            theirs = source.records[write.source.record_id]
            if any(theirs.fields.get(i) != v for i, v in write.source.fields.items()):
                return WriteOutcome.SOURCE_CHANGED, None, theirs
            for email in write.emails:
                if found := self.find(email):
                    return WriteOutcome.EXISTS, found, None
            return None
        assert write.record_id is not None
        mine = self.records.get(write.record_id)
        if mine is None or mine.presence is not Presence.LIVE:
            return WriteOutcome.MISSING, None, None
        if any(mine.fields.get(i) != value for i, value in write.seen.items()):
            return WriteOutcome.CHANGED, mine, None
        return None

    def _look(self, write: ContactWrite) -> Record | None:
        if write.record_id is not None:
            return self.records.get(write.record_id)
        if write.marker in self.markers:
            return self.records[self.markers[write.marker]]
        return next((r for e in write.emails if (r := self.find(e))), None)

    def _apply(self, write: ContactWrite) -> Record:
        if write.kind is WriteKind.CREATE:
            fields = {i: write.fields.get(i) for i in self.ids}
            record_id = self._create(fields, containers=write.containers)
            self.markers[write.marker] = record_id
        else:
            assert write.record_id is not None
            record_id = write.record_id
            self._update(record_id, write.fields)
        self._change(record_id, write)
        self.writes.append((write.kind, record_id, write.fields))
        return self.records[record_id]

    def _change(self, record_id: RecordId, write: ContactWrite) -> None:
        record, change = self.records[record_id], write.memberships
        tags = {*record.tags, *change.tags_add} - set(change.tags_remove)
        containers = {*record.containers, *change.containers_add}
        self.records[record_id] = msgspec.structs.replace(
            record,
            tags=tuple(sorted(tags)),
            containers=tuple(sorted(containers - set(change.containers_remove))),
            consent=max(record.consent, write.consent, key=consent.RANKS.__getitem__),
        )

    def _create(
        self, fields: Fields, containers: tuple[ContainerId, ...] = ()
    ) -> RecordId:
        record_id = RecordId(f"{self.app}-{next(self._numbers)}")
        self._put(Record(record_id=record_id, fields=fields, containers=containers))
        return record_id

    def _update(self, record_id: RecordId, fields: Fields) -> None:
        record = self.records[record_id]
        merged = {**record.fields, **fields}
        self._put(msgspec.structs.replace(record, fields=merged))

    def _put(self, record: Record) -> None:
        record = msgspec.structs.replace(record, version=f"v{next(self._ticks)}")
        self.records[record.record_id] = record
        self.changed.append(record.record_id)
