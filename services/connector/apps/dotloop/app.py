"""Dotloop's operations: they yield calls and receive answers."""

import datetime
from collections.abc import Mapping, Sequence

import msgspec

from proto import codec
from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors, windows
from services.connector.apps.dotloop import answers, fields, pushes, wire
from services.connector.apps.dotloop.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Change,
    CreateResult,
    Facts,
    Heard,
    Identity,
    Missing,
    NewRecord,
    Operation,
    Page,
    Push,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)
from services.connector.windows import Sizes, Window

CONTACTS_PATH = "/contact"
GREATEST_BATCH_MIN = 20
"""Sources speak of 50 and of 100. A first batch that is shorter than this is so because
there are no more."""
ID_LENGTH_MAX = 18
"""Figures of a number of 64 bits that no id can be longer than."""


class App:
    """One Dotloop account; its contacts belong to the user and to no profile."""

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._size_max = manifest.limits.page_size

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/account")
        account = answer.decode(wire.OneAccount).data
        names = (account.first_name, account.last_name)
        name = " ".join(part for part in names if part) or account.email
        return Identity(
            vendor_account_id=str(account.id), display_name=name or str(account.id)
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Tell the fields, which are the same in every account: no call is needed."""
        yield from ()
        return fields.ALL

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell that contacts are in no lists."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody."""
        if cursor is None:
            progress = Progress(stage=Stage.SCAN)
        else:
            progress = vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN)
        return (yield from self._page(progress))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed; nothing tells of who was deleted."""
        progress = vendors.decode_cursor(cursor, Progress, stage=Stage.CHANGES)
        return (yield from self._page(progress))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts, one a call: there is no other way to read by id."""
        found = []
        for record_id in record_ids:
            missing = Record(record_id=record_id, presence=Presence.MISSING)
            if not _is_id(record_id):
                found.append(Snapshot(record=missing))
                continue
            answer = yield Call(
                method="GET", path=_path_of(record_id), accepts=(200, 404)
            )
            if answer.status == 404:
                answers.check_gone(answer)
                found.append(Snapshot(record=missing))
                continue
            contact = answer.decode(wire.OneContact).data
            if str(contact.id) != record_id:
                raise CallFailed(Meaning.BROKEN, "another contact than asked for")
            found.append(Snapshot(record=fields.read(contact), raw=answer.body))
        return tuple(found)

    def find_by_email(self, _emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Find nobody: it would take everybody, and the manifest does not claim it."""
        yield from ()
        return ()

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a contact has no place for a mark that nobody sees."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact."""
        body = fields.write(new.fields)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        answer = yield Call(
            method="POST",
            path=CONTACTS_PATH,
            body=codec.encode({name: text for name, text in body.items() if text}),
            accepts=(200, 201, 400, 422),
            is_write=True,
        )
        if answer.status >= 400:
            return answers.refusal(answer)
        return Written(record=fields.read(answer.decode(wire.OneContact).data))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Set these fields of one contact; PATCH leaves the rest alone."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        body = fields.write(change.fields)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        if not body:
            return Written(record=snapshot.record)
        record_id = snapshot.record.record_id
        answer = yield Call(
            method="PATCH",
            path=_path_of(record_id),
            body=codec.encode(body),
            accepts=(200, 400, 404, 422),
            is_write=True,
        )
        if answer.status == 404:
            answers.check_gone(answer)
            return Missing()
        if answer.status >= 400:
            return answers.refusal(answer)
        contact = answer.decode(wire.OneContact).data
        if str(contact.id) != record_id:
            raise CallFailed(Meaning.BROKEN, "another contact than was changed")
        return Written(record=fields.read(contact))

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Return when a push was signed; None where the secret did not sign it."""
        return pushes.hear(push, secret=secret)

    def _page(self, progress: Progress) -> Operation[Page]:
        is_first = progress.began is None
        progress, batch, listed = yield from self._batch(progress)
        new = [one for one in listed.data if one.id not in progress.shown]
        records = {one.record_id: one for one in map(fields.read, new)}
        following = _following(progress, batch=batch, listed=listed)
        is_scan = progress.stage is Stage.SCAN
        is_expected = is_first and is_scan and listed.meta.total > len(listed.data)
        return Page(
            records=tuple(records.values()),
            next=vendors.encode_cursor(following) if following else None,
            resume=None if following else vendors.encode_cursor(progress.resumption()),
            expected_count=listed.meta.total if is_expected else None,
        )

    def _batch(
        self, progress: Progress
    ) -> Operation[tuple[Progress, Window, wire.Contacts]]:
        """Read the batch that goes on from what was shown, and note when it began.

        Raises:
            CallFailed: It is empty where the vendor itself says that there is more.
        """
        size_max = min(progress.size or self._size_max, self._size_max)
        sizes = Sizes(greatest=size_max)
        offset = progress.offset
        for batch in windows.candidates(offset, sizes=sizes):
            query = (
                ("batch_number", str(batch.number)),
                ("batch_size", str(batch.size)),
                *progress.filters,
            )
            answer = yield Call(method="GET", path=CONTACTS_PATH, query=query)
            listed = answer.decode(wire.Contacts)
            if not listed.data and listed.meta.total > batch.start:
                raise CallFailed(Meaning.BROKEN, "an empty page where there is more")
            if progress.began is None:
                began = _began(answer, listed) or progress.since
                progress = msgspec.structs.replace(progress, began=began)
            ids = [one.id for one in listed.data]
            if windows.is_joined(batch, offset=offset, ids=ids, shown=progress.shown):
                return progress, batch, listed
        raise AssertionError("the beginning of a listing joins everything")


def _following(
    progress: Progress, *, batch: Window, listed: wire.Contacts
) -> Progress | None:
    """Return where to go on after a batch; None after the last of the pass.

    Sources differ on the greatest batch, and on whether the total counts everybody or
    the batch alone. So a total is gone by once it was greater than what was shown, and
    a short batch once it is known how long one can be.
    """
    count, total = len(listed.data), listed.meta.total
    end = batch.start + count
    is_full = count == batch.size
    is_counted = progress.is_counted or total > end
    if batch.number > 1 and not is_full:
        is_last = True
    elif is_counted and total >= 0:
        is_last = total <= end
    else:
        is_last = not is_full and count < GREATEST_BATCH_MIN
    if is_last:
        return None
    return msgspec.structs.replace(
        progress,
        offset=end,
        size=count if batch.number == 1 and not is_full else progress.size,
        is_counted=is_counted,
        shown=tuple(one.id for one in listed.data),
    )


def _began(answer: Answer, listed: wire.Contacts) -> datetime.datetime | None:
    """Return the vendor's time, or the newest change shown, which is early enough."""
    stamps = (vendors.read_moment(one.updated) for one in listed.data)
    newest = max(filter(None, stamps), default=None)
    return vendors.clock_of(answer.headers) or newest


def _is_id(record_id: RecordId) -> bool:
    is_figures = record_id.isascii() and record_id.isdigit()
    return is_figures and len(record_id) <= ID_LENGTH_MAX


def _path_of(record_id: RecordId) -> str:
    return f"{CONTACTS_PATH}/{record_id}"
