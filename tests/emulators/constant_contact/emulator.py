"""Constant Contact as one object, and how to run it."""

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.admin import AccountAdmin
from tests.emulators.constant_contact.contacts import Contacts
from tests.emulators.constant_contact.custom_fields import CustomFields
from tests.emulators.constant_contact.general import General
from tests.emulators.constant_contact.guard import Guard
from tests.emulators.constant_contact.imports import Imports
from tests.emulators.constant_contact.lists import ContactLists
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.constant_contact.tags import Tags
from tests.emulators.core import emulator
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router

AUTHORIZE_PATH = "/oauth2/default/v1/authorize"
TOKEN_PATH = "/oauth2/default/v1/token"
SCOPES = frozenset(
    "account_read account_update billing_data campaign_data contact_data"
    " offline_access".split()
)


class Emulator(emulator.Emulator[Account]):
    """Constant Contact with its accounts."""

    vendor = Vendor(
        name="Constant Contact",
        authorize_path=AUTHORIZE_PATH,
        token_path=TOKEN_PATH,
        scopes=SCOPES,
        usual_scopes=frozenset({"contact_data", "account_read", "offline_access"}),
        offline_scope="offline_access",
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Contacts(self.accounts, self.behaviour).register(router)
        for resource in (ContactLists, Tags, CustomFields, General, Imports):
            resource(self.accounts).register(router)

    def guard(self) -> Guard:
        """Return the door, which counts by application."""
        return Guard(self.server, self.limiter, problems.plain)
