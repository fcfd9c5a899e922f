"""An emulator out of its parts: clock, limits, faults, OAuth server, accounts, doors.

A vendor's ``Emulator`` says what is the vendor's own and puts its resources on paths.
"""

import abc
import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from tests.emulators.core.access import PLAIN, Access, Dialect
from tests.emulators.core.account import Account, Opening
from tests.emulators.core.accounts import AccountAdmin
from tests.emulators.core.admin import Admin, refused
from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Faults
from tests.emulators.core.guard import Guard
from tests.emulators.core.hooks import Hooks
from tests.emulators.core.host import Host, listening
from tests.emulators.core.http import Reply, Router
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer, Grant, Tokens
from tests.emulators.core.settings import Settings
from tests.emulators.core.statistics import Statistics

A = TypeVar("A", bound=Account[Any])
E = TypeVar("E", bound="Emulator[Any]")
ACCOUNTS_MAX = 100


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """What every part needs to know of a vendor."""

    name: str
    authorize_path: str = ""
    """Empty where there is no OAuth server, and accounts have keys."""
    token_path: str = ""
    key_header: str = ""
    """The header that a key comes in; empty: a bearer token does."""
    stranger_status: int = 401
    """The status that a call without a good token or key is answered with."""
    scopes: frozenset[str]
    """All that can be agreed to."""
    usual_scopes: frozenset[str] = frozenset()
    """What a token has that was not asked for by scope; none: all of them."""
    offline_scope: str = ""
    """The scope without which no refresh token is given; empty: all get one."""
    dialect: Dialect = PLAIN
    plain: Callable[[int], Reply]
    """Answers with a status in the vendor's words."""


class Emulator(abc.ABC, Generic[A]):
    """One vendor with its accounts, as one object."""

    vendor: ClassVar[Vendor]
    account_kind: ClassVar[Callable[..., Any]]
    """Makes an account of an ``Opening``."""
    settings_kind: ClassVar[type[Settings]]
    admin_kind: ClassVar[type[AccountAdmin[Any]]]
    probe: ClassVar[str] = ""
    """A read behind the door that needs no contact; empty: the first route will do."""
    host_kind: ClassVar[type[Host]] = Host
    hooks_kind: ClassVar[type[Hooks] | None] = None
    """What the vendor pushes, where it does."""
    accounts: dict[str, A]

    def __init__(self, settings: Any) -> None:
        self.url = ""
        """Where it listens, once it does."""
        self.clock = Clock()
        self.statistics = Statistics()
        self.faults = Faults(settings.seed)
        self.limiter = Limiter(self.clock, settings.limits)
        self.settings = settings
        self.behaviour = settings.behaviour
        self.server = AuthorizationServer(
            self.clock,
            seed=settings.seed,
            policy=settings.tokens,
            offline_scope=self.vendor.offline_scope,
        )
        self.hooks = self.hooks_kind(self.clock) if self.hooks_kind else None
        self.accounts = {}
        for client in settings.clients:
            self.server.register(client)
        for name in settings.accounts:
            self.open_account(name)
        self.admin = self.admin_kind(
            self.accounts,
            server=self.server,
            scopes=self.vendor.usual_scopes or self.vendor.scopes,
            opener=self.open_account,
        )
        self.host = self._host()

    # What a vendor adds or overrides.

    @abc.abstractmethod
    def register(self, router: Router) -> None:
        """Put the vendor's resources on their paths."""

    def guard(self) -> Guard:
        """Return the vendor's door."""
        return Guard(self.server, self.limiter, self.vendor.plain)

    # What all have.

    def open_account(self, name: str) -> A:
        """Open a vendor account that people can log in to."""
        if len(self.accounts) >= ACCOUNTS_MAX:
            raise refused(f"An emulator has {ACCOUNTS_MAX} accounts at most")
        opening = Opening(
            name=name,
            number=len(self.accounts),
            clock=self.clock,
            statistics=self.statistics,
            behaviour=self.behaviour,
        )
        account: A = self.account_kind(opening)
        if self.hooks is not None:
            account.tell = functools.partial(self.hooks.tell, account)
        self.accounts[account.account_id] = account
        return account

    def issue(
        self,
        account: Account[Any],
        scopes: frozenset[str] = frozenset(),
        *,
        client: str = "",
    ) -> Tokens:
        """Give out tokens as if a person had just agreed.

        Args:
            scopes: None are the usual ones.
            client: The application's id; empty is the first that is registered.
        """
        grant = Grant(
            client_id=client or next(iter(self.server.clients)),
            account_id=account.account_id,
            scopes=scopes or self.vendor.usual_scopes or self.vendor.scopes,
        )
        return self.server.issue(grant)

    def proof(self, secret: str) -> dict[str, str]:
        """Return the header that a token or a key comes in."""
        name = self.vendor.key_header
        return {name: secret} if name else {"Authorization": f"Bearer {secret}"}

    def act(self, account: A, name: str, **about: object) -> str | int:
        """Do as a person does; return the id of the contact that it leaves."""
        asked = msgspec.json.encode([{"act": name, **about}])
        (contact_id,) = self.admin.do(account, asked)
        return contact_id

    def _host(self) -> Host:
        router = Router()
        if self.vendor.authorize_path:
            self._open_doors(router)
        self.register(router)
        self.admin.register(router)
        if self.hooks is not None:
            self.hooks.register(router)
        Admin(
            clock=self.clock,
            faults=self.faults,
            statistics=self.statistics,
            limiter=self.limiter,
            settings=self.settings.sections(),
        ).register(router)
        return self.host_kind(
            router=router,
            guard=self.guard(),
            unknown=self.vendor.plain,
            faults=self.faults,
            statistics=self.statistics,
            clock=self.clock,
        )

    def _open_doors(self, router: Router) -> None:
        vendor = self.vendor
        access = Access(
            self.server,
            vendor=vendor.name,
            scopes=vendor.scopes,
            accounts=lambda: [(a.account_id, a.name) for a in self.accounts.values()],
            dialect=vendor.dialect,
        )
        router.add("GET", vendor.authorize_path, access.show_consent)
        router.add("POST", vendor.authorize_path, access.decide)
        router.add("POST", vendor.token_path, access.give_tokens)


@contextlib.asynccontextmanager
async def serving(
    emulator: E, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[E]:
    """Run an emulator until the block ends."""
    async with contextlib.AsyncExitStack() as stack:
        emulator.url = await stack.enter_async_context(
            listening(emulator.host, address=address, port=port)
        )
        if emulator.hooks is not None:
            await stack.enter_async_context(emulator.hooks.running())
        yield emulator
