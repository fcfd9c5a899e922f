"""Dotloop as one object, and how to run it."""

from tests.emulators.core import emulator
from tests.emulators.core.access import Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.account import Account
from tests.emulators.dotloop.admin import AccountAdmin
from tests.emulators.dotloop.contacts import Contacts
from tests.emulators.dotloop.guard import Guard
from tests.emulators.dotloop.hooks import Hooks
from tests.emulators.dotloop.settings import Settings

AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"
SCOPES = frozenset("account:read profile:* loop:* contact:* template:read".split())
"""What a client may do is agreed on when it is registered."""


class Emulator(emulator.Emulator[Account]):
    """Dotloop with its accounts."""

    vendor = Vendor(
        name="Dotloop",
        authorize_path=AUTHORIZE_PATH,
        token_path=TOKEN_PATH,
        scopes=SCOPES,
        dialect=Dialect(
            scope_separator=", ",
            default_scopes=SCOPES,
            goes_back=lambda form: form.get("redirect_on_deny") == "true",
        ),
        plain=problems.plain,
    )
    account_kind = Account
    settings_kind = Settings
    admin_kind = AccountAdmin
    hooks_kind = Hooks

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Contacts(self.accounts, self.behaviour).register(router)

    def guard(self) -> Guard:
        """Return the door, which tells what is left of the minute."""
        return Guard(
            self.server, self.limiter, clock=self.clock, behaviour=self.behaviour
        )
