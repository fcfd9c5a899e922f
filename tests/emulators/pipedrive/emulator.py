"""Pipedrive as one object, and how to run it."""

from collections.abc import Mapping

from tests.emulators.core import emulator
from tests.emulators.core.access import Dialect
from tests.emulators.core.emulator import Vendor
from tests.emulators.core.http import Router
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import Grant
from tests.emulators.pipedrive import problems
from tests.emulators.pipedrive.account import Account
from tests.emulators.pipedrive.admin import AccountAdmin
from tests.emulators.pipedrive.guard import Guard
from tests.emulators.pipedrive.hooks import Hooks
from tests.emulators.pipedrive.persons import Persons
from tests.emulators.pipedrive.settings import Settings

SCOPES = frozenset("base contacts:read contacts:full contact-fields:full".split())
USUAL = frozenset({"base", "contacts:full"})
"""What an application may do is agreed on when it is registered."""


def _more(grant: Grant) -> Mapping[str, object]:
    return {"api_domain": f"https://company-{grant.account_id}.pipedrive.com"}


class Emulator(emulator.Emulator[Account]):
    """Pipedrive with its companies."""

    vendor = Vendor(
        name="Pipedrive",
        authorize_path="/oauth/authorize",
        token_path="/oauth/token",
        scopes=SCOPES,
        usual_scopes=USUAL,
        dialect=Dialect(
            scope_separator=",",
            default_scopes=USUAL,
            response_types=("", "code"),
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
        Persons(self.accounts).register(router)

    def guard(self) -> Guard:
        """Return the door, which tells what is left of the limits."""
        self.budget = Limiter(self.clock, self.settings.budget)
        return Guard(self.server, self.limiter, self.budget)
