"""Reading contacts: all of them, those that changed, some by id, some by address."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.hubspot import (
    answers,
    dates,
    fields,
    wire,
)
from services.connector.apps.hubspot.catalogue import (
    CHANGED_AT,
    INTERNAL,
    MORE_EMAILS,
    NOTHING,
    Catalogue,
    Definitions,
)
from services.connector.apps.hubspot.cursors import Progress, Stage
from services.connector.apps.hubspot.lists import Lists
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation, Page, Snapshot

PATH: Final = "/crm/v3/objects/contacts"
"""The one place that names the version: others exist, with the same contacts."""
SEARCH_FACTOR: Final = 2
"""A page of a search holds twice what a page of a listing or a batch does."""
BATCH: Final = 100
MEMBER_PAGES: Final = 10
"""So many pages of lists are read for one page of changes, where few are news."""
NAMES_MAX: Final = 6_000
"""Longer lists of properties do not go into a URL, but into the body of a batch."""
FIRST: Final = "0"
_ID = re.compile(r"[1-9]\d{0,18}\Z", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+\Z", re.ASCII)


class Reader:
    """Reads the contacts of one account."""

    def __init__(self, catalogue: Catalogue, lists: Lists, *, page_size: int) -> None:
        self._catalogue = catalogue
        self._lists = lists
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is there."""
        progress = (
            vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN)
            if cursor
            else Progress(stage=Stage.SCAN)
        )
        definitions = yield from self._catalogue.get()
        names = ",".join(definitions.names)
        is_long = len(names) > NAMES_MAX
        progress, page = yield from self._list(progress, names="" if is_long else names)
        following = progress.after_list(page.after)
        contacts = page.results
        if contacts and is_long:
            ids = [one.id for one in contacts]
            contacts = yield from self._batch(ids, definitions)
        records = yield from self._records(contacts, definitions)
        return Page(
            records=tuple({one.record_id: one for one in records}.values()),
            next=vendors.encode_cursor(following) if following else None,
            resume=None
            if following
            else vendors.encode_cursor(progress.resumption(is_listed=True)),
        )

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes; a short search is joined by who was archived.

        So an account where little happened costs three calls and one page in all. Of
        lists only those are gone through that somebody was put on.
        """
        progress = vendors.decode_cursor(cursor, Progress)
        if progress.stage is Stage.SCAN:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        definitions = yield from self._catalogue.get()
        if progress.began is None:
            yield from self._lists.read()
        if progress.stage is Stage.JOINED:
            return (yield from self._joined(progress, definitions))
        found: dict[RecordId, Record] = {}
        if progress.stage is not Stage.ARCHIVED:
            progress = yield from self._search(progress, definitions, found=found)
            if progress.stage is not Stage.ARCHIVED or len(found) > self._page_size:
                return Page(
                    records=tuple(found.values()), next=vendors.encode_cursor(progress)
                )
        names = ",".join(INTERNAL)
        progress, page = yield from self._list(progress, names=names)
        for record in _tombstones(page.results, progress=progress):
            known = found.get(record.record_id)
            if known is None or known.presence is not Presence.MERGED:
                found[record.record_id] = record
        records = tuple(found.values())
        if rest := progress.after_list(page.after):
            return Page(records=records, next=vendors.encode_cursor(rest))
        lists = yield from self._lists.get()
        return _page(progress.after_archive(lists, is_whole=not page.after), records)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id in one call; one more where some are not there.

        The second asks for the archived, since only that a contact is archived is
        the vendor's word for a deletion.
        """
        definitions = yield from self._catalogue.get()
        asked = [one for one in record_ids if _ID.match(one)]
        contacts: tuple[wire.Contact, ...] = ()
        if asked:
            contacts = yield from self._batch(asked, definitions)
        there = {one.id: one for one in contacts}
        parts = {merged: one for one in contacts for merged in fields.merged_ids(one)}
        left = [one for one in asked if one not in there and one not in parts]
        if left:
            found = yield from self._batch(left, definitions, is_archived=True)
            there |= {one.id: one for one in found}
        records = yield from self._records(there.values(), definitions)
        shown = {one.record_id: one for one in records}
        return tuple(_snapshots(record_ids, shown, there=there, parts=parts))

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live contacts with these addresses, a hundred addresses a call.

        Not by a search: that shows a new contact late.
        """
        wanted = {email.strip().lower() for email in emails}
        asked = sorted(email for email in wanted if _EMAIL.match(email))
        definitions = yield from self._catalogue.get()
        found: dict[RecordId, Record] = {}
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            contacts = yield from self._batch(part, definitions, by_email=True)
            meant = [
                one
                for one in contacts
                if not one.archived and not wanted.isdisjoint(_emails_of(one))
            ]
            records = yield from self._records(meant, definitions)
            found |= {one.record_id: one for one in records}
        return tuple(found.values())

    def _records(
        self, contacts: Iterable[wire.Contact], definitions: Definitions
    ) -> Operation[list[Record]]:
        """Return contacts with the lists that they are on, where there are any."""
        shown = list(contacts)
        live = dict.fromkeys(one.id for one in shown if not one.archived)
        held = yield from self._lists.of(list(live))
        return [
            fields.read(one, definitions, containers=held.get(one.id, ()))
            for one in shown
        ]

    def _joined(self, progress: Progress, definitions: Definitions) -> Operation[Page]:
        """Read who came to be on a list, going through as many pages as that takes."""
        ids: dict[RecordId, None] = {}
        for _ in range(MEMBER_PAGES):
            if not progress.lists or len(ids) >= BATCH:
                break
            news, after = yield from self._lists.members(
                progress.lists[0],
                after=progress.after,
                since_ms=progress.joined_since_ms,
            )
            ids |= dict.fromkeys(news)
            progress = progress.after_members(after)
        asked, found = [one for one in ids if _ID.match(one)], list[Record]()
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            contacts = yield from self._batch(part, definitions)
            found += yield from self._records(contacts, definitions)
        if not progress.lists:
            progress = progress.resumption(is_listed=True)
        return _page(progress, found)

    def _list(
        self, progress: Progress, *, names: str
    ) -> Operation[tuple[Progress, wire.Contacts]]:
        """Read a page of those who are there, or of those who are archived."""
        query = [("limit", str(self._page_size))]
        if progress.stage is Stage.ARCHIVED:
            query.append(("archived", "true"))
        if names:
            query.append(("properties", names))
        if progress.after:
            query.append(("after", progress.after))
        accepts = (200, 400) if progress.after else (200,)
        answer = yield Call(
            method="GET", path=PATH, query=tuple(query), accepts=accepts
        )
        if answer.status == 400:
            if answers.problem_of(answer) is None:
                raise answers.meaning_of(answer)
            # The cursor is the vendor's own, so it can only have become too old.
            raise CallFailed(Meaning.CURSOR_EXPIRED, "a page's cursor is refused")
        page = answer.decode(wire.Contacts)
        if progress.after and page.after == progress.after:
            raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
        return _begun(progress, answer), page

    def _search(
        self,
        progress: Progress,
        definitions: Definitions,
        *,
        found: dict[RecordId, Record],
    ) -> Operation[Progress]:
        """Read a page of who changed into ``found``; return where to go on."""
        limit = self._page_size * SEARCH_FACTOR
        answer = yield Call(
            method="POST",
            path=f"{PATH}/search",
            body=codec.encode(_question(progress, definitions, limit=limit)),
        )
        page = answer.decode(wire.Contacts)
        progress = _begun(progress, answer)
        for contact in page.results:
            for merged in fields.merged_ids(contact):
                found[merged] = _merged(merged, contact)
        records = yield from self._records(page.results, definitions)
        found |= {one.record_id: one for one in records}
        keys = [_key(one) for one in page.results]
        # A page may hold fewer than were asked for; there are more where it says so.
        is_full = bool(keys) and (bool(page.after) or len(keys) >= limit)
        return progress.after_search(keys, is_full=is_full)

    def _batch(
        self,
        names: Sequence[str],
        definitions: Definitions,
        *,
        by_email: bool = False,
        is_archived: bool = False,
    ) -> Operation[tuple[wire.Contact, ...]]:
        """Read contacts by their ids or addresses; those who are not there lack.

        Raises:
            CallFailed: Something else than that they are not there was told.
        """
        body: dict[str, object] = {
            "inputs": [{"id": name} for name in names],
            "properties": definitions.names,
            "propertiesWithHistory": [],
        }
        if by_email:
            body["idProperty"] = "email"
        answer = yield Call(
            method="POST",
            path=f"{PATH}/batch/read",
            query=(("archived", "true"),) if is_archived else (),
            body=codec.encode(body),
            accepts=(200, 207),
        )
        batch = answer.decode(wire.Batch)
        if any(one.category != answers.NOT_FOUND for one in batch.errors):
            raise CallFailed(Meaning.BROKEN, "a batch that was read in part")
        return batch.results


def _page(progress: Progress, records: Sequence[Record]) -> Page:
    """Return a page behind which a pass goes on, or the next one begins."""
    cursor = vendors.encode_cursor(progress)
    if progress.stage is Stage.JOINED:
        return Page(records=tuple(records), next=cursor)
    return Page(records=tuple(records), resume=cursor)


def _question(
    progress: Progress, definitions: Definitions, *, limit: int
) -> dict[str, object]:
    """Return what to search for: no ``after``, since pages of results move."""
    at = str(progress.since_ms)
    if progress.stage is Stage.TIED:
        filters = [
            _filter(CHANGED_AT, operator="GTE", value=at),
            _filter(CHANGED_AT, operator="LTE", value=at),
            _filter("hs_object_id", operator="GT", value=str(progress.last_id)),
        ]
        order = "hs_object_id"
    else:
        filters = [_filter(CHANGED_AT, operator="GTE", value=at)]
        order = CHANGED_AT
    return {
        "filterGroups": [{"filters": filters}],
        "sorts": [order],
        "properties": definitions.names,
        "limit": limit,
        "after": FIRST,
    }


def _filter(name: str, *, operator: str, value: str) -> dict[str, str]:
    return {"propertyName": name, "operator": operator, "value": value}


def _key(contact: wire.Contact) -> tuple[int, int]:
    """Return a contact's time of change and id, by which searches go on."""
    moment = dates.read_moment(contact.properties.get(CHANGED_AT))
    if moment is None or not _ID.match(contact.id):
        raise CallFailed(Meaning.BROKEN, "a contact without a time of change or an id")
    return dates.ms_of(moment), int(contact.id)


def _begun(progress: Progress, answer: Answer) -> Progress:
    """Note when the pass began, at its first answer."""
    if progress.began is not None:
        return progress
    began = dates.vendor_ms(answer.headers)
    return msgspec.structs.replace(
        progress, began=progress.since if began is None else began
    )


def _tombstones(
    contacts: Sequence[wire.Contact], *, progress: Progress
) -> Iterator[Record]:
    """Yield what the vendor calls archived, as far as it can be news."""
    for one in contacts:
        moment = dates.read_moment(one.archived_at)
        archived_ms = None if moment is None else dates.ms_of(moment)
        if one.archived and progress.concerns(archived_ms):
            yield fields.read(one, NOTHING)


def _snapshots(
    record_ids: Sequence[RecordId],
    shown: Mapping[RecordId, Record],
    *,
    there: dict[str, wire.Contact],
    parts: dict[RecordId, wire.Contact],
) -> Iterator[Snapshot]:
    for record_id in record_ids:
        if contact := there.get(record_id):
            yield Snapshot(record=shown[record_id], raw=codec.encode(contact))
        elif contact := parts.get(record_id):
            yield Snapshot(record=_merged(record_id, contact))
        else:
            missing = Record(record_id=record_id, presence=Presence.MISSING)
            yield Snapshot(record=missing)


def _merged(record_id: RecordId, into: wire.Contact) -> Record:
    return Record(
        record_id=record_id,
        presence=Presence.MERGED,
        merged_into=RecordId(into.id),
        modified_at=dates.read_moment(into.updated_at),
    )


def _emails_of(contact: wire.Contact) -> set[str]:
    more = (contact.properties.get(MORE_EMAILS) or "").split(";")
    texts = (contact.properties.get(fields.EMAIL) or "", *more)
    return {text.strip().lower() for text in texts if text.strip()}
