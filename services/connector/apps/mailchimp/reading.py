"""Reading members: all of them, those that changed, some by id, some by address."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.mailchimp import (
    answers,
    cursors,
    fields,
    listings,
    names,
    wire,
)
from services.connector.apps.mailchimp.audiences import Catalogue
from services.connector.apps.mailchimp.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation, Page, Snapshot

_PARTS: Final = (
    "id",
    "contact_id",
    "email_address",
    "status",
    "merge_fields",
    "last_changed",
    "tags",
    "tags_count",
)
OF_ONE: Final = ",".join(_PARTS)
NEWEST: Final = 1_000
TAGS_PAGE: Final = 1_000
TAGS_PAGES_MAX: Final = 10
_RECORD_ID = re.compile(r"([A-Za-z0-9]{1,40})/([A-Za-z0-9]{1,64})\Z", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+\Z")


class Reader:
    """Reads the members of one account."""

    def __init__(self, catalogue: Catalogue, *, page_size: int) -> None:
        self._catalogue = catalogue
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is not archived."""
        if cursor is None:
            lists = tuple((yield from self._catalogue.get()))
            progress = Progress(stage=Stage.SCAN, lists=lists)
        else:
            progress = cursors.decode(cursor)
            if progress.stage is not Stage.SCAN or not progress.lists:
                raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of a scan")
        return (yield from self._page(progress))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes, and of who was archived.

        Raises:
            CallFailed: With CURSOR_EXPIRED, if an audience is gone: nobody tells who
                was in it, so all is to be read again.
        """
        progress = cursors.decode(cursor)
        if progress.stage is Stage.SCAN:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        if not progress.lists:
            lists = tuple((yield from self._catalogue.get()))
            if set(progress.known) - set(lists):
                raise CallFailed(Meaning.CURSOR_EXPIRED, "an audience is gone")
            progress = msgspec.structs.replace(progress, lists=lists)
        return (yield from self._page(progress))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read members, one a call: there is no other way to read by id."""
        found = []
        for record_id in record_ids:
            missing = Record(record_id=record_id, presence=Presence.MISSING)
            parts = _RECORD_ID.match(record_id)
            if parts is None:
                found.append(Snapshot(record=missing))
                continue
            member = yield from self.member(parts[1], parts[2])
            if member is None:
                found.append(Snapshot(record=missing))
                continue
            if member.contact_id != parts[2]:
                raise CallFailed(Meaning.BROKEN, "another member than asked for")
            record = yield from self.record(parts[1], member)
            found.append(Snapshot(record=record, raw=codec.encode(member)))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read who has these addresses and is not archived, by their hashes."""
        wanted = {each.strip().lower() for each in emails}
        audiences = yield from self._catalogue.get()
        found: dict[RecordId, Record] = {}
        for each in sorted(filter(_EMAIL.match, wanted)):
            for list_id in audiences:
                member = yield from self.member(list_id, names.hash_of(each))
                if member is None or member.email_address.lower() != each:
                    continue
                record = yield from self.record(list_id, member)
                if record.presence is Presence.LIVE:
                    found[record.record_id] = record
        return tuple(found.values())

    def member(self, list_id: str, name: str) -> Operation[wire.Member | None]:
        """Read a member of an audience by id, or by the hash of an address."""
        answer = yield Call(
            method="GET",
            path=f"/lists/{list_id}/members/{name}",
            query=(("fields", OF_ONE),),
            accepts=(200, 404),
        )
        if answer.status == 404:
            answers.checked(answer)
            return None
        return answer.decode(wire.Member)

    def record(self, list_id: str, member: wire.Member) -> Operation[Record]:
        """Return a member as a record, with all tags."""
        known = yield from self._catalogue.fields_of(list_id)
        if not member.contact_id:
            raise CallFailed(Meaning.BROKEN, "a member without an id")
        record = fields.read(member, list_id=list_id, fields=known)
        if member.tags_count <= len(member.tags):
            return record
        tags = yield from self._tags(list_id, member.contact_id)
        return fields.with_tags(record, tags)

    def newest(self, list_id: str, hashes: set[str]) -> Operation[list[wire.Member]]:
        """Read those of some who are among the last that changed in an audience."""
        answer = yield Call(
            method="GET",
            path=f"/lists/{list_id}/members",
            query=listings.query(NEWEST, 0, parts=_PARTS, direction="DESC"),
        )
        page = answer.decode(wire.Members[wire.Member])
        return [one for one in page.members if one.id in hashes]

    def _page(self, progress: Progress) -> Operation[Page]:
        """Read one page of a pass; a short listing is joined by the next one.

        So a small account costs one call for each listing, and one page in all.
        """
        found: dict[RecordId, Record] = {}
        expected = None
        while progress.lists:
            is_first = progress.began is None
            limit = self._page_size - len(found)
            page = yield from listings.read(
                progress, limit=limit, parts=_PARTS, into=wire.Members[wire.Member]
            )
            if page is None:
                self._catalogue.forget()
                raise CallFailed(Meaning.CURSOR_EXPIRED, "an audience is gone")
            progress, total = page.progress, page.total
            if is_first and progress.stage is Stage.SCAN and len(progress.lists) == 1:
                expected = total
            for member in page.rows:
                record = yield from self.record(progress.list_id, member)
                found[record.record_id] = record
            is_more = progress.offset < total
            following = progress if is_more else progress.after_listing()
            records = tuple(found.values())
            if following is None:
                break
            if is_more or len(found) > self._page_size // 2:
                return Page(
                    records=records,
                    next=vendors.encode_cursor(following),
                    expected_count=expected,
                )
            progress = following
        return Page(
            records=tuple(found.values()),
            resume=vendors.encode_cursor(progress.resumption()),
            expected_count=expected,
        )

    def _tags(self, list_id: str, contact_id: str) -> Operation[list[str]]:
        """Read all tags of somebody who has more than a listing shows."""
        found: list[str] = []
        for number in range(TAGS_PAGES_MAX):
            answer = yield Call(
                method="GET",
                path=f"/lists/{list_id}/members/{contact_id}/tags",
                query=(
                    ("count", str(TAGS_PAGE)),
                    ("offset", str(number * TAGS_PAGE)),
                ),
            )
            page = answer.decode(wire.Tags)
            found += [tag.name for tag in page.tags]
            if (number + 1) * TAGS_PAGE >= page.total_items:
                return found
        raise CallFailed(Meaning.BROKEN, "tags without an end")
