"""``python -m services.api rotate-keys``: seal all second factors with the active key.

While the api serves: a factor that is replaced meanwhile is left as it is. It also
moves to the cipher that the key ring names.
"""

import argparse
import sys
from typing import Final

import msgspec

from proto.ids import PersonId, TenantId
from services.api.errors import CannotOpen
from services.api.proofs import seals
from services.api.proofs.seals import Safe
from services.api.store import factors
from services.api.store.factors import OldFactor
from services.api.store.roster import Whose
from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS

PAGE: Final = 500


class Tally(msgspec.Struct, kw_only=True):
    """What a run has done."""

    moved: int = 0
    unopened: int = 0
    """Altered, somebody else's, or sealed with a key that the ring lacks."""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: nothing, as the key ring says it all."""


async def rotate_keys(desk: Desk, _arguments: argparse.Namespace) -> int:
    """Say what was moved, and what still needs another key; 1 if anything does."""
    safe, tally = seals.load(desk.settings.key_ring_file), Tally()
    after = (TenantId(""), PersonId(""))
    while page := await _page(desk, safe, after=after):
        await _move(desk, safe, page=page, tally=tally)
        after = (page[-1].tenant_id, page[-1].person_id)
    async with desk.store.transaction(ALL_TENANTS) as work:
        in_use = await factors.list_factor_keys(work.transaction)
    told = [f"second factors moved to the key {safe.active!r}: {tally.moved}"]
    if tally.unopened:
        told.append(f"second factors that cannot be moved: {tally.unopened}")
    old = [key_id for key_id in in_use if key_id != safe.active]
    told += [f"second factors still need the key {key_id!r}" for key_id in old]
    if not old:
        told.append("no other key is in use")
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if old or tally.unopened else 0


async def _page(
    desk: Desk, safe: Safe, *, after: tuple[TenantId, PersonId]
) -> list[OldFactor]:
    async with desk.store.transaction(ALL_TENANTS) as work:
        return await factors.page_old_factors(
            work.transaction,
            active=safe.active,
            header=safe.header,
            after=after,
            limit=PAGE,
        )


async def _move(desk: Desk, safe: Safe, *, page: list[OldFactor], tally: Tally) -> None:
    async with desk.store.transaction(ALL_TENANTS) as work:
        for old in page:
            whose = Whose(tenant_id=old.tenant_id, person_id=old.person_id)
            try:
                secret = safe.unseal(old, **whose)
            except CannotOpen:
                tally.unopened += 1
                continue
            new = safe.seal(secret, **whose)
            tally.moved += await factors.reseal_factor(work.transaction, old, new=new)


ROTATE_KEYS: Final = Errand(
    name="rotate-keys",
    help="seal second factors with the key ring's active key, while the api serves",
    add_arguments=add_arguments,
    do=rotate_keys,
)
