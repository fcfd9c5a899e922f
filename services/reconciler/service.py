"""Builds the reconciler and runs it; the only module here that constructs things."""

import asyncio

from services.chassis import process
from services.chassis.errors import BadConfiguration
from services.chassis.loops import Wake
from services.chassis.process import Runtime
from services.chassis.retention import Keeper
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler import handlers, kept, pseudonyms
from services.reconciler.acting import Acting
from services.reconciler.config import Config
from services.reconciler.erasing import Eraser
from services.reconciler.exporting import Exporting
from services.reconciler.planner import Planner
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.requesting import Requests
from services.reconciler.showing import Showing
from services.reconciler.store import suppressions
from services.reconciler.sweeping import Sweeper


async def serve(runtime: Runtime[Config], stopping: asyncio.Event) -> None:
    """Answer commands, take events, plan and sweep until told to stop."""
    config, clock = runtime.settings, runtime.clock
    store: Store[Work] = runtime.store(Work)
    wake = Wake()
    planner = Planner(
        store,
        config=config,
        clock=clock,
        identifiers=runtime.identifiers,
        wake=wake,
    )
    screen = await _screen(store, config=config)
    erasing_wake = Wake()
    sweeper = Sweeper(store, config=config, clock=clock, wake=wake)
    receiver = runtime.receiver(
        store,
        handlers.events(
            config=config, wake=wake, screen=screen, erasing_wake=erasing_wake
        ),
    )
    answers = handlers.commands(
        Acting(store, runtime.bus),
        Showing(runtime.database, runtime.bus, clock=clock, screen=screen),
        requests=Requests(store, screen=screen, wake=erasing_wake),
        exporting=Exporting(runtime.database),
    )
    for command_class, handler in answers.items():
        await runtime.bus.answer(command_class, handler)
    keeper = Keeper(
        [*receiver.rules(), *kept.rules(store, config=config, clock=clock)],
        clock=clock,
    )
    work = [receiver.run, planner.run, sweeper.run, keeper.run]
    if screen is not None:
        eraser = Eraser(
            store, screen=screen, config=config, clock=clock, wake=erasing_wake
        )
        work.append(eraser.run)
    await process.serve_until(runtime, stopping, *work)


async def _screen(store: Store[Work], *, config: Config) -> Pseudonyms | None:
    """Return what tells who was erased, if it can tell it of everybody."""
    screen = pseudonyms.load(config.key_ring_file)
    async with store.transaction(ALL_TENANTS) as work:
        needed = await suppressions.list_keys(work.transaction)
    missing = needed if screen is None else screen.lacks(needed)
    if missing:
        names = ", ".join(map(repr, missing))
        raise BadConfiguration(
            [f"RECONCILER_KEY_RING_FILE: who was erased needs the key {names} too"]
        )
    return screen
