"""The contacts and the account: list, read, create, change in part, delete."""

from typing import Any, Final

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.account import Account, Entry
from tests.emulators.dotloop.listing import read_query
from tests.emulators.dotloop.settings import Behaviour
from tests.emulators.dotloop.wire import Body, Contact

PREFIX: Final = "/public/v2"
READ: Final = "contact:read"
WRITE: Final = "contact:write"
_MALFORMED: Final = {"id": "seventeen", "email": {"address": "not a text"}}
_body = reader(Body, problems.unreadable)


class Contacts:
    """Serve the contacts of all accounts, and who an account is."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        contacts, one = f"{PREFIX}/contact", f"{PREFIX}/contact/{{contact_id}}"
        router.add("GET", f"{PREFIX}/account", self.account, scope="account:read")
        router.add("GET", contacts, self.list, scope=READ)
        router.add("POST", contacts, self.create, scope=WRITE)
        router.add("GET", one, self.get, scope=READ)
        router.add("PATCH", one, self.change, scope=WRITE)
        router.add("DELETE", one, self.delete, scope=WRITE)

    def account(self, call: Call) -> Reply:
        """Return whose account it is."""
        account = self._account(call)
        first, _, last = account.name.partition(" ")
        number = int(account.account_id)
        body = {
            "id": number,
            "firstName": first,
            "lastName": last,
            "email": f"owner-{number}@example.com",
            "defaultProfileId": 10 * number,
        }
        return json_reply({"data": body})

    def list(self, call: Call) -> Reply:
        """Return one batch, and how many there are in all."""
        query = read_query(call, size_max=self._behaviour.batch_size_max)
        found = self._account(call).listed(
            order=self._behaviour.order, updated_min=query.updated_min
        )
        start, total = query.start, len(found)
        if call.is_under("empty_listing"):
            found, total = [], 0
        elif call.is_under("endless_listing"):
            start, total = 0, 10 * len(found)
        data = [self._shown(one) for one in found[start : start + query.size]]
        if call.is_under("malformed_page"):
            data = [_MALFORMED, *data[1:]]
        totals = {"all": total, "batch": len(data), "untold": -1}
        meta = {"total": totals[self._behaviour.total]}
        return json_reply({"meta": meta, "data": data})

    def get(self, call: Call) -> Reply:
        """Return one contact."""
        return self._answer(self._entry(call).contact)

    def create(self, call: Call) -> Reply:
        """Create a contact."""
        made = self._account(call).create(_body(call.body), who="api")
        return self._answer(made, status=201)

    def change(self, call: Call) -> Reply:
        """Change what the body mentions."""
        entry, body = self._entry(call), _body(call.body)
        return self._answer(self._account(call).edit(entry, body, who="api"))

    def delete(self, call: Call) -> Reply:
        """Delete for good."""
        self._account(call).delete(self._entry(call), who="api")
        return Reply(204)

    def _account(self, call: Call) -> Account:
        return account_of(call, self._accounts)

    def _entry(self, call: Call) -> Entry:
        (text,) = call.args
        number = int(text[:18]) if text.isascii() and text.isdigit() else -1
        entry = self._account(call).contacts.get(number)
        if entry is None or text != str(number):
            raise problems.missing()
        return entry

    def _answer(self, contact: Contact, *, status: int = 200) -> Reply:
        return json_reply({"data": self._shown(contact)}, status)

    def _shown(self, contact: Contact) -> dict[str, Any]:
        return contact.shown(self._behaviour.empties)
