"""One account of the HubSpot emulator, where it is noon."""

import json
from collections.abc import Sequence
from typing import Any

import aiohttp

from proto.ids import ContainerId, RecordId
from services.connector.port import Call
from tests.contract import emulated_account
from tests.contract.emulator_caller import NOON
from tests.contract.hubspot_caller import CONTACTS, description
from tests.emulators.hubspot.emulator import Emulator

FOLDER = emulated_account.folder_of("hubspot")
MANIFEST = emulated_account.manifest_of("hubspot")


class Account(emulated_account.Account):
    """The emulator's only account; time stands still."""

    app_id = "hubspot"
    emulator_kind = Emulator

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        emulator.clock.freeze(NOON.timestamp())
        super().__init__(emulator, session)

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description."""
        found = description()
        if found is not None and call.body is not None:
            found.check_question(
                method=call.method, path=call.path, body=json.loads(call.body)
            )

    def asked(self) -> list[str]:
        """Return what was called since the last time, by method and place."""
        found = super().asked()
        return [
            f"{method} {path.removeprefix(CONTACTS) or '/'}"
            for method, _, path in (one.partition(" ") for one in found)
        ]

    def add(self, count: int, *, of: str = "person") -> list[RecordId]:
        """Make contacts by hand."""
        return [
            self.act("create", properties={"email": f"{of}{number}@example.org"})
            for number in range(count)
        ]

    def new_list(self, name: str, *, processing_type: Any = "MANUAL") -> ContainerId:
        """Make a list."""
        made = self.held.lists.make(
            name, now_ms=self.held.now_ms(), processing_type=processing_type
        )
        return ContainerId(made.list_id)

    def join(self, ids: Sequence[RecordId], list_id: ContainerId) -> None:
        """Put contacts on a list by hand."""
        for each in ids:
            self.act("join", contact_id=each, list_id=list_id)

    def edit(self, ids: Sequence[RecordId], **properties: str) -> None:
        """Edit contacts by hand."""
        for each in ids:
            self.act("edit", contact_id=each, properties=properties)


connected = Account.connected
