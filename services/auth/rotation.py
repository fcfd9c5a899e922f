"""Moves every sealed secret to the key ring's active key, while auth serves.

Only the wrapped key of a secret is wrapped anew; the secret itself is not opened,
unless the ring names another cipher than sealed it. A run that was cut short is simply
repeated: what is done already is not done again.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import structlog

from proto.ids import TenantId
from services.auth import rows, sealing
from services.auth.errors import CannotOpen
from services.auth.sealing import Place
from services.auth.vault import Sealed, Vault, WrappedKey
from services.chassis import queries
from services.chassis.database import Row
from services.chassis.queries import Template
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

PAGE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """One table with sealed secrets."""

    name: str
    page: Template
    rewrap: Template
    read: Template
    reseal: Template
    place: Callable[[Row], Place]
    """What the secret of a row is bound to."""


DRAWERS: Final = (
    Drawer(
        name="credentials",
        page=Q["page_old_credentials"],
        rewrap=Q["rewrap_credentials"],
        read=Q["read_sealed_credentials"],
        reseal=Q["reseal_credentials"],
        place=lambda row: sealing.of_account(
            row["tenant_id"], row["own_id"], version=row["version"]
        ),
    ),
    Drawer(
        name="app_clients",
        page=Q["page_old_app_clients"],
        rewrap=Q["rewrap_app_clients"],
        read=Q["read_sealed_app_clients"],
        reseal=Q["reseal_app_clients"],
        place=lambda row: sealing.of_client(row["tenant_id"], row["own_id"]),
    ),
    Drawer(
        name="authorisations",
        page=Q["page_old_authorisations"],
        rewrap=Q["rewrap_authorisations"],
        read=Q["read_sealed_authorisations"],
        reseal=Q["reseal_authorisations"],
        place=lambda row: sealing.of_verifier(row["tenant_id"], row["own_id"]),
    ),
)


async def keys_in_use(work: Work) -> dict[str, int]:
    """Return the keys that secrets need, and how many secrets need each."""
    rows = await work.transaction.fetch(Q["count_sealed"](now=work.clock.now()))
    return {row["key_id"]: row["count"] for row in rows}


class Tally(msgspec.Struct, kw_only=True):
    """What a run has done."""

    rewrapped: int = 0
    unopened: int = 0
    """Altered, of another row, or wrapped with a key that the ring lacks."""


class Rotator:
    """Works through the drawers, one short transaction for each page."""

    def __init__(self, store: Store[Work], *, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def run(self) -> Tally:
        """Move every secret that an older key wraps."""
        async with self._store.transaction(ALL_TENANTS) as work:
            # What nobody comes back for needs no key.
            await work.transaction.execute(
                Q["drop_stale"](now=work.clock.now(), limit=PAGE)
            )
        tally = Tally()
        for drawer in DRAWERS:
            after = ("", "")
            while page := await self.old(drawer, after=after):
                await self.move(drawer, page, tally=tally)
                after = (page[-1]["tenant_id"], page[-1]["own_id"])
        return tally

    async def old(self, drawer: Drawer, *, after: tuple[str, str]) -> list[Row]:
        """Return a page of a drawer's keys that an older key wraps."""
        async with self._store.transaction(ALL_TENANTS) as work:
            return await work.transaction.fetch(
                drawer.page(
                    active=self._vault.active,
                    header=self._vault.header,
                    after_tenant_id=after[0],
                    after_own_id=after[1],
                    limit=PAGE,
                )
            )

    async def move(self, drawer: Drawer, page: Sequence[Row], *, tally: Tally) -> None:
        """Wrap a page of keys anew; leave rows that were replaced since it was read."""
        ours = [row for row in page if self._vault.is_of_cipher(_wrapped(row))]
        await self._rewrap(drawer, ours, tally=tally)
        others = [row for row in page if not self._vault.is_of_cipher(_wrapped(row))]
        for tenant_id, found in itertools.groupby(others, lambda row: row["tenant_id"]):
            own_ids = [row["own_id"] for row in found]
            await self._reseal(drawer, tenant_id, own_ids=own_ids, tally=tally)

    async def _rewrap(
        self, drawer: Drawer, page: Sequence[Row], *, tally: Tally
    ) -> None:
        """Wrap keys anew, of whatever tenants; nothing of a secret is read."""
        moved = [
            (row, wrapped_key)
            for row in page
            if (wrapped_key := self._rewrapped(drawer, row)) is not None
        ]
        async with self._store.transaction(ALL_TENANTS) as work:
            count = await work.transaction.execute(
                drawer.rewrap(
                    active=self._vault.active,
                    tenant_ids=[row["tenant_id"] for row, _ in moved],
                    own_ids=[row["own_id"] for row, _ in moved],
                    old_key_ids=[row["key_id"] for row, _ in moved],
                    old_wrapped_keys=[row["wrapped_key"] for row, _ in moved],
                    wrapped_keys=[wrapped_key for _, wrapped_key in moved],
                )
            )
        tally.rewrapped += count
        tally.unopened += len(page) - len(moved)
        log.info("keys_rewrapped", table=drawer.name, count=count)

    async def _reseal(
        self, drawer: Drawer, tenant_id: str, *, own_ids: list[str], tally: Tally
    ) -> None:
        """Seal secrets of one tenant anew, as nobody reads those of all at once."""
        async with self._store.transaction(TenantId(tenant_id)) as work:
            read = await work.transaction.fetch(
                drawer.read(tenant_id=tenant_id, own_ids=own_ids)
            )
            moved = [
                (row, sealed)
                for row in read
                if (sealed := self._resealed(drawer, row)) is not None
            ]
            count = await work.transaction.execute(
                drawer.reseal(
                    active=self._vault.active,
                    tenant_id=tenant_id,
                    own_ids=[row["own_id"] for row, _ in moved],
                    old_wrapped_keys=[row["wrapped_key"] for row, _ in moved],
                    wrapped_keys=[sealed.wrapped_key for _, sealed in moved],
                    bodies=[sealed.body for _, sealed in moved],
                )
            )
        tally.rewrapped += count
        tally.unopened += len(read) - len(moved)
        log.info("keys_rewrapped", table=drawer.name, count=count)

    def _rewrapped(self, drawer: Drawer, row: Row) -> bytes | None:
        try:
            place = drawer.place(row)
            return self._vault.rewrap(_wrapped(row), bound_to=place).wrapped_key
        except CannotOpen as err:
            _note(drawer, row, err=err)
            return None

    def _resealed(self, drawer: Drawer, row: Row) -> Sealed | None:
        place = drawer.place(row)
        try:
            secret = self._vault.open(rows.sealed(row), bound_to=place)
        except CannotOpen as err:
            _note(drawer, row, err=err)
            return None
        return self._vault.seal(secret, bound_to=place)


def _wrapped(row: Row) -> WrappedKey:
    return WrappedKey(key_id=row["key_id"], wrapped_key=row["wrapped_key"])


def _note(drawer: Drawer, row: Row, *, err: CannotOpen) -> None:
    log.warning(
        "key_not_rewrapped",
        table=drawer.name,
        tenant_id=row["tenant_id"],
        key_id=row["key_id"],
        reason=str(err),
    )
