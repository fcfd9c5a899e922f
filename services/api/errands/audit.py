"""``python -m services.api check-audit``: is the audit log as it was written?"""

import argparse
import re
import sys
from typing import Final

from services.api.store import ledger, tenants
from services.api.store.chain import Head
from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS

_HEAD: Final = re.compile("([1-9][0-9]{0,17}):([0-9a-f]{64})")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--tenant", help="check this one alone (default: all)")
    parser.add_argument(
        "--head",
        type=_head,
        help="what an earlier check printed for the tenant, such as 12:6f2a...:"
        " also shows a log that was written anew as a whole",
    )


async def check_audit(desk: Desk, arguments: argparse.Namespace) -> int:
    """Follow each tenant's chain; print how far it holds, and return 1 if one broke."""
    database = desk.store.database
    wanted = [
        tenant
        for tenant in await tenants.list_tenants(database.reader(ALL_TENANTS))
        if arguments.tenant in (None, tenant.name)
    ]
    if not wanted or (arguments.head and len(wanted) != 1):
        sys.stderr.write("api: name one tenant that exists with --tenant\n")
        return 2
    is_whole = True
    for tenant in wanted:
        head, reason = await ledger.check(
            database.reader(tenant.tenant_id), tenant.tenant_id, known=arguments.head
        )
        told = reason or "whole"
        sys.stdout.write(f"{tenant.name}: {told}; {head.number}:{head.digest.hex()}\n")
        is_whole = is_whole and not reason
    return 0 if is_whole else 1


def _head(text: str) -> Head:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError("give a number, a colon and 64 hex digits")
    return Head(int(match[1]), bytes.fromhex(match[2]))


CHECK_AUDIT: Final = Errand(
    name="check-audit",
    help="follow the audit log's chains, and say where one is broken",
    add_arguments=add_arguments,
    do=check_audit,
)
