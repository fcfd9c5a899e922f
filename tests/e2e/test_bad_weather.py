"""Apps that throttle, fail and lose answers during a first sync: it ends well.

Nothing is doubled and nothing lost, both vendors being asked; and an app that asks
for a pause gets one instead of a storm of calls.
"""

import asyncio

import pytest

from tests.e2e import plain
from tests.e2e.installation import LOOK_S, Installation, installation

CALLS_REFUSED_MAX = 150
"""Over a whole sync; a client that does not wait makes thousands."""


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_first_sync_through_faults_converges_without_duplicates():
    """A fifth of all calls fail, a twentieth are done and lost, another time out."""
    async with installation(left_count=150, right_count=100, shared_count=50) as system:
        await system.fault("applied_but_lost", path="/v3/contacts", probability=0.05)
        await system.fault(
            "timeout", path="/v3/contacts", probability=0.05, delay_s=0.3
        )
        await system.fault("status", path="/v3", probability=0.20, status=500)
        await system.start()
        # A lost create costs two looks, and any of these may fail as well: whoever is
        # unlucky five times running waits for minutes.
        await system.until(_is_settled, timeout_s=480)
        fired = {rule["kind"]: rule["fired"] for rule in await _faults(system)}
        assert all(fired.values()), fired
        await system.no_faults()
        await system.settle()
        await system.assert_whole()
        plain.assert_logs_are_clean(system)


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_an_app_that_throttles_is_given_time():
    """Both kinds of 429: too fast, and the day's calls are spent."""
    async with installation(left_count=60, right_count=60, shared_count=20) as system:
        await system.emulator(
            "PATCH", "/settings", {"limits": {"requests_per_second": 8}}
        )
        await system.emulator("DELETE", "/statistics")
        await system.start()
        await system.until_live(timeout_s=90)
        refused_count = await _refused_calls(system)
        assert 0 < refused_count <= CALLS_REFUSED_MAX, refused_count
        await system.assert_whole()

        await _the_day_is_spent(system)
        plain.assert_logs_are_clean(system)


async def _the_day_is_spent(system: Installation) -> None:
    """What is edited then waits, with the reason, and goes when there are calls."""
    limits = {"requests_per_second": None, "requests_per_day": 3}
    await system.emulator("PATCH", "/settings", {"limits": limits})
    await system.emulator("DELETE", "/statistics")
    before = await system.writes_to_left()
    path, card = await _card_of_somebody(system)
    await system.right.put(path, card.replace("END:VCARD", "TITLE:Waits\r\nEND:VCARD"))
    for _ in range(3):
        # Somebody impatient: each wish costs a call or two, not a storm.
        await system.tell("sync")
        status = await system.until(lambda status: bool(status["troubles"]))
    (trouble,) = status["troubles"]
    assert (trouble["side"], trouble["code"]) == ("left", "quota_exhausted")
    assert "when it starts anew" in trouble["detail"]
    async with asyncio.timeout(30):
        while not (waiting := await system.records("pending")):
            await asyncio.sleep(LOOK_S)
    assert [record["right_record_id"] for record in waiting] == [path]
    assert waiting[0]["reason"] == "quota_exhausted"
    assert "when it starts anew" in waiting[0]["reason_detail"]
    assert await _refused_calls(system) <= 20
    assert await system.writes_to_left() == before

    limits["requests_per_day"] = None
    await system.emulator("PATCH", "/settings", {"limits": limits})
    await system.tell("sync")
    await system.until(lambda status: not status["troubles"])
    # It would be tried again by itself; an edit has that happen at once.
    await system.right.put(path, card.replace("END:VCARD", "TITLE:Goes\r\nEND:VCARD"))
    await system.settle()
    assert len(await system.writes_to_left()) == len(before) + 1
    await system.assert_whole()


async def _card_of_somebody(system: Installation) -> tuple[str, str]:
    cards = await system.right.cards()
    return next(
        (path, card)
        for path, card in cards.items()
        if "TITLE" not in card and "EMAIL" in card
    )


async def _refused_calls(system: Installation) -> int:
    statistics = await system.emulator("GET", "/statistics")
    return int(statistics["throttled"])


async def _faults(system: Installation) -> list[dict[str, object]]:
    return list(await system.emulator("GET", "/faults"))


def _is_settled(status: dict) -> bool:
    counts = status["counts"]
    return status["state"] == "live" and not counts["pending"] and not counts["failed"]
