"""What auth tells of a tenant's client of an app: what it signs with, whose it is.

Kept in memory for a minute at most, and never written down. Whoever needs it at the
same moment waits for the same request.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, NamedTuple

from proto.errors import Retry
from proto.ids import AccountId, AppId, TenantId
from proto.pushes import PushClient, ReadPushClient
from services.chassis.clock import Clock
from services.chassis.errors import BusUnavailable, CommandFailed
from services.connector.credentials import Requester

AGE_S_MAX: Final = 60.0
KEPT_MAX: Final = 1_000
TIMEOUT_S: Final = 3.0
"""Whoever pushes waits for it, and not for long."""

_Key = tuple[TenantId, AppId]


class Client(NamedTuple):
    """A tenant's client of an app, as far as pushes need it."""

    secret: bytes
    accounts: Mapping[str, tuple[AccountId, ...]]
    """By the app's own ids."""


class _Held(NamedTuple):
    told: Client | None
    until_s: float


class Clients:
    """The clients whose apps push to this process."""

    def __init__(self, bus: Requester, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._held: OrderedDict[_Key, _Held] = OrderedDict()
        self._asked: dict[_Key, asyncio.Task[Client | None]] = {}

    async def get(self, tenant_id: TenantId, app: AppId) -> Client | None:
        """Return what an app's pushes are checked with; None where there is no client.

        Raises:
            BusUnavailable: Auth does not answer.
        """
        key = (tenant_id, app)
        held = self._held.get(key)
        if held is not None and self._clock.monotonic() < held.until_s:
            return held.told
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda _task: self._asked.pop(key, None))
        # One caller's end must not cancel what the others wait for.
        return await asyncio.shield(task)

    async def _ask(self, key: _Key) -> Client | None:
        tenant_id, app = key
        told: Client | None = None
        try:
            found = await self._bus.request(
                ReadPushClient(tenant_id=tenant_id, app=app), timeout_s=TIMEOUT_S
            )
            told = _client(found)
        except CommandFailed as err:
            if err.retry is Retry.LATER:
                raise BusUnavailable(f"auth has no secret now: {err.code}") from err
        self._held[key] = _Held(told, self._clock.monotonic() + AGE_S_MAX)
        self._held.move_to_end(key)
        if len(self._held) > KEPT_MAX:
            self._held.popitem(last=False)
        return told


def _client(found: PushClient) -> Client:
    accounts: dict[str, tuple[AccountId, ...]] = {}
    for each in found.accounts:
        before = accounts.get(each.vendor_account_id, ())
        accounts[each.vendor_account_id] = (*before, each.account_id)
    return Client(found.secret.encode(), accounts)
