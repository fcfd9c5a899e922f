"""ActiveCampaign as one object, and how to run it."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from tests.emulators.activecampaign import problems
from tests.emulators.activecampaign.account import Account
from tests.emulators.activecampaign.admin import AccountAdmin
from tests.emulators.activecampaign.contacts import ANY, Contacts
from tests.emulators.activecampaign.guard import Guard
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
    settings_kind = Settings
    admin_kind = AccountAdmin

    def new_account(self, name: str, *, number: int) -> Account:
        """Return a fresh account."""
        return Account(
            name,
            number=number,
            clock=self.clock,
            statistics=self.statistics,
            behaviour=self.behaviour,
        )

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        Contacts(self.accounts, self.behaviour).register(router)
        Relations(self.accounts).register(router)

    def guard(self) -> Guard:
        """Return the door."""
        return Guard(self.server, self.limiter, problems.plain)


def running(
    settings: Settings | None = None, **place: Any
) -> AbstractAsyncContextManager[Emulator]:
    """Run an emulator until the block ends."""
    return emulator.serving(Emulator(settings or Settings()), **place)
