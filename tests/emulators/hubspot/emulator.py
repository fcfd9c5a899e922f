"""Build an emulator out of its parts; the only module here that wires."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from tests.emulators.core.access import Access, Dialect
from tests.emulators.core.admin import Admin
from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Faults
from tests.emulators.core.host import Host, listening
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.core.statistics import Statistics
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.admin import AccountAdmin
from tests.emulators.hubspot.batches import Batches
from tests.emulators.hubspot.contacts import Contacts
from tests.emulators.hubspot.general import General
from tests.emulators.hubspot.guard import Guard, Metering
from tests.emulators.hubspot.properties import Properties, Property
from tests.emulators.hubspot.searching import Searching
from tests.emulators.hubspot.settings import Settings

VENDOR = "HubSpot"
AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/v1/token"
SCOPES = frozenset(
    "oauth crm.objects.contacts.read crm.objects.contacts.write"
    " crm.schemas.contacts.read crm.schemas.contacts.write"
    " communication_preferences.read_write".split()
)
ACCOUNTS_MAX = 100


class Emulator:
    """HubSpot with its accounts, as one object."""

    def __init__(self, settings: Settings) -> None:
        self.url = ""
        """Where it listens, once it does."""
        self.clock = Clock()
        self.statistics = Statistics()
        self.faults = Faults(settings.seed)
        self.limiter = Limiter(self.clock, settings.limits)
        self.searches = Limiter(self.clock, settings.search_limits)
        self.behaviour = settings.behaviour
        self.server = AuthorizationServer(
            self.clock, seed=settings.seed, policy=settings.tokens, offline_scope=""
        )
        self.accounts: dict[str, Account] = {}
        self._properties: dict[str, dict[str, Property]] = {}
        for client in settings.clients:
            self.server.register(client)
        for name in settings.accounts:
            self.open_account(name)
        self.host = self._host()

    def open_account(self, name: str) -> Account:
        """Open a vendor account that people can log in to."""
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise problems.bad(f"An emulator has {ACCOUNTS_MAX} accounts at most")
        account = Account(
            name,
            number=len(self.accounts),
            clock=self.clock,
            statistics=self.statistics,
            behaviour=self.behaviour,
        )
        self.accounts[account.account_id] = account
        self._properties[account.account_id] = account.properties
        return account

    def _host(self) -> Host:
        router = Metering(self.limiter)
        access = Access(
            self.server,
            vendor=VENDOR,
            scopes=SCOPES,
            accounts=lambda: [(a.account_id, a.name) for a in self.accounts.values()],
            dialect=Dialect(
                response_types=("", "code"),
                takes_secret_in_body=True,
                tells_scopes=False,
                more=_more,
            ),
        )
        router.add("GET", AUTHORIZE_PATH, access.show_consent)
        router.add("POST", AUTHORIZE_PATH, access.decide)
        router.add("POST", TOKEN_PATH, access.give_tokens)
        # Before the contacts, whose ids could be any word.
        Batches(self.accounts).register(router)
        Searching(self.accounts).register(router)
        Contacts(self.accounts).register(router)
        Properties(self._properties).register(router)
        General(self.accounts).register(router)
        AccountAdmin(
            self.accounts, server=self.server, opener=self.open_account
        ).register(router)
        Admin(
            clock=self.clock,
            faults=self.faults,
            statistics=self.statistics,
            limiter=self.limiter,
            settings={
                "limits": self.limiter.limits,
                "search_limits": self.searches.limits,
                "tokens": self.server.policy,
                "behaviour": self.behaviour,
            },
        ).register(router)
        return Host(
            router=router,
            guard=Guard(self.server, self.limiter, self.searches),
            unknown=problems.plain,
            faults=self.faults,
            statistics=self.statistics,
            clock=self.clock,
        )


def _more(grant: Grant) -> Mapping[str, object]:
    return {
        "token_use": "access_token",
        "hub_id": int(grant.account_id),
        "scopes": sorted(grant.scopes),
    }


@contextlib.asynccontextmanager
async def running(
    settings: Settings | None = None, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Emulator]:
    """Run an emulator until the block ends."""
    emulator = Emulator(settings or Settings())
    async with listening(emulator.host, address=address, port=port) as url:
        emulator.url = url
        yield emulator
