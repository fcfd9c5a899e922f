"""Two accounts from nothing to in sync, then idle, edits and deletions."""

from tests.e2e.installation import Installation, installation


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
        await _nothing_is_written_twice(system)

        await _idle_passes_write_nothing(system)
        await _one_edit_makes_one_write(system)
        await _nothing_is_deleted(system)


async def _excluded_say_why(system: Installation, count: int) -> None:
    records = await system.records("excluded")
    assert len(records) == count
    assert {record["reason"] for record in records} == {"no_email"}


async def _nothing_is_written_twice(system: Installation) -> None:
    """Ask the emulator's journal and the gate before the cards, after a first sync.

    Either tells of as many writes as the status, and of one a contact and a card.
    """
    counts = (await system.status())["counts"]
    contacts = [line["contact_id"] for line in await system.writes_to_left()]
    assert len(contacts) == counts["created_left"] + counts["updated_left"]
    assert len(contacts) == len(set(contacts))
    cards = [call.target for call in system.writes_to_right()]
    assert len(cards) == counts["created_right"] + counts["updated_right"]
    assert len(cards) == len(set(cards))
    assert all(call.is_done for call in system.writes_to_right())


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


async def test_two_replicas_of_connector_and_reconciler_write_nothing_twice():
    async with installation(
        left_count=150,
        right_count=100,
        shared_count=50,
        replicas={"connector": 2, "reconciler": 2},
    ) as system:
        await system.start()
        await system.until_live()
        await system.assert_whole()
        await _nothing_is_written_twice(system)
        await _idle_passes_write_nothing(system)
