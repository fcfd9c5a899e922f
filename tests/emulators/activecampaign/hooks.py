"""What ActiveCampaign pushes: forms, one for each change; nothing signs them."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from tests.emulators.activecampaign import wire
from tests.emulators.activecampaign.account import Account
from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.hooks import Hook, Request

TYPES: Final = {
    "create": "subscribe",
    "edit": "update",
    "tag": "contact_tag_added",
    "untag": "contact_tag_removed",
}
STATUSES: Final = {
    wire.ACTIVE: "subscribe",
    wire.UNSUBSCRIBED: "unsubscribe",
    wire.BOUNCED: "bounce",
}
SOURCES: Final = {"contact": "public", "user": "admin"}


class Hooks(hooks.Hooks):
    """Tells of the contacts of one account, but not of what applications do."""

    def is_told(self, line: JournalLine) -> bool:
        """Tell whether a person did it, as addresses are entered here."""
        return line.who in SOURCES

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return the form; that somebody was deleted is not told."""
        contact = account.contacts[int(line.contact_id)]
        list_id, kind = 0, TYPES.get(line.operation)
        if line.operation == "subscribe":
            list_id = int(line.fields[-1])
            kind = STATUSES.get(contact.lists[list_id].status)
        if kind is None:
            return []
        form = {
            "type": kind,
            "date_time": account.stamp(),
            "initiated_from": SOURCES[line.who],
            "initiated_by": SOURCES[line.who],
            "list": str(list_id),
            "contact[id]": str(contact.contact_id),
            "contact[email]": contact.email,
            "contact[first_name]": contact.first_name,
            "contact[last_name]": contact.last_name,
            "contact[phone]": contact.phone,
            "contact[tags]": ", ".join(account.tags[each] for each in contact.tags),
        }
        values = contact.values.items()
        return [form | {f"contact[fields][{each}]": text for each, (_, text) in values}]

    def request(self, _hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push, which proves nothing."""
        (form,) = events
        kind = "application/x-www-form-urlencoded"
        return Request(urlencode(form).encode(), {"Content-Type": kind})
