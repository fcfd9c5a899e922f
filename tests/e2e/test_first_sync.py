"""Two accounts from nothing to in sync, then idle, edits and deletions."""

import asyncio
import os
import re
import signal
from collections.abc import Mapping

import pytest

from tests.e2e.installation import LOOK_S, QUICK, Installation, installation

CONNECTORS = ("connector", "connector-2")
CARDS_WRITTEN_MIN = 60
WRITE_DELAY_S = 0.05
"""How much longer a write takes, so that some are left to be taken over."""
SMALL_BATCHES: Mapping[str, Mapping[str, str]] = {
    **QUICK,
    # After each batch either replica may be the next.
    "reconciler": {
        **QUICK["reconciler"],
        "RECONCILER_BATCH_RECORDS": "50",
        "RECONCILER_BATCHES_MAX": "1",
    },
}
_CARDS_WRITTEN = re.compile(
    r'^tandem_connector_calls_total{app="carddav",method="PUT".*} (\S+)$', re.MULTILINE
)


async def test_both_sides_agree_and_stay_quiet_and_edits_cross_once():
    """Behaviours 6, 20, 22, 28, 33, 34 and 36, on real parts.

    One installation for the whole story, because starting one takes seconds.
    """
    async with installation(left_count=120, right_count=80, shared_count=40) as system:
        await system.start()
        status = await system.until_live()

        await system.assert_whole()
        crowd = system.story.crowd
        without_email = [p for p in (*crowd.left, *crowd.right) if not p.emails]
        assert status["counts"]["excluded"] == len(without_email)
        assert status["counts"].get("failed", 0) == 0
        await _excluded_say_why(system, len(without_email))
        await _writes_are_as_told(system)

        await _idle_passes_write_nothing(system)
        await _one_edit_makes_one_write(system)
        await _nothing_is_deleted(system)


async def _excluded_say_why(system: Installation, count: int) -> None:
    records = await system.records("excluded")
    assert len(records) == count
    assert {record["reason"] for record in records} == {"no_email"}


async def _writes_are_as_told(system: Installation) -> None:
    """Compare the vendors' counts of writes with the status, after a first sync."""
    counts = (await system.status())["counts"]
    left, right = await system.write_counts()
    assert left == counts["created_left"] + counts["updated_left"]
    assert right == counts["created_right"] + counts["updated_right"]
    await _nobody_is_written_twice(system)


async def _idle_passes_write_nothing(system: Installation) -> None:
    before, cards = await system.write_counts(), await system.right.cards()
    for _ in range(3):
        await system.sync()
    assert await system.write_counts() == before
    assert await system.right.cards() == cards


async def _one_edit_makes_one_write(system: Installation) -> None:
    left, right = await system.write_counts()
    cards = await system.right.cards()
    await system.story.edit_both_sides()
    await system.sync()
    await system.sync()
    assert await system.write_counts() == (left + 1, right + 1)
    now = await system.right.cards()
    assert now.keys() == cards.keys()
    # One card was edited by Tandem, the other by the person.
    assert sum(now[path] != card for path, card in cards.items()) == 2
    assert (await system.agreement()).is_whole


async def _nothing_is_deleted(system: Installation) -> None:
    before = await system.write_counts()
    await system.story.delete_on_both_sides()
    await system.sync()
    agreement = await system.agreement()
    assert agreement.is_whole, agreement
    assert await system.write_counts() == before


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_two_replicas_of_connector_and_reconciler_write_nothing_twice():
    """One replica stands still in the midst of writing, and the other takes over.

    When it goes on, it takes the address book for its own.
    """
    async with installation(
        left_count=300,
        right_count=200,
        shared_count=60,
        environment=SMALL_BATCHES,
        replicas={"connector": 2, "reconciler": 2},
    ) as system:
        system.gates["carddav"].delay_s = WRITE_DELAY_S
        await system.start()
        holder = await _who_writes_cards(system)
        (other,) = {*CONNECTORS} - {holder}
        before = await _card_write_count(system, other)
        pid = system.system.pids()[holder]
        os.kill(pid, signal.SIGSTOP)
        try:
            while await _card_write_count(system, other) == before:
                await asyncio.sleep(LOOK_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        await system.until_live()
        await system.assert_whole()
        assert '"turn_fenced"' in system.system.layout.log(holder).read_text()
        for name in ("reconciler", "reconciler-2"):
            assert '"batch_planned"' in system.system.layout.log(name).read_text()
        await _nobody_is_written_twice(system)
        await _idle_passes_write_nothing(system)


async def _who_writes_cards(system: Installation) -> str:
    """Return the replica that is writing to the address book, once one is."""
    while True:
        for name in CONNECTORS:
            if await _card_write_count(system, name) >= CARDS_WRITTEN_MIN:
                return name
        assert (await system.status())["state"] in ("scanning", "syncing")
        await asyncio.sleep(LOOK_S)


async def _card_write_count(system: Installation, name: str) -> int:
    """Return how many cards a replica has written, by its own count."""
    url = system.system.operations_url(name) + "/metrics"
    async with system.session.get(url) as answer:
        return sum(int(float(n)) for n in _CARDS_WRITTEN.findall(await answer.text()))


async def _nobody_is_written_twice(system: Installation) -> None:
    contacts = [line["contact_id"] for line in await system.writes_to_left()]
    assert len(contacts) == len(set(contacts))
    cards = [call.target for call in system.writes_to_right() if call.is_done]
    assert len(cards) == len(set(cards))
