"""Contacts: list, read, create, change, delete, and what is made of them by address."""

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

from tests.emulators.activecampaign import problems, wire
from tests.emulators.activecampaign.account import Account
from tests.emulators.activecampaign.settings import Behaviour
from tests.emulators.activecampaign.wire import Contact
from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

PREFIX: Final = "/api/3"
ANY: Final = "any"
"""There are no scopes: a key may do what its user may."""
LIMIT_DEFAULT, LIMIT_MAX = 20, 100
PARAMETERS: Final = frozenset(
    {
        "limit",
        "offset",
        "email",
        "listid",
        "tagid",
        "status",
        "id_greater",
        "orders[id]",
        "ids[]",
        "include",
        "filters[updated_after]",
        "filters[created_after]",
    }
)
FILTERS: Final = frozenset({"tagid", "listid", "filters[updated_after]"})
INCLUDES: Final = ("fieldValues", "contactLists", "contactTags", "contactTags.tag")
_MALFORMED: Final = {"id": ["seventeen"], "email": {"address": "not a text"}}
_body = reader(wire.ContactBody, problems.unreadable)


class Contacts:
    """Serve the contacts of all accounts."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        many, one = f"{PREFIX}/contacts", f"{PREFIX}/contacts/{{id}}"
        for method, path, handler in (
            ("GET", many, self.list),
            ("POST", many, self.create),
            ("GET", one, self.get),
            ("PUT", one, self.change),
            ("DELETE", one, self.delete),
            ("GET", f"{one}/fieldValues", self.values),
            ("POST", f"{PREFIX}/contact/sync", self.sync),
        ):
            router.add(method, path, handler, scope=ANY)

    def list(self, call: Call) -> Reply:
        """Return one page with what belongs to it, and how many there are in all."""
        account = account_of(call, self._accounts)
        asked = _query(call)
        found = self._found(account, asked)
        limit = min(_number(asked, "limit", LIMIT_DEFAULT), LIMIT_MAX)
        offset = _number(asked, "offset", 0)
        total = len(found)
        if asked.get("orders[id]", "").lower() == "desc":
            found = found[::-1]
        if call.is_under("empty_listing"):
            found, total = [], 0
        elif call.is_under("endless_listing"):
            found, total = [*account.contacts], 10 * len(account.contacts)
        page = [account.contacts[one] for one in found[offset : offset + limit]]
        shown: list[Any] = [one.shown() for one in page]
        if call.is_under("malformed_page"):
            shown = [_MALFORMED, *shown[1:]]
        body = {
            "scoreValues": [],
            "contacts": shown,
            "meta": {"total": str(total), "page_input": {"limit": limit}},
        }
        return json_reply(body | _beside(account, page, asked.get("include", "")))

    def get(self, call: Call) -> Reply:
        """Return one contact with everything that belongs to it."""
        account = account_of(call, self._accounts)
        contact = self._contact(call, account)
        include = "fieldValues,contactLists,contactTags"
        body = {"contact": contact.shown()}
        return json_reply(body | _beside(account, [contact], include))

    def create(self, call: Call) -> Reply:
        """Create a contact."""
        account = account_of(call, self._accounts)
        made = account.create(_body(call.body).contact, who="api")
        return json_reply(_made(made), 201)

    def change(self, call: Call) -> Reply:
        """Change what is mentioned, although it is a PUT."""
        account = account_of(call, self._accounts)
        contact = self._contact(call, account)
        body = _body(call.body).contact
        account.edit(contact, body, who="api")
        return json_reply(_answer(contact, body=body))

    def sync(self, call: Call) -> Reply:
        """Change the contact with this address, or create one."""
        account = account_of(call, self._accounts)
        body = _body(call.body).contact
        email = body.email if isinstance(body.email, str) else ""
        there = account.by_email.get(email.lower())
        status = 201 if there is None else 200
        if there is None:
            there = account.create(body, who="api")
        else:
            account.edit(there, body, who="api")
        shown = _answer(there, body=body)
        shown["contact"]["organization"] = ""
        return json_reply(shown, status)

    def delete(self, call: Call) -> Reply:
        """Delete for good."""
        account = account_of(call, self._accounts)
        account.delete(self._contact(call, account), who="api")
        return json_reply({})

    def values(self, call: Call) -> Reply:
        """Return the values of a contact's custom fields."""
        account = account_of(call, self._accounts)
        contact = self._contact(call, account)
        return json_reply({"fieldValues": contact.shown_values()})

    def _contact(self, call: Call, account: Account) -> Contact:
        text = call.args[0]
        number = int(text[:18]) if text.isascii() and text.isdigit() else -1
        contact = account.contacts.get(number)
        if contact is None:
            raise problems.missing("Subscriber", text)
        return contact

    def _found(self, account: Account, asked: Mapping[str, Any]) -> Sequence[int]:
        """Return the ids of those who are meant; looks at no more than it has to."""
        behind = _number(asked, "id_greater", 0)
        found = account.numbers.all_after(behind)
        if "email" in asked:
            one = account.by_email.get(asked["email"].lower())
            is_there = one is not None and one.contact_id > behind
            found = [one.contact_id] if one is not None and is_there else []
        if "ids[]" in asked:
            wanted = {int(text) for text in asked["ids[]"] if text.isdecimal()}
            found = sorted(wanted.intersection(found))
        if asked.get("status", "-1") == "-1" and not FILTERS & asked.keys():
            return found
        after = self._moment(account, asked.get("filters[updated_after]", ""))
        people = (account.contacts[one] for one in found)
        return [
            one.contact_id
            for one in people
            if one.udate_s > after and _means(one, asked)
        ]

    def _moment(self, account: Account, text: str) -> float:
        """Return after which moment a contact has to have changed."""
        if not text:
            return -math.inf
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError:
            title = "updated_after is not a date"
            raise problems.invalid(title, attribute="updated_after") from None
        kind = self._behaviour.updated_after
        if kind == "moment":
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=account.zone)
            # What was changed in the second itself is after it as often as not.
            return moment.timestamp() - 1
        # A date has no time and no zone: what else is written goes for nothing.
        day = moment.date() + datetime.timedelta(days=kind == "later_day")
        start = datetime.datetime.combine(day, datetime.time(), tzinfo=account.zone)
        return start.timestamp() - 0.001


def _means(one: Contact, asked: Mapping[str, Any]) -> bool:
    if "tagid" in asked and _number(asked, "tagid", 0) not in one.tags:
        return False
    status = asked.get("status", "-1")
    held = one.lists
    if "listid" in asked:
        number = _number(asked, "listid", 0)
        held = {number: one.lists[number]} if number in one.lists else {}
        if not held:
            return False
    return status == "-1" or status in {str(each.status) for each in held.values()}


def _answer(contact: Contact, *, body: wire.Body) -> dict[str, Any]:
    """Return a contact as writes show it, with the values that were written."""
    written = {str(one.field) for one in body.field_values}
    values = [one for one in contact.shown_values() if one["field"] in written]
    return {"fieldValues": values, "contact": contact.shown()}


def _made(contact: Contact) -> dict[str, Any]:
    """Return a contact just made, of which the vendor's sample shows little."""
    shown = contact.shown()
    told = {name: shown[name] for name in ("id", "email", "cdate", "udate", "links")}
    return {
        "fieldValues": contact.shown_values(),
        "contact": told | {"orgid": "", "organization": ""},
    }


def _beside(
    account: Account, page: Iterable[Contact], include: str
) -> dict[str, list[Any]]:
    """Return what belongs to contacts, for what was asked to be included."""
    wanted = [each for each in include.split(",") if each]
    for each in wanted:
        if each not in INCLUDES:
            raise problems.invalid(f"{each} cannot be included", attribute="include")
    found: dict[str, list[Any]] = {}
    people = list(page)
    if "fieldValues" in wanted:
        found["fieldValues"] = [v for one in people for v in one.shown_values()]
    if "contactLists" in wanted:
        found["contactLists"] = [v for one in people for v in one.shown_lists()]
    if {"contactTags", "contactTags.tag"} & set(wanted):
        found["contactTags"] = [v for one in people for v in one.shown_tags()]
    if "contactTags.tag" in wanted:
        held = {tag_id for one in people for tag_id in one.tags}
        found["tags"] = [
            {"id": str(tag_id), "tag": account.tags[tag_id], "tagType": "contact"}
            for tag_id in sorted(held)
        ]
    return found


def _query(call: Call) -> dict[str, Any]:
    """Return what is asked for; ids may come any number of times."""
    found: dict[str, Any] = {}
    for name, text in parse_qsl(call.query_text, keep_blank_values=True):
        if name not in PARAMETERS:
            raise problems.invalid(f"{name} is no parameter", attribute=name)
        if name == "ids[]":
            found.setdefault(name, []).append(text)
        else:
            found[name] = text
    return found


def _number(asked: Mapping[str, Any], name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise problems.invalid(f"{name} is no number", attribute=name)
    return int(text[:18])
