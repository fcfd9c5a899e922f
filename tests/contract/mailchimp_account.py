"""One account of the Mailchimp emulator, where it is noon."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import aiohttp

from proto.ids import RecordId
from services.connector.port import Call
from tests.contract import emulated_account
from tests.contract.emulator_caller import NOON
from tests.contract.mailchimp_caller import description
from tests.emulators.mailchimp.emulator import Emulator
from tests.emulators.mailchimp.wire import Member

FOLDER = emulated_account.folder_of("mailchimp")
MANIFEST = emulated_account.manifest_of("mailchimp")


class Account(emulated_account.Account):
    """The emulator's only account; time stands still."""

    app_id = "mailchimp"
    emulator_kind = Emulator
    api_path = "/3.0"

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        emulator.clock.freeze(NOON.timestamp())
        super().__init__(emulator, session)
        (self.list_id,) = self.held.audiences

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description."""
        found = description()
        if found is None or not call.path.startswith("/lists/"):
            return
        body = None if call.body is None else json.loads(call.body)
        path = f"{call.path}?{urlencode(call.query)}"
        found.check_question(method=call.method, path=path, body=body)

    def asked(self) -> list[str]:
        """Return what was called since the last time, without the audience's id."""
        found = [one.replace(self.list_id, "*") for one in super().asked()]
        return [one.replace("/lists/*/members", "members") for one in found]

    def add(self, count: int, *, of: str = "person", **more: Any) -> list[RecordId]:
        """Seed members who were there long ago."""
        more.setdefault("last_changed", "2026-03-01T00:00:00+00:00")
        return self.seed(
            [
                {"email_address": f"{of}{number}@example.org"} | more
                for number in range(count)
            ]
        )

    def edit(self, ids: Sequence[RecordId], **merge_fields: Any) -> None:
        """Edit members by hand."""
        for each in ids:
            changes = {"merge_fields": merge_fields}
            self.act("edit", contact_id=each, changes=changes)

    def member(self, record_id: RecordId) -> Member:
        """Return a member as the vendor keeps them."""
        list_id, _, contact_id = record_id.partition("/")
        found: Member = self.held.audiences[list_id].members[contact_id]
        return found


connected = Account.connected
