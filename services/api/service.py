"""Builds the api: its routes and what they work with."""

import asyncio
import contextlib
from pathlib import Path

from aiohttp import web

from services.api import config, kept, plain, routes
from services.api.config import Config
from services.api.content.bodies import BODY_BYTES_MAX
from services.api.proofs import issuers, seals
from services.api.proofs.passwords import Hasher
from services.api.proofs.seals import Safe
from services.api.requests import guard, routing
from services.api.requests.calls import PARTS, Parts
from services.api.requests.pacing import Pace
from services.api.requests.usage import Usage
from services.api.requests.windows import Windows
from services.api.store import (
    authorisations,
    factors,
    guesses,
    halves,
    identities,
    resets,
    roster,
)
from services.chassis import process
from services.chassis.clock import Clock
from services.chassis.errors import BadConfiguration
from services.chassis.patience import Limits
from services.chassis.process import Operations, Runtime
from services.chassis.retention import Keeper, Rule
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS


async def serve(runtime: Runtime[Config], stopping: asyncio.Event) -> None:
    """Serve until told to stop."""
    works: Store[Work] = runtime.store(Work)
    safe = seals.load(runtime.settings.key_ring_file)
    await _check_keys(safe, works, path=runtime.settings.key_ring_file)
    usage = Usage(works, clock=runtime.clock)

    keeper = Keeper(
        [Rule("api", lambda: forget_old(works, runtime.clock))], clock=runtime.clock
    )
    async with issuers.opened(runtime.settings, clock=runtime.clock) as issuer:
        parts = Parts(
            bus=runtime.bus,
            store=works,
            clock=runtime.clock,
            identifiers=runtime.identifiers,
            config=runtime.settings,
            base_url=config.base_url(runtime.settings),
            pace=Pace(per_minute=runtime.settings.requests_per_minute_max),
            usage=usage,
            hasher=Hasher(),
            safe=safe,
            refused=Windows(),
            issuer=issuer,
        )
        settings = runtime.settings
        async with contextlib.AsyncExitStack() as stack:
            limits = Limits(connections_max=settings.http_connections_max)
            where = {"host": settings.http_host, "limits": limits}
            opened = runtime.listening(
                application(parts),
                port=settings.http_port,
                certificate=config.certificate(settings),
                **where,
            )
            await stack.enter_async_context(opened)
            if settings.redirect_port is not None:
                opened = runtime.listening(
                    plain.server(parts),
                    port=settings.redirect_port,
                    setting="REDIRECT_PORT",
                    **where,
                )
                await stack.enter_async_context(opened)
            await process.serve_until(
                runtime,
                stopping,
                usage.run,
                keeper.run,
                operations=Operations(
                    settings.operations_host,
                    settings.operations_port,
                    "OPERATIONS_PORT",
                ),
            )


def application(parts: Parts) -> web.Application:
    """Return the whole interface, ready to be served."""
    built = web.Application(
        middlewares=[guard.surround], client_max_size=BODY_BYTES_MAX
    )
    built[PARTS] = parts
    built.add_routes([routing.guarded(route) for route in routes.ROUTES])
    built.add_routes([routing.opened(route) for route in routes.OPEN])
    built.add_routes([routing.for_form(form) for form in routes.FORMS])
    built.add_routes([routing.for_browser(page) for page in routes.PAGES])
    return built


async def forget_old(works: Store[Work], clock: Clock) -> bool:
    """Forget a batch of what is over for long; True if there may be more."""
    now = clock.now()
    async with works.transaction(ALL_TENANTS) as work:
        transaction = work.transaction
        more = [
            await authorisations.forget_authorisations(
                transaction, before=now - kept.AUTHORISATIONS
            ),
            await roster.forget_sessions(transaction, before=now),
            await guesses.forget(transaction, before=now),
            await identities.forget_sign_ins(transaction, before=now),
            await resets.forget_resets(transaction, before=now),
            await factors.forget_enrolments(transaction, before=now),
            await halves.forget_half_sessions(transaction, before=now),
            await roster.forget_invitations(transaction, before=now - kept.INVITATIONS),
        ]
    return any(more)


async def _check_keys(safe: Safe, works: Store[Work], *, path: Path) -> None:
    """Refuse to serve without a key that somebody's second factor needs."""
    async with works.transaction(ALL_TENANTS) as work:
        missing = safe.lacks(await factors.list_factor_keys(work.transaction))
    if missing:
        raise BadConfiguration(
            [f"key ring {path}: second factors need the key {key!r}" for key in missing]
        )
