"""One account of the ActiveCampaign emulator, where it is noon."""

import json
from collections.abc import Sequence
from typing import Any

import aiohttp

from proto.ids import RecordId
from services.connector.port import Call
from tests.contract import emulated_account
from tests.contract.activecampaign_caller import description
from tests.contract.emulator_caller import NOON
from tests.emulators.activecampaign.contacts import PREFIX
from tests.emulators.activecampaign.emulator import Emulator
from tests.emulators.activecampaign.wire import Contact

FOLDER = emulated_account.folder_of("activecampaign")
MANIFEST = emulated_account.manifest_of("activecampaign")
AGE_S = 9 * 86_400.0


class Account(emulated_account.Account):
    """The emulator's only account; time stands still."""

    app_id = "activecampaign"
    emulator_kind = Emulator

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        emulator.clock.freeze(NOON.timestamp())
        super().__init__(emulator, session)

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description."""
        found = description()
        if found is not None and call.body is not None:
            found.check_question(
                method=call.method,
                path=call.path.removeprefix(PREFIX),
                body=json.loads(call.body),
            )

    def asked(self) -> list[str]:
        """Return what was called since the last time, without the path's beginning."""
        return [one.replace(PREFIX, "") for one in super().asked()]

    def add(self, count: int, *, of: str = "person", **more: Any) -> list[RecordId]:
        """Seed contacts who were there long ago."""
        more.setdefault("age_s", AGE_S)
        people = [
            {"email": f"{of}{number}@example.org"} | _camel(more)
            for number in range(count)
        ]
        return self.seed(people)

    def edit(self, ids: Sequence[RecordId], **changes: Any) -> None:
        """Edit contacts by hand."""
        for each in ids:
            self.act("edit", contact_id=int(each), changes=changes)

    def contact(self, record_id: RecordId) -> Contact:
        """Return a contact as the vendor keeps it."""
        found: Contact = self.held.contacts[int(record_id)]
        return found


def _camel(names: dict[str, Any]) -> dict[str, Any]:
    return {"ageS" if name == "age_s" else name: value for name, value in names.items()}


connected = Account.connected
