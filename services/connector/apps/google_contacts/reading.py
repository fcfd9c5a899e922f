"""Reading contacts: all of them, those that changed, and some by id."""

import enum
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.google_contacts import answers, fields, wire
from services.connector.apps.google_contacts.labels import Labels
from services.connector.apps.google_contacts.wire import Person
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation, Page, Snapshot

PATH: Final = "/people/me/connections"
GET_MAX: Final = 200
LISTED_MAX: Final = 100
"""A listing shows so many addresses and numbers of a contact and leaves out others."""
SOURCE: Final = ("sources", "READ_SOURCE_TYPE_CONTACT")
"""Else what people say of themselves in their profiles would be shown among it."""
ASKED: Final = (("personFields", wire.MASK), SOURCE)


class Stage(enum.StrEnum):
    """Which pass it is."""

    SCAN = "scan"
    CHANGES = "changes"


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages."""

    stage: Stage
    page: str = ""
    """The vendor's token of the next page; empty: the first."""
    sync: str = ""
    """The vendor's token of where the changes begin; a scan has none."""


class Reader:
    """Reads the contacts of one account."""

    def __init__(self, labels: Labels, *, page_size: int) -> None:
        self._labels = labels
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is there."""
        progress = (
            Progress(stage=Stage.SCAN)
            if cursor is None
            else vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN)
        )
        return (yield from self._read(progress))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of whom something happened to."""
        progress = vendors.decode_cursor(cursor, Progress)
        if progress.stage is not Stage.CHANGES or not progress.sync:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        return (yield from self._read(progress))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id, two hundred a call."""
        asked = [one for one in dict.fromkeys(record_ids) if fields.is_id(one)]
        found: dict[str, bytes] = {}
        for start in range(0, len(asked), GET_MAX):
            found |= yield from self._batch(asked[start : start + GET_MAX])
        people = {name: wire.person(raw) for name, raw in found.items()}
        labels = yield from self._labels.for_people(people.values())
        return tuple(
            _snapshot(one, people.get(one), raw=found.get(one, b""), labels=labels)
            for one in record_ids
        )

    def find_by_email(self, _emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Find nothing: a search finds beginnings, late, and thirty at most."""
        yield from ()
        return ()

    def _read(self, progress: Progress) -> Operation[Page]:
        listed = yield from self._list(progress)
        people = yield from self._whole(listed.connections)
        labels = yield from self._labels.for_people(people)
        records: dict[RecordId, Record] = {}
        for one in people:
            record = fields.read(one, labels)
            records[record.record_id] = record
        # After the tombstones, since who was merged away is told as deleted, too.
        for one in people:
            for former in one.metadata.previous_resource_names:
                if former != one.resource_name:
                    records[RecordId(former)] = _merged(former, one.resource_name)
        shown = tuple(records.values())
        if listed.next_page_token:
            rest = msgspec.structs.replace(progress, page=listed.next_page_token)
            return Page(records=shown, next=vendors.encode_cursor(rest))
        resume = Progress(stage=Stage.CHANGES, sync=listed.next_sync_token)
        return Page(records=shown, resume=vendors.encode_cursor(resume))

    def _list(self, progress: Progress) -> Operation[wire.Connections]:
        """Read a page; all but the tokens is the same each time, as it has to be."""
        query = [
            *ASKED,
            ("pageSize", str(self._page_size)),
            ("requestSyncToken", "true"),
        ]
        if progress.sync:
            query.append(("syncToken", progress.sync))
        if progress.page:
            query.append(("pageToken", progress.page))
        has_token = bool(progress.sync or progress.page)
        answer = yield Call(
            method="GET",
            path=PATH,
            query=tuple(query),
            accepts=(200, 400) if has_token else (200,),
        )
        if answer.status == 400:
            # A token is the vendor's own and everything else is right without one, so
            # that it can only have become too old, or be of other questions.
            answers.own_error(answer)
            raise CallFailed(Meaning.CURSOR_EXPIRED, "a token is refused")
        page = answer.decode(wire.Connections)
        if not (page.next_page_token or page.next_sync_token):
            raise CallFailed(Meaning.BROKEN, "a page without a token")
        if progress.page and page.next_page_token == progress.page:
            raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
        return page

    def _whole(self, people: Sequence[Person]) -> Operation[Sequence[Person]]:
        """Read again of whom the listing may not show every address and number."""
        cut = [one.resource_name for one in people if _is_cut(one)]
        whole: dict[str, Person] = {}
        for start in range(0, len(cut), GET_MAX):
            found = yield from self._batch(cut[start : start + GET_MAX])
            whole |= {name: wire.person(raw) for name, raw in found.items()}
        return [
            one
            if (better := whole.get(one.resource_name)) is None
            # Former names are told by the listing alone.
            else msgspec.structs.replace(better, metadata=one.metadata)
            for one in people
        ]

    def _batch(self, names: Sequence[str]) -> Operation[dict[str, bytes]]:
        """Read contacts by the names asked for; who is not there lacks.

        Raises:
            CallFailed: Something else than that they are not there was told.
        """
        answer = yield Call(
            method="GET",
            path="/people:batchGet",
            query=(*(("resourceNames", name) for name in names), *ASKED),
            accepts=(200, 404),
        )
        if answer.status == 404:
            answers.own_error(answer)
            return (yield from self._one_by_one(names))
        found: dict[str, bytes] = {}
        told: set[str] = set()
        for one in answer.decode(wire.Got).responses:
            told.add(one.requested_resource_name)
            if one.person:
                found[one.requested_resource_name] = bytes(one.person)
            elif one.status.code != answers.NOT_FOUND and one.http_status_code != 404:
                raise CallFailed(Meaning.BROKEN, "a batch that was read in part")
        if not told.issuperset(names):
            raise CallFailed(Meaning.BROKEN, "a batch that does not tell of everybody")
        return found

    def _one_by_one(self, names: Sequence[str]) -> Operation[dict[str, bytes]]:
        """Read contacts of whom some are not there, which the batch does not name."""
        found: dict[str, bytes] = {}
        for name in names:
            answer = yield Call(
                method="GET", path=f"/{name}", query=ASKED, accepts=(200, 404)
            )
            if answer.status == 404:
                answers.own_error(answer)
            else:
                found[name] = answer.body
        return found


def _is_cut(person: Person) -> bool:
    longest = max(len(person.email_addresses), len(person.phone_numbers))
    return longest >= LISTED_MAX and fields.is_id(person.resource_name)


def _snapshot(
    record_id: RecordId,
    person: Person | None,
    *,
    raw: bytes,
    labels: Mapping[str, str],
) -> Snapshot:
    if person is None:
        return Snapshot(record=Record(record_id=record_id, presence=Presence.MISSING))
    if person.resource_name != record_id:
        return Snapshot(record=_merged(record_id, person.resource_name))
    return Snapshot(record=fields.read(person, labels), raw=raw)


def _merged(former: str, now: str) -> Record:
    return Record(
        record_id=RecordId(former),
        presence=Presence.MERGED,
        merged_into=RecordId(now),
    )
