"""``python -m services.reconciler verify``: compare everything with the apps anew."""

import argparse
import sys
from typing import Final

from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler.store import claims


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes: nothing, it is about every connection."""


async def verify(desk: Desk, _arguments: argparse.Namespace) -> int:
    """Have every running connection scanned on both sides before it plans again."""
    async with desk.store.transaction(ALL_TENANTS) as work:
        count = await claims.forget_epochs(work.transaction)
    sys.stdout.write(f"connections that are scanned anew: {count}\n")
    return 0


VERIFY: Final = Errand(
    name="verify",
    help="scan both sides of every running connection before anything is written;"
    " for a database restored in a way that Tandem cannot notice, such as a copied"
    " data directory",
    add_arguments=add_arguments,
    do=verify,
)
