"""Reading contacts: all of them, those that changed, some by id, some by address."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.activecampaign import fields, people, times, wire
from services.connector.apps.activecampaign.catalogue import Catalogue
from services.connector.apps.activecampaign.cursors import EPOCH, Progress, Stage
from services.connector.apps.activecampaign.people import Person
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation, Page, Snapshot

BATCH: Final = 100
INCLUDE: Final = ("include", "fieldValues,contactLists,contactTags.tag")
"""What belongs to contacts comes beside them, or each would take three more calls."""
BY_ID: Final = ("orders[id]", "asc")
_ID = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+\Z")


class Reader:
    """Reads the contacts of one account."""

    def __init__(self, catalogue: Catalogue, *, prefix: str, page_size: int) -> None:
        self._catalogue = catalogue
        self._path = f"{prefix}/contacts"
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody.

        How many have unsubscribed is asked first: whoever does so while everybody is
        read makes it another number.
        """
        if cursor is not None:
            progress = vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN)
        else:
            count = yield from self._count()
            progress = Progress(stage=Stage.SCAN, count=count)
        is_first = progress.last_id == 0
        progress, records, left = yield from self._list(progress, limit=self._page_size)
        return _page(
            progress,
            records,
            is_more=left > 0,
            expected=len(records) + left if is_first else None,
        )

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes; a short one is joined by who unsubscribed."""
        progress = vendors.decode_cursor(cursor, Progress)
        if progress.stage is Stage.SCAN:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        found: dict[RecordId, Record] = {}
        while True:
            limit = self._page_size - len(found)
            progress, records, left = yield from self._list(progress, limit=limit)
            if progress.is_wide_due:
                # What was shown just now is shown again.
                progress = progress.widened()
                continue
            if progress.stage is Stage.CHANGED:
                progress = progress.turned()
            found |= {one.record_id: one for one in records}
            rows = tuple(found.values())
            if left or progress.stage is Stage.UNSUBSCRIBED:
                return _page(progress, rows, is_more=left > 0)
            count = yield from self._count()
            if not progress.is_sweep_due(count):
                return _page(progress, rows, is_more=False)
            progress = progress.sweep(count)
            if len(found) > self._page_size // 2:
                return _page(progress, rows, is_more=True)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id, a hundred a call."""
        definitions = yield from self._catalogue.get()
        asked = [each for each in record_ids if _ID.match(each)]
        there: dict[str, Person] = {}
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            answer = yield Call(
                method="GET",
                path=self._path,
                query=(
                    *(("ids[]", each) for each in part),
                    ("limit", str(BATCH)),
                    INCLUDE,
                ),
            )
            page = answer.decode(wire.Contacts)
            there |= {one.contact_id: one for one in people.of_page(page)}
        found = []
        for record_id in record_ids:
            person = there.get(record_id)
            if person is None:
                missing = Record(record_id=record_id, presence=Presence.MISSING)
                found.append(Snapshot(record=missing))
                continue
            record = fields.read(person, definitions)
            found.append(Snapshot(record=record, raw=people.encode(person)))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the contacts with these addresses, one address a call."""
        wanted = {each.strip().lower() for each in emails}
        definitions = yield from self._catalogue.get()
        found: dict[RecordId, Record] = {}
        for email in sorted(filter(_EMAIL.match, wanted)):
            answer = yield Call(
                method="GET", path=self._path, query=(("email", email), INCLUDE)
            )
            for person in people.of_page(answer.decode(wire.Contacts)):
                if (person.contact.email or "").strip().lower() == email:
                    record = fields.read(person, definitions)
                    found[record.record_id] = record
        return tuple(found.values())

    def _list(
        self, progress: Progress, *, limit: int
    ) -> Operation[tuple[Progress, tuple[Record, ...], int]]:
        """Read the contacts behind the last id.

        Returns:
            Where to go on, the contacts, and how many are left behind them.
        """
        definitions = yield from self._catalogue.get()
        answer = yield Call(
            method="GET",
            path=self._path,
            query=(
                ("limit", str(limit)),
                ("id_greater", str(progress.last_id)),
                BY_ID,
                *progress.filters,
                INCLUDE,
            ),
        )
        page = answer.decode(wire.Contacts)
        progress = _begun(progress, answer, page=page)
        left = page.meta.count - len(page.contacts)
        if not page.contacts:
            if left > 0:
                raise CallFailed(Meaning.BROKEN, "nobody where there is more")
            return progress, (), 0
        for one in page.contacts:
            contact_id = str(one.id)
            if not _ID.match(contact_id):
                raise CallFailed(Meaning.BROKEN, "a contact without an id")
            progress = progress.after(int(contact_id))
        records = (
            fields.read(one, definitions)
            for one in people.of_page(page)
            if progress.stage is not Stage.CHANGED
            or times.may_have_changed(one.contact, since=progress.changed_since)
        )
        return progress, tuple(records), max(0, left)

    def _count(self) -> Operation[int]:
        """Return how many have unsubscribed from any list."""
        query = (("status", "2"), ("limit", "1"))
        answer = yield Call(method="GET", path=self._path, query=query)
        return answer.decode(wire.Contacts).meta.count


def _page(
    progress: Progress,
    records: tuple[Record, ...],
    *,
    is_more: bool,
    expected: int | None = None,
) -> Page:
    return Page(
        records=records,
        next=vendors.encode_cursor(progress) if is_more else None,
        resume=None if is_more else vendors.encode_cursor(progress.resumption()),
        expected_count=expected,
    )


def _begun(progress: Progress, answer: Answer, *, page: wire.Contacts) -> Progress:
    """Note when the pass began, at its first answer."""
    if progress.began is not None:
        return progress
    stamps = (vendors.read_moment(one.udate) for one in page.contacts)
    newest = max(filter(None, stamps), default=None)
    began = vendors.clock_of(answer.headers) or max(newest or EPOCH, progress.since)
    return msgspec.structs.replace(progress, began=began)
