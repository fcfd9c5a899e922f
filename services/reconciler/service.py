"""Builds the reconciler and runs it; the only module here that constructs things."""

import asyncio

from services.chassis import process
from services.chassis.loops import Wake
from services.chassis.process import Runtime
from services.chassis.store import Store, Work
from services.reconciler import handlers
from services.reconciler.acting import Acting
from services.reconciler.config import Config
from services.reconciler.planner import Planner
from services.reconciler.showing import Showing
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
    sweeper = Sweeper(store, config=config, clock=clock, wake=wake)
    receiver = runtime.receiver(store, handlers.events(config=config, wake=wake))
    answers = handlers.commands(
        Acting(store, runtime.bus),
        Showing(runtime.database, runtime.bus, clock=clock),
    )
    for command_class, handler in answers.items():
        await runtime.bus.answer(command_class, handler)
    await process.serve_until(runtime, stopping, receiver.run, planner.run, sweeper.run)
