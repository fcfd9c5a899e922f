"""Many new contacts by one import: it is done later, and told by counts alone.

So it is for a few of those who are to be created, and nothing of it counts as written
before the contacts were read: docs/adr/0019-an-import-that-is-read-back.md.
"""

import collections
import datetime
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from proto import codec
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.constant_contact import (
    answers,
    custom,
    dates,
    rows,
    wire,
)
from services.connector.apps.constant_contact.addresses import Addresses
from services.connector.apps.constant_contact.cursors import INCLUDE
from services.connector.apps.constant_contact.paging import Pager
from services.connector.apps.constant_contact.rows import Row
from services.connector.errors import MAYBE_OF_ONE, CallFailed, Meaning
from services.connector.port import (
    Alone,
    Answer,
    BatchResult,
    Call,
    Exists,
    NewRecord,
    Operation,
    Unsure,
    Written,
)

WAITS_S: Final = (1.0, 2.0, 3.0, 5.0, 8.0, 11.0)
"""Before each look at an import: half a minute, in which nothing else is written."""
CALLS_MAX: Final = 1 + 1 + 1 + len(WAITS_S) + 1
"""Of an import: activities, addresses, the import, looks at it, who is there now."""
TOGETHER_MIN: Final = 2 * CALLS_MAX
"""Fewer are created one by one: it would save less than half of their calls."""
BYTES_MAX: Final = 3_000_000
"""Of the rows of an import: beyond 4 MB they are dropped, and nobody is told."""
ACTIVITIES_PAGE_SIZE: Final = 500
ACTIVITIES_PAGES_MAX: Final = 20
READ_PAGE_SIZE: Final = 500
READ_PAGES_MAX: Final = 20
READ_BEFORE: Final = datetime.timedelta(seconds=2)
"""Who is read afterwards was changed later than so long before an import: its time is
of the clock that also stamps contacts. Whoever were missed would be created alone."""

OVER: Final = frozenset({"completed", "cancelled", "failed", "timed_out"})
"""States after which an activity does nothing more."""

Records = Callable[[Sequence[wire.Contact]], Operation[list[Record]]]
Rows = dict[int, Row]
"""By the place of whom they are of."""


class Imports:
    """The imports of one account."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        self._addresses = Addresses(pager)
        self._is_off = False
        """One was not answered, or not over in time: as long as this is remembered,
        nobody is imported, to be looked for by a call each."""

    def together(
        self, news: Sequence[NewRecord], definitions: custom.Definitions
    ) -> list[list[int]]:
        """Return who may be imported with whom: all onto the same lists."""
        keys = [vendors.email_key(rows.email_of(new)) for new in news]
        counts = collections.Counter(keys)
        groups: dict[frozenset[str], list[int]] = {}
        for place, new in enumerate(news):
            if counts[keys[place]] > 1 or keys[place] in self._addresses:
                continue
            if rows.row_of(new, definitions) is not None:
                groups.setdefault(frozenset(new.containers), []).append(place)
        return [own for own in groups.values() if self._is_worth(len(own))]

    def check_settled(self) -> Operation[None]:
        """Make sure that whoever is not there is not about to be made.

        Raises:
            CallFailed: With UNSETTLED where an import, or who knows what, goes on.
        """
        try:
            is_settled = not (yield from self._is_any_under_way())
        except CallFailed as err:
            if err.meaning not in MAYBE_OF_ONE:
                raise
            # Who may not ask imports nobody. Otherwise nothing but this look waits.
            is_settled = err.meaning is Meaning.FORBIDDEN
        if not is_settled:
            raise CallFailed(Meaning.UNSETTLED, "an import may be under way")

    def create(
        self,
        news: Sequence[NewRecord],
        definitions: custom.Definitions,
        *,
        records: Records,
    ) -> Operation[tuple[BatchResult, ...]]:
        """Import those who may be, and read who is there once that is over.

        Raises:
            CallFailed: Before the import: nothing was done. After it: nobody knows.
        """
        try:
            chosen = yield from self._chosen(news, definitions)
        except CallFailed as err:
            if err.meaning not in MAYBE_OF_ONE:
                raise
            # What an import asks for alone is no reason to create nobody.
            chosen = {}
        results: dict[int, BatchResult] = {}
        try:
            if chosen:
                results = yield from self._import(news, chosen, records=records)
        except CallFailed as err:
            # Where imports alone are out of order, nobody would ever be made.
            self._is_off |= err.meaning in MAYBE_OF_ONE
            raise
        return tuple(results.get(place, Alone()) for place in range(len(news)))

    def _is_any_under_way(self) -> Operation[bool]:
        """Tell whether the account has an import, or another activity, to end.

        It is asked for all states: those that only wait cannot be filtered for.
        """
        pages = yield from self._pager.read_all(
            "/activities",
            into=wire.Activities,
            limit=ACTIVITIES_PAGE_SIZE,
            pages_max=ACTIVITIES_PAGES_MAX,
        )
        return any(one.state not in OVER for page in pages for one in page.activities)

    def _is_worth(self, count: int) -> bool:
        count_min = TOGETHER_MIN + self._addresses.pages - 1
        return not self._is_off and count >= count_min

    def _chosen(
        self, news: Sequence[NewRecord], definitions: custom.Definitions
    ) -> Operation[Rows]:
        """Return whom to import: not who is there, as of now, and not few."""
        groups = self.together(news, definitions)
        if not groups or (yield from self._is_any_under_way()):
            return {}
        wanted = groups[0]
        pages_max = len(wanted) - CALLS_MAX
        if not (yield from self._addresses.look(pages_max=pages_max)):
            return {}
        chosen: Rows = {}
        size = 0
        for place in wanted:
            row = rows.row_of(news[place], definitions)
            if row is None or rows.email_of(news[place]) in self._addresses:
                continue
            size += len(codec.encode(row)) + 1
            if size > BYTES_MAX:
                break
            chosen[place] = row
        return chosen if self._is_worth(len(chosen)) else {}

    def _import(
        self, news: Sequence[NewRecord], chosen: Rows, *, records: Records
    ) -> Operation[dict[int, BatchResult]]:
        """Import some; return what became of them, but who is to be created alone."""
        lists = news[next(iter(chosen))].containers
        answer = yield _importing(chosen, lists=lists)
        if answer.status != 201:
            _check_refused(answer)
        emails = {place: rows.email_of(news[place]) for place in chosen}
        keys = {place: vendors.email_key(email) for place, email in emails.items()}
        # From now on each of them is created by themselves, whatever comes of this.
        self._addresses.note(keys.values())
        if answer.status != 201:
            return {}
        activity = answer.decode(wire.Activity)
        began = vendors.read_moment(activity.created_at)
        if began is None:
            raise CallFailed(Meaning.BROKEN, "an import that began at no time")
        if not (yield from _is_over_in_time(activity.activity_id)):
            self._is_off = True
            return dict.fromkeys(chosen, Unsure())
        contacts = yield from self._read_since(began)
        found = {
            vendors.email_key(one.email_address.address): one
            for one in contacts
            if one.email_address and one.email_address.address
        }
        there = [place for place in chosen if keys[place] in found]
        shown = yield from records([found[keys[place]] for place in there])
        return {
            place: _result_of(news[place], record, began=began)
            for place, record in zip(there, shown, strict=True)
        }

    def _read_since(self, began: datetime.datetime) -> Operation[list[wire.Contact]]:
        """Read who was made or changed since an import began, deleted ones too."""
        pages = yield from self._pager.read_all(
            "/contacts",
            into=wire.Contacts,
            limit=READ_PAGE_SIZE,
            pages_max=READ_PAGES_MAX,
            query=(
                ("status", "all"),
                ("updated_after", dates.write_moment(began - READ_BEFORE)),
                ("include", INCLUDE),
            ),
        )
        return [contact for page in pages for contact in page.contacts]


def _importing(chosen: Mapping[int, Row], *, lists: Sequence[str]) -> Call:
    return Call(
        method="POST",
        path="/activities/contacts_json_import",
        body=codec.encode(
            {"import_data": list(chosen.values()), "list_ids": list(lists)}
        ),
        accepts=(201, 400, 403, 429),
        is_write=True,
    )


def _check_refused(answer: Answer) -> None:
    """Take it that nothing was queued, if the vendor says so.

    Raises:
        CallFailed: It is about all calls, or not the vendor's word.
    """
    is_about_calls = answers.is_too_many_calls(answer)
    if is_about_calls or not answers.problems(answer):
        raise answers.meaning_of(answer)


def _is_over_in_time(activity_id: str) -> Operation[bool]:
    """Wait for an activity to end, for as long as can be waited here."""
    for wait_s in WAITS_S:
        answer = yield Call(
            method="GET",
            path="/activities/" + urllib.parse.quote(activity_id, safe=""),
            wait_s=wait_s,
        )
        activity = answer.decode(wire.Activity)
        if activity.activity_id.lower() != activity_id.lower():
            raise CallFailed(Meaning.BROKEN, "another activity than asked for")
        if activity.state in OVER:
            return True
    return False


def _result_of(
    new: NewRecord, record: Record, *, began: datetime.datetime
) -> Written | Exists:
    """Say whether an import has made a contact, as far as it shows.

    Who was there before, is gone again, or reads otherwise, is met as somebody else.
    """
    made_at = record.created_at
    if (
        record.presence is Presence.LIVE
        and made_at is not None
        and made_at >= began.replace(microsecond=0)
        and rows.is_shown(new, record)
    ):
        return Written(record=record, is_read_after=True)
    return Exists(record_id=record.record_id)
