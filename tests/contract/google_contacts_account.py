"""One account of the Google Contacts emulator, where it is noon."""

import json
from typing import Any
from urllib.parse import urlencode

import aiohttp

from proto.ids import RecordId
from services.connector.port import Call
from tests.contract import emulated_account
from tests.contract.emulator_caller import NOON
from tests.contract.google_contacts_caller import description
from tests.emulators.google_contacts.emulator import Emulator


class Account(emulated_account.Account):
    """The emulator's only account; time stands still."""

    app_id = "google_contacts"
    emulator_kind = Emulator
    api_path = "/v1"

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        emulator.clock.freeze(NOON.timestamp())
        super().__init__(emulator, session)

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description."""
        if (found := description()) is not None:
            path = f"{self.api_path}{call.path}?{urlencode(call.query)}"
            body = None if call.body is None else json.loads(call.body)
            found.check_question(method=call.method, path=path, body=body)

    def add(self, email: str = "", **fields: Any) -> RecordId:
        """Make a contact by hand."""
        if email:
            fields["emailAddresses"] = [{"value": email}]
        return self.act("create", person=fields)


connected = Account.connected
