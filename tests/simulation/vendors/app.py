"""The connector's side of the made-up vendors: operations without I/O.

One class for all of them; ``catalogue`` binds it to each vendor's ways, as an app's
author would know them from its documentation.
"""

import datetime
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final, TypeAlias, TypeVar

import msgspec

from proto import codec
from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Change,
    CreateResult,
    Exists,
    Facts,
    Identity,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Page,
    Refused,
    Snapshot,
    Unsure,
    Update,
    UpdateResult,
    Written,
)
from tests.simulation.vendors import wire
from tests.simulation.vendors.ways import LAG_S_MAX, Markers, Paging, Ways

Result = TypeVar("Result", CreateResult, UpdateResult)
Told: TypeAlias = tuple[int, wire.Person | wire.Problem | None]
"""What became of one write: a status, and the record or what was wrong."""

OVERLAP_S: Final = LAG_S_MAX + 2.0
"""Changes are read again from so long before: listings lag, and seconds are coarse."""
OFFSET_OVERLAP: Final = 3
"""Records of the page before that an offset page shows again: they move up."""

_MEANINGS: Final = {
    401: Meaning.UNAUTHORISED,
    403: Meaning.FORBIDDEN,
    429: Meaning.RATE_LIMITED,
    503: Meaning.UNAVAILABLE,
}
_PRESENCES: Final = {
    "live": Presence.LIVE,
    "deleted": Presence.DELETED,
    "merged": Presence.MERGED,
}


class Cursor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a pass has come."""

    since: float = 0.0
    began: float = 0.0
    after: str = ""
    page: int = 0


class SimApp:
    """One account of a made-up vendor."""

    ways: ClassVar[Ways]

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._manifest = manifest

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        default = Meaning.NO_ANSWER if answer.status >= 500 else Meaning.BROKEN
        meaning = _MEANINGS.get(answer.status, default)
        return CallFailed(meaning, f"status {answer.status}")

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/me")
        account = answer.decode(wire.Account)
        return Identity(vendor_account_id=account.id, display_name=account.name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Tell the fields, which are the same in every account."""
        yield from ()
        return self.ways.fields()

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        answer = yield Call(method="GET", path="/lists")
        return tuple(
            Container(container_id=ContainerId(each.id), name=each.name)
            for each in answer.decode(wire.Lists).lists
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody."""
        return (yield from self._page(_decode(cursor) if cursor else Cursor()))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed."""
        return (yield from self._page(_decode(cursor)))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read people by id, as many in a call as the vendor takes."""
        if self.ways.get_batch > 1:
            return (yield from self._get_many(record_ids))
        found = []
        for record_id in record_ids:
            answer = yield Call(
                method="GET", path=_path_of(record_id), accepts=(200, 404)
            )
            if answer.status == 404:
                answer.decode(wire.Problem)
                found.append(Snapshot(record=_gone(record_id)))
            else:
                person = answer.decode(wire.Person)
                found.append(self._snapshot(person, asked=record_id))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live people with these emails."""
        if not self.ways.finds_by_email:
            return ()
        answer = yield Call(
            method="GET",
            path="/people",
            query=tuple(("email", email) for email in emails),
        )
        return tuple(map(self._record, answer.decode(wire.People).people))

    def find_by_markers(
        self, markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Read the people that carry our marks, deleted ones too."""
        if self.ways.markers is Markers.IGNORED:
            return {}
        found: dict[str, Record] = {}
        for marker in markers:
            answer = yield Call(
                method="GET", path="/people", query=(("marker", marker),)
            )
            for person in answer.decode(wire.People).people:
                found.setdefault(marker, self._record(person))
        return found

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one person; whoever says nothing of consent may not be mailed."""
        answer = yield Call(
            method="POST",
            path="/people",
            body=codec.encode(self._new(new)),
            accepts=(201, 409, 422),
            is_write=True,
        )
        return (yield from self._read_after(self._created(_told(answer))))

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create several people in one call."""
        results = yield from self._write_many([self._new(new) for new in news])
        return (yield from self._all_read_after(map(self._created, results)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one person in one call."""
        headers: tuple[tuple[str, str], ...] = ()
        if self.ways.writes_conditionally:
            headers = (("If-Match", snapshot.record.version),)
        answer = yield Call(
            method="PUT" if self.ways.replaces_whole else "PATCH",
            path=_path_of(snapshot.record.record_id),
            headers=headers,
            body=codec.encode(self._changed(snapshot, change)),
            accepts=(200, 404, 409, 412, 422),
            is_write=True,
        )
        return (yield from self._read_after(self._updated(_told(answer))))

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change several people in one call."""
        drafts = []
        for each in updates:
            record = each.snapshot.record
            draft = self._changed(each.snapshot, each.change)
            version = record.version if self.ways.writes_conditionally else ""
            drafts.append(
                msgspec.structs.replace(draft, id=record.record_id, version=version)
            )
        results = yield from self._write_many(drafts)
        return (yield from self._all_read_after(map(self._updated, results)))

    def _read_after(self, result: Result) -> Operation[Result]:
        """Read what was just written, where the vendor tells nothing of it."""
        [read] = yield from self._all_read_after([result])
        if isinstance(read, Unsure):
            raise CallFailed(Meaning.NO_ANSWER, "written, and not read after it")
        return read

    def _all_read_after(
        self, results: Iterable[Result]
    ) -> Operation[tuple[Result, ...]]:
        found = list(results)
        if self.ways.tells_writes:
            return tuple(found)
        size = self.ways.get_batch
        written = [n for n, each in enumerate(found) if isinstance(each, Written)]
        for start in range(0, len(written), size):
            places = written[start : start + size]
            ids = [_id_of(found[place]) for place in places]
            try:
                shown = yield from self.get(ids)
            except CallFailed:
                shown = ()
            records = {each.record.record_id: each.record for each in shown}
            for place, record_id in zip(places, ids, strict=True):
                record = records.get(record_id)
                is_live = record is not None and record.presence is Presence.LIVE
                found[place] = Unsure()
                if record is not None and is_live:
                    found[place] = Written(record=record, is_read_after=True)
        return tuple(found)

    def _write_many(self, drafts: Sequence[wire.Draft]) -> Operation[list[Told]]:
        """Write several; where one makes the vendor refuse all, nothing is done."""
        answer = yield Call(
            method="POST",
            path="/people/batch",
            body=codec.encode(wire.Drafts(drafts=tuple(drafts))),
            accepts=(200, 409, 422),
            is_write=True,
        )
        if answer.status != 200:
            raise CallFailed(Meaning.REFUSED, "something of a batch")
        return [
            (result.status, result.person or result.problem)
            for result in answer.decode(wire.Results).results
        ]

    def _new(self, new: NewRecord) -> wire.Draft:
        return wire.Draft(
            fields=dict(new.fields),
            lists=tuple(map(str, new.containers)),
            tags=new.tags,
            consent=new.consent.value if self.ways.has_consent else None,
            marker=new.marker,
        )

    def _changed(self, snapshot: Snapshot, change: Change) -> wire.Draft:
        written = dict(change.fields)
        if self.ways.replaces_whole:
            person = msgspec.json.decode(snapshot.raw, type=wire.Person)
            written = {**person.fields, **change.fields}
        is_tightening = change.consent is not Consent.UNKNOWN
        members = change.memberships
        return wire.Draft(
            fields=written,
            lists_add=tuple(map(str, members.containers_add)),
            lists_remove=tuple(map(str, members.containers_remove)),
            tags_add=members.tags_add,
            tags_remove=members.tags_remove,
            consent=change.consent.value if is_tightening else None,
        )

    def _created(self, told: Told) -> CreateResult:
        match told:
            case 201, wire.Person() as body:
                return Written(record=self._record(body))
            case 409, wire.Problem(existing_id=str(existing_id)):
                return Exists(record_id=RecordId(existing_id))
            case 422, wire.Problem() as body:
                return _refusal(body, ErrorCode.VALUE_REFUSED)
        raise CallFailed(Meaning.BROKEN, f"a create with {told[0]}")

    def _updated(self, told: Told) -> UpdateResult:
        match told:
            case 200, wire.Person() as body:
                return Written(record=self._record(body))
            case 404, wire.Problem():
                return Missing()
            case 412, _:
                return Moved()
            case 409, wire.Problem() as body:
                return _refusal(body, ErrorCode.ALREADY_EXISTS)
            case 422, wire.Problem() as body:
                return _refusal(body, ErrorCode.VALUE_REFUSED)
        raise CallFailed(Meaning.BROKEN, f"an update with {told[0]}")

    def _page(self, cursor: Cursor) -> Operation[Page]:
        size = self.ways.page_size
        query = [("limit", str(size))]
        if cursor.since:
            query.append(("since", f"{cursor.since:.3f}"))
        if cursor.after:
            query.append(("after", cursor.after))
        answer = yield Call(method="GET", path="/people", query=tuple(query))
        page = answer.decode(wire.People)
        began = cursor.began or page.now
        records = tuple(map(self._record, page.people))
        expected = None if cursor.since else page.count
        if page.next is not None:
            onward = Cursor(
                since=cursor.since,
                began=began,
                after=self._onward(cursor, page.next),
                page=cursor.page + 1,
            )
            return Page(
                records=records,
                next=codec.encode(onward).decode(),
                expected_count=expected,
            )
        resume = Cursor(since=began - OVERLAP_S)
        return Page(
            records=records,
            resume=codec.encode(resume).decode(),
            expected_count=expected,
        )

    def _onward(self, cursor: Cursor, told: str) -> str:
        if self.ways.paging is Paging.KEYSET:
            return told
        start = int(cursor.after or 0)
        return str(start + self.ways.page_size - OFFSET_OVERLAP)

    def _get_many(
        self, record_ids: Sequence[RecordId]
    ) -> Operation[tuple[Snapshot, ...]]:
        answer = yield Call(
            method="GET", path="/people", query=(("ids", ",".join(record_ids)),)
        )
        people = answer.decode(wire.People)
        found = {
            asked: self._snapshot(person, asked=asked)
            for asked, person in zip(
                (each for each in record_ids if each not in people.missing),
                people.people,
                strict=True,
            )
        }
        gone = {RecordId(each): Snapshot(record=_gone(each)) for each in people.missing}
        return tuple((found | gone).values())

    def _snapshot(self, person: wire.Person, *, asked: RecordId) -> Snapshot:
        if person.id != asked:
            # The vendor shows the record that this one was merged into.
            merged = Record(
                record_id=asked,
                presence=Presence.MERGED,
                merged_into=RecordId(person.id),
            )
            return Snapshot(record=merged)
        return Snapshot(record=self._record(person), raw=codec.encode(person))

    def _record(self, person: wire.Person) -> Record:
        presence = _PRESENCES.get(person.state, Presence.UNKNOWN)
        into = person.merged_into
        return Record(
            record_id=RecordId(person.id),
            version=str(person.version),
            modified_at=_moment(person.changed),
            presence=presence,
            merged_into=RecordId(into) if into else None,
            created_at=_moment(person.created),
            marker=person.marker,
            fields={FieldId(name): value for name, value in person.fields.items()},
            containers=tuple(map(ContainerId, person.lists)),
            tags=person.tags,
            consent=Consent(person.consent or "unknown"),
        )


def _decode(cursor: str) -> Cursor:
    try:
        return codec.decode(cursor.encode(), Cursor)
    except codec.Undecodable as err:
        raise CallFailed(Meaning.CURSOR_EXPIRED, "unreadable cursor") from err


def _moment(told: float | None) -> datetime.datetime | None:
    return None if told is None else datetime.datetime.fromtimestamp(told, datetime.UTC)


def _gone(record_id: str) -> Record:
    return Record(record_id=RecordId(record_id), presence=Presence.MISSING)


def _id_of(result: Result) -> RecordId:
    assert isinstance(result, Written)
    return result.record.record_id


def _told(answer: Answer) -> Told:
    """Return what became of a write that went alone."""
    if answer.status < 300:
        return answer.status, answer.decode(wire.Person)
    if answer.status == 412:
        return answer.status, None
    return answer.status, answer.decode(wire.Problem)


def _refusal(problem: wire.Problem, code: ErrorCode) -> Refused:
    field_id = FieldId(problem.field) if problem.field else None
    return Refused(code=code, field_id=field_id)


def _path_of(record_id: RecordId) -> str:
    return "/people/" + urllib.parse.quote(record_id, safe="")
