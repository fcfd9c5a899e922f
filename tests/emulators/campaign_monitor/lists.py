"""Clients, their lists, who is on them, and custom fields."""

import datetime
from typing import Final

import msgspec

from tests.emulators.campaign_monitor import listing, problems, times
from tests.emulators.campaign_monitor.account import Account
from tests.emulators.campaign_monitor.book import STATES, Client, List
from tests.emulators.campaign_monitor.settings import Behaviour
from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Handler, Reply, Router, json_reply

PREFIX: Final = "/api/v3.3"
READ: Final = "ManageLists"


class NewField(msgspec.Struct, kw_only=True, rename="pascal"):
    """A custom field to be defined."""

    field_name: str
    data_type: str
    options: tuple[str, ...] = ()


class NewList(msgspec.Struct, kw_only=True, rename="pascal"):
    """A list to be made."""

    title: str
    unsubscribe_setting: str = "OnlyThisList"


_new_field = reader(NewField, problems.unreadable)
_new_list = reader(NewList, problems.unreadable)


class Lists:
    """Serve the lists of all accounts."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        one = f"{PREFIX}/lists/{{list_id}}"
        client = f"{PREFIX}/clients/{{client_id}}"
        add = router.add
        add("GET", f"{PREFIX}/clients.json", self.clients, scope=READ)
        add("GET", f"{PREFIX}/systemdate.json", self.now, scope=READ)
        add("GET", f"{client}/lists.json", self.lists, scope=READ)
        add("GET", f"{client}/listsforemail.json", self.lists_of, scope=READ)
        for state in STATES:
            add("GET", f"{one}/{state}.json", self._in(state), scope=READ)
        add("GET", f"{one}/customfields.json", self.fields, scope=READ)
        add("POST", f"{one}/customfields.json", self.define, scope=READ)
        add("POST", f"{PREFIX}/lists/{{client_id}}", self.make, scope=READ)

    def clients(self, call: Call) -> Reply:
        """Return whose lists may be seen."""
        clients = account_of(call, self._accounts).clients.values()
        return json_reply(
            [{"ClientID": one.client_id, "Name": one.name} for one in clients]
        )

    def now(self, call: Call) -> Reply:
        """Return the time in the account's zone."""
        now_s = account_of(call, self._accounts).clock.now()
        moment = datetime.datetime.fromtimestamp(
            now_s + self._behaviour.utc_offset_h * 3600, datetime.UTC
        )
        return json_reply({"SystemDate": moment.strftime("%Y-%m-%d %H:%M:%S")})

    def lists(self, call: Call) -> Reply:
        """Return the lists of a client."""
        lists = self._client(call).lists.values()
        return json_reply([{"ListID": one.list_id, "Name": one.title} for one in lists])

    def lists_of(self, call: Call) -> Reply:
        """Return the lists of a client that an address is on, in whatever state."""
        email = call.query().get("email", "").lower()
        found = [
            (one, one.subscribers[email])
            for one in self._client(call).lists.values()
            if email in one.subscribers
        ]
        offset = self._behaviour.utc_offset_h
        return json_reply(
            [
                {
                    "ListID": one.list_id,
                    "ListName": one.title,
                    "SubscriberState": who.state,
                    "DateSubscriberAdded": times.shown(
                        who.joined_at, utc_offset_h=offset
                    ),
                }
                for one, who in found
            ]
        )

    def fields(self, call: Call) -> Reply:
        """Return the custom fields of a list."""
        return json_reply([one.shown() for one in self._list(call).fields.values()])

    def define(self, call: Call) -> Reply:
        """Define a custom field; the answer is its key."""
        body = _new_field(call.body)
        found = self._list(call).define(body.field_name, body.data_type, body.options)
        return json_reply(found.key, 201)

    def make(self, call: Call) -> Reply:
        """Make a list; the answer is its id."""
        account, body = account_of(call, self._accounts), _new_list(call.body)
        client = account.clients.get(call.args[0].removesuffix(".json"))
        if client is None:
            raise problems.refused(problems.NOT_YOURS, status=401)
        made = account.new_list(client, body.title)
        made.unsubscribes_everywhere = body.unsubscribe_setting == "AllClientLists"
        return json_reply(made.list_id, 201)

    def _in(self, state: str) -> Handler:
        def page(call: Call) -> Reply:
            return listing.page(
                self._list(call), state, call=call, behaviour=self._behaviour
            )

        return page

    def _client(self, call: Call) -> Client:
        client = account_of(call, self._accounts).clients.get(call.args[0])
        if client is None:
            raise problems.refused(problems.NOT_YOURS, status=401)
        return client

    def _list(self, call: Call) -> List:
        return list_of(call, account_of(call, self._accounts))


def list_of(call: Call, account: Account) -> List:
    """Return the list that a path names; somebody else's is a 401."""
    found = account.lists.get(call.args[0].removesuffix(".json"))
    if found is None:
        raise problems.refused(problems.NOT_YOURS, status=401)
    return found
