"""People whom Constant Contact may import, and an account that imports them."""

from collections.abc import Callable
from typing import Any

from proto.record import Consent
from services.connector.port import BatchResult, Call, NewRecord
from tests.contract import constant_contact_account

IMPORT = "/activities/contacts_json_import"
SOME = 30
LIST = "d1000001-0000-4000-8000-000000000001"
YES = Consent.SUBSCRIBED


class Account(constant_contact_account.Account):
    """An account whose vendor's time passes while the app waits."""

    before: Callable[[Call], Any] | None = None
    """Called before each call, for what happens in between."""

    def check(self, call: Call) -> None:
        self.emulator.clock.advance(call.wait_s)
        if self.before is not None:
            self.before(call)

    @property
    def default_list(self) -> str:
        return self.held.default_list.list_id

    def new(self, number: int, **fields: Any) -> NewRecord:
        """Return somebody who may be imported."""
        return new_person(number, lists=(self.default_list,), **fields)

    def some(self, count: int = SOME) -> list[NewRecord]:
        return [self.new(number) for number in range(count)]

    async def make(self, news: list[NewRecord]) -> tuple[BatchResult, ...]:
        return await self.run(self.app.create_many(news))

    def emails(self) -> set[str]:
        """Return who is there."""
        return {
            one["contact"]["email_address"]["address"]
            for one in self.shown()
            if "deleted_at" not in one["contact"]
        }

    def posts(self) -> list[str]:
        return [call.path for call in self.calls if call.is_write]


connected = Account.connected


def new_person(
    number: int, *, lists: tuple[str, ...] = (LIST,), **fields: Any
) -> NewRecord:
    own = {"email": email_of(number), "first_name": "Person", **fields}
    return NewRecord(fields=own, consent=YES, containers=lists)


def email_of(number: int) -> str:
    return f"person{number}@example.org"
