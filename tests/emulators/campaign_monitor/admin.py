"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct, to_builtins

from tests.emulators.campaign_monitor import problems
from tests.emulators.campaign_monitor.account import Account, id_of
from tests.emulators.campaign_monitor.book import List, State, Subscriber
from tests.emulators.campaign_monitor.values import Asked, Entry
from tests.emulators.core import accounts

STATES: dict[str, State] = {
    "delete": "Deleted",
    "bounce": "Bounced",
    "await": "Unconfirmed",
    "confirm": "Active",
}


class Seed(Struct, kw_only=True, forbid_unknown_fields=True):
    """A subscriber to put on a list; by default on the first one."""

    email: str
    name: str = ""
    values: dict[str, str] = {}
    """By the keys of custom fields."""
    consent_to_track: Literal["Yes", "No"] = "No"
    list_id: str = ""


class Change(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a user changes of a subscriber; an empty text empties."""

    email: str = ""
    name: str | None = None
    values: dict[str, str] = {}
    consent_to_track: Literal["Yes", "No", "Unchanged"] = "Unchanged"


class OnSubscriber(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the subscriber by list and address."""

    contact_id: str


class Subscribe(Struct, kw_only=True, tag_field="act", tag="subscribe"):
    """Subscribe by a form, for the first time or again."""

    subscriber: Seed


class Edit(OnSubscriber, kw_only=True, tag_field="act", tag="edit"):
    """Change somebody in the vendor's pages."""

    changes: Change


class Unsubscribe(OnSubscriber, kw_only=True, tag_field="act", tag="unsubscribe"):
    """Follow the link in a mail."""


class Delete(OnSubscriber, kw_only=True, tag_field="act", tag="delete"):
    """Delete somebody in the vendor's pages."""


class Bounce(OnSubscriber, kw_only=True, tag_field="act", tag="bounce"):
    """Have mail come back too often."""


class Await(OnSubscriber, kw_only=True, tag_field="act", tag="await"):
    """Have somebody be asked whether it was them."""


class Confirm(OnSubscriber, kw_only=True, tag_field="act", tag="confirm"):
    """Say that it was."""


Act = Subscribe | Edit | Unsubscribe | Delete | Bounce | Await | Confirm


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = Seed
    act_kind = Act

    def put(self, account: Account, seed: Seed) -> str:
        """Put one subscriber on a list."""
        return _subscribe(account, seed, who="seed")

    def perform(self, account: Account, act: Act) -> str:
        """Do one act."""
        if isinstance(act, Subscribe):
            return _subscribe(account, act.subscriber, who="user")
        one, found = subscriber_of(account, act.contact_id)
        match act:
            case Edit():
                account.change(one, found, _asked(act.changes), who="user")
            case Unsubscribe():
                account.unsubscribe(one, found, who="user")
            case _:
                state = STATES[str(act.__struct_config__.tag)]
                account.move(one, found, state=state, who="user")
        return id_of(one, found)

    def contacts_of(self, account: Account) -> Sequence[dict[str, Any]]:
        """Return every subscriber of every list, deleted ones too."""
        return [
            {"contact_id": id_of(one, each), **to_builtins(each)}
            for one in account.lists.values()
            for each in one.subscribers.values()
        ]

    def figures(self, account: Account) -> dict[str, object]:
        """Return the lists with how many are on each."""
        return {
            "lists": [
                {
                    "list_id": one.list_id,
                    "title": one.title,
                    "subscribers": len(one.subscribers),
                }
                for one in account.lists.values()
            ]
        }


def subscriber_of(account: Account, contact_id: str) -> tuple[List, Subscriber]:
    """Return a subscriber by list and address, with the list."""
    list_id, _, email = contact_id.partition("/")
    one = account.lists.get(list_id)
    found = one.subscribers.get(email) if one else None
    if one is None or found is None:
        raise problems.refused(problems.NOT_IN_LIST)
    return one, found


def _subscribe(account: Account, seed: Seed, *, who: str) -> str:
    lists = account.lists
    one = lists.get(seed.list_id) if seed.list_id else next(iter(lists.values()))
    if one is None:
        raise problems.refused(problems.NOT_YOURS)
    asked = _asked(
        Change(
            email=seed.email,
            name=seed.name,
            values=seed.values,
            consent_to_track=seed.consent_to_track,
        )
    )
    return id_of(one, account.subscribe(one, asked, who=who))


def _asked(change: Change) -> Asked:
    return Asked(
        email=change.email,
        name=change.name,
        entries=[
            Entry(key=key, value=text, clear=not text)
            for key, text in change.values.items()
        ],
        consent_to_track=change.consent_to_track,
    )
