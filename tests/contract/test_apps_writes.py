"""Every app: making and changing records, exactly as asked and not a value more."""

import pytest

from proto.fields import Role
from proto.record import Presence
from services.connector.port import (
    Exists,
    Missing,
    Moved,
    Refused,
    Unsure,
    Written,
)
from tests.contract.conformance import cards, lacking

MARK = "01890a5d-ac96-774b-bcce-b302099a8057"
TEXTS = ("Ἀθηνᾶ 🥖", "שלום", "日本語", "a'b\"c\\d; e, f", "<b>&amp;</b>")


async def test_somebody_is_made_as_asked(bench):
    asked = bench.stage.full(1)
    record = await bench.created(asked, marker=MARK)
    assert await bench.stage.see(record.record_id) == asked
    shown = await bench.card_of(record)
    assert shown | asked == shown


async def test_somebody_with_only_an_address_is_made(bench):
    asked = {Role.EMAIL: bench.stage.plain(1)[Role.EMAIL]}
    record = await bench.created(asked, marker=MARK)
    assert await bench.stage.see(record.record_id) == asked


@pytest.mark.needs("emails_optional")
async def test_somebody_without_an_address_is_made(bench):
    asked = {**bench.stage.plain(1)}
    del asked[Role.EMAIL]
    record = await bench.created(asked, marker=MARK)
    assert await bench.stage.see(record.record_id) == asked


async def test_what_a_write_answers_is_what_is_read_afterwards(bench):
    """Hazard 52: or our own writes would come back as somebody's edits."""
    record = await bench.created(bench.stage.full(1), marker=MARK)
    read = (await bench.read(record.record_id)).record
    assert read.fields == record.fields
    assert read.consent is record.consent
    assert set(read.tags) == set(record.tags)
    assert set(read.containers) == set(record.containers)
    assert read.created_at == record.created_at
    result = await bench.update(record.record_id, {bench.stage.text_role: "Baker"})
    assert isinstance(result, Written)
    read = (await bench.read(record.record_id)).record
    assert read.fields == result.record.fields
    assert read.created_at == result.record.created_at == record.created_at
    assert not read.version or read.version == result.record.version


async def test_our_own_writes_show_as_we_know_them(bench):
    _, resume = await bench.scan()
    record = await bench.created(bench.stage.full(1), marker=MARK)
    changed, resume = await bench.changes(resume)
    assert changed[record.record_id].fields == record.fields
    result = await bench.update(record.record_id, {bench.stage.text_role: "Baker"})
    assert isinstance(result, Written)
    changed, _ = await bench.changes(resume)
    assert changed[record.record_id].fields == result.record.fields


async def test_an_edit_right_after_a_write_is_not_taken_for_its_answer(bench):
    """Where a vendor tells nothing of a write, the app says that it read after it.

    The engine takes an answer for what the app has made of the write (hazard 37).
    """
    role = bench.stage.text_role
    record = await bench.created(bench.stage.plain(1), marker=MARK)

    async def edit() -> None:
        await bench.stage.edit(record.record_id, {role: "Somebody"})

    bench.fault("held", is_write=True, meanwhile=edit)
    result = await bench.update(record.record_id, {role: "Baker"})
    assert isinstance(result, Written)
    assert result.is_read_after or await bench.value(result.record, role) == "Baker"
    read = (await bench.read(record.record_id)).record
    assert await bench.value(read, role) == "Somebody"


@pytest.mark.needs("create_batch")
async def test_nor_is_one_right_after_several_were_made(bench):
    role = bench.stage.text_role
    people = [
        bench.stage.among_many(number) | {role: "Baker"}
        for number in range(bench.stage.together_min)
    ]
    email = cards.texts_of(people[0][Role.EMAIL])[0]

    async def edit() -> None:
        (record_id,) = await bench.stage.find(email)
        await bench.stage.edit(record_id, {role: "Somebody"})

    bench.fault("held", is_write=True, meanwhile=edit)
    for result in await bench.create_many(people):
        if isinstance(result, Exists):
            # Met as somebody else: nothing is taken for what was written.
            assert [result.record_id] == await bench.stage.find(email)
            continue
        assert isinstance(result, Written)
        shown = await bench.value(result.record, role)
        assert result.is_read_after or shown == "Baker"


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_texts_of_all_scripts_arrive_as_they_are(bench, text):
    role = bench.stage.text_role
    record = await bench.created({**bench.stage.plain(1), role: text}, marker=MARK)
    assert (await bench.stage.see(record.record_id))[role] == text
    await bench.update(record.record_id, {role: text[::-1]})
    assert (await bench.stage.see(record.record_id))[role] == text[::-1]


@pytest.mark.needs("refuses_duplicate_emails")
async def test_a_second_one_with_an_address_is_refused_and_named(bench):
    (there,) = await bench.stage.add([bench.stage.plain(1)])
    assert await bench.create(bench.stage.plain(1)) == Exists(record_id=there)
    assert await bench.stage.find(cards.email_of(1)) == [there]


async def check_still_gone(bench, gone, result) -> None:
    """Check that a create of somebody who was deleted has left them as they were."""
    assert await bench.stage.see(gone) is None
    (snapshot,) = await bench.get(gone)
    assert snapshot.record.presence is not Presence.LIVE
    if "keeps_deleted" in lacking.lacks_of(bench.stage.app):
        # Nobody has the address any more: it is somebody else's from now on.
        assert isinstance(result, Written)
        assert result.record.record_id != gone
    else:
        assert isinstance(result, Exists | Refused)
        assert not isinstance(result, Exists) or result.record_id == gone


async def test_a_create_brings_back_nobody_who_was_deleted(bench):
    """Invariant I5; where the vendor keeps their address, it is nobody else's."""
    (gone,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.delete(gone)
    result = await bench.create(bench.stage.plain(1), marker=MARK)
    await check_still_gone(bench, gone, result)


@pytest.mark.needs("create_batch")
async def test_nor_does_one_of_several(bench):
    """Also who is deleted after others were made so, by the same process."""
    for turn in range(2):
        start = turn * bench.stage.together_min
        people = [
            bench.stage.among_many(start + number)
            for number in range(bench.stage.together_min)
        ]
        (gone,) = await bench.stage.add([bench.stage.plain(start)])
        await bench.stage.delete(gone)
        result, *others = await bench.create_many(people)
        await check_still_gone(bench, gone, result)
        assert others
        for asked, other in zip(people[1:], others, strict=True):
            assert isinstance(other, Written | Unsure)
            email = cards.texts_of(asked[Role.EMAIL])[0]
            assert len(await bench.stage.find(email)) == 1


async def test_an_update_touches_what_was_asked_alone(bench):
    """Hazard 38; also where the vendor takes whole records (40)."""
    (one,) = await bench.stage.add([bench.stage.full(1)])
    await bench.stage.enrich(one)
    before, extras = await bench.stage.see(one), await bench.stage.extras(one)
    assert extras
    role = bench.stage.text_role
    assert isinstance(await bench.update(one, {role: "Baker"}), Written)
    assert await bench.stage.see(one) == {**before, role: "Baker"}
    assert await bench.stage.extras(one) == extras


async def test_every_field_is_changed_by_itself(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    expected = dict(await bench.stage.see(one))
    for role, value in bench.stage.full(1).items():
        expected[role] = value
        result = await bench.update(one, {role: value})
        assert isinstance(result, Written), (role, result)
        assert await bench.stage.see(one) == expected, role


async def test_every_field_is_emptied_by_itself(bench):
    (one,) = await bench.stage.add([bench.stage.full(1)])
    expected = dict(await bench.stage.see(one))
    for role in bench.stage.full(1):
        if role is Role.EMAIL:
            continue
        del expected[role]
        result = await bench.update(one, {role: None})
        assert isinstance(result, Written), (role, result)
        assert await bench.stage.see(one) == expected, role


async def test_an_address_is_emptied_or_that_is_refused(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    before = dict(await bench.stage.see(one))
    result = await bench.update(one, {Role.EMAIL: None})
    if isinstance(result, Written):
        del before[Role.EMAIL]
    else:
        assert isinstance(result, Refused)
        assert result.field_id == (await bench.field_of(Role.EMAIL)).field_id
    assert await bench.stage.see(one) == before


async def test_an_address_is_changed(bench):
    (one,) = await bench.stage.add([bench.stage.full(1)])
    before = dict(await bench.stage.see(one))
    value = bench.stage.shaped(Role.EMAIL, "another@example.org")
    result = await bench.update(one, {Role.EMAIL: value})
    assert isinstance(result, Written)
    before[Role.EMAIL] = value
    assert await bench.stage.see(result.record.record_id) == before


@pytest.mark.needs("unique_emails")
async def test_an_address_that_is_taken_is_refused(bench):
    """Hazard 5: and neither of the two is touched."""
    one, two = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    taken = bench.stage.plain(2)[Role.EMAIL]
    result = await bench.update(one, {Role.EMAIL: taken})
    assert isinstance(result, Refused)
    assert await bench.stage.see(one) == bench.stage.plain(1)
    assert await bench.stage.see(two) == bench.stage.plain(2)


@pytest.mark.needs("writes_conditionally")
async def test_who_is_gone_since_is_not_brought_back_by_an_update(bench):
    """Hazard 74."""
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    snapshot = await bench.read(one)
    await bench.stage.delete(one)
    result = await bench.update_read(snapshot, {bench.stage.text_role: "Baker"})
    assert isinstance(result, Missing | Moved)
    assert await bench.stage.see(one) is None


async def test_who_was_gone_when_read_is_not_written_to(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.delete(one)
    (snapshot,) = await bench.get(one)
    assert snapshot.record.presence is not Presence.LIVE
    result = await bench.update_read(snapshot, {bench.stage.text_role: "Baker"})
    assert isinstance(result, Missing)


@pytest.mark.needs("writes_conditionally")
async def test_who_moved_since_is_not_written_to(bench):
    """Hazard 39."""
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    snapshot = await bench.read(one)
    role = bench.stage.text_role
    await bench.stage.edit(one, {role: "Miller"})
    assert await bench.update_read(snapshot, {role: "Baker"}) == Moved()
    assert (await bench.stage.see(one))[role] == "Miller"


@pytest.mark.needs("writes_conditionally")
async def test_the_next_write_builds_on_the_answer_of_the_last(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    role = bench.stage.text_role
    for text in ("Baker", "Miller", "Cook"):
        assert isinstance(await bench.update(one, {role: text}), Written)
    assert (await bench.stage.see(one))[role] == "Cook"


@pytest.mark.needs("lengths")
async def test_a_text_that_is_too_long_is_refused_or_announced_to_be(bench):
    """The engine cuts nothing and asks; so it has to know the length, or be told."""
    field = await bench.field_of(bench.stage.text_role)
    assert field.length_max
    just = "x" * field.length_max
    record = await bench.created(
        {**bench.stage.plain(1), bench.stage.text_role: just}, marker=MARK
    )
    seen = await bench.stage.see(record.record_id)
    assert seen[bench.stage.text_role] == just
    result = await bench.update(record.record_id, {bench.stage.text_role: just + "x"})
    assert isinstance(result, Refused)
    assert await bench.stage.see(record.record_id) == seen


@pytest.mark.parametrize("text", ["\x00", "a\x01b", "\ufffe"])
async def test_a_text_that_no_vendor_can_hold_is_refused_or_kept(bench, text):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    role = bench.stage.text_role
    before = await bench.stage.see(one)
    result = await bench.update(one, {role: text})
    seen = await bench.stage.see(one)
    if isinstance(result, Written):
        assert await bench.value(result.record, role) == seen.get(role)
    else:
        assert isinstance(result, Refused)
        assert seen == before


@pytest.mark.needs("custom_fields")
async def test_a_custom_field_is_written_and_read(bench):
    await bench.stage.define("Favourite bread")
    field = await bench.own_field("Favourite bread")
    fields = {**await bench.values(bench.stage.plain(1)), field.field_id: "Rye 🍞"}
    record = await bench.made(fields, marker=MARK)
    assert record.fields[field.field_id] == "Rye 🍞"
    assert await bench.stage.own_value(record.record_id, field.label) == "Rye 🍞"
    for value in ("Spelt", None):
        result = await bench.change(record.record_id, {field.field_id: value})
        assert isinstance(result, Written)
        assert await bench.stage.own_value(record.record_id, field.label) == value
        assert (await bench.read(record.record_id)).record.fields[
            field.field_id
        ] == value


@pytest.mark.needs("custom_fields", "choices")
async def test_an_option_is_chosen_and_one_that_is_none_is_refused(bench):
    await bench.stage.define("Size", options=("Small", "Large"))
    field = await bench.own_field("Size")
    small, large = (one.option_id for one in field.options)
    fields = {**await bench.values(bench.stage.plain(1)), field.field_id: small}
    record = await bench.made(fields, marker=MARK)
    assert await bench.stage.own_value(record.record_id, "Size") == "Small"
    assert record.fields[field.field_id] == small
    result = await bench.change(record.record_id, {field.field_id: large})
    assert isinstance(result, Written)
    assert await bench.stage.own_value(record.record_id, "Size") == "Large"
    result = await bench.change(record.record_id, {field.field_id: "no such option"})
    assert isinstance(result, Refused)
    assert await bench.stage.own_value(record.record_id, "Size") == "Large"


@pytest.mark.needs("create_batch")
async def test_several_are_made_in_one_call_and_answered_each(bench):
    count = max(bench.stage.together_min, min(5, bench.can.create_batch))
    people = [bench.stage.among_many(n) for n in range(count)]
    await bench.fields()
    bench.proxy.forget()
    results = await bench.create_many(people)
    assert len(results) == len(people)
    is_write = bench.stage.is_write
    writes = [
        one
        for one in bench.proxy.seen
        if is_write(method=one.method, path=one.path, body=one.body)
    ]
    assert len(writes) < len(people)
    for asked, result in zip(people, results, strict=True):
        assert isinstance(result, Written | Unsure)
        (made,) = await bench.stage.find(cards.texts_of(asked[Role.EMAIL])[0])
        assert await bench.stage.see(made) == asked
        if isinstance(result, Written):
            assert result.record.record_id == made


@pytest.mark.needs("create_batch")
async def test_of_a_batch_half_may_fail(bench):
    """Hazard 43: whoever is there already is told so, and the others are made."""
    await bench.stage.add([bench.stage.plain(2)])
    numbers = range(1, max(3, bench.stage.together_min) + 2)
    results = await bench.create_many([bench.stage.plain(n) for n in numbers])
    if bench.can.refuses_duplicate_emails:
        assert isinstance(results[1], Exists | Refused | Unsure)
    for number in numbers:
        assert len(await bench.stage.find(cards.email_of(number))) >= 1


@pytest.mark.needs("update_batch")
async def test_several_are_changed_in_one_call(bench):
    """With different fields each, so that none takes what is another's."""
    ids = await bench.stage.add([bench.stage.full(n) for n in (1, 2, 3)])
    snapshots = await bench.get(*ids)
    names, role = bench.stage.name_roles, bench.stage.text_role
    changes = ({role: "Baker"}, {names[0]: "Ada"}, {role: None})
    before = [dict(await bench.stage.see(one)) for one in ids]
    results = await bench.update_many(list(zip(snapshots, changes, strict=True)))
    assert all(isinstance(one, Written) for one in results)
    for record_id, was, change in zip(ids, before, changes, strict=True):
        now = {**was, **change}
        assert await bench.stage.see(record_id) == {
            key: value for key, value in now.items() if value is not None
        }


@pytest.mark.needs("update_batch", "writes_conditionally")
async def test_of_a_batch_only_who_moved_is_left(bench):
    ids = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    snapshots = await bench.get(*ids)
    role = bench.stage.text_role
    await bench.stage.edit(ids[0], {role: "Miller"})
    results = await bench.update_many([(one, {role: "Baker"}) for one in snapshots])
    assert results[0] == Moved()
    assert (await bench.stage.see(ids[0]))[role] == "Miller"
