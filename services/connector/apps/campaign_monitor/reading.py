"""Reading subscribers: all of them, those that changed, some by id, some by address."""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from proto import codec
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors, windows
from services.connector.apps.campaign_monitor import (
    answers,
    catalogue,
    cursors,
    fields,
    wire,
)
from services.connector.apps.campaign_monitor.catalogue import Catalogue, Listed
from services.connector.apps.campaign_monitor.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation, Page, Snapshot
from services.connector.windows import Sizes, Window

PAGE_MAX: Final = 1_000
PAGE_MIN: Final = 10
"""Sizes beyond these two are refused."""
LISTINGS_MAX: Final = 50
"""So many with nobody in them are read at once."""
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+\Z")
_NONE = wire.Subscribers(
    results=(), page_number=1, page_size=0, total_number_of_records=0
)


class Reader:
    """Reads the subscribers of one account."""

    def __init__(self, lists: Catalogue, *, page_size: int) -> None:
        self._catalogue = lists
        # Pages of several sizes, so that each can overlap with the last one.
        self._sizes = Sizes(
            greatest=min(PAGE_MAX, 2 * page_size), least=PAGE_MIN, advance_max=page_size
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is not deleted."""
        if cursor is None:
            return self._pass(cursors.first())
        return self._pass(vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed, and of everybody where that is due."""
        return self._pass(vendors.decode_cursor(cursor, Progress, stage=Stage.CHANGES))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read subscribers, one a call: there is no other way to read by address."""
        lists = yield from self._catalogue.lists()
        found = []
        for record_id in record_ids:
            parts = fields.parts_of(record_id)
            if parts is None or parts[0] not in lists:
                found.append(_missing(record_id))
                continue
            list_id, email = parts
            subscriber = yield from self._one(list_id, email)
            if subscriber is None:
                found.append(_missing(record_id))
                continue
            definitions = yield from self._catalogue.fitting(list_id, (subscriber,))
            record = fields.read(subscriber, list_id=list_id, definitions=definitions)
            if record.record_id != record_id:
                raise CallFailed(Meaning.BROKEN, "another subscriber than asked for")
            found.append(Snapshot(record=record, raw=codec.encode(_raw(subscriber))))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read whoever has one of these addresses, on any list."""
        asked = sorted({email.strip().lower() for email in emails})
        lists = yield from self._catalogue.lists()
        found: list[Record] = []
        for email in asked:
            if not _EMAIL.match(email):
                continue
            for list_id in (yield from self._lists_of(email, tuple(lists.values()))):
                one = yield from self._one(list_id, email)
                if one is None or one.email_address.lower() != email:
                    continue
                definitions = yield from self._catalogue.fitting(list_id, (one,))
                record = fields.read(one, list_id=list_id, definitions=definitions)
                if record.presence is Presence.LIVE:
                    found.append(record)
        return tuple(found)

    def _pass(self, progress: Progress) -> Operation[Page]:
        """Read the page that a pass has come to; go on where nobody is on it."""
        page, following = yield from self._page(progress)
        for _ in range(LISTINGS_MAX):
            if page.records or following is None:
                break
            page, following = yield from self._page(following)
        return page

    def _page(self, progress: Progress) -> Operation[tuple[Page, Progress | None]]:
        """Read the page that a pass has come to; return what follows it, too."""
        lists = yield from self._catalogue.lists()
        list_id = next((one for one in lists if one >= progress.list_id), None)
        if list_id is None:
            return _page_of((), progress, following=None), None
        progress = progress.at_list(list_id)
        if progress.began is None and progress.is_small:
            progress = progress.sweeping()
        progress, listed, window, known = yield from self._joined(progress)
        shown = listed.results[known:]
        definitions = yield from self._catalogue.fitting(list_id, shown)
        records = tuple(
            fields.read(one, list_id=list_id, definitions=definitions) for one in shown
        )
        following = _following(progress, listed, window=window, lists=tuple(lists))
        return _page_of(records, progress, following=following), following

    def _joined(
        self, progress: Progress
    ) -> Operation[tuple[Progress, wire.Subscribers, Window, int]]:
        """Read the page that goes on from whom was shown, and how many of it were.

        Pages are in the order of addresses, of which there is only one of each: whoever
        stands behind one who was shown is new.
        """
        for window in windows.candidates(progress.offset, sizes=self._sizes):
            answer = yield _listing(progress, window)
            if progress.began is None:
                progress = progress.begun(vendors.clock_of(answer.headers))
            listed = _listed(answer, window)
            traces = [_trace(one.email_address) for one in listed.results]
            known = windows.count_shown(traces, anchors=progress.anchors)
            if known is not None or window.start == 0:
                return progress, listed, window, known or 0
        raise AssertionError("the beginning of a listing joins everything")

    def _one(self, list_id: str, email: str) -> Operation[wire.Subscriber | None]:
        """Read one subscriber; nothing if nobody on the list has the address."""
        answer = yield Call(
            method="GET",
            path=f"/subscribers/{catalogue.quoted(list_id)}.json",
            query=(("email", email),),
            accepts=(200, 400),
        )
        if answer.status == 200:
            return answer.decode(wire.Subscriber)
        code = answers.code_of(answer)
        if code in (answers.NOT_IN_LIST, answers.INVALID_EMAIL):
            return None
        raise answers.meaning_of(answer)

    def _lists_of(
        self, email: str, lists: tuple[Listed, ...]
    ) -> Operation[tuple[str, ...]]:
        """Return the lists on which an address may be, in any state."""
        found: list[str] = []
        for client_id in dict.fromkeys(one.client_id for one in lists):
            own = [one.list_id for one in lists if one.client_id == client_id]
            if len(own) > 1:
                answer = yield Call(
                    method="GET",
                    path=f"/clients/{catalogue.quoted(client_id)}/listsforemail.json",
                    query=(("email", email),),
                )
                told = answer.decode(tuple[wire.ListOfEmail, ...])
                own = [one.list_id for one in told if one.list_id in own]
            found += own
        return tuple(found)


def _listing(progress: Progress, window: Window) -> Call:
    query = [
        ("page", str(window.number)),
        ("pagesize", str(window.size)),
        ("orderfield", "email"),
        ("orderdirection", "asc"),
    ]
    if not progress.reads_all:
        query.insert(0, ("date", progress.date))
    return Call(
        method="GET",
        path=f"/lists/{catalogue.quoted(progress.list_id)}/{progress.state}.json",
        query=tuple(query),
        accepts=(200, 400),
    )


def _listed(answer: Answer, window: Window) -> wire.Subscribers:
    """Return a page; one beyond the end shows nobody.

    Raises:
        CallFailed: It is not the page that was asked for, or not all of it.
    """
    if answer.status == 400:
        if answers.code_of(answer) != answers.BEYOND_THE_END or window.number == 1:
            raise answers.meaning_of(answer)
        return _NONE
    listed = answer.decode(wire.Subscribers)
    if (listed.page_number, listed.page_size) != (window.number, window.size):
        raise CallFailed(Meaning.BROKEN, "another page than asked for")
    left = max(0, listed.total_number_of_records - window.start)
    if len(listed.results) != min(left, window.size):
        raise CallFailed(Meaning.BROKEN, "a page that does not hold what it says")
    return listed


def _following(
    progress: Progress,
    listed: wire.Subscribers,
    *,
    window: Window,
    lists: tuple[str, ...],
) -> Progress | None:
    """Return where to go on behind a page; None after the last of the pass."""
    if progress.is_sweep_due:
        # Only now it is known what time it is. What was read of the changes is read
        # again, among everybody.
        return progress.sweeping().at_list("").at_list(progress.list_id)
    end = window.start + len(listed.results)
    if listed.total_number_of_records > end:
        anchors = [_trace(one.email_address) for one in listed.results]
        return progress.at(end, anchors=tuple(anchors[-cursors.ANCHORS_MAX :]))
    following = progress.after_state()
    if following is not None:
        return following
    later = next((one for one in lists if one > progress.list_id), None)
    return None if later is None else progress.at_list(later)


def _page_of(
    records: tuple[Record, ...], progress: Progress, *, following: Progress | None
) -> Page:
    is_reread = progress.stage is Stage.CHANGES
    if following is None:
        resume = vendors.encode_cursor(progress.resumption())
        return Page(records=records, resume=resume, is_reread=is_reread)
    return Page(
        records=records, next=vendors.encode_cursor(following), is_reread=is_reread
    )


def _missing(record_id: RecordId) -> Snapshot:
    return Snapshot(record=Record(record_id=record_id, presence=Presence.MISSING))


def _raw(subscriber: wire.Subscriber) -> dict[str, object]:
    """Return a subscriber in the vendor's form, as far as it is read."""
    return {
        "EmailAddress": subscriber.email_address,
        "State": subscriber.state,
        "Name": subscriber.name,
        "CustomFields": [
            {"Key": one.key, "Value": one.value} for one in subscriber.custom_fields
        ],
    }


def _trace(email: str) -> str:
    """Return what tells an address apart and does not tell it."""
    raw = email.lower().encode()
    return f"{zlib.crc32(raw):08x}{zlib.adler32(raw):08x}"
