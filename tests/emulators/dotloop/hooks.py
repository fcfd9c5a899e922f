"""What Dotloop pushes: which contact changed, signed with the subscription's key."""

import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.hooks import Hook, Request
from tests.emulators.dotloop.account import Account

TYPES = {
    "create": "CONTACT_CREATED",
    "edit": "CONTACT_UPDATED",
    "delete": "CONTACT_DELETED",
}


class Hooks(hooks.Hooks):
    """Tells of the contacts of one user, whoever changes them."""

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return the event, which holds nothing of the contact but its id."""
        return [
            {
                "eventId": f"{account.account_id}-{line.number}",
                "eventType": TYPES[line.operation],
                "timestamp": int(self.clock.now() * 1000),
                "event": {"id": str(line.contact_id)},
            }
        ]

    def request(self, hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push; one to an address without a key is not signed."""
        body = msgspec.json.encode(events[0])
        stamp = str(int(self.clock.now()))
        headers = {"Content-Type": "application/json", "X-DOTLOOP-TIMESTAMP": stamp}
        if hook.secret:
            text = stamp.encode() + b"." + body
            signed = hmac.digest(hook.secret.encode(), text, "sha1")
            headers["X-DOTLOOP-SIGNATURE"] = signed.hex()
        return Request(body, headers)
