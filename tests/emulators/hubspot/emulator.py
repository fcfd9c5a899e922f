"""HubSpot as one object, and how to run it."""

from collections.abc import Mapping

from tests.emulators.core import emulator
from tests.emulators.core.access import Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import Grant
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.admin import AccountAdmin
from tests.emulators.hubspot.batches import Batches
from tests.emulators.hubspot.contacts import Contacts
from tests.emulators.hubspot.general import General
from tests.emulators.hubspot.guard import Guard
from tests.emulators.hubspot.hooks import Hooks
from tests.emulators.hubspot.lists import Lists
from tests.emulators.hubspot.properties import Properties
from tests.emulators.hubspot.searching import Searching
from tests.emulators.hubspot.settings import Settings

AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/v1/token"
SCOPES = frozenset(
    "oauth crm.objects.contacts.read crm.objects.contacts.write"
    " crm.schemas.contacts.read crm.schemas.contacts.write"
    " crm.lists.read crm.lists.write communication_preferences.read_write".split()
)


def _more(grant: Grant) -> Mapping[str, object]:
    return {
        "token_use": "access_token",
        "hub_id": int(grant.account_id),
        "scopes": sorted(grant.scopes),
    }


class Emulator(emulator.Emulator[Account]):
    """HubSpot with its accounts."""

    vendor = Vendor(
        name="HubSpot",
        authorize_path=AUTHORIZE_PATH,
        token_path=TOKEN_PATH,
        scopes=SCOPES,
        dialect=Dialect(
            response_types=("", "code"),
            takes_secret_in_body=True,
            tells_scopes=False,
            more=_more,
        ),
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    hooks_kind = Hooks

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        # Before the contacts, whose ids could be any word.
        for resource in (Batches, Searching, Contacts, Lists, General):
            resource(self.accounts).register(router)
        Properties(lambda one: self.accounts[one].properties).register(router)

    def guard(self) -> Guard:
        """Return the door, which counts searches by themselves."""
        searches = Limiter(self.clock, self.settings.search_limits)
        return Guard(self.server, self.limiter, searches)
