"""Every app: what changed since, whoever changed it and whenever."""

import pytest

from proto.record import Consent, Presence
from services.connector.errors import CallFailed, Meaning
from tests.contract.conformance.bench import PAGE_SIZE

SKEW_S = 30.0
CALLS_MAX = 2
"""An account where nothing happened costs no more calls (T3), unless its vendor needs
more to tell that."""


@pytest.fixture
async def known(bench):
    """Three people who have been read, and where changes go on."""
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(3)])
    _, resume = await bench.scan()
    return ids, resume


async def test_an_edit_shows(bench, known):
    (one, *_), resume = known
    role = bench.stage.text_role
    await bench.stage.edit(one, {role: "Baker"})
    changed, _ = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Baker"


async def test_an_emptied_value_shows(bench, known):
    (one, *_), resume = known
    role = bench.stage.text_role
    await bench.stage.edit(one, {role: "Baker"})
    _, resume = await bench.changes(resume)
    await bench.stage.edit(one, {role: None})
    changed, _ = await bench.changes(resume)
    field = await bench.field_of(role)
    assert changed[one].fields[field.field_id] is None


async def test_an_edit_of_every_field_shows(bench, known):
    (one, *_), resume = known
    full = bench.stage.full(0)
    for role, value in full.items():
        await bench.stage.edit(one, {role: value})
        changed, resume = await bench.changes(resume)
        assert await bench.value(changed[one], role) == value, role


async def test_somebody_new_shows(bench, known):
    _, resume = known
    (new,) = await bench.stage.add([bench.stage.full(7)])
    changed, _ = await bench.changes(resume)
    shown = await bench.card_of(changed[new])
    assert shown | bench.stage.full(7) == shown


async def test_nothing_shows_where_nothing_happened(bench, known):
    _, resume = known
    # What was read at the start may come again, as long as it is what it was.
    _, resume = await bench.changes(resume)
    before = (await bench.scan())[0]
    bench.proxy.forget()
    changed, _ = await bench.changes(resume)
    least = bench.stage.least
    # Whoever comes again comes with their lists.
    lists = least.lists(len(changed), least.changes_page_size)
    assert len(bench.proxy.seen) <= max(CALLS_MAX, least.idle_calls) + lists
    assert all(before[record_id] == one for record_id, one in changed.items())


async def test_an_idle_account_costs_no_more_when_it_is_larger(bench):
    await bench.stage.add([bench.stage.plain(n) for n in range(4 * PAGE_SIZE)])
    _, resume = await bench.scan()
    _, resume = await bench.changes(resume)
    bench.proxy.forget()
    await bench.changes(resume)
    # Whoever is read once more comes with their lists, where those are asked for apart.
    few = (2 * CALLS_MAX + 4) * (2 if bench.stage.least.lists_batch else 1)
    assert len(bench.proxy.seen) <= few, "what was just read may be read once more"


async def test_the_newest_of_several_edits_shows(bench, known):
    (one, *_), resume = known
    role = bench.stage.text_role
    for number in range(3):
        await bench.stage.edit(one, {role: f"Baker {number}"})
    changed, resume = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Baker 2"
    await bench.stage.edit(one, {role: "Baker 3"})
    changed, _ = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Baker 3"


async def test_every_edit_of_many_shows_over_several_pages(bench):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(25)])
    _, resume = await bench.scan()
    role = bench.stage.text_role
    for number, record_id in enumerate(ids):
        await bench.stage.edit(record_id, {role: f"Baker {number}"})
    changed, _ = await bench.changes(resume)
    shown = [await bench.value(changed[one], role) for one in ids]
    assert shown == [f"Baker {number}" for number in range(25)]


@pytest.mark.needs("change_times")
async def test_edits_of_one_second_all_show(bench):
    """Hazard 17: more of them than a page holds, with one change time."""
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(25)])
    _, resume = await bench.scan()
    bench.stage.freeze()
    role = bench.stage.text_role
    for record_id in ids:
        await bench.stage.edit(record_id, {role: "Baker"})
    changed, resume = await bench.changes(resume)
    assert set(changed) >= set(ids)
    # In the very second that has been read, once more (hazard 18).
    await bench.stage.edit(ids[0], {role: "Miller"})
    changed, _ = await bench.changes(resume)
    assert await bench.value(changed[ids[0]], role) == "Miller"


@pytest.mark.needs("change_times")
@pytest.mark.parametrize("ahead_s", [SKEW_S, -SKEW_S])
async def test_nothing_is_missed_where_the_vendors_clock_is_wrong(bench, ahead_s):
    """Hazard 19: from the start, and from then on."""
    bench.stage.pass_time(ahead_s)
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    _, resume = await bench.scan()
    role = bench.stage.text_role
    await bench.stage.edit(one, {role: "Baker"})
    changed, resume = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Baker"
    await bench.stage.edit(one, {role: "Miller"})
    changed, _ = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Miller"


@pytest.mark.needs("change_times")
async def test_nothing_is_missed_where_the_vendors_clock_is_set_back(bench, known):
    (one, *_), resume = known
    bench.stage.pass_time(-SKEW_S)
    role = bench.stage.text_role
    await bench.stage.edit(one, {role: "Baker"})
    changed, _ = await bench.changes(resume)
    assert await bench.value(changed[one], role) == "Baker"


async def test_edits_made_while_changes_are_read_are_not_lost(bench):
    """Hazard 16: they show on a page that follows, or in the next pass."""
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(25)])
    _, resume = await bench.scan()
    role = bench.stage.text_role
    for record_id in ids:
        await bench.stage.edit(record_id, {role: "Baker"})
    latest, cursor, pages = {}, resume, 0
    while True:
        page = await bench.run((await bench.app()).changes(cursor))
        for record in page.records:
            latest[record.record_id] = await bench.value(record, role)
        if page.next is None:
            break
        pages += 1
        cursor = page.next
        for record_id in (ids[0], ids[-1]):
            await bench.stage.edit(record_id, {role: f"Miller {pages}"})
    assert pages > 0
    assert page.resume is not None
    changed, _ = await bench.changes(page.resume)
    for record_id, record in changed.items():
        latest[record_id] = await bench.value(record, role)
    for record_id in ids:
        seen = await bench.stage.see(record_id)
        assert latest[record_id] == seen[role]


async def test_changes_go_on_after_a_crash_at_every_page(bench):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(25)])
    _, resume = await bench.scan()
    for record_id in ids:
        await bench.stage.edit(record_id, {bench.stage.text_role: "Baker"})
    shown, cursor = set(), resume
    while True:
        await bench.run((await bench.app()).changes(cursor))
        bench.restart()
        page = await bench.run((await bench.app()).changes(cursor))
        shown |= {one.record_id for one in page.records}
        if page.next is None:
            break
        bench.restart()
        cursor = page.next
    assert shown >= set(ids)


async def test_the_same_changes_can_be_read_again(bench, known):
    """The pass was not stored: its cursor is good once more."""
    (one, *_), resume = known
    await bench.stage.edit(one, {bench.stage.text_role: "Baker"})
    first, _ = await bench.changes(resume)
    again, _ = await bench.changes(resume)
    assert first[one] == again[one]


@pytest.mark.needs("detects_deletions")
async def test_a_deletion_shows(bench, known):
    (one, two, three), resume = known
    await bench.stage.delete(two)
    changed, _ = await bench.changes(resume)
    assert changed[two].presence is Presence.DELETED
    for stays in (one, three):
        assert stays not in changed or changed[stays].presence is Presence.LIVE


@pytest.mark.needs("detects_deletions")
async def test_many_deletions_show_over_several_pages(bench):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(25)])
    _, resume = await bench.scan()
    for record_id in ids[:23]:
        await bench.stage.delete(record_id)
    changed, _ = await bench.changes(resume)
    gone = {key for key, one in changed.items() if one.presence is Presence.DELETED}
    assert gone == set(ids[:23])


async def test_who_came_and_went_is_nobody(bench, known):
    _, resume = known
    (new,) = await bench.stage.add([bench.stage.plain(8)])
    await bench.stage.delete(new)
    changed, _ = await bench.changes(resume)
    assert new not in changed or changed[new].presence is not Presence.LIVE


@pytest.mark.needs("restoring")
async def test_who_was_brought_back_is_live(bench, known):
    (one, *_), resume = known
    await bench.stage.delete(one)
    _, resume = await bench.changes(resume)
    await bench.stage.restore(one)
    changed, _ = await bench.changes(resume)
    assert changed[one].presence is Presence.LIVE
    (found,) = await bench.get(one)
    assert found.record.presence is Presence.LIVE


@pytest.mark.needs("detects_unsubscribes")
async def test_an_unsubscribe_shows(bench, known):
    """Hazard 82: of the same person nothing else need have changed."""
    (one, two, _), resume = known
    await bench.stage.unsubscribe(one)
    changed, _ = await bench.changes(resume)
    assert changed[one].consent is Consent.UNSUBSCRIBED
    assert two not in changed or changed[two].consent is not Consent.UNSUBSCRIBED


@pytest.mark.needs("has_consent")
async def test_consent_is_told_in_every_answer(bench):
    one, two = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    await bench.stage.unsubscribe(one)
    found, _ = await bench.scan()
    assert found[one].consent is Consent.UNSUBSCRIBED
    assert found[two].consent is await bench.stage.consent_of(two)
    assert (await bench.read(one)).record.consent is Consent.UNSUBSCRIBED


@pytest.mark.needs("expiring_cursors")
async def test_a_cursor_that_is_too_old_asks_for_a_scan(bench, known):
    (one, *_), resume = known
    await bench.stage.edit(one, {bench.stage.text_role: "Baker"})
    await bench.stage.forget_changes()
    with pytest.raises(CallFailed) as caught:
        await bench.changes(resume)
    assert caught.value.meaning is Meaning.CURSOR_EXPIRED
    found, _ = await bench.scan()
    assert await bench.value(found[one], bench.stage.text_role) == "Baker"


@pytest.mark.needs("can_tag")
async def test_a_tag_shows(bench, known):
    (one, *_), resume = known
    await bench.stage.tag(one, ["VIP & Co"])
    changed, _ = await bench.changes(resume)
    assert "VIP & Co" in changed[one].tags


@pytest.mark.needs("containers", "several_containers")
async def test_a_container_shows(bench, known):
    (one, *_), resume = known
    made = await bench.stage.new_container("Rye")
    await bench.stage.put_into(one, made)
    changed, _ = await bench.changes(resume)
    assert made in changed[one].containers


@pytest.mark.needs("custom_fields")
async def test_a_field_that_was_defined_meanwhile_is_known(bench, known):
    _, resume = known
    await bench.stage.define("Favourite bread")
    (new,) = await bench.stage.add([bench.stage.plain(9)])
    changed, _ = await bench.changes(resume)
    assert changed[new].presence is Presence.LIVE
