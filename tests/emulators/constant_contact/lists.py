"""The contact lists resource."""

import copy
from typing import Annotated

import msgspec
from msgspec import Meta

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account, ContactList
from tests.emulators.constant_contact.book import ContactBook
from tests.emulators.constant_contact.catalogue import Catalogue, page_of
from tests.emulators.constant_contact.listing import (
    Links,
    Place,
    check_parameters,
    open_place,
)
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

SCOPE = "contact_data"
LIMIT_MAX = 1000
LISTS_MAX = 1000
PARAMETERS = frozenset(
    "limit include_count include_membership_count name status channel_type"
    " include_sms_membership_count".split()
)


class ListInput(msgspec.Struct, kw_only=True):
    """A list as sent."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    favorite: bool = False
    description: str | None = None


class ListsPage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One page of lists."""

    lists: list[ContactList]
    lists_count: int | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


_input = reader(ListInput, problems.unreadable)


class ContactLists(Catalogue):
    """Serve the lists of all accounts."""

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        for method, path, handler in (
            ("GET", "/v3/contact_lists", self.list),
            ("POST", "/v3/contact_lists", self.create),
            ("GET", "/v3/contact_lists/{list_id}", self.get),
            ("PUT", "/v3/contact_lists/{list_id}", self.rename),
            ("DELETE", "/v3/contact_lists/{list_id}", self.delete),
        ):
            router.add(method, path, handler, scope=SCOPE)

    def list(self, call: Call) -> Reply:
        """Return a page of lists."""
        place = open_place(call, parameters=PARAMETERS)
        account = self._account(call)
        if call.is_under("empty_listing"):
            return json_reply(ListsPage(lists=[]))
        found = _chosen(account, place)
        counted = _membership(place)
        limit = place.limit(LIMIT_MAX)
        shown, links = page_of(found, place, limit=limit, call=call)
        return json_reply(
            ListsPage(
                lists=[_counted(item, account.book, counted) for item in shown],
                lists_count=len(found) if place.flag("include_count") else None,
                links=links,
            )
        )

    def get(self, call: Call) -> Reply:
        """Return one list."""
        query = call.query()
        check_parameters(query, frozenset({"include_membership_count"}))
        account = self._account(call)
        item = self._item(call, account.lists)
        counted = _membership(Place(path=call.path, query=query))
        return json_reply(_counted(item, account.book, counted))

    def create(self, call: Call) -> Reply:
        """Create a list; its name must be free."""
        body, account = _input(call.body), self._account(call)
        _check_name(account, body.name, None)
        if sum(item.deleted_at is None for item in account.lists.values()) >= LISTS_MAX:
            raise problems.invalid(f"An account may have {LISTS_MAX} lists at most")
        now = account.clock.stamp()
        item = ContactList(
            list_id=account.new_id(),
            name=body.name,
            description=body.description,
            favorite=body.favorite,
            created_at=now,
            updated_at=now,
        )
        account.lists[item.list_id] = item
        return json_reply(item, 201)

    def rename(self, call: Call) -> Reply:
        """Overwrite a list's own properties."""
        body, account = _input(call.body), self._account(call)
        item = self._item(call, account.lists)
        _check_name(account, body.name, item)
        item.name, item.favorite = body.name, body.favorite
        item.description = body.description
        item.updated_at = account.clock.stamp()
        return json_reply(item)

    def delete(self, call: Call) -> Reply:
        """Delete a list and its memberships; the vendor calls it an activity."""
        account = self._account(call)
        item = self._item(call, account.lists)
        if item.deleted_at is not None:
            raise problems.missing()
        item.deleted_at = item.updated_at = account.clock.stamp()
        writer = Writer(account, who="api")
        for number in list(account.book.in_list(item.list_id).after(-1)):
            entry = account.book.entries[number]
            writer.drop_member(entry, name="list_memberships", member_id=item.list_id)
        return json_reply(account.start_activity(), 202)


def _chosen(account: Account, place: Place) -> list[ContactList]:
    statuses = place.choices("status", ("all", "active", "deleted")) or ("active",)
    if place.choice("channel_type", ("email", "sms"), default="email") == "sms":
        return []
    name = place.query.get("name")
    return [
        item
        for item in account.lists.values()
        if ("all" in statuses or _status(item) in statuses)
        and (name is None or item.name == name)
    ]


def _status(item: ContactList) -> str:
    return "active" if item.deleted_at is None else "deleted"


def _membership(place: Place) -> str:
    return place.choice("include_membership_count", ("all", "active"), default="")


def _counted(item: ContactList, book: ContactBook, counted: str) -> ContactList:
    if not counted:
        return item
    members = book.in_list(item.list_id)
    shown = copy.copy(item)
    shown.membership_count = (
        len(members)
        if counted == "all"
        else sum(
            book.entries[number].keys.bucket in ("explicit", "implicit")
            for number in members.after(-1)
        )
    )
    return shown


def _check_name(account: Account, name: str, own: ContactList | None) -> None:
    for item in account.lists.values():
        if item is not own and item.deleted_at is None and item.name == name:
            raise problems.conflict(f"Validation failed: List {name} already exists")
