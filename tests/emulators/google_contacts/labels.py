"""The contact groups resource: list, read, create, rename, delete, members."""

import collections

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.paging import CursorInvalid, decode_cursor, encode_cursor
from tests.emulators.google_contacts import bodies, problems
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.asking import READ, WRITE
from tests.emulators.google_contacts.groups import Group
from tests.emulators.google_contacts.problems import Refused
from tests.emulators.google_contacts.writing import Writer

PATH = "/v1/contactGroups"
PAGE_SIZE = 30
PAGE_SIZE_MAX = 1000
_new_group = reader(bodies.NewGroup, problems.unreadable)
_members = reader(bodies.Members, problems.unreadable)


class Labels:
    """Serve the groups of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        one = f"{PATH}/{{contactGroupsId}}"
        router.add("GET", PATH, self.list, scope=READ)
        router.add("POST", PATH, self.create, scope=WRITE)
        router.add("GET", one, self.get, scope=READ)
        router.add("PUT", one, self.rename, scope=WRITE)
        router.add("DELETE", one, self.delete, scope=WRITE)
        router.add("POST", f"{one}/members:modify", self.modify, scope=WRITE)

    def list(self, call: Call) -> Reply:
        """Return a page of groups, the vendor's own first."""
        account, query = account_of(call, self._accounts), call.query()
        size = query.get("pageSize", "0")
        if not (size.isascii() and size.isdigit() and int(size) <= PAGE_SIZE_MAX):
            raise problems.bad("Page size must be between 1 and 1000.")
        limit = int(size) or PAGE_SIZE
        try:
            start = decode_cursor(query.get("pageToken", "") or encode_cursor(0), int)
        except CursorInvalid as err:
            raise problems.bad("Request contains an invalid argument.") from err
        found = [*account.groups.values()]
        counts = _counts(account)
        page = found[start : start + limit]
        shown = [one.shown(counts[one.resource_name]) for one in page]
        body: dict[str, object] = {"contactGroups": shown, "totalItems": len(found)}
        if start + limit < len(found):
            body["nextPageToken"] = encode_cursor(start + limit)
        else:
            body["nextSyncToken"] = encode_cursor(len(found))
        return json_reply(body)

    def get(self, call: Call) -> Reply:
        """Return one group."""
        return self._answer(call, self._group(call))

    def create(self, call: Call) -> Reply:
        """Create a group, whose name has to be new."""
        writer = Writer(account_of(call, self._accounts), who="api")
        name = _new_group(call.body).contact_group.name
        try:
            return self._answer(call, writer.new_group(name))
        except Refused as refused:
            raise problems.refusal_of_group(refused) from refused

    def rename(self, call: Call) -> Reply:
        """Give a group another name."""
        group, name = self._group(call), _new_group(call.body).contact_group.name
        writer = Writer(account_of(call, self._accounts), who="api")
        try:
            writer.rename_group(group, name)
        except Refused as refused:
            raise problems.refusal_of_group(refused) from refused
        return self._answer(call, group)

    def delete(self, call: Call) -> Reply:
        """Delete a group; its contacts stay."""
        group = self._group(call)
        if group.is_system:
            raise problems.bad("System contact groups cannot be deleted.")
        Writer(account_of(call, self._accounts), who="api").delete_group(group)
        return json_reply({})

    def modify(self, call: Call) -> Reply:
        """Put contacts into a group, and take others out of it."""
        account, group = account_of(call, self._accounts), self._group(call)
        body = _members(call.body)
        asked = [*body.resource_names_to_add, *body.resource_names_to_remove]
        if len(asked) > bodies.MEMBERS_MAX:
            raise problems.bad(f"At most {bodies.MEMBERS_MAX} names are allowed.")
        if body.resource_names_to_add and not group.is_joinable:
            raise problems.bad("Contacts cannot be added to this group.")
        writer, gone, stuck = Writer(account, who="api"), [], []
        for name in asked:
            contact = account.book.find(name)
            if contact is None:
                gone.append(name)
                continue
            rest = [g for g in contact.now.groups if g != group.resource_name]
            if name in body.resource_names_to_add:
                writer.join(contact, [*rest, group.resource_name])
            elif not rest:
                stuck.append(name)
            elif len(rest) < len(contact.now.groups):
                writer.join(contact, rest)
        told = {
            "notFoundResourceNames": gone,
            "canNotRemoveLastContactGroupResourceNames": stuck,
        }
        return json_reply({key: names for key, names in told.items() if names})

    def _group(self, call: Call) -> Group:
        account = account_of(call, self._accounts)
        group = account.groups.get(f"contactGroups/{call.args[0]}")
        if group is None:
            raise problems.missing()
        return group

    def _answer(self, call: Call, group: Group) -> Reply:
        counts = _counts(account_of(call, self._accounts))
        return json_reply(group.shown(counts[group.resource_name]))


def _counts(account: Account) -> collections.Counter[str]:
    return collections.Counter(
        name for one in account.book.living() for name in one.now.groups
    )
