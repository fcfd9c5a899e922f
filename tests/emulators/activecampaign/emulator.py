"""ActiveCampaign as one object, and how to run it."""

from tests.emulators.activecampaign import problems
from tests.emulators.activecampaign.account import Account
from tests.emulators.activecampaign.admin import AccountAdmin
from tests.emulators.activecampaign.contacts import ANY, Contacts
from tests.emulators.activecampaign.guard import Guard
from tests.emulators.activecampaign.hooks import Hooks
from tests.emulators.activecampaign.relations import Relations
from tests.emulators.activecampaign.settings import Settings
from tests.emulators.core import emulator
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router


class Emulator(emulator.Emulator[Account]):
    """ActiveCampaign with its accounts."""

    vendor = Vendor(
        name="ActiveCampaign",
        key_header="Api-Token",
        stranger_status=403,
        scopes=frozenset({ANY}),
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    hooks_kind = Hooks

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Contacts(self.accounts, self.behaviour).register(router)
        Relations(self.accounts).register(router)

    def guard(self) -> Guard:
        """Return the door."""
        return Guard(self.server, self.limiter, problems.plain)
