"""What people do at Tandem now and then, beside pausing it: changes and mistakes.

Each errand is done to one connection through ``customers``, as the api would send it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import msgspec

from proto.auth import BeginAuthorisation, CompleteAuthorisation
from proto.base import Command
from proto.ids import AccountId, AppId, ConnectionId, TenantId
from proto.reconciler import (
    SIDES,
    UNSUBSCRIBE_TAG,
    ApproveChanges,
    ChangeConnection,
    Connection,
    Direction,
    GetConnection,
    MappingView,
    Side,
)
from proto.rules import Unsubscribes
from services.chassis.errors import BusUnavailable, CommandFailed
from tests.simulation import options
from tests.simulation.ledger import Place
from tests.simulation.scenario import ConnectionPlan
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.oauth import REDIRECT_URI

WRONG: Final = "another"
"""An account at each vendor that nobody ever means to connect."""
AWAY_S: Final = (1.0, 240.0)
OFF_S: Final = (1.0, 150.0)
"""How long a mapping is off that somebody switches off for a while."""
MEANWHILE: Final = ("edit", "edit_both", "clear", "clear")
"""What people do at their vendors just before settings change."""
UNSUBSCRIBE_TAGS: Final = (UNSUBSCRIBE_TAG, "no mail")
"""What people call the tag of whoever unsubscribed."""
TELLS_OTHERWISE: Final = 0.4
"""The share of changes of settings that have unsubscribes told in another way, too."""
BROWSER: Final = "another cookie"


class Made(Protocol):
    """A connection that somebody made."""

    plan: ConnectionPlan
    connection_id: ConnectionId

    @property
    def tenant_id(self) -> TenantId:
        """Return whose it is."""


class Asking(Protocol):
    """Whoever owns connections and can ask Tandem."""

    accounts: Mapping[tuple[str, Place], AccountId]

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command, again and again while that can help."""

    async def heal(self) -> None:
        """Authorise again what was lost."""


class Errands:
    """Draws errands and does them."""

    def __init__(
        self,
        customers: Asking,
        vendors: Mapping[AppId, Vendor],
        *,
        act: Callable[[str, ConnectionPlan], object],
        source: Callable[[str], random.Random],
    ) -> None:
        self._customers = customers
        self._vendors = vendors
        self._act = act
        """Has people at the vendors of a connection do something."""
        self.counts: Counter[str] = Counter()
        """How often each was done to its end."""
        self._source = source("errands")
        self._clearing = source("cleared while off")
        self._telling = source("how unsubscribes are told")
        self._all: tuple[Callable[[Made], Awaitable[None]], ...] = (
            self._change_winner,
            self._switch_mapping,
            self._suspend_mapping,
            self._take_permission_back,
            self._authorise_wrongly,
            self._approve,
            self._change_options,
            self._edit_rules,
        )

    async def do(self, made: Made) -> str:
        """Do one errand, drawn at random; returns which."""
        errand = self._source.choice(self._all)
        await errand(made)
        name = errand.__name__.lstrip("_")
        self.counts[name] += 1
        return name

    async def _change_winner(self, made: Made) -> None:
        connection = await self._look(made)
        is_left = connection.settings.winner is Side.LEFT
        await self._change(
            made, connection, winner=Side.RIGHT if is_left else Side.LEFT
        )

    async def _switch_mapping(self, made: Made) -> None:
        """Switch a mapping off, or on again."""
        await self._switched_off(made)

    async def _suspend_mapping(self, made: Made) -> None:
        """Have a mapping off for a while, in which people go on.

        They empty its own field, too: what they do at random hardly ever meets it.
        """
        view = await self._switched_off(made)
        if view is not None:
            self._clear(made.plan, view)
        await asyncio.sleep(self._source.uniform(*OFF_S))
        await self._switch_mapping(made)

    async def _switched_off(self, made: Made) -> MappingView | None:
        """Switch a mapping off, or on again; returns which is off now."""
        connection = await self._look(made)
        off = list(connection.settings.mappings_off)
        views = {each.mapping_id: each for each in connection.mappings}
        ids = [each for each in views if each != "email"]
        if not ids:
            return None
        mapping_id = self._source.choice(off or ids)
        is_on = mapping_id in off
        if is_on:
            off.remove(mapping_id)
        else:
            off.append(mapping_id)
        await self._change(made, connection, mappings_off=tuple(off))
        return None if is_on else views[mapping_id]

    def _clear(self, plan: ConnectionPlan, view: MappingView) -> None:
        """Clear everybody's fields of a mapping, on a side that it goes from."""
        onto = f"to_{self._clearing.choice(SIDES).value}"
        if view.direction is not Direction.BOTH:
            onto = view.direction
        side = Side.LEFT if onto == Direction.TO_RIGHT else Side.RIGHT
        end, names = plan.end(side), view.left if side is Side.LEFT else view.right
        book = self._vendors[end.app].books[end.account]
        for holder in book.live():
            filled = [name for name in names if holder.now.fields.get(name)]
            if filled:
                book.edit(holder.record_id, dict.fromkeys(filled))

    async def _take_permission_back(self, made: Made) -> None:
        """Take back at the vendor what was allowed, and allow it again later."""
        end = made.plan.end(self._source.choice(SIDES))
        self._vendors[end.app].oauth.revoke(end.account)
        await asyncio.sleep(self._source.uniform(*AWAY_S))
        await self._customers.heal()

    async def _authorise_wrongly(self, made: Made) -> None:
        """Sign in at a vendor as somebody else, for an account that is connected."""
        end = made.plan.end(self._source.choice(SIDES))
        vendor = self._vendors[end.app]
        if WRONG not in vendor.books:
            vendor.open_book(WRONG)
        place = Place(end.app, end.account)
        begun = await self._customers.ask(
            BeginAuthorisation(
                tenant_id=made.tenant_id,
                app=end.app,
                redirect_uri=REDIRECT_URI,
                browser=BROWSER,
                account_id=self._customers.accounts[made.plan.tenant, place],
            )
        )
        state, code = vendor.oauth.authorise(
            begun.authorise_url, WRONG, now=vendor.now()
        )
        try:
            await self._customers.ask(
                CompleteAuthorisation(
                    tenant_id=made.tenant_id, state=state, browser=BROWSER, code=code
                )
            )
        except (CommandFailed, BusUnavailable):
            return
        raise AssertionError("another account of the app took an account's place")

    async def _approve(self, made: Made) -> None:
        """Let whatever waits for a person go ahead."""
        await self._customers.ask(
            ApproveChanges(tenant_id=made.tenant_id, connection_id=made.connection_id)
        )

    async def _change_options(self, made: Made) -> None:
        """Switch rules off, or have deletions told or not."""
        connection = await self._look(made)
        settings, offers = connection.settings, connection.offers
        if settings.left_rules or settings.right_rules:
            await self._change(made, connection, left_rules=(), right_rules=())
        elif settings.tags_deletions or offers.tags_deletions is not None:
            await self._change(
                made, connection, tags_deletions=not settings.tags_deletions
            )

    def _told_otherwise(self, connection: Connection) -> dict[str, Any]:
        """Have unsubscribes told in another way, by another tag, or not at all."""
        offers, told = connection.offers, connection.settings
        found: list[dict[str, Any]] = [{"unsubscribes": Unsubscribes.IGNORE}]
        if offers.unsubscribes_status is not None:
            found.append({"unsubscribes": Unsubscribes.STATUS})
        if offers.unsubscribes_tag is not None:
            found += [
                {"unsubscribes": Unsubscribes.TAG, "unsubscribe_tag": tag}
                for tag in UNSUBSCRIBE_TAGS
            ]
        others = [
            each
            for each in found
            if any(getattr(told, name) != value for name, value in each.items())
        ]
        return self._telling.choice(others) if others else {}

    async def _edit_rules(self, made: Made) -> None:
        """Have other records be synced, and other things be done to them.

        In a ring what one connection leaves out comes by the way round.
        """
        connection, plan = await self._look(made), made.plan
        if len(self._vendors) > 2:
            return
        left, right = (self._vendors[plan.end(side).app].ways for side in SIDES)
        rules = options.draw_rules(
            self._source,
            left,
            right,
            direction=plan.direction,
            has_custom=bool(connection.settings.custom_mappings),
        )
        await self._change(
            made,
            connection,
            left_rules=rules[Side.LEFT],
            right_rules=rules[Side.RIGHT],
        )

    async def _look(self, made: Made) -> Connection:
        found: Connection = await self._customers.ask(
            GetConnection(tenant_id=made.tenant_id, connection_id=made.connection_id)
        )
        return found

    async def _change(self, made: Made, connection: Connection, **changes: Any) -> None:
        if self._telling.random() < TELLS_OTHERWISE:
            changes |= self._told_otherwise(connection)
        settings = msgspec.structs.replace(connection.settings, **changes)
        for _ in range(self._source.randrange(4)):
            self._act(self._source.choice(MEANWHILE), made.plan)
        await self._customers.ask(
            ChangeConnection(
                tenant_id=made.tenant_id,
                connection_id=made.connection_id,
                settings=settings,
            )
        )
