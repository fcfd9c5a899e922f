"""Two accounts from nothing to in sync, then idle, edits and deletions."""

from tests.e2e.installation import installation


async def test_both_sides_agree_and_stay_quiet_and_edits_cross_once():
    """Behaviours 6, 20, 22, 28, 33, 34 and 36, on real parts.

    One installation for the whole story, because starting one takes seconds.
    """
    async with installation(left_count=120, right_count=80, shared_count=40) as system:
        await system.start()
        status = await system.until_live()

        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        crowd = system.story.crowd
        with_email = {p.number for p in (*crowd.left, *crowd.right) if p.emails}
        assert agreement.people == len(with_email)
        without_email = [p for p in (*crowd.left, *crowd.right) if not p.emails]
        assert status["counts"]["excluded"] == len(without_email)
        assert status["counts"].get("failed", 0) == 0
        await _excluded_say_why(system, len(without_email))

        await _idle_passes_write_nothing(system)
        await _one_edit_makes_one_write(system)
        await _nothing_is_deleted(system)


async def _excluded_say_why(system, count):
    path = f"/v1/connections/{system.story.connection_id}/records?state=excluded"
    records = await system.tandem.pages(path)
    assert len(records) == count
    assert {record["reason"] for record in records} == {"no_email"}


async def _idle_passes_write_nothing(system):
    left = len(await system.writes_to_left())
    cards = await system.right.cards()
    for _ in range(3):
        await system.sync()
    assert len(await system.writes_to_left()) == left
    assert await system.right.cards() == cards


async def _one_edit_makes_one_write(system):
    left = len(await system.writes_to_left())
    cards = await system.right.cards()
    await system.story.edit_both_sides()
    await system.sync()
    await system.sync()
    assert len(await system.writes_to_left()) == left + 1
    now = await system.right.cards()
    assert now.keys() == cards.keys()
    # One card was edited by Tandem, the other by the person.
    assert sum(now[path] != card for path, card in cards.items()) == 2
    assert (await system.agreement()).is_whole


async def _nothing_is_deleted(system):
    await system.story.delete_on_both_sides()
    await system.sync()
    agreement = await system.agreement()
    assert agreement.is_whole, agreement


async def test_two_replicas_of_connector_and_reconciler_write_nothing_twice():
    async with installation(
        left_count=150,
        right_count=100,
        shared_count=50,
        replicas={"connector": 2, "reconciler": 2},
    ) as system:
        await system.start()
        status = await system.until_live()
        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        writes = await system.writes_to_left()
        creates = [w["contact_id"] for w in writes if w["operation"] == "create"]
        assert len(creates) == len(set(creates)) == status["counts"]["created_left"]
        changed = [(w["contact_id"], w["fields"]) for w in writes]
        assert len(changed) == len({str(change) for change in changed})
        await _idle_passes_write_nothing(system)
