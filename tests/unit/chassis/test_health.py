"""Readiness is told in time, whatever its checks do."""

import asyncio

from services.chassis.health import Health


async def test_a_check_that_never_answers_is_told_and_holds_nothing_up():
    """Who asked for readiness once waited as long as the database did not answer."""

    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    async def away() -> str:
        return "unreachable"

    async def fine() -> str:
        return ""

    health = Health(timeout_s=0.01)
    for name, check in (("database", never), ("bus", away), ("other", fine)):
        health.add(name, check)
    health.fail("bus_permissions")
    async with asyncio.timeout(5):
        assert await health.faults() == {
            "bus_permissions": "failed",
            "database": "no answer",
            "bus": "unreachable",
        }
