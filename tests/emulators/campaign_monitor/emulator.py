"""Campaign Monitor as one object, and how to run it."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.emulators.campaign_monitor import problems
from tests.emulators.campaign_monitor.account import Account
from tests.emulators.campaign_monitor.admin import AccountAdmin
from tests.emulators.campaign_monitor.lists import Lists
from tests.emulators.campaign_monitor.settings import Settings
from tests.emulators.campaign_monitor.subscribers import Subscribers
from tests.emulators.core import emulator
from tests.emulators.core.access import Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router

SCOPES = frozenset(
    "ViewReports ManageLists CreateCampaigns ImportSubscribers SendCampaigns"
    " ViewSubscribersInReports ManageTemplates AdministerPersons AdministerAccount"
    " ViewTransactional SendTransactional Automation".split()
)


class Emulator(emulator.Emulator[Account]):
    """Campaign Monitor with its accounts."""

    vendor = Vendor(
        name="Campaign Monitor",
        authorize_path="/oauth",
        token_path="/oauth/token",
        scopes=SCOPES,
        usual_scopes=frozenset({"ManageLists", "ImportSubscribers"}),
        dialect=Dialect(
            scope_separator=",",
            # It is asked by a parameter of its own.
            response_types=("", "code"),
            takes_secret_in_body=True,
            is_client_known_by_refresh_token=True,
            tells_scopes=False,
            refuses_with=200,
        ),
        plain=problems.plain,
    )
    settings_kind = Settings
    admin_kind = AccountAdmin

    def new_account(self, name: str, *, number: int) -> Account:
        """Return a fresh account, with one client and one list."""
        return Account(
            name,
            number=number,
            clock=self.clock,
            statistics=self.statistics,
            behaviour=self.behaviour,
        )

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Lists(self.accounts, self.behaviour).register(router)
        Subscribers(self.accounts, self.behaviour).register(router)


def running(
    settings: Settings | None = None, **place: Any
) -> AbstractAsyncContextManager[Emulator]:
    """Run an emulator until the block ends."""
    return emulator.serving(Emulator(settings or Settings()), **place)
