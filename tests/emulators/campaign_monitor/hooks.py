"""What Campaign Monitor pushes: up to 1,000 events of one list; nothing signs them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from tests.emulators.campaign_monitor import times
from tests.emulators.campaign_monitor.account import CHANGE, Account
from tests.emulators.campaign_monitor.listing import values_shown
from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.hooks import Hook, Request

LEFT: Final = ("Unsubscribed", "Bounced", "Deleted")


class Event(NamedTuple):
    """What became of somebody on a list."""

    list_id: str
    told: dict[str, Any]


class Hooks(hooks.Hooks):
    """Tells of all lists of a login, and of what applications do, too."""

    events_max = 1_000

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return the event; who has yet to confirm is not told of."""
        list_id, _, email = str(line.contact_id).partition("/")
        who = account.lists[list_id].subscribers[email]
        told: dict[str, Any] = {"State": who.state}
        if line.operation == CHANGE:
            (old_email,) = line.fields
            told |= {"Type": "Update", "OldEmailAddress": old_email}
        elif who.state == "Active":
            told = {"Type": "Subscribe", "SignupIPAddress": "TypeManual"}
        elif who.state in LEFT:
            told |= {"Type": "Deactivate"}
        else:
            return []
        offset = account.behaviour.utc_offset_h
        told |= {
            "Date": times.shown(account.clock.now(), utc_offset_h=offset),
            "EmailAddress": who.email,
            "Name": who.name,
            "CustomFields": values_shown(who),
        }
        return [Event(list_id, told)]

    def go_together(self, first: Event, event: Event) -> bool:
        """Tell whether two events are of one list, which a push names once."""
        return first.list_id == event.list_id

    def request(self, _hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push, which proves nothing."""
        body = {"Events": [one.told for one in events], "ListID": events[0].list_id}
        kind = "application/json; charset=utf-8"
        return Request(msgspec.json.encode(body), {"Content-Type": kind})
