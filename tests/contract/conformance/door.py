"""Where an app's vendor pushes to: the connector's own listener, for a bench's account.

The vendor really calls it. Auth is stood in for; what is heard makes the accounts of a
replica due, which then reads them as it always does.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import aiohttp

from deploy.local import ports
from proto.ids import AccountId, TenantId
from proto.pushes import PushAccount, PushClient, ReadPushClient
from services.chassis import health
from services.chassis.loops import Wake
from services.connector import pushing
from services.connector.clients import Clients
from services.connector.hints import Hints
from services.connector.manifest import PushProof
from services.connector.pushing import Keys, Site
from services.connector.webhooks import Listener
from tests.contract.conformance.bench import CATALOGUE, Bench
from tests.contract.conformance.replica import Replica
from tests.contract.conformance.stage import Pushed

CLIENT_SECRET: Final = "the secret of the client"
EVERY_S: Final = 2.0
_KEYS: Final = (bytes(range(32)),)


class _Auth:
    """Knows the client of the app, and its accounts by the vendor's ids."""

    def __init__(self) -> None:
        self.accounts: dict[str, AccountId] = {}

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        del timeout_s
        assert isinstance(command, ReadPushClient)
        accounts = tuple(
            PushAccount(vendor_account_id=vendor_account_id, account_id=account_id)
            for vendor_account_id, account_id in self.accounts.items()
        )
        return PushClient(secret=CLIENT_SECRET, accounts=accounts)


class Door:
    """The address of one account, and who waits to be read because of pushes."""

    def __init__(self, bench: Bench, session: aiohttp.ClientSession, port: int) -> None:
        self._bench = bench
        self._session = session
        self._keys = Keys(_KEYS)
        self._site = Site(self._keys, f"http://127.0.0.1:{port}")
        self._auth = _Auth()
        self.replica = Replica(bench)
        self.hints = Hints(
            self.replica.store,
            reading=Wake(),
            every_s=EVERY_S,
            writing_s=EVERY_S,
            clock=bench.clock,
        )
        self.listener = Listener(
            CATALOGUE,
            site=self._site,
            clients=Clients(self._auth, bench.clock),
            hints=self.hints,
            clock=bench.clock,
        )

    async def open(self, account_id: AccountId | None = None) -> str:
        """Have the vendor know the address of an account; return it."""
        bench = self._bench
        account_id = account_id or bench.ref.account_id
        identity = await bench.run((await bench.app()).verify())
        self._auth.accounts[identity.vendor_account_id] = account_id
        url, secret = self.address(bench.ref.tenant_id, account_id)
        bench.stage.push_to(url, secret=secret)
        await bench.stage.pushed()
        return url

    def address(self, tenant_id: TenantId, account_id: AccountId) -> tuple[str, str]:
        """Return where an account's changes are pushed to, and what signs them."""
        manifest = self._bench.manifest
        target = pushing.target_of(manifest, tenant_id=tenant_id, account_id=account_id)
        assert target is not None, "the app pushes"
        assert manifest.push is not None
        match manifest.push.signed_with:
            case PushProof.NONE:
                secret = ""
            case PushProof.GIVEN:
                secret = self._keys.signing_secrets(target)[0].decode()
            case PushProof.CLIENT:
                secret = CLIENT_SECRET
        return self._site.url + self._keys.path(target), secret

    async def send(
        self,
        url: str,
        body: bytes,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Push as anybody can; return how it was answered."""
        async with self._session.request(
            method, url, data=body, headers=headers or {}
        ) as answer:
            return answer.status

    async def again(self, pushed: Pushed, **changed: Any) -> int:
        """Push what was pushed before, or what somebody made of it."""
        one = pushed._replace(**changed)
        return await self.send(
            one.url, one.body, method=one.method, headers=one.headers
        )

    @property
    def waiting(self) -> list[AccountId]:
        """Return who waits to be read."""
        return [account_id for _, account_id in self.hints._waiting]

    def forget(self) -> None:
        """Have nobody wait, as if they had been read."""
        self.hints._waiting.clear()


@contextlib.asynccontextmanager
async def standing(bench: Bench) -> AsyncIterator[Door]:
    """Listen for an app's pushes until the block ends."""
    port = ports.free_port()
    async with aiohttp.ClientSession() as session:
        door = Door(bench, session, port)
        async with health.listening(
            door.listener.server(), host="127.0.0.1", port=port
        ):
            yield door
