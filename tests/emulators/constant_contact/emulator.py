"""Build an emulator out of its parts; the only module here that wires."""

import contextlib
from collections.abc import AsyncIterator

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.admin import AccountAdmin
from tests.emulators.constant_contact.contacts import Contacts
from tests.emulators.constant_contact.custom_fields import CustomFields
from tests.emulators.constant_contact.general import General
from tests.emulators.constant_contact.guard import Guard
from tests.emulators.constant_contact.lists import ContactLists
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.constant_contact.tags import Tags
from tests.emulators.core.access import Access
from tests.emulators.core.admin import Admin
from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Faults
from tests.emulators.core.host import Host, listening
from tests.emulators.core.http import Router
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.core.statistics import Statistics

VENDOR = "Constant Contact"
AUTHORIZE_PATH = "/oauth2/default/v1/authorize"
TOKEN_PATH = "/oauth2/default/v1/token"
SCOPES = frozenset(
    "account_read account_update billing_data campaign_data contact_data"
    " offline_access".split()
)
ACCOUNTS_MAX = 100


class Emulator:
    """Constant Contact with its accounts, as one object."""

    def __init__(self, settings: Settings) -> None:
        self.url = ""
        """Where it listens, once it does."""
        self.clock = Clock()
        self.statistics = Statistics()
        self.faults = Faults(settings.seed)
        self.limiter = Limiter(self.clock, settings.limits)
        self.behaviour = settings.behaviour
        self.server = AuthorizationServer(
            self.clock, seed=settings.seed, policy=settings.tokens
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
        router = Router()
        access = Access(
            self.server,
            vendor=VENDOR,
            scopes=SCOPES,
            accounts=lambda: [(a.account_id, a.name) for a in self.accounts.values()],
        )
        router.add("GET", AUTHORIZE_PATH, access.show_consent)
        router.add("POST", AUTHORIZE_PATH, access.decide)
        router.add("POST", TOKEN_PATH, access.give_tokens)
        Contacts(self.accounts, self.behaviour).register(router)
        for resource in (ContactLists, Tags, CustomFields, General):
            resource(self.accounts).register(router)
        AccountAdmin(
            self.accounts,
            server=self.server,
            behaviour=self.behaviour,
            opener=self.open_account,
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
            guard=Guard(self.server, self.limiter),
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
