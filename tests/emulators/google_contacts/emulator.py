"""Google Contacts as one object, and how to run it."""

from tests.emulators.core import emulator
from tests.emulators.core.access import Access, Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router
from tests.emulators.core.limits import Limiter
from tests.emulators.google_contacts import guard, problems
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.admin import AccountAdmin
from tests.emulators.google_contacts.asking import EMAIL, READ, WRITE
from tests.emulators.google_contacts.doors import OFFLINE, Doors
from tests.emulators.google_contacts.guard import Guard
from tests.emulators.google_contacts.labels import Labels
from tests.emulators.google_contacts.listing import Listing
from tests.emulators.google_contacts.people import People
from tests.emulators.google_contacts.settings import Settings

AUTHORIZE_PATH = "/o/oauth2/v2/auth"
TOKEN_PATH = "/token"
SCOPES = frozenset({WRITE, READ, EMAIL})


class Emulator(emulator.Emulator[Account]):
    """Google Contacts with its accounts."""

    vendor = Vendor(
        name="Google",
        authorize_path=AUTHORIZE_PATH,
        token_path=TOKEN_PATH,
        scopes=SCOPES | {OFFLINE},
        usual_scopes=frozenset({WRITE, EMAIL, OFFLINE}),
        offline_scope=OFFLINE,
        dialect=Dialect(takes_secret_in_body=True, repeats_refresh_token=False),
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    probe = "/v1/people/me?personFields=metadata"

    def register(self, router: Router) -> None:
        """Put the resources on their paths, and the doors in the vendor's ways."""
        access = Access(
            self.server,
            vendor=self.vendor.name,
            scopes=self.vendor.scopes,
            accounts=lambda: [(a.account_id, a.name) for a in self.accounts.values()],
            dialect=self.vendor.dialect,
        )
        Doors(access).register(router, authorize=AUTHORIZE_PATH, token=TOKEN_PATH)
        for resource in (People, Listing, Labels):
            resource(self.accounts).register(router)

    def guard(self) -> Guard:
        """Return the door, which counts each kind of call by itself."""
        quotas = {
            guard.PEOPLE: self.limiter,
            guard.GROUPS: Limiter(self.clock, self.settings.group_limits),
            guard.WRITES: Limiter(self.clock, self.settings.write_limits),
            guard.FULL_SYNCS: Limiter(self.clock, self.settings.full_sync_limits),
        }
        return Guard(self.server, quotas, self.behaviour)
