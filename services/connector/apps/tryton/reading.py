"""Reading parties: all of them, those that changed, some by id, some by address."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from proto import codec
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.tryton import fields, rpc, wire
from services.connector.apps.tryton.wire import Party
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Operation, Page, Snapshot

OVERLAP_S: Final = 90.0
"""A change has the time at which its transaction began, and is seen at its end."""
FIND_MAX: Final = 50
_EPOCH: Final = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)
_LIVE: Final = ["active", "=", True]
_STAMPS: Final = tuple(
    f"{of}{name}"
    for of in ("", "contact_mechanisms.", "addresses.")
    for name in ("write_date", "create_date")
)


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """How far a pass has come."""

    since: datetime.datetime | None = None
    """From when on changes are read; None: it is a scan."""
    began: datetime.datetime | None = None
    """When this pass began, by the server's clock."""
    last_id: int = 0
    """Behind which id it goes on."""


class Reader:
    """Reads the parties of one database."""

    def __init__(self, *, page_size: int) -> None:
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every party that is active, by id."""
        progress = Progress()
        if cursor is not None:
            progress = vendors.decode_cursor(cursor, Progress)
            if progress.since is not None or progress.began is None:
                raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of a scan")
        return (yield from self._page(progress, [_LIVE]))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of parties of which something changed, by id."""
        progress = vendors.decode_cursor(cursor, Progress)
        if progress.since is None or progress.since < _EPOCH:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        at = wire.moment_of(progress.since - datetime.timedelta(seconds=OVERLAP_S))
        changed = ["OR", *([name, ">=", at] for name in _STAMPS)]
        return (yield from self._page(progress, [changed]))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read parties by id, all in one call."""
        asked = sorted({int(one) for one in record_ids if fields.is_id(one)})
        found: dict[str, Party] = {}
        if asked:
            found = {str(one.id): one for one in (yield from read(asked))}
        return tuple(_snapshot(one, found.get(one)) for one in record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the active parties with these addresses, fifty addresses a call."""
        wanted = {one.strip().lower() for one in emails}
        asked = sorted(one for one in wanted if "@" in one and one.isprintable())
        records: dict[RecordId, Record] = {}
        for start in range(0, len(asked), FIND_MAX):
            part = asked[start : start + FIND_MAX]
            is_one = [["value", "ilike", _literal(one)] for one in part]
            mechanisms = [["type", "=", "email"], _LIVE, ["OR", *is_one]]
            domain = [_LIVE, ["contact_mechanisms", "where", mechanisms]]
            for one in (yield from _search(domain)):
                held = fields.shown_mechanisms(one, fields.EMAILS)
                if wanted & {(each.value or "").strip().lower() for each in held}:
                    record = fields.read(one)
                    records[record.record_id] = record
        return tuple(records.values())

    def _page(self, progress: Progress, domain: list[Any]) -> Operation[Page]:
        behind = [["id", ">", progress.last_id], *domain]
        done = yield from _searched(behind, limit=self._page_size)
        people = done.decode(list[Party])
        began = progress.began or done.at or progress.since
        if began is None:
            raise CallFailed(Meaning.BROKEN, "an answer without a clock")
        records = tuple(fields.read(one) for one in people)
        if len(people) >= self._page_size:
            last_id = people[-1].id
            if last_id <= progress.last_id:
                raise CallFailed(Meaning.BROKEN, "a listing that does not go on")
            rest = msgspec.structs.replace(progress, began=began, last_id=last_id)
            return Page(records=records, next=vendors.encode_cursor(rest))
        since = max(began, progress.since or began)
        resume = vendors.encode_cursor(Progress(since=since))
        return Page(records=records, resume=resume)


def read(ids: Sequence[int]) -> Operation[list[Party]]:
    """Read parties by id, also those that are deactivated; who is gone lacks."""
    return _search([["id", "in", [*ids]]])


def _search(domain: list[Any]) -> Operation[list[Party]]:
    done = yield from _searched(domain, limit=None)
    return done.decode(list[Party])


def _searched(domain: list[Any], *, limit: int | None) -> Operation[rpc.Done]:
    return rpc.search(rpc.PARTY, domain, limit=limit, fields=wire.FIELDS)


def _snapshot(record_id: RecordId, party: Party | None) -> Snapshot:
    if party is None:
        return Snapshot(record=Record(record_id=record_id, presence=Presence.MISSING))
    return Snapshot(record=fields.read(party), raw=codec.encode(party))


def _literal(email: str) -> str:
    """Return an address so that nothing in it stands for other characters."""
    return email.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
