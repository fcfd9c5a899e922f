"""Campaign Monitor as one object, and how to run it."""

from tests.emulators.campaign_monitor import problems
from tests.emulators.campaign_monitor.account import Account
from tests.emulators.campaign_monitor.admin import AccountAdmin
from tests.emulators.campaign_monitor.hooks import Hooks
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
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    hooks_kind = Hooks

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Lists(self.accounts, self.behaviour).register(router)
        Subscribers(self.accounts, self.behaviour).register(router)
