"""What auth knows of apps: the connector's catalogue, remembered for a while."""

from collections.abc import Iterable, Iterator
from typing import Final

from proto.connector import App, ListApps
from proto.errors import ErrorCode
from proto.ids import AppId, TenantId
from services.chassis.addresses import Guard
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import BusUnavailable, CommandFailed

REMEMBERED_S: Final = 300.0


class Catalogue:
    """Asks the connector which apps there are, at most every few minutes."""

    def __init__(self, bus: Bus, clock: Clock, *, guard: Guard | None = None) -> None:
        self._bus = bus
        self._clock = clock
        self._guard = guard or Guard()
        """Lets the apps' own authorisation servers be called."""
        self._apps: dict[AppId, App] = {}
        self._asked_at = -REMEMBERED_S

    async def app(self, tenant_id: TenantId, app: AppId) -> App:
        """Return an app's facts; older ones while the connector is away.

        Raises:
            CommandFailed: There is no such app.
            BusUnavailable: The connector does not answer, and never has for this app.
        """
        now = self._clock.monotonic()
        if app not in self._apps or now - self._asked_at > REMEMBERED_S:
            try:
                reply = await self._bus.request(ListApps(tenant_id=tenant_id))
            except BusUnavailable:
                if app not in self._apps:
                    raise
            else:
                self._apps = {known.app: known for known in reply.apps}
                self._guard.know(_urls(reply.apps))
            self._asked_at = now
        found = self._apps.get(app)
        if found is None:
            raise CommandFailed(
                ErrorCode.UNKNOWN_APP,
                f"There is no app {app!r}. GET /v1/apps lists them.",
                field="app",
            )
        return found


def _urls(apps: Iterable[App]) -> Iterator[str]:
    for app in apps:
        if app.oauth is not None:
            yield from (app.oauth.authorise_url, app.oauth.token_url)
