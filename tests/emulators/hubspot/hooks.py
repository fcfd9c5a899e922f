"""What HubSpot pushes: arrays of events, signed with the client's secret (v3)."""

import base64
import hmac
import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.clock import Clock
from tests.emulators.core.hooks import Hook, Request
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import ALWAYS_SHOWN

APP_ID = 1_160_452
SUBSCRIPTION_ID = 25
PROPERTY_CHANGE = "propertyChange"
TYPES = {
    "create": "creation",
    "change": PROPERTY_CHANGE,
    "unsubscribe": PROPERTY_CHANGE,
    "archive": "deletion",
    "restore": "restore",
    "merge": "merge",
}
SOURCES = {"user": "CRM_UI", "api": "INTEGRATION"}


class Hooks(hooks.Hooks):
    """Tells of every account, as an application's subscriptions do."""

    events_max = 100
    is_for_all = True

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._numbers = itertools.count(100)

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return one event, or one for each property that changed."""
        kind = TYPES[line.operation]
        event = {
            "subscriptionId": SUBSCRIPTION_ID,
            "portalId": account.portal_id,
            "appId": APP_ID,
            "occurredAt": account.now_ms(),
            "subscriptionType": f"contact.{kind}",
            "attemptNumber": 0,
            "objectId": int(line.contact_id),
            "changeSource": SOURCES[line.who],
        }
        if kind != PROPERTY_CHANGE:
            return [event | {"eventId": next(self._numbers)}]
        held = account.book.by_id[str(line.contact_id)].properties
        return [
            event
            | {
                "eventId": next(self._numbers),
                "propertyName": name,
                "propertyValue": held.get(name, ""),
            }
            for name in line.fields
            if name not in ALWAYS_SHOWN
        ]

    def request(self, hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push that tells an address of events."""
        body = msgspec.json.encode(events)
        stamp = str(int(self.clock.now() * 1000))
        text = b"POST" + hook.url.encode() + body + stamp.encode()
        signed = hmac.digest(hook.secret.encode(), text, "sha256")
        return Request(
            body,
            {
                "Content-Type": "application/json",
                "X-HubSpot-Request-Timestamp": stamp,
                "X-HubSpot-Signature-v3": base64.b64encode(signed).decode(),
            },
        )
