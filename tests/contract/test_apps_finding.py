"""Every app: reading by id, by address and by our mark."""

import pytest

from proto.fields import Role
from proto.ids import RecordId
from proto.record import Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Exists, Written
from tests.contract.conformance import cards

MARKS = (
    "01890a5d-ac96-774b-bcce-b302099a8057",
    "01890a5d-ac96-774b-bcce-b302099a8058",
)


async def test_reading_by_id_shows_what_a_scan_shows(bench):
    ids = await bench.stage.add([bench.stage.full(1), bench.stage.plain(2)])
    found, _ = await bench.scan()
    snapshots = await bench.get(*ids)
    assert [one.record for one in snapshots] == [found[each] for each in ids]


async def test_many_are_read_in_the_batches_that_are_claimed(bench):
    count = min(2 * bench.can.get_batch + 1, 25)
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    await bench.get(ids[0])
    bench.proxy.forget()
    snapshots = await bench.get(*ids)
    assert [one.record.record_id for one in snapshots] == ids
    least = -(-count // bench.can.get_batch)
    assert len(bench.proxy.seen) <= least + 1


async def test_who_was_never_there_is_missing(bench):
    """An id in the vendor's own form, of nobody; and beside somebody who is there."""
    stays, goes = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    unknown = RecordId(_other_than(goes))
    found = (
        await bench.get(stays, unknown)
        if bench.can.get_batch > 1
        else [
            *await bench.get(stays),
            *await bench.get(unknown),
        ]
    )
    assert found[0].record.presence is Presence.LIVE
    assert found[1].record.presence is Presence.MISSING


async def test_who_is_deleted_is_not_live(bench):
    stays, goes = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    await bench.stage.delete(goes)
    (found,) = await bench.get(goes)
    assert found.record.presence in (Presence.MISSING, Presence.DELETED)
    (other,) = await bench.get(stays)
    assert other.record.presence is Presence.LIVE


@pytest.mark.parametrize("odd", ["", "?", "a b", "../x", "é🥖", "x" * 300, "%2e%2e"])
async def test_an_id_that_can_be_none_shows_nobody(bench, odd):
    """And is no way to another resource of the vendor's."""
    (stays,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.read(stays)
    bench.proxy.forget()
    result = await bench.outcome((await bench.app()).get([RecordId(odd)]))
    if isinstance(result, CallFailed):
        assert result.meaning in (Meaning.BROKEN, Meaning.REFUSED)
    else:
        assert [one.record.presence for one in result] == [Presence.MISSING]
    assert all(seen.method != "DELETE" for seen in bench.proxy.seen)
    assert (await bench.stage.see(stays)) is not None


@pytest.mark.needs("creation_times")
async def test_the_time_of_creation_is_the_same_in_every_answer(bench):
    """Hazard 11: another time would mean somebody else."""
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    found, resume = await bench.scan()
    await bench.stage.edit(one, {bench.stage.text_role: "Baker"})
    changed, _ = await bench.changes(resume)
    snapshot = await bench.read(one)
    times = {each.created_at for each in (found[one], changed[one], snapshot.record)}
    assert len(times) == 1
    assert None not in times


async def test_an_edit_changes_what_tells_versions_apart(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    before = (await bench.read(one)).record
    await bench.stage.edit(one, {bench.stage.text_role: "Baker"})
    after = (await bench.read(one)).record
    assert (after.version, after.fields) != (before.version, before.fields)
    assert (await bench.read(one)).record == after


@pytest.mark.needs("can_find_by_email")
@pytest.mark.parametrize("change", [str, str.upper, str.title])
async def test_somebody_is_found_by_address_in_any_case(bench, change):
    one, _ = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    found = await bench.find(change(cards.email_of(1)))
    assert [each.record_id for each in found] == [one]
    assert found[0] == (await bench.read(one)).record


@pytest.mark.needs("can_find_by_email")
async def test_nobody_is_found_by_an_address_that_is_part_of_another(bench):
    await bench.stage.add([bench.stage.plain(11)])
    assert await bench.find("person1@example.org", "son11@example.org") == ()
    assert await bench.find("person11@example.or") == ()


@pytest.mark.needs("can_find_by_email")
async def test_several_are_found_at_once(bench):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(5)])
    found = await bench.find(*(cards.email_of(n) for n in range(1, 9)))
    assert {each.record_id for each in found} == set(ids[1:])


@pytest.mark.needs("can_find_by_email")
@pytest.mark.parametrize(
    "email",
    ["a+tag@example.org", "o'hara@example.org", "first.last@sub.example.org"],
)
async def test_odd_addresses_are_found(bench, email):
    held = bench.stage.shaped(Role.EMAIL, email)
    (one,) = await bench.stage.add([{**bench.stage.plain(1), Role.EMAIL: held}])
    assert [each.record_id for each in await bench.find(email)] == [one]
    plain = email.replace("+tag", "").replace("'", "")
    if plain != email:
        assert await bench.find(plain) == (), "hazard 7: they are different mailboxes"


@pytest.mark.needs("can_find_by_email")
@pytest.mark.parametrize(
    "odd", ["", " ", "*", "%", "nobody", "a@b\nc@d", "é🥖@x.example"]
)
async def test_what_is_no_address_finds_nobody(bench, odd):
    await bench.stage.add([bench.stage.plain(1)])
    assert await bench.find(odd) == ()


@pytest.mark.needs("can_find_by_email")
async def test_who_is_deleted_is_not_found(bench):
    one, two = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    await bench.stage.delete(one)
    found = await bench.find(cards.email_of(1), cards.email_of(2))
    assert [each.record_id for each in found] == [two]


@pytest.mark.needs("keeps_marks")
async def test_our_mark_is_found_again(bench):
    """Hazard 12: whatever becomes of the record's address."""
    first = await bench.created(bench.stage.plain(1), marker=MARKS[0])
    await bench.created(bench.stage.plain(2), marker=MARKS[1])
    await bench.stage.edit(first.record_id, {bench.stage.text_role: "Baker"})
    found = await bench.run((await bench.app()).find_by_markers([MARKS[0], "x"]))
    assert set(found) == {MARKS[0]}
    assert found[MARKS[0]].record_id == first.record_id
    assert found[MARKS[0]].marker == MARKS[0]
    assert (await bench.read(first.record_id)).record.marker == MARKS[0]


@pytest.mark.needs("keeps_marks")
async def test_a_second_create_with_our_mark_makes_nobody_or_is_told(bench):
    """Hazard 31: its answer was lost, and it was sent once more."""
    first = await bench.created(bench.stage.plain(1), marker=MARKS[0])
    again = await bench.create(bench.stage.plain(1), marker=MARKS[0])
    if isinstance(again, Exists):
        assert again.record_id == first.record_id
    else:
        assert isinstance(again, Written)
        marked = await bench.run((await bench.app()).find_by_markers([MARKS[0]]))
        assert set(marked) == {MARKS[0]}


def _other_than(record_id: str) -> str:
    """Return an id of the same form, with another letter or figure in it."""
    swapped = str.maketrans("0123456789abcdef", "1032547698badcfe")
    head, dot, tail = record_id.rpartition(".")
    stem = head if dot else tail
    folder, slash, name = stem.rpartition("/")
    return f"{folder}{slash}{name.translate(swapped)}{dot}{tail if dot else ''}"
