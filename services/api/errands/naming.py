"""Names at the command line: of tenants, of keys, and of whoever is at work there."""

import argparse
import datetime
from typing import Final

from proto.ids import TenantId
from services.api.store import tenants
from services.chassis.database import Transaction
from services.chassis.errands import Desk

COMMAND_LINE: Final = "command_line"
"""What the audit log calls whoever runs the installation."""
_NAME_CHARS_MAX: Final = 200


def name(text: str) -> str:
    """Return a name as it is stored."""
    text = text.strip()
    if not text or len(text) > _NAME_CHARS_MAX or not text.isprintable():
        raise argparse.ArgumentTypeError(f"give 1 to {_NAME_CHARS_MAX} characters")
    return text


def add_tenant_argument(parser: argparse.ArgumentParser) -> None:
    """Declare whose the first of something is to be."""
    parser.add_argument(
        "--tenant", required=True, type=name, help="made if there is none of this name"
    )


async def take_tenant(
    transaction: Transaction,
    desk: Desk,
    *,
    named: str,
    now: datetime.datetime,
) -> TenantId:
    """Return the tenant of a name, made if need be; serve it alone from then on."""
    tenant_id = await tenants.take_tenant(
        transaction,
        named,
        new_id=desk.identifiers.new(TenantId),
        requires_second_factor=desk.settings.second_factor_required,
        now=now,
    )
    await transaction.narrow(tenant_id)
    return tenant_id
