"""Constant Contact's operations: they yield calls and receive answers."""

import urllib.parse
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from proto import codec
from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field
from proto.ids import ContainerId, RecordId
from proto.record import Memberships, Presence, Record
from services.connector import vendors
from services.connector.apps.constant_contact import (
    answers,
    bodies,
    custom,
    fields,
    paging,
    tags,
    wire,
)
from services.connector.apps.constant_contact.catalogue import Catalogue
from services.connector.apps.constant_contact.cursors import (
    INCLUDE,
    Progress,
    Stage,
)
from services.connector.apps.constant_contact.imports import Imports
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Answer,
    BatchResult,
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
    UpdateResult,
    Written,
)

LISTS_PAGE_SIZE = 500
LISTS_PAGES_MAX = 10
"""An account holds at most 1,000 lists; this leaves room for short pages."""


class App:
    """One Constant Contact account.

    Keep it as long as the account is used: it remembers the custom fields and the
    tags, which are otherwise read again before the first contact is.
    """

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._page_size = manifest.limits.page_size
        self._pager = paging.Pager(facts.base_url)
        self._catalogue = Catalogue(self._pager)
        self._tags = tags.Tags(self._pager)
        self._imports = Imports(self._pager)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/account/summary")
        summary = answer.decode(wire.AccountSummary)
        name = summary.organization_name or summary.contact_email
        return Identity(
            vendor_account_id=summary.encoded_account_id,
            display_name=name or summary.encoded_account_id,
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the custom fields; the others are the same in every account."""
        definitions = yield from self._catalogue.read()
        return fields.CORE + tuple(map(custom.describe, definitions.values()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        pages = yield from self._pager.read_all(
            "/contact_lists",
            into=wire.ContactLists,
            limit=LISTS_PAGE_SIZE,
            pages_max=LISTS_PAGES_MAX,
        )
        lists = {one.list_id: one for page in pages for one in page.lists}
        return tuple(
            Container(container_id=ContainerId(one.list_id), name=one.name)
            for one in lists.values()
            if one.deleted_at is None
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every contact that is not deleted."""
        progress = (
            vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN)
            if cursor
            else Progress(stage=Stage.SCAN)
        )
        is_first = not progress.link
        progress, page = yield from self._page(progress, limit=self._page_size)
        following = progress.following(self._pager.next_of(page))
        records = yield from self._records(page.contacts)
        return Page(
            records=tuple({one.record_id: one for one in records}.values()),
            next=vendors.encode_cursor(following) if following else None,
            resume=None if following else vendors.encode_cursor(progress.resumption()),
            expected_count=page.contacts_count if is_first else None,
        )

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes; a short stage is joined by the next one.

        So an account where little happened costs one call for each stage and one
        page in all, and a contact that several stages show is told once.
        """
        progress = vendors.decode_cursor(cursor, Progress)
        if progress.stage is Stage.SCAN:
            raise CallFailed(Meaning.CURSOR_EXPIRED, "not a cursor of changes")
        found: dict[RecordId, Record] = {}
        while True:
            limit = self._page_size - len(found)
            progress, page = yield from self._page(progress, limit=limit)
            contacts = [
                one for one in page.contacts if progress.concerns(one.deleted_at)
            ]
            for record in (yield from self._records(contacts)):
                found[record.record_id] = record
            following = progress.following(self._pager.next_of(page))
            records = tuple(found.values())
            if following is None:
                resume = vendors.encode_cursor(progress.resumption())
                return Page(records=records, resume=resume)
            if following.link or len(found) > self._page_size // 2:
                return Page(records=records, next=vendors.encode_cursor(following))
            progress = following

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts, one a call: there is no other way to read by id."""
        found = []
        for record_id in record_ids:
            answer = yield Call(
                method="GET",
                path=_path_of(record_id),
                query=(("include", INCLUDE),),
                accepts=(200, 404),
            )
            if answer.status == 404:
                self._assert_gone(answer)
                missing = Record(record_id=record_id, presence=Presence.MISSING)
                found.append(Snapshot(record=missing))
                continue
            contact = answer.decode(wire.Contact)
            if contact.contact_id.lower() != record_id.lower():
                raise CallFailed(Meaning.BROKEN, "another contact than asked for")
            (record,) = yield from self._records((contact,))
            found.append(Snapshot(record=record, raw=answer.body))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live contacts with these addresses, one address a call.

        Raises:
            CallFailed: Somebody is not there yet, and may be once an import is over.
        """
        found: dict[RecordId, Record] = {}
        is_settled = False
        for email in emails:
            there = yield from self._living(email)
            if not there and not is_settled:
                yield from self._imports.check_settled()
                is_settled = True
                # An import that has just ended may have made them since.
                there = yield from self._living(email)
            found |= {one.record_id: one for one in there}
        return tuple(found.values())

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a contact has no place for a mark that nobody sees."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact, with the weakest permission that its consent allows."""
        definitions = yield from self._catalogue.for_write(new.fields)
        taggings = yield from self._tags.changed((), Memberships(tags_add=new.tags))
        if isinstance(taggings, Refused):
            return taggings
        body = bodies.create_body(new, definitions, taggings=taggings)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        answer = yield Call(
            method="POST",
            path="/contacts",
            body=codec.encode(body),
            accepts=(201, 400, 409),
            is_write=True,
        )
        if answer.status == 400:
            return self._refusal(answer, definitions, written=body)
        if answer.status == 409:
            if record_id := answers.conflicting_id(answer):
                return Exists(record_id=record_id)
            raise CallFailed(Meaning.BROKEN, "a conflict that names no contact")
        contact = answer.decode(wire.Contact)
        asked = wire.Contact(
            contact_id=contact.contact_id,
            list_memberships=tuple(new.containers),
            taggings=taggings,
        )
        shown = bodies.completed(contact, before=asked, written={})
        return self._written(shown, definitions)

    def together(self, news: Sequence[NewRecord]) -> Sequence[Sequence[int]]:
        """Return who may be imported with whom."""
        return self._imports.together(news, self._catalogue.known)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        """Create contacts by an import where that is safe, and saves calls."""
        definitions = yield from self._catalogue.for_write(
            {name: None for new in news for name in new.fields}
        )
        return (
            yield from self._imports.create(news, definitions, records=self._records)
        )

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change a contact in one call; it is never brought back from deletion."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        definitions = yield from self._catalogue.for_write(change.fields)
        before = codec.decode(snapshot.raw, wire.Contact, bytes_max=ANSWER_BYTES_MAX)
        members = yield from self._members(before, change.memberships)
        if isinstance(members, Refused):
            return members
        body = bodies.update_body(
            before,
            raw=snapshot.raw,
            change=change,
            members=members,
            definitions=definitions,
        )
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        is_tightening = bodies.is_unsubscribing(before, change)
        if not (change.fields or members or is_tightening):
            # The vendor knows nothing tighter than what is there.
            return Written(record=snapshot.record)
        record_id = snapshot.record.record_id
        answer = yield Call(
            method="PUT",
            path=_path_of(record_id),
            body=codec.encode(body),
            accepts=(200, 400, 404, 409),
            is_write=True,
        )
        if answer.status == 400:
            return self._refusal(answer, definitions, written=body)
        if answer.status == 404:
            self._assert_gone(answer)
            return Missing()
        if answer.status == 409:
            return self._conflict(answer, record_id)
        contact = answer.decode(wire.Contact)
        shown = bodies.completed(contact, before=before, written=body)
        return self._written(shown, definitions)

    def _page(
        self, progress: Progress, *, limit: int
    ) -> Operation[tuple[Progress, wire.Contacts]]:
        """Read the page that ``progress`` points at, and note when the pass began."""
        if progress.link:
            answer = yield paging.follow(progress.link, accepts=(200, 400))
        else:
            query = progress.query(limit)
            answer = yield Call(method="GET", path="/contacts", query=query)
        if answer.status == 400:
            if not answers.problems(answer):
                raise answers.meaning_of(answer)
            # The link is the vendor's own, so it can only have become too old.
            raise CallFailed(Meaning.CURSOR_EXPIRED, "a page's link is refused")
        page = answer.decode(wire.Contacts)
        if progress.link and self._pager.next_of(page) == progress.link:
            raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
        if progress.began is None:
            # Without a clock in the answer, the newest change it shows is early
            # enough: nothing in it happened after it was sent.
            stamps = (fields.changed_at(contact) for contact in page.contacts)
            newest = max(filter(None, stamps), default=None)
            began = vendors.clock_of(answer.headers) or newest or progress.since
            progress = msgspec.structs.replace(progress, began=began)
        return progress, page

    def _records(self, contacts: Sequence[wire.Contact]) -> Operation[list[Record]]:
        """Return contacts as records; their custom fields must be known for that."""
        if not contacts:
            return []
        definitions = yield from self._catalogue.for_contacts(contacts)
        names = yield from self._tags.for_contacts(contacts)
        return [fields.read(one, definitions, tags=names) for one in contacts]

    def _living(self, email: str) -> Operation[list[Record]]:
        """Read the live contacts with an address."""
        answer = yield Call(
            method="GET",
            path="/contacts",
            query=(("email", email), ("include", INCLUDE)),
        )
        records = yield from self._records(answer.decode(wire.Contacts).contacts)
        return [one for one in records if one.presence is Presence.LIVE]

    def _members(
        self, contact: wire.Contact, wanted: Memberships
    ) -> Operation[bodies.Body | Refused]:
        """Return what changes of a contact's lists and tags, each whole.

        Raises:
            CallFailed: They were asked for and not shown: to add to what is not
                known would take away the rest.
        """
        changed: bodies.Body = {}
        if wanted.containers_add or wanted.containers_remove:
            _check_shown(contact.list_memberships)
            changed["list_memberships"] = bodies.changed_lists(contact, wanted)
        if wanted.tags_add or wanted.tags_remove:
            _check_shown(contact.taggings)
            held = contact.taggings or ()
            taggings = yield from self._tags.changed(held, wanted)
            if isinstance(taggings, Refused):
                return taggings
            changed["taggings"] = taggings
        return {
            name: ids
            for name, ids in changed.items()
            if ids != (getattr(contact, name) or ())
        }

    def _written(
        self, contact: wire.Contact, definitions: custom.Definitions
    ) -> Written:
        """Return the contact as the vendor now shows it, without another call."""
        names = self._tags.names
        return Written(record=fields.read(contact, definitions, tags=names))

    def _refusal(
        self,
        answer: Answer,
        definitions: custom.Definitions,
        *,
        written: bodies.Body,
    ) -> Refused:
        if "taggings" in written:
            # Perhaps one of them is gone by now.
            self._tags.doubt()
        return answers.refusal(answer, definitions)

    def _assert_gone(self, answer: Answer) -> None:
        """Refuse to believe a 404 that is not the vendor's own."""
        if not answers.is_no_such_contact(answer):
            raise answers.meaning_of(answer)

    def _conflict(self, answer: Answer, record_id: RecordId) -> UpdateResult:
        """Tell an address that another contact has from a write at the same time."""
        other = answers.conflicting_id(answer)
        if other is not None and other != record_id.lower():
            return Refused(code=ErrorCode.ALREADY_EXISTS, field_id=fields.EMAIL)
        return Moved()


def _path_of(record_id: RecordId) -> str:
    return "/contacts/" + urllib.parse.quote(record_id, safe="")


def _check_shown(members: object) -> None:
    if members is UNSET:
        raise CallFailed(Meaning.BROKEN, "a contact without its lists or tags")
