"""One login: its clients with their lists, and what happens to subscribers."""

import hashlib
from typing import Final

from tests.emulators.campaign_monitor import problems
from tests.emulators.campaign_monitor.book import Client, List, State, Subscriber
from tests.emulators.campaign_monitor.settings import Behaviour
from tests.emulators.campaign_monitor.values import Asked, changed
from tests.emulators.core import account
from tests.emulators.core.account import Opening

MAIN_LIST: Final = "Main list"
CHANGE: Final = "change"
"""The operation whose line in the journal tells the address that there was before."""


class Account(account.Account[Behaviour]):
    """What somebody who logs in may see."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        super().__init__(opening, account_id=f"login-{opening.number}")
        self.clients: dict[str, Client] = {}
        self._made = 0
        self.new_list(self.new_client(self.name), MAIN_LIST)

    @property
    def lists(self) -> dict[str, List]:
        """Return the lists of all clients."""
        return {
            list_id: one
            for client in self.clients.values()
            for list_id, one in client.lists.items()
        }

    def new_client(self, name: str) -> Client:
        """Take on a client."""
        client = Client(client_id=self._new_id(), name=name)
        self.clients[client.client_id] = client
        return client

    def new_list(self, client: Client, title: str) -> List:
        """Make a list."""
        made = List(list_id=self._new_id(), title=title)
        client.lists[made.list_id] = made
        return made

    def client_of(self, one: List) -> Client:
        """Return whose list it is."""
        return next(
            client for client in self.clients.values() if one.list_id in client.lists
        )

    def subscribe(self, one: List, asked: Asked, *, who: str) -> Subscriber:
        """Put somebody on a list; who was on it, in whatever state, is active now."""
        now = self.clock.now()
        key = asked.email.lower()
        found = one.subscribers.get(key)
        if found is not None and found.state == "Active":
            self._apply(one, found, asked)
            self._note(one, found, who=who, operation=CHANGE, fields=(found.email,))
            return found
        if found is None:
            found = Subscriber(
                email=asked.email, state="Active", changed_at=now, joined_at=now
            )
            one.subscribers[key] = found
        found.state, found.changed_at = "Active", now
        self._apply(one, found, asked)
        self._note(one, found, who=who, operation="subscribe")
        return found

    def change(
        self, one: List, subscriber: Subscriber, asked: Asked, *, who: str
    ) -> None:
        """Change what is mentioned; with another address it is another key."""
        old_email = subscriber.email
        if asked.email and asked.email != old_email:
            key = asked.email.lower()
            other = one.subscribers.get(key)
            if other is not None and other is not subscriber:
                raise problems.refused(problems.TAKEN)
            del one.subscribers[old_email.lower()]
            subscriber.email = asked.email
            one.subscribers[key] = subscriber
        self._apply(one, subscriber, asked)
        self._note(one, subscriber, who=who, operation=CHANGE, fields=(old_email,))

    def move(
        self, one: List, subscriber: Subscriber, *, state: State, who: str
    ) -> None:
        """Have somebody be in another state from now on."""
        if subscriber.state != state:
            subscriber.state, subscriber.changed_at = state, self.clock.now()
            self._note(one, subscriber, who=who, operation=state.lower())

    def unsubscribe(self, one: List, subscriber: Subscriber, *, who: str) -> None:
        """Have somebody say no to a list, or by its setting to all of the client."""
        lists = [one]
        if one.unsubscribes_everywhere:
            lists = [*self.client_of(one).lists.values()]
        for each in lists:
            found = each.subscribers.get(subscriber.email.lower())
            if found is not None and found.state in ("Active", "Unconfirmed"):
                self.move(each, found, state="Unsubscribed", who=who)

    def _apply(self, one: List, subscriber: Subscriber, asked: Asked) -> None:
        if asked.name is not None:
            subscriber.name = asked.name
        if asked.consent_to_track in ("Yes", "No"):
            subscriber.consent_to_track = asked.consent_to_track
        subscriber.values = changed(
            subscriber.values,
            asked.entries,
            fields=one.fields,
            adds_options=self.behaviour.adds_options,
        )

    def _note(
        self,
        one: List,
        subscriber: Subscriber,
        *,
        who: str,
        operation: str,
        fields: tuple[str, ...] = (),
    ) -> None:
        one.sorted.clear()
        self.note(
            subscriber,
            contact_id=id_of(one, subscriber),
            who=who,
            operation=operation,
            fields=fields,
        )

    def _new_id(self) -> str:
        self._made += 1
        text = f"{self.account_id} {self._made}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def id_of(one: List, subscriber: Subscriber) -> str:
    """Return what tells a subscriber from all others: the list and the address."""
    return f"{one.list_id}/{subscriber.email.lower()}"
