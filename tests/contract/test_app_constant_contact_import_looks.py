"""Whom Constant Contact's looks find while an import goes on, and when they tell."""

import pytest

from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call
from tests.contract.constant_contact_imports import (
    SOME,
    Account,
    connected,
    email_of,
)

EVERYBODY = [email_of(number) for number in range(SOME)]


async def asked_for(vendor: Account, emails: list[str]) -> int:
    """Return how many of these are found."""
    return len(await vendor.run(vendor.app.find_by_email(emails)))


async def test_an_import_that_ends_while_people_are_looked_for_hides_nobody():
    """A look at fifty takes twelve seconds: time enough for an import to end in."""
    async with connected(import_queue_s=600) as vendor:
        await vendor.make(vendor.some())

        def end(call: Call) -> None:
            if call.path == "/activities":
                vendor.before = None
                vendor.emulator.clock.advance(600)

        vendor.before = end
        assert await asked_for(vendor, EVERYBODY) == SOME
        assert vendor.before is None


async def test_a_look_that_cannot_tell_costs_two_calls():
    """Or fifty that wait for a long import would spend the calls of a day."""
    async with connected(import_queue_s=600) as vendor:
        await vendor.make(vendor.some())
        vendor.asked()
        with pytest.raises(CallFailed):
            await asked_for(vendor, EVERYBODY)
        assert [one.partition("?")[0] for one in vendor.asked()] == [
            "GET /contacts",
            "GET /activities",
        ]


async def test_whoever_is_there_is_found_whatever_goes_on():
    async with connected(import_s=600) as vendor:
        await vendor.make(vendor.some())
        there = sorted(vendor.emails())
        assert there
        assert await asked_for(vendor, there) == len(there)


async def test_who_may_not_see_activities_finds_that_somebody_is_not_there():
    """Nor may they import. One look would hold up all writes of the account."""
    async with connected() as vendor:
        vendor.fault(kind="status", path="/v3/activities", status=403)
        assert await asked_for(vendor, [email_of(3)]) == 0


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_activities_that_cannot_be_read_keep_nothing_but_the_look_waiting(
    status,
):
    async with connected() as vendor:
        vendor.fault(kind="status", path="/v3/activities", status=status)
        with pytest.raises(CallFailed) as failure:
            await asked_for(vendor, [email_of(3)])
        assert failure.value.meaning is Meaning.UNSETTLED


async def test_too_many_calls_are_no_matter_of_activities():
    async with connected() as vendor:
        vendor.fault(kind="status", path="/v3/activities", status=429)
        with pytest.raises(CallFailed) as failure:
            await asked_for(vendor, [email_of(3)])
        assert failure.value.meaning is Meaning.RATE_LIMITED
