"""One account of the Dotloop emulator, with its own page size."""

from tests.contract import emulated_account
from tests.emulators.dotloop.emulator import Emulator

FOLDER = emulated_account.folder_of("dotloop")
MANIFEST = emulated_account.manifest_of("dotloop")


class Account(emulated_account.Account):
    """The emulator's only account."""

    app_id = "dotloop"
    emulator_kind = Emulator
    api_path = "/public/v2"

    def add(self, count: int) -> list[int]:
        """Add contacts as the user does."""
        return [
            int(
                self.act(
                    "create",
                    contact={
                        "firstName": f"Person {number}",
                        "email": f"p{number}@example.org",
                    },
                )
            )
            for number in range(count)
        ]

    def edit(self, contact_id: int, **texts: str) -> None:
        """Edit a contact as the user does."""
        self.act("edit", contact_id=contact_id, changes=texts)

    def delete(self, contact_id: int) -> None:
        """Delete a contact as the user does."""
        self.act("delete", contact_id=contact_id)


connected = Account.connected
