"""A person is erased from a whole installation, and no reading brings them back."""

import asyncio
import time

from tests.e2e.installation import LOOK_S, Installation, installation
from tests.integration.reconciler import erased

ERASED_S_MAX = 60.0
"""How long an erasure may take (S13)."""


async def test_nothing_of_an_erased_person_is_left_in_any_service():
    """By real services, with a card server and the other app's emulator."""
    async with installation(left_count=30, right_count=20, shared_count=10) as system:
        await system.start()
        await system.until_live()
        person = next(p for p in system.story.crowd.left if p.emails)
        email = person.emails[0]
        assert await _places(system, email)
        cards, contacts = await system.right.paths(), await system.left.contacts()

        began_s = time.monotonic()
        done = await _erase(system, email)
        assert time.monotonic() - began_s < ERASED_S_MAX
        assert done["records"] >= 2
        assert {left["app"] for left in done["left"]} == {"carddav", "constant_contact"}
        # The database is in the supervisor's hands: everything of the bus is drained.
        await system.settle()
        assert await _places(system, email) == set()

        # All of both sides is read again.
        await system.tell("pause")
        await system.tell("resume")
        await system.until_live()
        await system.settle()
        assert await _places(system, email) == set()
        assert (await system.status())["counts"]["erased"] >= 2
        path = f"/v1/connections/{system.story.connection_id}/records/search"
        found = await system.tandem.call("POST", path, body={"email": email})
        assert (found["items"], found["is_erased"]) == ([], True)
        # Nobody was touched in either app.
        assert await system.right.paths() == cards
        assert len(await system.left.contacts()) == len(contacts)


async def _erase(system: Installation, email: str) -> dict:
    begun = await system.tandem.call("POST", "/v1/erasures", body={"email": email})
    path = f"/v1/erasures/{begun['erasure_id']}"
    async with asyncio.timeout(ERASED_S_MAX):
        while (found := await system.tandem.call("GET", path))["state"] != "done":
            await asyncio.sleep(LOOK_S)
    return found


async def _places(system: Installation, email: str) -> set[str]:
    """Return the tables of any service that an address is in."""
    found = await erased.places_of([email], admin_url=system.system.admin_url)
    return found[email]
