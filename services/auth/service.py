"""Builds and wires auth; the only module here that constructs things."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from proto.auth import (
    AddAccount,
    BeginAuthorisation,
    CheckAppClient,
    CompleteAuthorisation,
    GetAccount,
    IssueToken,
    ListAccounts,
    RemoveAccount,
    SetAppClient,
)
from proto.pushes import ReadPushClient
from services.auth import handlers, rotation, transport, vault
from services.auth.accounts import Accounts
from services.auth.catalogue import Catalogue
from services.auth.clients import Clients
from services.auth.config import Config
from services.auth.places import Places
from services.auth.proving import Prover
from services.auth.store import AuthWork
from services.auth.tokens import Tokens
from services.auth.transport import TokenEndpoint
from services.auth.trials import Trials
from services.auth.vault import Vault
from services.chassis import process
from services.chassis.addresses import Guard
from services.chassis.errors import BadConfiguration
from services.chassis.process import Runtime
from services.chassis.retention import Keeper, Rule
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS

OpenEndpoint = Callable[..., AbstractAsyncContextManager[TokenEndpoint]]


async def serve(
    runtime: Runtime[Config],
    stopping: asyncio.Event,
    *,
    open_endpoint: OpenEndpoint = transport.open_endpoint,
) -> None:
    """Answer commands until told to stop."""
    config = runtime.settings
    store: Store[AuthWork] = runtime.store(AuthWork)
    safe = vault.load(config.key_ring_file)
    await _check_keys(safe, store, config=config)
    guard = Guard(config.private_addresses, allowed=config.allowed_hosts)
    async with open_endpoint(config.refresh_timeout_s, guard=guard) as endpoint:
        catalogue = Catalogue(runtime.bus, runtime.clock, guard=guard)
        clients = Clients(
            store,
            vault=safe,
            catalogue=catalogue,
            guard=guard,
            authorise_hosts=config.authorise_hosts,
        )
        tokens = Tokens(
            store,
            vault=safe,
            clients=clients,
            endpoint=endpoint,
            clock=runtime.clock,
            config=config,
        )
        accounts = Accounts(
            store,
            prover=Prover(store, vault=safe, bus=runtime.bus, clock=runtime.clock),
            vault=safe,
            clients=clients,
            endpoint=endpoint,
            places=Places(endpoint, guard=guard),
            catalogue=catalogue,
            clock=runtime.clock,
            identifiers=runtime.identifiers,
            config=config,
        )
        for command, handler in (
            (SetAppClient, clients.put),
            (CheckAppClient, Trials(clients, endpoint=endpoint).check),
            (ReadPushClient, clients.for_push),
            (BeginAuthorisation, accounts.begin),
            (CompleteAuthorisation, accounts.complete),
            (AddAccount, accounts.add),
            (GetAccount, functools.partial(handlers.get_account, store=store)),
            (ListAccounts, functools.partial(handlers.list_accounts, store=store)),
            (RemoveAccount, functools.partial(handlers.remove_account, store=store)),
            (IssueToken, tokens.issue),
        ):
            await runtime.bus.answer(command, handler)
        stale = Rule("stale", functools.partial(_drop_stale, store))
        keeper = Keeper([stale], clock=runtime.clock)
        await process.serve_until(runtime, stopping, keeper.run)
        # The bus goes first, or a refresh under way would lose a token already rotated.
        await runtime.bus.drain(timeout_s=config.refresh_timeout_s)
        await tokens.finish(timeout_s=config.refresh_timeout_s)


async def _drop_stale(store: Store[AuthWork]) -> bool:
    """Take away what nobody came back from, also where nobody begins anything new."""
    async with store.transaction(ALL_TENANTS) as work:
        await work.drop_stale()
    return False


async def _check_keys(safe: Vault, store: Store[AuthWork], *, config: Config) -> None:
    """Refuse a key ring that does not open what is stored (hazard 122)."""
    async with store.transaction(ALL_TENANTS) as work:
        missing = safe.lacks(await rotation.keys_in_use(work))
    if missing:
        names = ", ".join(map(repr, missing))
        raise BadConfiguration(
            [f"key ring {config.key_ring_file}: secrets need the key {names} too"]
        )
