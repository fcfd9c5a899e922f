"""``python -m services.auth rotate-keys``: move all secrets to the active key."""

import argparse
import sys
from typing import Final

from services.auth import rotation, vault
from services.auth.rotation import Rotator
from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: nothing, as the key ring says it all."""


async def rotate_keys(desk: Desk, _arguments: argparse.Namespace) -> int:
    """Say what was moved and which other keys are still in use; 1 if any is."""
    safe = vault.load(desk.settings.key_ring_file)
    tally = await Rotator(desk.store, vault=safe).run()
    async with desk.store.transaction(ALL_TENANTS) as work:
        in_use = await rotation.keys_in_use(work)
    told = [f"secrets moved to the key {safe.active!r}: {tally.rewrapped}"]
    if tally.unopened:
        told.append(f"secrets that cannot be moved, see the log: {tally.unopened}")
    old = {key_id: count for key_id, count in in_use.items() if key_id != safe.active}
    told += [
        f"secrets that still need the key {key_id!r}: {n}" for key_id, n in old.items()
    ]
    if not old:
        told.append("no other key is in use")
    sys.stdout.write("\n".join(told) + "\n")
    return 1 if old else 0


ROTATE_KEYS: Final = Errand(
    name="rotate-keys",
    help="move every secret to the key ring's active key, while auth serves",
    add_arguments=add_arguments,
    do=rotate_keys,
)
