"""One account of the Campaign Monitor emulator, with its own page size."""

from proto.ids import RecordId
from tests.contract import emulated_account
from tests.emulators.campaign_monitor.book import List, Subscriber
from tests.emulators.campaign_monitor.emulator import Emulator

FOLDER = emulated_account.folder_of("campaign_monitor")
MANIFEST = emulated_account.manifest_of("campaign_monitor")


def email_of(number: int) -> str:
    """Return the address of one of many; their order is not that of the numbers."""
    return f"p{number * 7_919 % 100_003:06}@example.org"


class Account(emulated_account.Account):
    """The emulator's only account, with one list at first."""

    app_id = "campaign_monitor"
    emulator_kind = Emulator
    api_path = "/api/v3.3"

    @property
    def main_list(self) -> List:
        """Return the first list."""
        return next(iter(self.held.lists.values()))

    def add(self, count: int, *, start: int = 0) -> list[RecordId]:
        """Have people subscribe to the first list."""
        numbers = range(start, start + count)
        return self.seed([{"email": email_of(n), "name": f"P {n}"} for n in numbers])

    def subscriber(self, email: str) -> Subscriber:
        """Return a subscriber of the first list, as the vendor keeps them."""
        return self.main_list.subscribers[email]


connected = Account.connected
