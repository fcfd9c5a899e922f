"""The lists resource: search among lists, who is on one, putting on and taking off."""

from typing import Any, Final

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.paging import CursorInvalid, decode_cursor, encode_cursor
from tests.emulators.hubspot import bodies, problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import stamp
from tests.emulators.hubspot.listbook import ContactList

PATH: Final = "/crm/v3/lists"
READ: Final = "crm.lists.read"
WRITE: Final = "crm.lists.write"
CONTACTS: Final = "0-1"
MEMBERS: Final = 100
MEMBERS_MAX: Final = 250
_search = reader(bodies.ListSearch, problems.unreadable)
_batch = reader(bodies.MembershipBatch, problems.unreadable)
_ids = reader(list[str], problems.unreadable)
_moves = reader(bodies.Moves, problems.unreadable)


class Lists:
    """Serve the lists of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        of_one = f"{PATH}/{{listId}}/memberships"
        router.add("POST", f"{PATH}/search", self.search, scope=READ)
        path = f"{PATH}/records/memberships/batch/read"
        router.add("POST", path, self.memberships, scope=READ)
        router.add("GET", f"{of_one}/join-order", self.members, scope=READ)
        router.add("PUT", f"{of_one}/add", self.add, scope=WRITE)
        router.add("PUT", f"{of_one}/remove", self.remove, scope=WRITE)
        router.add("PUT", f"{of_one}/add-and-remove", self.move, scope=WRITE)

    def search(self, call: Call) -> Reply:
        """Return a page of the lists that have a word in their name, or of all."""
        account, asked = account_of(call, self._accounts), _search(call.body)
        found = [
            one for one in account.lists.by_id.values() if _is_found(one, asked=asked)
        ]
        page = found[asked.offset : asked.offset + asked.count]
        end = asked.offset + len(page)
        body = {
            "lists": [_shown(account, one) for one in page],
            "offset": end,
            "hasMore": end < len(found),
            "total": len(found),
        }
        return json_reply(body)

    def memberships(self, call: Call) -> Reply:
        """Return the lists of several contacts, in an order of the vendor's own."""
        account, asked = account_of(call, self._accounts), _batch(call.body)
        results, missing = [], []
        for one in asked.inputs:
            contact = account.book.by_id.get(one.recordId)
            if one.objectTypeId != CONTACTS or contact is None or not contact.is_live:
                missing.append(one.recordId)
                continue
            held = [
                {
                    "listId": each.list_id,
                    "listVersion": 1,
                    "isPublicList": True,
                    "firstAddedTimestamp": stamp(stay.first_ms),
                    "lastAddedTimestamp": stamp(stay.last_ms),
                }
                for each, stay in account.lists.of(one.recordId)
            ]
            if not held and account.behaviour.listless_are_left_out:
                continue
            told: dict[str, Any] = {
                "objectTypeId": CONTACTS,
                "recordId": one.recordId,
                "recordListMemberships": held[::-1],
            }
            results.append(told)
        now = stamp(account.now_ms())
        body: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results[::-1],
            "startedAt": now,
            "completedAt": now,
        }
        if not missing:
            return json_reply(body)
        entry = problems.entry_of(problems.missing().fault, {"ids": missing})
        return json_reply(body | {"numErrors": 1, "errors": [entry]}, 207)

    def members(self, call: Call) -> Reply:
        """Return a page of who is on a list, by when they were put on it."""
        account, query = account_of(call, self._accounts), call.query()
        limit = query.get("limit", str(MEMBERS))
        if not limit.isdigit() or not 0 < int(limit) <= MEMBERS_MAX:
            raise problems.bad("limit is not in range")
        one = _list_of(account, call)
        after = _after(query.get("after", ""))
        rows = [
            (at, contact)
            for at, contact in account.lists.members(one)
            if (at, contact.number) > after
        ]
        page = rows[: int(limit)]
        body: dict[str, Any] = {
            "results": [
                {"recordId": contact.contact_id, "membershipTimestamp": stamp(at)}
                for at, contact in page
            ],
        }
        if len(rows) > len(page):
            at, contact = page[-1]
            body["paging"] = {"next": {"after": encode_cursor((at, contact.number))}}
        return json_reply(body)

    def add(self, call: Call) -> Reply:
        """Put contacts on a list."""
        return self._moved(call, add=_ids(call.body))

    def remove(self, call: Call) -> Reply:
        """Take contacts off a list."""
        return self._moved(call, remove=_ids(call.body))

    def move(self, call: Call) -> Reply:
        """Put some on a list, and take others off."""
        asked = _moves(call.body)
        return self._moved(
            call, add=asked.recordIdsToAdd, remove=asked.recordIdsToRemove
        )

    def _moved(
        self,
        call: Call,
        *,
        add: list[str] | None = None,
        remove: list[str] | None = None,
    ) -> Reply:
        account = account_of(call, self._accounts)
        one = _list_of(account, call)
        if one.processing_type == "DYNAMIC":
            raise problems.bad("The list has filters that say who is on it")
        done = account.lists.move(
            one, add=add or (), remove=remove or (), now_ms=account.now_ms()
        )
        return json_reply(
            {
                "recordsIdsAdded": done.added,
                "recordIdsRemoved": done.removed,
                "recordIdsMissing": done.missing,
            }
        )


def _list_of(account: Account, call: Call) -> ContactList:
    found = account.lists.by_id.get(call.args[0])
    if found is None:
        raise problems.not_there("List does not exist.")
    return found


def _after(text: str) -> tuple[int, int]:
    try:
        return decode_cursor(text, tuple[int, int]) if text else (0, 0)
    except CursorInvalid as err:
        raise problems.bad("after is no cursor") from err


def _is_found(one: ContactList, *, asked: bodies.ListSearch) -> bool:
    return (
        asked.query.lower() in one.name.lower()
        and asked.objectTypeId in ("", CONTACTS)
        and (not asked.listIds or one.list_id in asked.listIds)
        and (not asked.processingTypes or one.processing_type in asked.processingTypes)
    )


def _shown(account: Account, one: ContactList) -> dict[str, Any]:
    """Return a list with what is always told of it; what is empty is left out."""
    told = {
        "hs_list_size": len(account.lists.members(one)),
        "hs_list_reference_count": 0,
        "hs_last_record_added_at": one.added_ms,
        "hs_last_record_removed_at": one.removed_ms,
    }
    return {
        "listId": one.list_id,
        "listVersion": 1,
        "name": one.name,
        "objectTypeId": CONTACTS,
        "processingType": one.processing_type,
        "processingStatus": "COMPLETE",
        "createdAt": stamp(one.created_ms),
        "updatedAt": stamp(one.created_ms),
        "additionalProperties": {
            name: str(value) for name, value in told.items() if value is not None
        },
    }
