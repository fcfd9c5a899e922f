"""The contacts resource: list, read, create, change, archive, merge, one at a time."""

import itertools
from urllib.parse import urlencode

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.paging import CursorInvalid, decode_cursor, encode_cursor
from tests.emulators.hubspot import bodies, problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import Contact, view
from tests.emulators.hubspot.writing import Writer

PATH = "/crm/v3/objects/contacts"
READ = "crm.objects.contacts.read"
WRITE = "crm.objects.contacts.write"
LIMIT = 10
LIMIT_MAX = 100
_MALFORMED = {"id": 17, "properties": "none", "createdAt": None}
_new = reader(bodies.New, problems.unreadable)
_patch = reader(bodies.Patch, problems.unreadable)
_merge = reader(bodies.Merge, problems.unreadable)


class Contacts:
    """Serve the contacts of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        one = f"{PATH}/{{contactId}}"
        router.add("GET", PATH, self.list, scope=READ)
        router.add("POST", PATH, self.create, scope=WRITE)
        router.add("POST", f"{PATH}/merge", self.merge, scope=WRITE)
        router.add("GET", one, self.get, scope=READ)
        router.add("PATCH", one, self.change, scope=WRITE)
        router.add("DELETE", one, self.archive, scope=WRITE)

    def list(self, call: Call) -> Reply:
        """Return a page of who is there, or of who was archived, by id."""
        account, query = account_of(call, self._accounts), call.query()
        limit, after = _limit(query), _after(query)
        if call.is_under("empty_listing"):
            return json_reply({"results": []})
        is_archived = _flag(query, "archived")
        book = account.book
        rows = book.archived(after=after) if is_archived else book.living(after=after)
        page = list(itertools.islice(rows, limit))
        is_more = next(rows, None) is not None
        found = [shown(account, one, query) for one in page]
        if call.is_under("malformed_page"):
            found = [_MALFORMED, *found[1:]]
        body: dict[str, object] = {"results": found}
        last = page[-1].number if page else 0
        if not is_more and call.is_under("endless_listing"):
            is_more, last = True, 0
        if is_more:
            query["after"] = encode_cursor(last)
            link = f"https://api.hubapi.com{call.path}?{urlencode(query)}"
            body["paging"] = {"next": {"after": query["after"], "link": link}}
        return json_reply(body)

    def get(self, call: Call) -> Reply:
        """Return one contact."""
        account, query = account_of(call, self._accounts), call.query()
        by_email = query.get("idProperty") == "email"
        contact = account.book.find(call.args[0], by_email=by_email)
        is_archived = _flag(query, "archived")
        if contact is None or is_archived == contact.is_live:
            return problems.plain(404)
        return json_reply(shown(account, contact, query))

    def create(self, call: Call) -> Reply:
        """Create a contact; the answer tells what was set."""
        account = account_of(call, self._accounts)
        try:
            made = Writer(account, who="api").create(_new(call.body).properties)
        except problems.Refused as refused:
            return problems.reply_of(refused.fault)
        return json_reply(whole(made), 201)

    def change(self, call: Call) -> Reply:
        """Change a contact; the answer tells what was changed, and little else."""
        account, body = account_of(call, self._accounts), _patch(call.body)
        by_email = call.query().get("idProperty") == "email"
        contact = account.book.find(call.args[0], by_email=by_email)
        if contact is None or not contact.is_live:
            return problems.plain(404)
        try:
            Writer(account, who="api").change(contact, body.properties)
        except problems.Refused as refused:
            return problems.reply_of(refused.fault)
        return json_reply(changed(account, contact, body.properties))

    def archive(self, call: Call) -> Reply:
        """Archive a contact; whoever is not there is archived already."""
        account = account_of(call, self._accounts)
        if contact := account.book.by_id.get(call.args[0]):
            Writer(account, who="api").archive(contact)
        return Reply(204)

    def merge(self, call: Call) -> Reply:
        """Make one contact of two."""
        account, body = account_of(call, self._accounts), _merge(call.body)
        primary = account.book.by_id.get(body.primaryObjectId)
        other = account.book.by_id.get(body.objectIdToMerge)
        if primary is None or other is None:
            return problems.plain(404)
        try:
            winner = Writer(account, who="api").merge(primary, other)
        except problems.Refused as refused:
            return problems.reply_of(refused.fault)
        return json_reply(whole(winner))


def shown(
    account: Account, contact: Contact, query: dict[str, str]
) -> dict[str, object]:
    """Return a contact with the properties that a query names."""
    names = query["properties"].split(",") if "properties" in query else None
    return view(
        contact,
        None if names is None else known(account, names),
        with_null=account.behaviour.empty_is_null,
    )


def whole(contact: Contact) -> dict[str, object]:
    """Return a contact with all that is not empty."""
    return view(contact, list(contact.properties), with_null=False)


def changed(
    account: Account, contact: Contact, values: dict[str, str]
) -> dict[str, object]:
    """Return a contact with what was just written."""
    return view(contact, list(values), with_null=account.behaviour.empty_is_null)


def known(account: Account, names: list[str]) -> list[str]:
    """Return the names that are properties; the vendor passes over all others."""
    return [name for name in names if name in account.properties]


def _limit(query: dict[str, str]) -> int:
    text = query.get("limit", str(LIMIT))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= LIMIT_MAX:
        raise problems.bad("limit is not in range")
    return int(text)


def _after(query: dict[str, str]) -> int:
    if not (text := query.get("after", "")):
        return 0
    try:
        return decode_cursor(text, int)
    except CursorInvalid as err:
        raise problems.bad("after is no cursor") from err


def _flag(query: dict[str, str], name: str) -> bool:
    return query.get(name, "false").lower() == "true"
