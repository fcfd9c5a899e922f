"""Build an emulator out of its parts; the only module here that wires."""

import contextlib
from collections.abc import AsyncIterator

from tests.emulators.core.admin import Admin
from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Faults
from tests.emulators.core.host import Host, listening
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.core.statistics import Statistics
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.account import Account
from tests.emulators.dotloop.admin import AccountAdmin
from tests.emulators.dotloop.contacts import Contacts
from tests.emulators.dotloop.doors import SCOPES, Doors
from tests.emulators.dotloop.guard import CountedRouter, Guard
from tests.emulators.dotloop.settings import Settings

ACCOUNTS_MAX = 100


class Emulator:
    """Dotloop with its accounts, as one object."""

    def __init__(self, settings: Settings) -> None:
        self.url = ""
        """Where it listens, once it does."""
        self.clock = Clock()
        self.statistics = Statistics()
        self.faults = Faults(settings.seed)
        self.limiter = Limiter(self.clock, settings.limits)
        self.behaviour = settings.behaviour
        self.server = AuthorizationServer(
            self.clock, seed=settings.seed, policy=settings.tokens, offline_scope=""
        )
        self.accounts: dict[str, Account] = {}
        for client in settings.clients:
            self.server.register(client)
        for name in settings.accounts:
            self.open_account(name)
        self.host = self._host()

    def open_account(self, name: str) -> Account:
        """Open a vendor account that people can log in to."""
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise problems.invalid(f"An emulator has {ACCOUNTS_MAX} accounts at most")
        account = Account(
            name,
            number=len(self.accounts),
            clock=self.clock,
            statistics=self.statistics,
        )
        self.accounts[account.account_id] = account
        return account

    def _host(self) -> Host:
        guard = Guard(
            self.server, self.limiter, clock=self.clock, behaviour=self.behaviour
        )
        router = CountedRouter(guard)
        Doors(self.server, self.accounts).register(router)
        Contacts(self.accounts, self.behaviour).register(router)
        AccountAdmin(
            self.accounts, server=self.server, scopes=SCOPES, opener=self.open_account
        ).register(router)
        Admin(
            clock=self.clock,
            faults=self.faults,
            statistics=self.statistics,
            limiter=self.limiter,
            settings={
                "limits": self.limiter.limits,
                "tokens": self.server.policy,
                "behaviour": self.behaviour,
            },
        ).register(router)
        return Host(
            router=router,
            guard=guard,
            unknown=problems.plain,
            faults=self.faults,
            statistics=self.statistics,
            clock=self.clock,
        )


@contextlib.asynccontextmanager
async def running(
    settings: Settings | None = None, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Emulator]:
    """Run an emulator until the block ends."""
    emulator = Emulator(settings or Settings())
    async with listening(emulator.host, address=address, port=port) as url:
        emulator.url = url
        yield emulator
