"""Persons: list, read, search, create, change, delete, merge; and their fields."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from tests.emulators.core.account import account_of
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.pipedrive import bodies, listing, problems
from tests.emulators.pipedrive.account import Account, Person
from tests.emulators.pipedrive.fields import LABELS, TYPES

API: Final = "/api/v2"
OLD: Final = "/api/v1"
READ: Final = "contacts:read"
FULL: Final = "contacts:full"
FIELDS: Final = "contact-fields:full"
COSTS: Final = {
    ("GET", f"{API}/persons"): 10,
    ("GET", f"{API}/persons/search"): 20,
    ("GET", f"{API}/personFields"): 10,
    ("POST", f"{API}/personFields/{{field_code}}/options"): 5,
    ("GET", f"{API}/persons/{{person_id}}"): 1,
    ("POST", f"{API}/persons"): 5,
    ("PATCH", f"{API}/persons/{{person_id}}"): 5,
    ("DELETE", f"{API}/persons/{{person_id}}"): 3,
}
"""Tokens; of the newer version those of the description."""
COST_ELSE: Final = 2
LABEL_MAX: Final = 255
_MALFORMED: Final = {"id": "seventeen", "emails": "none"}


class Persons:
    """Serve the persons of all companies, and who authorised."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        all_, one = f"{API}/persons", f"{API}/persons/{{person_id}}"
        add: Callable[..., None] = router.add
        add("GET", f"{OLD}/users/me", self.who, scope="base")
        add("GET", f"{all_}/search", self.search, scope=READ)
        add("GET", all_, self.list, scope=READ)
        add("POST", all_, self.create, scope=FULL)
        add("GET", one, self.get, scope=READ)
        add("PATCH", one, self.change, scope=FULL)
        add("DELETE", one, self.delete, scope=FULL)
        add("PUT", f"{OLD}/persons/{{person_id}}/merge", self.merge, scope=FULL)
        add("GET", f"{API}/personFields", self.fields, scope=READ)
        add("POST", f"{API}/personFields", self.define, scope=FIELDS)
        options = f"{API}/personFields/{{field_code}}/options"
        add("POST", options, self.add_options, scope=FULL)

    def who(self, call: Call) -> Reply:
        """Return who authorised, and of which company."""
        account = self._account(call)
        data = {
            "id": 1,
            "name": "Robin Owner",
            "email": "robin@example.com",
            "company_id": int(account.account_id),
            "company_name": account.name,
        }
        return _done(data)

    def list(self, call: Call) -> Reply:
        """Return one page of persons."""
        account = self._account(call)
        more = listing.optional(call, account)
        persons, after = listing.page(call, account)
        if call.is_under("empty_listing"):
            persons, after = [], None
        elif call.is_under("endless_listing"):
            after = call.query().get("cursor") or after or "again"
        data = [listing.shown(one, account, more=more) for one in persons]
        if call.is_under("malformed_page"):
            data[:1] = [_MALFORMED]
        return _done(data, after=after)

    def get(self, call: Call) -> Reply:
        """Return one person; who was deleted is told to be, for thirty days."""
        account = self._account(call)
        more = listing.optional(call, account)
        return _done(listing.shown(self._person(call), account, more=more))

    def search(self, call: Call) -> Reply:
        """Return who has exactly this address, in whatever case."""
        query, account = call.query(), self._account(call)
        term = query.get("term", "")
        if len(term) < (1 if query.get("exact_match") == "true" else 2):
            raise problems.invalid("term: is too short")
        if query.get("fields") != "email" or query.get("exact_match") != "true":
            raise problems.invalid("this emulator searches for whole addresses alone")
        before = account.clock.now() - account.behaviour.search_lag_s
        found = [
            {"result_score": 1.0, "item": _item(one)}
            for one in account.persons.values()
            if not one.is_deleted
            and one.added_at <= before
            and term.lower() in {each.value.lower() for each in one.emails}
        ]
        return _done({"items": found}, after=None)

    def create(self, call: Call) -> Reply:
        """Make a person."""
        account = self._account(call)
        made = account.create(bodies.person(call.body), who="api")
        return self._answer(made, account, status=account.behaviour.creates_with)

    def change(self, call: Call) -> Reply:
        """Change what the body mentions."""
        account, person = self._account(call), self._live(call)
        account.change(person, bodies.person(call.body), who="api")
        return self._answer(person, account)

    def delete(self, call: Call) -> Reply:
        """Mark a person as deleted."""
        person = self._live(call)
        self._account(call).delete(person, who="api")
        return _done({"id": person.id})

    def merge(self, call: Call) -> Reply:
        """Merge a person into another, by the older version of the API."""
        account, person = self._account(call), self._live(call)
        into = account.person(bodies.merge(call.body).merge_with_id)
        account.merge(person, into, who="api")
        return _done({"id": into.id})

    def fields(self, call: Call) -> Reply:
        """Return all fields of persons, as one page."""
        fields = self._account(call).fields
        return _done([one.shown() for one in fields], after=None)

    def define(self, call: Call) -> Reply:
        """Define a field."""
        body = bodies.new_field(call.body)
        if body.field_type not in TYPES:
            raise problems.invalid("field_type: is not known")
        labels = tuple(one.label for one in body.options)
        made = self._account(call).define(body.field_name, body.field_type, labels)
        return _done(made.shown())

    def add_options(self, call: Call) -> Reply:
        """Add labels; options of other fields are not served."""
        if call.args != (LABELS,):
            raise problems.missing()
        names = [one.label for one in bodies.new_options(call.body)]
        if not names or not all(1 <= len(name) <= LABEL_MAX for name in names):
            raise problems.invalid("label: from 1 to 255 characters")
        made = self._account(call).add_labels(names)
        return _done([msgspec.to_builtins(one) for one in made])

    def _account(self, call: Call) -> Account:
        return account_of(call, self._accounts)

    def _person(self, call: Call) -> Person:
        (text,) = call.args
        if not (text.isascii() and text.isdigit()):
            raise problems.invalid("id: a number is expected")
        return self._account(call).person(int(text[:18]))

    def _live(self, call: Call) -> Person:
        person = self._person(call)
        if person.is_deleted:
            raise problems.missing()
        return person

    def _answer(self, person: Person, account: Account, *, status: int = 200) -> Reply:
        more = frozenset({listing.MARKETING})
        return _done(listing.shown(person, account, more=more), status=status)


def _item(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "type": "person",
        "name": person.name,
        "phones": [one.value for one in person.phones],
        "emails": [one.value for one in person.emails],
        "visible_to": 7,
        "owner": {"id": 1},
        "custom_fields": [],
        "notes": [],
    }


def _done(
    data: Any,
    *,
    after: str | None | msgspec.UnsetType = msgspec.UNSET,
    status: int = 200,
) -> Reply:
    body = {"success": True, "data": data}
    if after is not msgspec.UNSET:
        body["additional_data"] = {"next_cursor": after}
    return json_reply(body, status)
