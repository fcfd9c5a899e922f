"""Checks settings against what both accounts are and offer, before they are stored."""

import asyncio
from typing import Final, Protocol, TypeVar

import msgspec

from proto.auth import Account, AccountState, GetAccount
from proto.base import Command, Reply
from proto.connector import AccountDescription, DescribeAccount
from proto.errors import ErrorCode, Retry
from proto.ids import TenantId
from proto.reconciler import SIDES, Direction, End, Settings, Side
from services.chassis.bus import COMMAND_TIMEOUT_S
from services.chassis.errors import CommandFailed
from services.reconciler.engine import mapping, options, pairing
from services.reconciler.engine.model import SideConfig

R = TypeVar("R", bound=Reply)

NAME_LENGTH_MAX = 200
DESCRIBE_TIMEOUT_S: Final = DescribeAccount.answer_s_max + 5.0
"""How long an account's description may take; longer than the connector waits for the
app, and shorter than whoever makes a connection waits for us."""


class Asking(Protocol):
    """The part of the bus that asks other services."""

    async def request(self, command: Command[R], *, timeout_s: float = ...) -> R:
        """Send a command and return its reply."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """Settings with what they were resolved against."""

    settings: Settings
    left: SideConfig
    right: SideConfig
    descriptions: tuple[AccountDescription, ...]


async def describe(
    bus: Asking, *, tenant_id: TenantId, settings: Settings
) -> Described:
    """Return the settings resolved against both accounts.

    Raises:
        CommandFailed: They cannot be used; says which one and why.
    """
    _check_alone(settings)
    left, right = await asyncio.gather(
        _describe_end(bus, settings.left, tenant_id=tenant_id, name="left"),
        _describe_end(bus, settings.right, tenant_id=tenant_id, name="right"),
    )
    sides = (
        _side(settings.left, left),
        _side(settings.right, right),
    )
    _check_together(settings, sides, descriptions=(left, right))
    descriptions = {each.account_id: each for each in (left, right)}
    return Described(
        settings=settings,
        left=sides[0],
        right=sides[1],
        descriptions=tuple(descriptions[key] for key in sorted(descriptions)),
    )


async def check_connected(
    bus: Asking, *, tenant_id: TenantId, settings: Settings
) -> None:
    """Refuse to start with an account that is gone or needs a person.

    Raises:
        CommandFailed: Says which account.
    """
    for end, name in ((settings.left, "left"), (settings.right, "right")):
        account = await _get_account(bus, end, tenant_id=tenant_id, name=name)
        if account.state is AccountState.LOST:
            raise CommandFailed(
                ErrorCode.ACCOUNT_LOST,
                "The account has to be authorised again first.",
                retry=Retry.AFTER_REAUTH,
                field=f"{name}.account_id",
            )


def _check_alone(settings: Settings) -> None:
    """Check what needs nobody else's word."""
    if not settings.name.strip() or len(settings.name) > NAME_LENGTH_MAX:
        raise _invalid("name", f"A name has 1 to {NAME_LENGTH_MAX} characters.")
    if settings.left == settings.right:
        raise _invalid("right", "Both sides are the same account and container.")
    is_same_account = settings.left.account_id == settings.right.account_id
    if is_same_account and None in (
        settings.left.container_id,
        settings.right.container_id,
    ):
        raise _invalid("right", "One side contains the other.")
    if settings.direction is Direction.UNKNOWN:
        raise _invalid("direction", "Must be both, to_left or to_right.")
    if settings.winner is Side.UNKNOWN:
        raise _invalid("winner", "Must be left or right.")


def _check_together(
    settings: Settings,
    sides: tuple[SideConfig, SideConfig],
    *,
    descriptions: tuple[AccountDescription, AccountDescription],
) -> None:
    """Check what follows from both accounts; the first refusal is told."""
    left, right = sides
    config = mapping.config_of(left=left, right=right, settings=settings, version=0)
    containers = {
        side: frozenset(each.container_id for each in description.containers)
        for side, description in zip(SIDES, descriptions, strict=True)
    }
    refused = (
        *pairing.refused(left=left, right=right, settings=settings),
        *options.refused(config, containers=containers),
    )
    if refused:
        raise _invalid(refused[0].pointer, refused[0].detail)


async def _describe_end(
    bus: Asking, end: End, *, tenant_id: TenantId, name: str
) -> AccountDescription:
    await _get_account(bus, end, tenant_id=tenant_id, name=name)
    description = await _ask(
        bus,
        DescribeAccount(tenant_id=tenant_id, account_id=end.account_id),
        field=f"{name}.account_id",
        timeout_s=DESCRIBE_TIMEOUT_S,
    )
    known = {container.container_id for container in description.containers}
    if end.container_id is not None and end.container_id not in known:
        raise CommandFailed(
            ErrorCode.NOT_FOUND,
            "The account has no such container.",
            field=f"{name}.container_id",
        )
    return description


async def _get_account(
    bus: Asking, end: End, *, tenant_id: TenantId, name: str
) -> Account:
    return await _ask(
        bus,
        GetAccount(tenant_id=tenant_id, account_id=end.account_id),
        field=f"{name}.account_id",
    )


async def _ask(
    bus: Asking,
    command: Command[R],
    *,
    field: str,
    timeout_s: float = COMMAND_TIMEOUT_S,
) -> R:
    """Ask another service; its refusal is about one of our command's fields."""
    try:
        return await bus.request(command, timeout_s=timeout_s)
    except CommandFailed as err:
        raise CommandFailed(err.code, err.detail, retry=err.retry, field=field) from err


def _side(end: End, description: AccountDescription) -> SideConfig:
    return SideConfig(
        account_id=end.account_id,
        app=description.app,
        container_id=end.container_id,
        fields=description.fields,
        capabilities=description.capabilities,
    )


def _invalid(field: str, detail: str) -> CommandFailed:
    return CommandFailed(ErrorCode.INVALID, detail, field=field)
