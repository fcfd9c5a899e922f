"""The HubSpot emulator: lists, who is on one, putting on and taking off."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.hubspot_caller import LISTS, Caller, calling_without_limits

UNKNOWN = "99999999"


@pytest.fixture
async def hs() -> AsyncIterator[Caller]:
    """Yield an authorised caller; there are no limits, and time stands still."""
    async with calling_without_limits() as caller:
        yield caller


def make(hs: Caller, name: str, processing_type: Any = "MANUAL") -> str:
    """Make a list; return its id."""
    now_ms = hs.account.now_ms()
    made = hs.account.lists.make(name, now_ms=now_ms, processing_type=processing_type)
    return str(made.list_id)


async def search(hs: Caller, **asked: Any) -> Any:
    """Search among lists."""
    body = {"additionalProperties": [], "offset": 0} | asked
    return await hs.done("POST", f"{LISTS}/search", body)


async def move(hs: Caller, list_id: str, verb: str, body: Any) -> Any:
    """Put contacts on a list, or take them off."""
    return await hs.done("PUT", f"{LISTS}/{list_id}/memberships/{verb}", body)


async def lists_of(hs: Caller, *ids: str, kind: str = "0-1") -> Any:
    """Return the lists of contacts, as they are told."""
    inputs = [{"objectTypeId": kind, "recordId": each} for each in ids]
    path = f"{LISTS}/records/memberships/batch/read"
    reply = await hs.call("POST", path, {"inputs": inputs})
    held = {
        one["recordId"]: {each["listId"] for each in one["recordListMemberships"]}
        for one in reply.body["results"]
    }
    return reply.status, held


async def test_lists_are_found_by_name_and_kind_page_by_page(hs: Caller) -> None:
    ids = [make(hs, name) for name in ("Rye", "Spelt", "Rye and spelt")]
    dynamic = make(hs, "Opened a mail", "DYNAMIC")
    page = await search(hs, count=3)
    assert [one["listId"] for one in page["lists"]] == ids
    assert (page["hasMore"], page["offset"], page["total"]) == (True, 3, 4)
    page = await search(hs, offset=3)
    assert [one["listId"] for one in page["lists"]] == [dynamic]
    assert not page["hasMore"]
    assert (await search(hs, query="rye"))["total"] == 2
    assert (await search(hs, processingTypes=["DYNAMIC"]))["total"] == 1
    assert (await search(hs, listIds=ids[:1]))["total"] == 1
    assert (await search(hs, objectTypeId="0-2"))["total"] == 0


@pytest.mark.parametrize("count", [0, 501])
async def test_a_page_of_lists_has_bounds(hs: Caller, count: int) -> None:
    body = {"additionalProperties": [], "offset": 0, "count": count}
    assert (await hs.call("POST", f"{LISTS}/search", body)).status == 400


async def test_a_list_tells_its_size_and_when_somebody_came_and_left(
    hs: Caller,
) -> None:
    rye, ann = make(hs, "Rye"), await hs.create("ann@example.com")
    (shown,) = (await search(hs))["lists"]
    assert shown["additionalProperties"] == {
        "hs_list_size": "0",
        "hs_list_reference_count": "0",
    }
    await move(hs, rye, "add", [ann])
    added = str(hs.account.now_ms())
    hs.emulator.clock.advance(60)
    (shown,) = (await search(hs))["lists"]
    assert shown["additionalProperties"]["hs_list_size"] == "1"
    assert shown["additionalProperties"]["hs_last_record_added_at"] == added
    await move(hs, rye, "remove", [ann])
    (shown,) = (await search(hs))["lists"]
    assert shown["additionalProperties"]["hs_list_size"] == "0"
    removed = shown["additionalProperties"]["hs_last_record_removed_at"]
    assert removed == str(hs.account.now_ms())


async def test_who_is_put_on_taken_off_or_not_there_is_told(hs: Caller) -> None:
    rye = make(hs, "Rye")
    ann, bob = [await hs.create(f"{name}@example.com") for name in ("ann", "bob")]
    told = await move(hs, rye, "add", [ann, UNKNOWN])
    assert told == {
        "recordsIdsAdded": [ann],
        "recordIdsRemoved": [],
        "recordIdsMissing": [UNKNOWN],
    }
    body = {"recordIdsToAdd": [ann, bob], "recordIdsToRemove": []}
    told = await move(hs, rye, "add-and-remove", body)
    assert told["recordsIdsAdded"] == [bob], "the other one is there already"
    body = {"recordIdsToAdd": [], "recordIdsToRemove": [ann]}
    told = await move(hs, rye, "add-and-remove", body)
    assert told["recordIdsRemoved"] == [ann]
    assert await lists_of(hs, ann, bob) == (200, {ann: set(), bob: {rye}})


async def test_nobody_is_put_on_a_list_with_filters_or_on_none(hs: Caller) -> None:
    dynamic, ann = make(hs, "Opened", "DYNAMIC"), await hs.create("ann@example.com")
    for list_id, status in ((dynamic, 400), (UNKNOWN, 404)):
        path = f"{LISTS}/{list_id}/memberships/add"
        assert (await hs.call("PUT", path, [ann])).status == status
    path = f"{LISTS}/{UNKNOWN}/memberships/join-order"
    assert (await hs.call("GET", path)).status == 404


async def test_the_lists_of_several_are_told_and_who_is_not_there(hs: Caller) -> None:
    rye, spelt = make(hs, "Rye"), make(hs, "Spelt")
    ann, bob = [await hs.create(f"{name}@example.com") for name in ("ann", "bob")]
    await move(hs, rye, "add", [ann])
    await move(hs, spelt, "add", [ann])
    assert await lists_of(hs, ann, bob) == (200, {ann: {rye, spelt}, bob: set()})
    assert await lists_of(hs, ann, UNKNOWN) == (207, {ann: {rye, spelt}})
    assert (await lists_of(hs, ann, kind="0-2"))[0] == 207
    hs.emulator.behaviour.listless_are_left_out = True
    assert await lists_of(hs, ann, bob) == (200, {ann: {rye, spelt}})
    inputs = [{"objectTypeId": "0-1", "recordId": ann}] * 101
    path = f"{LISTS}/records/memberships/batch/read"
    assert (await hs.call("POST", path, {"inputs": inputs})).status == 400


async def test_members_are_listed_by_when_they_came(hs: Caller) -> None:
    rye = make(hs, "Rye")
    ids = [await hs.create(f"p{number}@example.com") for number in range(5)]
    for each in reversed(ids):
        hs.emulator.clock.advance(1)
        await move(hs, rye, "add", [each])
    path = f"{LISTS}/{rye}/memberships/join-order"
    found, after = [], ""
    while True:
        page = await hs.done("GET", f"{path}?limit=2&after={after}")
        found += [one["recordId"] for one in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert found == ids[::-1]
    assert (await hs.call("GET", f"{path}?limit=251")).status == 400
    assert (await hs.call("GET", f"{path}?after=nonsense")).status == 400


async def test_who_is_archived_is_on_lists_again_once_restored(hs: Caller) -> None:
    rye, ann = make(hs, "Rye"), await hs.create("ann@example.com")
    await move(hs, rye, "add", [ann])
    hs.emulator.act(hs.account, "archive", contact_id=ann)
    assert (await lists_of(hs, ann))[0] == 207
    assert (await search(hs))["lists"][0]["additionalProperties"]["hs_list_size"] == "0"
    hs.emulator.act(hs.account, "restore", contact_id=ann)
    assert await lists_of(hs, ann) == (200, {ann: {rye}})


async def test_to_be_on_a_list_is_no_change_of_the_contact(hs: Caller) -> None:
    rye, ann = make(hs, "Rye"), await hs.create("ann@example.com")
    before = await hs.read(ann, "lastmodifieddate")
    hs.emulator.clock.advance(60)
    await move(hs, rye, "add", [ann])
    hs.emulator.act(hs.account, "leave", contact_id=ann, list_id=rye)
    hs.emulator.act(hs.account, "join", contact_id=ann, list_id=rye)
    assert await hs.read(ann, "lastmodifieddate") == before
    assert await lists_of(hs, ann) == (200, {ann: {rye}})


@pytest.mark.parametrize(
    ("verb", "path"),
    [("POST", f"{LISTS}/search"), ("PUT", f"{LISTS}/1/memberships/add")],
)
async def test_lists_have_scopes_of_their_own(hs: Caller, verb: str, path: str) -> None:
    hs.token = hs.new_token(frozenset({"oauth", "crm.objects.contacts.read"}))
    assert (await hs.call(verb, path, {})).status == 403
