"""What Pipedrive pushes (webhooks v2): a person, and what was done to them."""

import base64
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.emulators.core import hooks
from tests.emulators.core.account import JournalLine
from tests.emulators.core.clock import stamp
from tests.emulators.core.hooks import Hook, Request
from tests.emulators.pipedrive.account import Account

USER = "pushed"
"""Who calls an address that was entered with a password."""
WEBHOOK_ID = 4_201


class Hooks(hooks.Hooks):
    """Tells of the persons of one company, each change by itself."""

    def events_of(self, account: Account, line: JournalLine) -> Iterable[object]:
        """Return the change; who was merged away was deleted."""
        person = account.persons[int(line.contact_id)]
        action = "create" if line.operation == "create" else "change"
        if person.is_deleted:
            action = "delete"
        shown = {
            "id": person.id,
            "name": person.name,
            "owner_id": person.owner_id,
            "emails": person.emails,
            "phones": person.phones,
            "label_ids": person.label_ids,
            "update_time": stamp(int(person.updated_at)),
            "custom_fields": person.custom,
        }
        meta = {
            "action": action,
            "attempt": 1,
            "change_source": "api" if line.who == "api" else "app",
            "company_id": account.account_id,
            "entity": "person",
            "entity_id": str(person.id),
            "id": f"{account.account_id}-{line.number}",
            "timestamp": line.at,
            "user_id": "1",
            "version": "2.0",
            "webhook_id": str(WEBHOOK_ID),
        }
        is_there = action != "delete"
        return [
            {
                "data": shown if is_there else None,
                "previous": {} if is_there else shown,
                "meta": meta,
            }
        ]

    def request(self, hook: Hook, events: Sequence[Any]) -> Request:
        """Return the push; it proves nothing but that it knows a password, if any."""
        headers = {"Content-Type": "application/json"}
        if hook.secret:
            told = base64.b64encode(f"{USER}:{hook.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {told}"
        return Request(msgspec.json.encode(events[0]), headers)
