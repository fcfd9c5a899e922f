"""The lists of an account, who is on which, and who came to be on one.

Whom a dynamic list holds, the vendor's own filters say. So the others alone, to which
contacts can be added and from which they can be removed, are containers. A contact does
not show its lists, and changes by none of this: they are asked for by its id.
"""

import math
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import ContainerId, RecordId
from services.connector.apps.hubspot import answers, dates, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation

PATH: Final = "/crm/v3/lists"
CONTACTS: Final = "0-1"
"""The vendor's name for the type of object that contacts are."""
CHANGEABLE: Final = ("MANUAL", "SNAPSHOT")
SEARCHED: Final = 500
PAGES_MAX: Final = 20
BATCH: Final = 100
"""Nothing says how many contacts' lists are told at once; of all else it is so many."""
MEMBERS: Final = 250
SIZE: Final = "hs_list_size"
JOINED_AT: Final = "hs_last_record_added_at"
_DIGITS = re.compile(r"\d{1,15}\Z", re.ASCII)


class List(msgspec.Struct, frozen=True, kw_only=True):
    """A list that contacts can be put on."""

    name: str
    pages: int = 1
    """So many calls show everybody on it."""
    joined_ms: int | None = None
    """When somebody was last put on it; None: nobody ever was."""


Known = Mapping[ContainerId, List]


class Lists:
    """Knows the lists of one account."""

    def __init__(self) -> None:
        self._known: Known | None = None
        self._others: set[str] = set()
        """Lists that nobody can be put on, or that no search shows."""

    def read(self) -> Operation[Known]:
        """Read all lists of contacts, and how each is by now."""
        found: dict[ContainerId, List] = {}
        others: set[str] = set()
        offset = 0
        for _ in range(PAGES_MAX):
            body = {
                "objectTypeId": CONTACTS,
                "additionalProperties": [SIZE, JOINED_AT],
                "count": SEARCHED,
                "offset": offset,
            }
            answer = yield Call(
                method="POST", path=f"{PATH}/search", body=codec.encode(body)
            )
            page = answer.decode(wire.ContactLists)
            for one in page.lists:
                if _is_container(one):
                    found[ContainerId(one.list_id)] = _list(one)
                else:
                    others.add(one.list_id)
            if not page.has_more:
                self._known, self._others = found, others
                return found
            if page.offset <= offset:
                raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
            offset = page.offset
        raise CallFailed(Meaning.BROKEN, "lists without an end")

    def get(self) -> Operation[Known]:
        """Return the lists, read now or before."""
        if self._known is not None:
            return self._known
        return (yield from self.read())

    def lacking(self, wanted: Iterable[ContainerId]) -> Operation[set[ContainerId]]:
        """Return those of some lists that contacts cannot be put on."""
        asked = set(wanted)
        if not asked:
            return asked
        known = yield from self.get()
        if not asked <= known.keys():
            known = yield from self.read()
        return asked - known.keys()

    def doubt(self) -> None:
        """Read them again before they are used: one was not what it was."""
        self._known = None

    def of(
        self, record_ids: Sequence[str]
    ) -> Operation[Mapping[str, tuple[ContainerId, ...]]]:
        """Return which lists contacts are on, by their ids; on none where it lacks.

        Where there are no lists, nobody is asked for.
        """
        if not record_ids or not (yield from self.get()):
            return {}
        found: dict[str, list[str]] = {}
        for start in range(0, len(record_ids), BATCH):
            found |= yield from _memberships(record_ids[start : start + BATCH])
        shown = {list_id for each in found.values() for list_id in each}
        known = yield from self.get()
        if not shown <= known.keys() | self._others:
            # One that was made since they were read; else it is none for us.
            known = yield from self.read()
            self._others |= shown - known.keys()
        return {
            record_id: tuple(
                ContainerId(each) for each in sorted(held, key=_order) if each in known
            )
            for record_id, held in found.items()
        }

    def members(
        self, list_id: str, *, after: str, since_ms: int
    ) -> Operation[tuple[tuple[RecordId, ...], str]]:
        """Read a page of a list by when people joined it.

        Returns:
            Who did since, and where the next page begins if there is one.
        """
        query = [("limit", str(MEMBERS))] + ([("after", after)] if after else [])
        answer = yield Call(
            method="GET",
            path=f"{path_of(list_id)}/memberships/join-order",
            query=tuple(query),
            accepts=(200, 400, 404) if after else (200, 404),
        )
        if answer.status != 200:
            checked(answer)
            if answer.status == 400:
                # The cursor is the vendor's own, so it can only have become too old.
                raise CallFailed(Meaning.CURSOR_EXPIRED, "a page's cursor is refused")
            self.doubt()
            return (), ""
        page = answer.decode(wire.Members)
        if after and page.after == after:
            raise CallFailed(Meaning.BROKEN, "a page that leads to itself")
        news = []
        for one in page.results:
            moment = dates.read_moment(one.membership_timestamp)
            if moment is None or dates.ms_of(moment) >= since_ms:
                news.append(RecordId(str(one.record_id)))
        return tuple(news), page.after


def path_of(list_id: str) -> str:
    """Return where a list is."""
    return f"{PATH}/{urllib.parse.quote(list_id, safe='')}"


def checked(answer: Answer) -> None:
    """Take an answer for the vendor's refusal.

    Raises:
        CallFailed: It is the word of something in between.
    """
    if answers.problem_of(answer) is None:
        raise answers.meaning_of(answer)


def in_order(list_ids: Iterable[ContainerId]) -> tuple[ContainerId, ...]:
    """Return lists in the order in which a contact's are always told."""
    return tuple(sorted(list_ids, key=_order))


def _memberships(record_ids: Sequence[str]) -> Operation[dict[str, list[str]]]:
    inputs = [{"objectTypeId": CONTACTS, "recordId": each} for each in record_ids]
    answer = yield Call(
        method="POST",
        path=f"{PATH}/records/memberships/batch/read",
        body=codec.encode({"inputs": inputs}),
        accepts=(200, 207),
    )
    batch = answer.decode(wire.MembershipBatch)
    # Who is left out is on no list, so that nobody may be left out for another reason.
    if batch.status != "COMPLETE" or any(
        one.category != answers.NOT_FOUND for one in batch.errors
    ):
        raise CallFailed(Meaning.BROKEN, "a batch that was read in part")
    return {
        str(one.record_id): [str(each.list_id) for each in one.record_list_memberships]
        for one in batch.results
    }


def _is_container(one: wire.ContactList) -> bool:
    return (
        one.processing_type in CHANGEABLE
        and one.object_type_id == CONTACTS
        and one.deleted_at is None
    )


def _list(one: wire.ContactList) -> List:
    size = _number(one.additional_properties.get(SIZE)) or 0
    return List(
        name=one.name,
        pages=max(1, math.ceil(size / MEMBERS)),
        joined_ms=_number(one.additional_properties.get(JOINED_AT)),
    )


def _number(value: str | int | None) -> int | None:
    text = str(value)
    return int(text) if _DIGITS.match(text) else None


def _order(list_id: str) -> tuple[int, str]:
    """Sort numbers as such, as ids of lists are."""
    return len(list_id), list_id
