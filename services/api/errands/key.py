"""``python -m services.api create-key``: how the first tenant gets its first key."""

import argparse
import datetime
import sys
from typing import Final

from services.api.errands import naming
from services.api.requests import issuing
from services.api.requests.permissions import SCOPES
from services.api.store import api_keys, ledger
from services.api.store.ledger import AuditEntry
from services.chassis.errands import Desk, Errand
from services.chassis.tenancy import ALL_TENANTS

DAYS_MAX: Final = 3_650


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    naming.add_tenant_argument(parser)
    parser.add_argument("--name", default="first key", type=naming.name)
    parser.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what the key may do; may be repeated (default: everything)",
    )
    parser.add_argument(
        "--days",
        type=_days,
        help="after how many days the key ends (default: not by itself)",
    )


async def create_key(desk: Desk, arguments: argparse.Namespace) -> int:
    """Store a key and print its text, which is shown nowhere else."""
    now = desk.clock.now()
    days: int | None = arguments.days
    ends_at = None if days is None else now + datetime.timedelta(days=days)
    async with desk.store.transaction(ALL_TENANTS) as work:
        tenant_id = await naming.take_tenant(
            work.transaction, desk, named=arguments.tenant, now=now
        )
        issued = issuing.make(
            tenant_id,
            name=arguments.name,
            scopes=tuple(arguments.scope or SCOPES),
            expires_at=ends_at,
            created_by=naming.COMMAND_LINE,
            identifiers=desk.identifiers,
        )
        await api_keys.add_key(work.transaction, issued.row, now=now)
        entry = AuditEntry(
            tenant_id=tenant_id,
            actor=naming.COMMAND_LINE,
            act="api_key.create",
            object_id=issued.row.key_id,
            outcome="done",
        )
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    sys.stdout.write(issued.text + "\n")
    return 0


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= DAYS_MAX):
        raise argparse.ArgumentTypeError(f"give a number from 1 to {DAYS_MAX}")
    return int(text)


CREATE_KEY: Final = Errand(
    name="create-key",
    help="make an API key, and its tenant if need be, and print the key",
    add_arguments=add_arguments,
    do=create_key,
)
