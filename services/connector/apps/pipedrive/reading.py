"""Reading persons: all of them, those that changed, some by id, some by address."""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.pipedrive import answers, fields, wire
from services.connector.apps.pipedrive.catalogue import (
    MARKETING,
    Catalogue,
    Definitions,
)
from services.connector.apps.pipedrive.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation, Page, Snapshot

PATH: Final = "/persons"
IDS_MAX: Final = 100
FOUND_MAX: Final = 500
"""So many persons with one address are looked at."""
_ID = re.compile(r"[1-9]\d{0,17}\Z", re.ASCII)
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>]+\Z")
Query = tuple[tuple[str, str], ...]


class Reader:
    """Reads the persons of one account."""

    def __init__(self, catalogue: Catalogue, *, page_size: int) -> None:
        self._catalogue = catalogue
        self._page_size = page_size

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is not deleted."""
        if cursor is None:
            return self._page(Progress(stage=Stage.SCAN))
        return self._page(vendors.decode_cursor(cursor, Progress, stage=Stage.SCAN))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of who changed; no listing shows who was deleted."""
        return self._page(vendors.decode_cursor(cursor, Progress, stage=Stage.CHANGES))

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read persons by id in one call, and one more for each who is not shown.

        A listing leaves out who is deleted as it does who never was; by the id alone
        the vendor says which.
        """
        definitions = yield from self._catalogue.get()
        asked = [one for one in record_ids if _ID.match(one)]
        there: dict[str, wire.Person] = {}
        if asked:
            there = yield from self._some(asked, definitions)
        for record_id in asked:
            if record_id not in there:
                person = yield from self._one(record_id, definitions)
                if person is not None:
                    there[record_id] = person
        definitions = yield from self._catalogue.fitting(there.values())
        return tuple(
            _snapshot(record_id, there.get(record_id), definitions=definitions)
            for record_id in record_ids
        )

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live persons with these addresses: a search for each address.

        A search shows a person in part, so that who is found is read by id.
        """
        wanted = sorted({email.strip().lower() for email in emails})
        definitions = yield from self._catalogue.get()
        ids: dict[str, None] = {}
        for email in wanted:
            if _EMAIL.match(email):
                ids |= dict.fromkeys((yield from self._search(email)))
        found: list[Record] = []
        for start in range(0, len(ids), IDS_MAX):
            part = list(ids)[start : start + IDS_MAX]
            persons = yield from self._some(part, definitions)
            definitions = yield from self._catalogue.fitting(persons.values())
            found += [
                fields.read(one, definitions)
                for one in persons.values()
                if not one.is_deleted and not fields.emails_of(one).isdisjoint(wanted)
            ]
        return tuple(found)

    def _page(self, progress: Progress) -> Operation[Page]:
        definitions = yield from self._catalogue.get()
        query = [("limit", str(self._page_size)), *_more(definitions)]
        if progress.stage is Stage.CHANGES:
            query.append(("updated_since", progress.updated_since))
        if progress.after:
            query.append(("cursor", progress.after))
        accepts = (200, 400) if progress.after else (200,)
        answer = yield Call(
            method="GET", path=PATH, query=tuple(query), accepts=accepts
        )
        if answer.status == 400:
            answers.check_vendors(answer)
            # The cursor is the vendor's own, so it can only have become too old.
            raise CallFailed(Meaning.CURSOR_EXPIRED, "a page's cursor is refused")
        page = answer.decode(wire.Persons)
        if progress.began is None:
            began = vendors.clock_of(answer.headers) or progress.since
            progress = msgspec.structs.replace(progress, began=began)
        after = page.additional_data.next_cursor if page.additional_data else None
        if after and after == progress.after:
            raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
        definitions = yield from self._catalogue.fitting(page.data)
        records = {one.id: fields.read(one, definitions) for one in page.data}
        if after:
            following = msgspec.structs.replace(progress, after=after)
            return Page(
                records=tuple(records.values()), next=vendors.encode_cursor(following)
            )
        resume = vendors.encode_cursor(progress.resumption())
        return Page(records=tuple(records.values()), resume=resume)

    def _some(
        self, ids: Sequence[str], definitions: Definitions
    ) -> Operation[dict[str, wire.Person]]:
        query = (
            ("ids", ",".join(ids)),
            ("limit", str(IDS_MAX)),
            *_more(definitions),
        )
        answer = yield Call(method="GET", path=PATH, query=query)
        return {str(one.id): one for one in answer.decode(wire.Persons).data}

    def _one(
        self, record_id: str, definitions: Definitions
    ) -> Operation[wire.Person | None]:
        answer = yield Call(
            method="GET",
            path=f"{PATH}/{record_id}",
            query=_more(definitions),
            accepts=(200, 404, 410),
        )
        if answer.status != 200:
            answers.check_vendors(answer)
            return None
        person = answer.decode(wire.OnePerson).data
        if str(person.id) != record_id:
            raise CallFailed(Meaning.BROKEN, "another person than asked for")
        return person

    def _search(self, email: str) -> Operation[list[str]]:
        answer = yield Call(
            method="GET",
            path=f"{PATH}/search",
            query=(
                ("term", email),
                ("fields", "email"),
                ("exact_match", "true"),
                ("limit", str(FOUND_MAX)),
            ),
        )
        found = answer.decode(wire.Search).data.items
        return [
            str(one.item.id)
            for one in found
            if email in {each.strip().lower() for each in one.item.emails}
        ]


def _more(definitions: Definitions) -> Query:
    """Return the parameter for what is only shown when it is asked for."""
    return (("include_fields", MARKETING),) if definitions.has_campaigns else ()


def _snapshot(
    record_id: RecordId, person: wire.Person | None, *, definitions: Definitions
) -> Snapshot:
    if person is None:
        missing = Record(record_id=record_id, presence=Presence.MISSING)
        return Snapshot(record=missing)
    record = fields.read(person, definitions)
    return Snapshot(record=record, raw=codec.encode(person.label_ids or ()))
