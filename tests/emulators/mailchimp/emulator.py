"""Mailchimp as one object, and how to run it."""

from tests.emulators.core import emulator
from tests.emulators.core.access import Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router
from tests.emulators.mailchimp import problems
from tests.emulators.mailchimp.account import Account
from tests.emulators.mailchimp.admin import AccountAdmin
from tests.emulators.mailchimp.doors import AUTHORIZE_PATH, TOKEN_PATH, Metadata
from tests.emulators.mailchimp.guard import CrowdedHost, Guard
from tests.emulators.mailchimp.hooks import Hooks
from tests.emulators.mailchimp.lists import Lists
from tests.emulators.mailchimp.members import ANY, Members
from tests.emulators.mailchimp.settings import Settings

SCOPES = frozenset({ANY})


class Emulator(emulator.Emulator[Account]):
    """Mailchimp with its accounts."""

    vendor = Vendor(
        name="Mailchimp",
        authorize_path=AUTHORIZE_PATH,
        token_path=TOKEN_PATH,
        scopes=SCOPES,
        # Nobody gets this scope, and so nobody a refresh token.
        offline_scope="no refresh tokens",
        dialect=Dialect(
            default_scopes=SCOPES,
            takes_secret_in_body=True,
            tells_scopes=False,
            more=lambda _grant: {"expires_in": 0, "scope": None},
        ),
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    hooks_kind = Hooks
    host_kind = CrowdedHost
    host: CrowdedHost

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.host.connections = settings.connections

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Metadata(self.server, self.accounts, url=lambda: self.url).register(router)
        Lists(self.accounts).register(router)
        Members(self.accounts, self.behaviour).register(router)

    def guard(self) -> Guard:
        """Return the door."""
        return Guard(self.server, self.limiter, problems.plain)
