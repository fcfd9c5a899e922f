"""Every app: who the account is, what it describes, and reading all of it."""

import pytest

from proto.fields import FieldKind, Role
from proto.record import Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.pacing import Lane
from tests.contract.conformance import lacking, stages
from tests.contract.conformance.bench import CATALOGUE, PAGE_SIZE
from tests.contract.conformance.shapes import Voice

MANY = 3
"""So many pages of everybody are enough to show what happens between them."""


@pytest.fixture
def count() -> int:
    """Return how many people fill some pages, and begin another."""
    return PAGE_SIZE * (MANY - 1) + 3


def test_every_app_of_the_catalogue_has_a_stage():
    assert set(stages.load()) == {entry.manifest.app for entry in CATALOGUE}


@pytest.mark.parametrize("app", sorted(stages.load()))
def test_what_an_app_lacks_is_explained(app):
    manifest = CATALOGUE.entry(app).manifest
    assert lacking.faults(manifest, lacking.lacks_of(app)) == []


async def test_the_account_says_who_it_is(bench):
    identity = await bench.run((await bench.app()).verify())
    assert identity.vendor_account_id
    assert identity.display_name
    bench.restart()
    again = await bench.run((await bench.app()).verify())
    assert again.vendor_account_id == identity.vendor_account_id


async def test_verifying_is_one_of_the_cheapest_calls(bench):
    await bench.run((await bench.app()).verify())
    assert 1 <= len(bench.proxy.seen) <= 4


async def test_fields_are_told_apart(bench):
    fields = await bench.fields()
    assert len({one.field_id for one in fields}) == len(fields)
    assert all(one.label and one.kind is not FieldKind.UNKNOWN for one in fields)
    roles = [one.role for one in fields if one.role is not Role.UNKNOWN]
    assert len(set(roles)) == len(roles), "no two fields play one role"
    assert Role.EMAIL in roles


async def test_the_shapes_of_fields_are_those_of_the_vendor(bench):
    for role, value in bench.stage.full(1).items():
        field = await bench.field_of(role)
        assert field.is_multiple == isinstance(value, tuple), role


async def test_all_that_the_vendor_holds_is_described_in_its_form(bench):
    """The stage says what that is, from the vendor's facts; the app shows no less."""
    shape = bench.stage.shape
    assert shape is not None, "a stage says what its vendor holds of a person"
    described = {
        one.role: (one.kind, one.is_multiple, one.is_writable, one.is_year_optional)
        for one in await bench.fields()
        if one.role is not Role.UNKNOWN
    }
    assert described == {
        role: (form.kind, form.is_several, not form.is_derived, form.is_year_optional)
        for role, form in shape.fields.items()
    }


async def test_what_the_vendor_has_of_consent_and_tags_is_claimed(bench):
    shape = bench.stage.shape
    assert bench.can.can_tag == shape.has_tags
    assert bench.can.detects_unsubscribes == (shape.voice is not Voice.NONE)
    assert bench.can.can_unsubscribe == (shape.voice is Voice.WRITTEN)


async def test_somebody_of_whom_all_is_known_has_every_field(bench):
    """Else a field would go untried, here and between two apps."""
    shape = bench.stage.shape
    written = {role for role, form in shape.fields.items() if not form.is_derived}
    assert {role for role, value in bench.stage.full(1).items() if value} == written


@pytest.mark.needs("custom_fields")
async def test_custom_fields_are_described(bench):
    await bench.stage.define("Favourite bread")
    field = await bench.own_field("Favourite bread")
    assert field.kind is FieldKind.TEXT
    assert field.role is Role.UNKNOWN
    assert field.is_writable


@pytest.mark.needs("custom_fields", "choices")
async def test_a_choice_is_described_with_its_options(bench):
    await bench.stage.define("Size", options=("Small", "Großpackung"))
    field = await bench.own_field("Size")
    assert field.kind is FieldKind.CHOICE
    assert [one.label for one in field.options] == ["Small", "Großpackung"]
    assert len({one.option_id for one in field.options}) == 2


@pytest.mark.needs("containers")
async def test_containers_are_listed(bench):
    made = await bench.stage.new_container("Rye & Söhne")
    found = {one.container_id: one.name for one in await bench.containers()}
    assert found[made] == "Rye & Söhne"


async def test_an_empty_account_is_read_to_its_end(bench):
    found, resume = await bench.scan()
    assert found == {}
    assert (await bench.changes(resume))[0] == {}


async def test_a_scan_shows_everybody_once(bench, count):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    pages, _ = await bench.scan_pages()
    shown = [record.record_id for page in pages for record in page]
    assert sorted(shown) == sorted(ids)
    assert max(map(len, pages)) <= PAGE_SIZE


async def test_a_scan_says_how_many_to_expect_or_nothing(bench):
    await bench.stage.add([bench.stage.plain(n) for n in range(5)])
    page = await bench.run((await bench.app()).scan(None), lane=Lane.SCAN)
    assert page.expected_count in (None, 5 + page.left_out_count)


async def test_a_scan_shows_every_value_as_the_vendor_has_it(bench):
    full, plain = bench.stage.full(1), bench.stage.plain(2)
    whole, bare = await bench.stage.add([full, plain])
    found, _ = await bench.scan()
    assert await bench.card_of(found[whole]) | full == await bench.card_of(found[whole])
    shown = await bench.card_of(found[bare])
    assert shown | plain == shown
    derived = {Role.NAME_FULL}
    assert set(shown) - derived == set(plain) - derived, "what is empty is empty"


async def test_what_is_empty_is_told_to_be(bench):
    (bare,) = await bench.stage.add([bench.stage.plain(1)])
    found, _ = await bench.scan()
    for role in bench.stage.full(1):
        field = await bench.field_of(role)
        assert field.field_id in found[bare].fields, role


async def test_values_of_all_scripts_come_as_they_are(bench):
    texts = [
        "Ἀθηνᾶ 🥖",
        "שלום עולם",
        "日本語テスト",
        "e\u0301 and é",
        "a'b\"c\\d; e, f",
    ]
    people = [
        {**bench.stage.plain(n), bench.stage.text_role: text}
        for n, text in enumerate(texts)
    ]
    ids = await bench.stage.add(people)
    found, _ = await bench.scan()
    shown = [await bench.value(found[one], bench.stage.text_role) for one in ids]
    assert shown == texts


async def test_a_scan_goes_on_after_a_crash_at_every_page(bench, count):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    cursor, shown = None, []
    while True:
        page = await bench.run((await bench.app()).scan(cursor), lane=Lane.SCAN)
        # The page was not stored: another process reads it again.
        bench.restart()
        again = await bench.run((await bench.app()).scan(cursor), lane=Lane.SCAN)
        assert {one.record_id for one in again.records} == {
            one.record_id for one in page.records
        }
        shown += [one.record_id for one in again.records]
        if again.next is None:
            break
        bench.restart()
        cursor = again.next
    assert set(shown) == set(ids)


async def test_nobody_is_missed_while_people_are_added(bench, count):
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    found, more, number = set(), [], count
    cursor = None
    while True:
        page = await bench.run((await bench.app()).scan(cursor), lane=Lane.SCAN)
        found |= {one.record_id for one in page.records}
        if page.next is None:
            break
        cursor = page.next
        more += await bench.stage.add([bench.stage.plain(number)])
        number += 1
    assert found >= set(ids)
    changed, _ = await bench.changes(page.resume)
    assert found | set(changed) >= {*ids, *more}


async def test_nobody_who_stays_is_missed_while_others_are_deleted(bench, count):
    """Hazard 20: pages move up under the reader's feet."""
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    found, gone = set(), []
    cursor = None
    while True:
        page = await bench.run((await bench.app()).scan(cursor), lane=Lane.SCAN)
        found |= {one.record_id for one in page.records}
        if page.next is None:
            break
        cursor = page.next
        # Of those that were shown, so that what follows moves towards the reader.
        victim = page.records[0].record_id
        await bench.stage.delete(victim)
        gone.append(victim)
    assert found >= set(ids) - set(gone)


async def test_who_is_edited_during_a_scan_is_shown_by_it_or_by_changes(bench, count):
    """Hazard 16."""
    ids = await bench.stage.add([bench.stage.plain(n) for n in range(count)])
    role, latest = bench.stage.text_role, {}
    cursor = None
    while True:
        page = await bench.run((await bench.app()).scan(cursor), lane=Lane.SCAN)
        for one in page.records:
            latest[one.record_id] = await bench.value(one, role)
        if page.next is None:
            break
        cursor = page.next
        for record_id in (ids[0], ids[-1]):
            await bench.stage.edit(record_id, {role: f"Baker {len(latest)}"})
    changed, _ = await bench.changes(page.resume)
    for record_id in (ids[0], ids[-1]):
        if record_id in changed:
            latest[record_id] = await bench.value(changed[record_id], role)
        seen = await bench.stage.see(record_id)
        assert latest[record_id] == seen[role]


async def test_who_is_deleted_is_not_in_a_scan(bench):
    stays, goes = await bench.stage.add([bench.stage.plain(n) for n in (1, 2)])
    await bench.stage.delete(goes)
    found, _ = await bench.scan()
    assert {
        record_id for record_id, one in found.items() if one.presence is Presence.LIVE
    } == {stays}


@pytest.mark.parametrize("cursor", ["", "nonsense", "{}", "[1", "eyJhIjoxfQ", "é🥖"])
async def test_a_cursor_that_is_none_is_refused(bench, cursor):
    for operation in ("scan", "changes"):
        if operation == "scan" and not cursor:
            continue
        with pytest.raises(CallFailed) as caught:
            await bench.run(getattr(await bench.app(), operation)(cursor))
        assert caught.value.meaning is Meaning.CURSOR_EXPIRED
