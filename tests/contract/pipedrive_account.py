"""One account of the Pipedrive emulator, with its own page size."""

import json

from proto.ids import RecordId
from services.connector.port import Call
from tests.contract import emulated_account
from tests.contract.pipedrive_caller import description
from tests.emulators.pipedrive.account import Person
from tests.emulators.pipedrive.emulator import Emulator

FOLDER = emulated_account.folder_of("pipedrive")
MANIFEST = emulated_account.manifest_of("pipedrive")


class Account(emulated_account.Account):
    """The emulator's only account."""

    app_id = "pipedrive"
    emulator_kind = Emulator
    api_path = "/api/v2"

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description."""
        found = description()
        if found is not None and call.body is not None:
            found.check_question(
                method=call.method, path=call.path, body=json.loads(call.body)
            )

    def add(self, count: int, **more: object) -> list[RecordId]:
        """Add persons as a user does."""
        return self.seed(
            [
                {
                    "name": f"Person {number}",
                    "emails": [{"value": f"p{number}@example.org", "primary": True}],
                    **more,
                }
                for number in range(count)
            ]
        )

    def person(self, record_id: RecordId) -> Person:
        """Return a person as the vendor keeps them."""
        found: Person = self.held.persons[int(record_id)]
        return found


connected = Account.connected
