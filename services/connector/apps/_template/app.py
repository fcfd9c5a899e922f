"""The operations: generators that yield calls and receive answers; no I/O.

An operation reads top to bottom. It sees only answers whose status its call accepts;
for any other, the transport asks ``meaning_of`` and the operation does not go on.
"""

import urllib.parse
from collections.abc import Mapping, Sequence

from proto import codec
from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field
from proto.ids import FieldId, RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps._template import fields as people
from services.connector.apps._template import wire
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
    NewRecord,
    Operation,
    Page,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)


class Cursor(vendors.Progress, frozen=True, kw_only=True):
    """How far a pass has come; the poller stores its text between two pages."""

    since: str = ""
    """Changes are read from here on; empty in a scan."""
    began: str = ""
    """The vendor's clock when the pass began: the next one goes on from here."""
    after: str = ""


class App:
    """One account of the example vendor."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._page_size = str(manifest.limits.page_size)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        if answer.status == 429:
            return CallFailed(Meaning.RATE_LIMITED, "too many calls")
        if failed := vendors.meaning_of_server(answer.status):
            return failed
        try:
            answer.decode(wire.Problem)
        except CallFailed as err:
            # Not the vendor's own word, but that of something in between.
            return err
        return vendors.meaning_of_word(answer.status)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/account")
        account = answer.decode(wire.Account)
        return Identity(vendor_account_id=account.id, display_name=account.name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Tell the fields, which are the same in every account: no call is needed."""
        yield from ()
        return people.ALL

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell that the app has no lists."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody."""
        begun = vendors.decode_cursor(cursor, Cursor) if cursor else Cursor()
        return (yield from self._page(begun))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed, deletions included."""
        return (yield from self._page(vendors.decode_cursor(cursor, Cursor)))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read people by id, one a call."""
        found = []
        for record_id in record_ids:
            answer = yield Call(
                method="GET", path=_path_of(record_id), accepts=(200, 404)
            )
            if answer.status == 404:
                # Somebody else's 404, such as a proxy's, says nothing: it raises. The
                # vendor's own is no proof either; only its tombstones are.
                answer.decode(wire.Problem)
                missing = Record(record_id=record_id, presence=Presence.MISSING)
                found.append(Snapshot(record=missing))
            else:
                record = people.read(answer.decode(wire.Person))
                found.append(Snapshot(record=record, raw=answer.body))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live people with these emails, one email a call."""
        found: dict[RecordId, Record] = {}
        for email in emails:
            answer = yield Call(method="GET", path="/people", query=(("email", email),))
            for record in map(people.read, answer.decode(wire.People).people):
                if record.presence is Presence.LIVE:
                    found[record.record_id] = record
        return tuple(found.values())

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: this app has no place for a mark of ours."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one person."""
        body = people.write(new.fields)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        answer = yield Call(
            method="POST",
            path="/people",
            body=codec.encode(body),
            accepts=(201, 409, 422),
            is_write=True,
        )
        if answer.status == 409:
            existing_id = answer.decode(wire.Problem).existing_id
            if existing_id is None:
                raise CallFailed(Meaning.BROKEN, "a conflict that names nobody")
            return Exists(record_id=RecordId(existing_id))
        if answer.status == 422:
            return _refusal(answer)
        return Written(record=people.read(answer.decode(wire.Person)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Set these fields of one person; PATCH leaves the rest alone.

        The manifest claims neither tags nor lists nor consent, so that the change
        holds none. An app that has them writes all in one call, if it can.
        """
        body = people.write(change.fields)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        answer = yield Call(
            method="PATCH",
            path=_path_of(snapshot.record.record_id),
            body=codec.encode(body),
            accepts=(200, 404, 422),
            is_write=True,
        )
        if answer.status == 404:
            answer.decode(wire.Problem)
            return Missing()
        if answer.status == 422:
            return _refusal(answer)
        return Written(record=people.read(answer.decode(wire.Person)))

    def _page(self, cursor: Cursor) -> Operation[Page]:
        asked = {"since": cursor.since, "after": cursor.after, "limit": self._page_size}
        query = tuple((name, value) for name, value in asked.items() if value)
        answer = yield Call(method="GET", path="/people", query=query)
        page = answer.decode(wire.People)
        # From the start of the pass: what changes while it runs belongs to the next.
        began = cursor.began or page.now
        records = tuple(map(people.read, page.people))
        if page.next_after:
            onward = Cursor(since=cursor.since, began=began, after=page.next_after)
            return Page(records=records, next=vendors.encode_cursor(onward))
        return Page(records=records, resume=vendors.encode_cursor(Cursor(since=began)))


def _refusal(answer: Answer) -> Refused:
    field = answer.decode(wire.Problem).field
    return Refused(
        code=ErrorCode.VALUE_REFUSED, field_id=FieldId(field) if field else None
    )


def _path_of(record_id: RecordId) -> str:
    return "/people/" + urllib.parse.quote(record_id, safe="")
