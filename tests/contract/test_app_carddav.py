"""CardDAV's operations against real servers, as anyone may run them."""

import asyncio
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local import radicale
from proto.errors import ErrorCode
from proto.fields import Address, Fields, Item
from proto.ids import ContainerId, RecordId
from proto.record import Presence
from services.connector.apps.carddav.app import App
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Change,
    Exists,
    Facts,
    Moved,
    NewRecord,
    Page,
    Refused,
    Snapshot,
    Written,
)
from tests.contract.carddav import (
    FOLDER,
    MANIFEST,
    Account,
    account,
    any_server,
    card,
    fresh_account,
    name_of,
    person,
    plain,
    radicale_account,
    radicale_server,
)
from tests.contract.dialling import Caller

__all__ = ["account", "any_server", "radicale_account", "radicale_server"]

MARKER = "0b6e3f0a-7a0e-7c43-8a52-5d3b7d1f9a11"
NGOZI: Fields = {
    "given_name": "Ngozi",
    "family_name": "Okafor-Lindström",
    "emails": (
        Item(value="ngozi@polarfoods.example", label="work"),
        Item(value="goz@mail.example", label="home"),
    ),
    "phones": (Item(value="+46 70 174 06 05", label="mobile"),),
    "addresses": (
        Item(value=Address(street="Storgatan 1\nTrappa C", city="Umeå"), label="home"),
    ),
    "company": "Polar; Foods, Ltd.",
    "job_title": "Buyer",
    "birthday": "--02-29",
    "anniversary": "2010-06-05",
    "websites": (Item(value="https://polarfoods.example/a,b;c?d=e"),),
    "note": "Backslash \\ comma , semicolon ; two\nlines and a 日本語 smile 😀" * 3,
}


async def create(account: Account, values: Fields, **more: object) -> Written:
    new = NewRecord(fields=values, marker=str(uuid.uuid4()), **more)
    result = await account.run(account.app.create(new))
    assert isinstance(result, Written), result
    return result


def ids(records: object) -> set[str]:
    return {record.record_id for record in records}


# Finding the books


@pytest.mark.parametrize(
    "base", ["", "/", "/{user}", "/{user}/", "/.well-known/carddav"]
)
async def test_books_are_found_from_any_address_of_the_account(account, base):
    path = base.format(user=account.user).rstrip("/")
    async with Account(account.server, account.user, base=path) as other:
        identity = await other.run(other.app.verify())
        (book,) = await other.run(other.app.list_containers())
    assert book.container_id == account.book
    assert book.name.lower() in account.book
    host = account.server.url.removeprefix("http://")
    assert identity.vendor_account_id == f"{host}/{account.user}/"
    assert account.user in identity.display_name


async def test_an_address_of_one_book_stands_for_that_book_alone(account):
    await account.make_book("second", [1, 2])
    async with Account(account.server, account.user, base=account.book[:-1]) as one:
        await create(one, NGOZI)
        identity = await one.run(one.app.verify())
        records, resume = await one.scan()
        assert await one.changes(resume) == ({}, resume)
    assert identity.vendor_account_id.endswith(account.book)
    assert [record.containers for record in records] == [(account.book,)]


async def test_a_wrong_password_is_told_from_everything_else(account):
    async with Caller(account.server.url, user=account.user, password="no") as caller:
        with pytest.raises(CallFailed) as failure:
            await caller.run(account.app.verify(), app=account.app)
    assert failure.value.meaning is Meaning.UNAUTHORISED


async def test_an_address_without_books_is_refused(radicale_account):
    """Xandikos 0.4 breaks (500) where somebody else's books would be."""
    facts = Facts(base_url=f"{radicale_account.server.url}/nobody")
    app = App(MANIFEST, facts)
    with pytest.raises(CallFailed) as failure:
        await radicale_account.caller.run(app.verify(), app=app)
    assert failure.value.meaning in (Meaning.FORBIDDEN, Meaning.REFUSED)


# Creating and finding


async def test_a_created_card_reads_back_as_it_was_written(account):
    result = await create(account, NGOZI)
    snapshot = await account.read(result.record.record_id)
    assert snapshot.record == result.record
    held = {field: result.record.fields[field] for field in NGOZI}
    assert held == NGOZI
    assert result.record.fields["full_name"] == "Ngozi Okafor-Lindström"
    assert result.record.containers == (account.book,)
    assert result.record.version


async def test_a_create_that_is_sent_twice_makes_one_card(account):
    new = NewRecord(fields=NGOZI, marker=MARKER)
    first = await account.run(account.app.create(new))
    assert first.record.marker == MARKER
    second = await account.run(account.app.create(new))
    assert second == Exists(record_id=first.record.record_id)
    records, _ = await account.scan()
    assert [record.marker for record in records] == [MARKER]


async def test_a_marker_is_found_where_its_card_was_moved_to(account):
    await account.put(f"{account.book}elsewhere.vcf", card(MARKER, "FN:x", "N:x;;;;"))
    found = (await account.run(account.app.find_by_markers([MARKER, "x"])))[MARKER]
    assert found.record_id == f"{account.book}elsewhere.vcf"
    assert await account.run(account.app.find_by_markers([MARKER[:-1], ""])) == {}


async def test_a_marker_that_is_taken_elsewhere_is_not_taken_again(radicale_account):
    """Where the server refuses a UID twice, as RFC 6352 section 5.1 has it."""
    account = radicale_account
    path = f"{account.book}elsewhere.vcf"
    await account.put(path, card(MARKER, "FN:x", "N:x;;;;"))
    again = await account.run(account.app.create(NewRecord(fields={}, marker=MARKER)))
    assert again == Exists(record_id=path)


async def test_a_create_goes_to_the_book_of_its_connection(account):
    book = ContainerId(await account.make_book("zoo", [1]))
    result = await create(account, NGOZI, containers=(book,))
    assert result.record.containers == (book,)
    gone = NewRecord(fields=NGOZI, containers=(ContainerId(f"{book}x/"),))
    refused = await account.run(account.app.create(gone))
    assert refused == Refused(code=ErrorCode.APP_REFUSED)


async def test_the_first_book_is_looked_for_once_and_again_when_it_is_gone(account):
    first = (await create(account, NGOZI)).record
    account.caller.calls.clear()
    await create(account, NGOZI)
    assert account.caller.counts == {"PUT": 1}
    zoo = await account.make_book("zoo", [1, 2])
    await account.delete(account.book)
    lost = NewRecord(fields=NGOZI, marker=str(uuid.uuid4()))
    refused = await account.run(account.app.create(lost))
    assert refused == Refused(code=ErrorCode.APP_REFUSED)
    moved = (await create(account, NGOZI)).record
    assert first.containers == (account.book,)
    assert moved.containers == (zoo,)


async def test_emails_are_found_in_any_spelling_and_only_whole(account):
    wanted = (await create(account, NGOZI)).record
    await create(account, {"emails": (Item(value="xgoz@mail.example"),)})
    find = account.app.find_by_email
    for spelling in ("goz@mail.example", " GOZ@Mail.Example "):
        assert await account.run(find([spelling, "nobody@example.org"])) == (wanted,)
    assert await account.run(find(["oz@mail.example", "", "a\x00b"])) == ()
    account.caller.calls.clear()
    many = [f"person{n}@example.org" for n in range(120)]
    assert await account.run(find([*many, "ngozi@polarfoods.example"])) == (wanted,)
    assert account.caller.counts == {"PROPFIND": 3, "REPORT": 3}


# Updating


async def test_an_update_changes_its_fields_and_keeps_every_other_line(account):
    path = f"{account.book}apple.vcf"
    await account.put(path, (FOLDER / "fixtures" / "apple_3_0.vcf").read_text())
    before = (await account.text(path)).splitlines()
    snapshot = await account.read(path)
    result = await account.run(
        account.app.update(snapshot, Change(fields={"job_title": "Chef"}))
    )
    after = (await account.text(path)).splitlines()
    assert result.record == (await account.read(path)).record
    assert result.record.fields["job_title"] == "Chef"
    assert set(after) - set(before) == {"TITLE:Chef"}
    assert set(before) - set(after) == {"TITLE:Buyer"}


async def test_an_update_is_refused_once_somebody_else_has_changed_the_card(account):
    created = await create(account, NGOZI)
    stale = await account.read(created.record.record_id)
    fresh = await account.run(
        account.app.update(stale, Change(fields={"note": "mine"}))
    )
    assert isinstance(fresh, Written)
    assert (
        await account.run(account.app.update(stale, Change(fields={"note": "late"})))
        == Moved()
    )
    assert (await account.read(stale.record.record_id)).record.fields["note"] == "mine"


async def test_an_update_of_a_deleted_card_does_not_bring_it_back(account):
    created = await create(account, NGOZI)
    snapshot = await account.read(created.record.record_id)
    await account.delete(created.record.record_id)
    assert (
        await account.run(account.app.update(snapshot, Change(fields={"note": "x"})))
        == Moved()
    )
    gone = await account.read(created.record.record_id)
    assert gone.record.presence is Presence.MISSING
    records, _ = await account.scan()
    assert records == []


async def test_an_update_that_changes_nothing_makes_no_call(account):
    created = await create(account, NGOZI)
    snapshot = await account.read(created.record.record_id)
    account.caller.calls.clear()
    result = await account.run(account.app.update(snapshot, Change(fields=NGOZI)))
    assert result == Written(record=snapshot.record)
    assert account.caller.calls == []


async def test_one_write_is_one_call_where_the_server_keeps_what_it_is_given(account):
    created = await create(account, NGOZI)
    snapshot = await account.read(created.record.record_id)
    account.caller.calls.clear()
    await account.run(account.app.update(snapshot, Change(fields={"note": "x"})))
    assert account.caller.counts == {"PUT": 1}


async def test_a_value_that_no_card_can_hold_is_refused_before_it_is_sent(account):
    created = await create(account, NGOZI)
    snapshot = await account.read(created.record.record_id)
    account.caller.calls.clear()
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id="note")
    assert (
        await account.run(account.app.update(snapshot, Change(fields={"note": "\x01"})))
        == refused
    )
    new = NewRecord(fields={"note": "\x01"}, marker=MARKER)
    assert await account.run(account.app.create(new)) == refused
    assert account.caller.calls == []


async def test_cards_are_read_in_batches_and_missing_ones_are_told(account):
    await account.make_book("large", range(60))
    records, _ = await account.scan()
    asked = [*ids(records), f"{account.book}none.vcf"]
    account.caller.calls.clear()
    found = await account.run(account.app.get(asked))
    assert {s.record.record_id: s.record.presence for s in found} == {
        **dict.fromkeys(asked[:-1], Presence.LIVE),
        asked[-1]: Presence.MISSING,
    }
    assert account.caller.counts == {"REPORT": 1, "GET": 1}


# What is no contact


async def test_groups_do_not_make_a_book_look_cut_short(account):
    """They are in the listing, and its length is what a scan is held against."""
    for number in range(3):
        group = card(f"g{number}", "FN:x", "X-ADDRESSBOOKSERVER-KIND:group")
        await account.put(f"{account.book}g{number}.vcf", group)
    await create(account, NGOZI)
    page = await account.run(account.app.scan(None))
    assert page.expected_count == 4
    assert (len(page.records), page.left_out_count) == (1, 3)


async def test_groups_are_never_shown_and_never_written(account):
    path = f"{account.book}choir.vcf"
    await account.put(path, (FOLDER / "fixtures" / "group_apple.vcf").read_text())
    person_id = (await create(account, NGOZI)).record.record_id
    records, _ = await account.scan()
    assert ids(records) == {person_id}
    snapshot = await account.read(path)
    assert snapshot.record.fields == {}
    refused = await account.run(
        account.app.update(snapshot, Change(fields={"note": "x"}))
    )
    assert refused == Refused(code=ErrorCode.APP_REFUSED)


async def test_an_unreadable_card_stops_nobody_and_is_never_written(account):
    path = f"{account.book}old.vcf"
    text = card("old", "FN:x", "N:x;;;;").replace("VERSION:3.0", "VERSION:2.1")
    await account.put(path, text)
    await create(account, NGOZI)
    records, _ = await account.scan()
    odd = next(record for record in records if record.record_id == path)
    assert len(records) == 2
    assert (odd.presence, odd.fields) == (Presence.LIVE, {})
    snapshot = await account.read(path)
    refused = await account.run(
        account.app.update(snapshot, Change(fields={"note": "x"}))
    )
    assert refused == Refused(code=ErrorCode.APP_REFUSED)


# Seeing changes


async def test_an_idle_pass_is_one_call_however_many_books_there_are(account):
    await account.make_book("second", [1, 2])
    await create(account, NGOZI)
    _, resume = await account.scan()
    account.caller.calls.clear()
    assert await account.changes(resume) == ({}, resume)
    assert account.caller.counts == {"PROPFIND": 1}


async def test_created_edited_and_deleted_cards_are_seen_once(account):
    kept = (await create(account, {"note": "kept"})).record.record_id
    edited = (await create(account, {"note": "edited"})).record.record_id
    deleted = (await create(account, {"note": "x"})).record.record_id
    _, resume = await account.scan()
    await account.edit(edited, "TITLE:new")
    await account.delete(deleted)
    created = f"{account.book}new.vcf"
    await account.put(created, person(7))
    found, resume = await account.changes(resume)
    assert found.keys() == {edited, deleted, created}
    assert kept not in found
    assert found[edited].fields["job_title"] == "new"
    assert found[deleted].presence is Presence.DELETED
    assert await account.changes(resume) == ({}, resume)


async def test_a_new_book_is_read_as_soon_as_it_is_there(account):
    _, resume = await account.scan()
    await account.make_book("a-new-one", [1, 2])
    found, resume = await account.changes(resume)
    assert len(found) == 2
    assert await account.changes(resume) == ({}, resume)


async def test_a_book_that_is_gone_asks_for_a_complete_scan(account):
    second = await account.make_book("second", [1, 2])
    _, resume = await account.scan()
    await account.delete(second)
    with pytest.raises(CallFailed) as failure:
        await account.changes(resume)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED


async def test_a_forgotten_sync_token_asks_for_a_complete_scan(account):
    await create(account, NGOZI)
    _, resume = await account.scan()
    await create(account, {"note": "x"})
    account.server.forget_sync_tokens(account.user)
    with pytest.raises(CallFailed) as failure:
        await account.changes(resume)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED
    assert len((await account.scan())[0]) == 2


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "x", '{"place":1}', "[" * 5000])
async def test_a_cursor_that_is_none_asks_for_a_complete_scan(account, cursor):
    with pytest.raises(CallFailed) as failure:
        await account.run(account.app.changes(cursor))
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED


# Large books


async def test_two_thousand_cards_are_read_in_a_few_calls(radicale_server):
    """Linear: one listing for each 64 KiB of names, and pages that stay small.

    In the course of it cards are edited, deleted and created: the scan may show
    either state, and the changes after it show the newer one.
    """
    async with fresh_account(radicale_server) as account:
        book = f"/{account.user}/large/"
        await account.put(book, "".join(map(person, range(2000))))
        account.caller.calls.clear()
        page = await account.run(account.app.scan(None))
        page_one = page.records
        seen = {record.record_id: record for record in page_one}
        victims = await _disturb(account, book=book, page=page)
        while page.next is not None:
            assert len(page.records) <= 200
            assert len(page.next) < 100_000
            # A new process goes on from the cursor alone.
            account.app = App(MANIFEST, Facts(base_url=account.server.url))
            page = await account.run(account.app.scan(page.next))
            seen |= {record.record_id: record for record in page.records}
        # All but the one that was deleted before its name was listed.
        assert len(seen) == 1999
        reports = account.caller.counts["REPORT"]
        assert account.caller.counts["PROPFIND"] <= 3
        assert reports <= 2000 / 200 + 4, account.caller.counts
        found, _ = await account.changes(page.resume)
    assert found.keys() == victims.keys()
    for record_id, presence in victims.items():
        assert found[record_id].presence is presence
    edited = page_one[0].record_id
    assert found[edited].fields["job_title"] == "edited"
    final = {**seen, **found}
    live = {i for i, r in final.items() if r.presence is Presence.LIVE}
    deleted = {i for i, p in victims.items() if p is Presence.DELETED}
    every = {f"{book}{name_of(number)}.vcf" for number in range(2000)}
    assert live == (every | victims.keys()) - deleted


async def _disturb(account: Account, *, book: str, page: Page) -> dict[str, Presence]:
    """Edit, delete and create cards, some shown already and some not yet."""
    first, second = (record.record_id for record in page.records[:2])
    last = f"{book}{name_of(1999)}.vcf"
    assert last not in ids(page.records)
    await account.edit(first, "TITLE:edited")
    await account.delete(second)
    await account.delete(last)
    created = f"{book}00000000-created.vcf"
    await account.put(created, card("created", "FN:y", "N:y;;;;"))
    live, deleted = Presence.LIVE, Presence.DELETED
    return {first: live, second: deleted, last: deleted, created: live}


async def test_a_scan_goes_on_after_the_server_was_gone(tmp_path):
    async with radicale.running(tmp_path, users={"ann": "secret"}) as server:
        async with Account(server, "ann") as account:
            await account.put("/ann/large/", "".join(map(person, range(300))))
            page = await account.run(account.app.scan(None))
            records = list(page.records)
            await server.kill()
            with pytest.raises(CallFailed) as failure:
                await account.run(account.app.scan(page.next))
            assert failure.value.meaning is Meaning.UNREACHABLE
            await server.start()
            while page.next is not None:
                page = await account.run(account.app.scan(page.next))
                records += page.records
        assert len(ids(records)) == len(records) == 300


# Hostile values

_texts = st.text(
    st.one_of(
        st.sampled_from("\\,;:\"'\n\t=^%&<> ab\u2028\x85"),
        st.characters(exclude_categories=("Cs", "Cc", "Cn")),
    ),
    max_size=80,
).filter(lambda text: text.strip())
_people = st.fixed_dictionaries(
    {},
    optional={
        **{f"{part}_name": _texts for part in ("given", "family", "middle")},
        **dict.fromkeys(("company", "job_title", "note"), _texts),
        **{
            field: st.lists(
                st.builds(Item, value=_texts, label=st.sampled_from(["", "home"])),
                min_size=1,
                max_size=3,
            ).map(tuple)
            for field in ("emails", "phones", "websites")
        },
    },
)


@settings(max_examples=8, deadline=None, database=None)
@given(people=st.lists(_people, min_size=4, max_size=8))
def test_any_text_survives_the_server(any_server, people):
    """What the write reports is what everyone reads later, or it would echo."""

    async def store_and_read() -> list[tuple[Written, Snapshot]]:
        async with fresh_account(any_server) as account:
            results = [await create(account, values) for values in people]
            found = await account.run(
                account.app.get([RecordId(r.record.record_id) for r in results])
            )
            return list(zip(results, found, strict=True))

    for values, (result, snapshot) in zip(
        people, asyncio.run(store_and_read()), strict=True
    ):
        assert snapshot.record == result.record
        for field, value in values.items():
            wanted = (
                tuple(Item(value=plain(i.value), label=i.label) for i in value)
                if isinstance(value, tuple)
                else plain(value)
            )
            assert result.record.fields[field] == wanted
