"""One account of the Constant Contact emulator, with its lists, tags and fields."""

from collections.abc import Iterable
from typing import Any

from proto.ids import RecordId
from proto.record import Record
from tests.contract import emulated_account
from tests.emulators.constant_contact.emulator import Emulator

LONG_AGO = "2020-01-01T00:00:00Z"


class Account(emulated_account.Account):
    """The emulator's only account."""

    app_id = "constant_contact"
    emulator_kind = Emulator
    api_path = "/v3"

    async def define(self, label: str, **about: object) -> None:
        """Define a custom field, as the account's staff would."""
        await self._ask("POST", "contact_custom_fields", {"label": label, **about})

    async def tag(self, name: str) -> str:
        """Make a tag, as the account's staff would; return its id."""
        return (await self._ask("POST", "contact_tags", {"name": name}))["tag_id"]

    def tags(self) -> dict[str, str]:
        """Return the account's tags: ids by name."""
        return {one.name: tag_id for tag_id, one in self.held.tags.items()}

    async def delete_tag(self, name: str) -> None:
        """Delete a tag, as the account's staff would."""
        await self._ask("DELETE", f"contact_tags/{self.tags()[name]}")

    async def rename_tag(self, name: str, *, to: str) -> None:
        """Give a tag another name, as the account's staff would."""
        await self._ask("PUT", f"contact_tags/{self.tags()[name]}", {"name": to})

    async def new_list(self, name: str) -> str:
        """Make a list; return its id."""
        return (await self._ask("POST", "contact_lists", {"name": name}))["list_id"]

    def contact(self, email: str) -> dict[str, Any]:
        """Return a contact whole, as the vendor keeps it."""
        for shown in self.shown():
            one = shown["contact"]
            if one.get("email_address", {}).get("address") == email:
                return one
        raise AssertionError("there is no such contact")

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self._base_url}/{path}"
        async with self._session.request(
            method, url, json=body, headers=self._headers
        ) as response:
            assert response.status < 300, await response.text()
            return await response.json()


connected = Account.connected


def people(numbers: Iterable[int]) -> list[dict]:
    return [
        {
            "email_address": {
                "address": f"person{number}@example.org",
                "permission_to_send": "implicit",
            },
            "first_name": "Person",
            "last_name": str(number),
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
        }
        for number in numbers
    ]


def by_email(records: dict[RecordId, Record]) -> dict[object, Record]:
    return {one.fields["email"]: one for one in records.values()}
