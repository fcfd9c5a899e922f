"""How the Constant Contact emulator lists: pages, filters, lists, tags, own fields."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.constant_contact_caller import Caller, calling
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.core.limits import Limits

NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"
FIELD_TYPES = (
    "string date datetime number currency boolean text_area single_select multi_select"
)


@pytest.fixture
async def cc() -> AsyncIterator[Caller]:
    """Yield an authorised caller of an emulator whose time stands still at noon."""
    async with calling(Settings(limits=Limits())) as caller:
        caller.token = (await caller.authorize()).body["access_token"]
        yield caller


async def seed(cc: Caller, count: int, **more: Any) -> list[str]:
    """Put contacts into the account, a second apart in the past."""
    seeds = [
        {
            "email_address": {"address": f"p{number}@example.com"},
            "created_at": f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z",
            **more,
        }
        for number in range(count)
    ]
    return (await cc.of_account("POST", "/contacts", seeds))["contact_ids"]


async def test_pages_follow_a_path_relative_cursor_to_the_end(cc: Caller) -> None:
    ids = await seed(cc, 120)
    first = await cc.get("/v3/contacts?include_count=true&include=phone_numbers")
    assert len(first["contacts"]) == 50
    assert first["contacts_count"] == 120
    href = first["_links"]["next"]["href"]
    assert href.startswith("/v3/contacts?cursor=")
    second = await cc.get(href)
    assert second["contacts"][0]["phone_numbers"] == []
    last = await cc.get(second["_links"]["next"]["href"])
    assert "_links" not in last
    pages = (first, second, last)
    assert [c["contact_id"] for page in pages for c in page["contacts"]] == ids


async def test_a_full_last_page_has_no_next(cc: Caller) -> None:
    await seed(cc, 10)
    assert "_links" not in await cc.get("/v3/contacts?limit=10")
    assert "_links" in await cc.get("/v3/contacts?limit=9")
    assert await cc.get("/v3/contacts?status=deleted&include_count=true") == {
        "contacts": [],
        "contacts_count": 0,
    }


@pytest.mark.parametrize("query", ["", "updated_after=2025-01-01&"])
async def test_writes_between_pages_neither_skip_nor_repeat(
    cc: Caller, query: str
) -> None:
    ids = await seed(cc, 30)
    page = await cc.get(f"/v3/contacts?{query}limit=10")
    found = [contact["contact_id"] for contact in page["contacts"]]
    await cc.call("DELETE", f"/v3/contacts/{ids[3]}")
    new = await cc.create("new@example.com")
    while "_links" in page:
        page = await cc.get(page["_links"]["next"]["href"])
        found += [contact["contact_id"] for contact in page["contacts"]]
    assert found == [*ids, new["contact_id"]]


async def test_updated_after_is_strict_and_sees_each_change_once(cc: Caller) -> None:
    first, second, third = await seed(cc, 3)
    after = "2026-01-01T00:00:01Z"
    assert await cc.ids(f"updated_after={after}") == [third]
    assert await cc.ids("updated_after=2026-01-01T00:00:00.999Z") == [second, third]
    assert await cc.ids("updated_after=2026-01-01T01:00:00%2B01:00") == [second, third]
    assert await cc.ids(f"updated_before={after}") == [first]
    for _ in range(3):
        cc.emulator.clock.advance(1)
        await cc.put(first, first_name="Ann")
    assert await cc.ids(f"updated_after={after}") == [third, first]
    assert await cc.ids(f"created_after={after}") == [third]
    window = "created_after=2025-12-31&created_before=2026-01-01T00:00:01.5Z"
    assert await cc.ids(window) == [first, second]


async def test_filters_by_status(cc: Caller) -> None:
    permissions = (
        "explicit implicit not_set pending_confirmation temp_hold unsubscribed"
    ).split()
    seeds = [
        {
            "email_address": {
                "address": f"{name}@example.com",
                "permission_to_send": name,
            }
        }
        for name in permissions
    ] + [{"first_name": "Gone", "deleted_at": "2026-01-02"}]
    ids = (await cc.of_account("POST", "/contacts", seeds))["contact_ids"]
    of = dict(zip([*permissions, "deleted"], ids, strict=True))
    assert await cc.ids() == ids[:-1]
    assert await cc.ids("status=all") == ids
    assert await cc.ids("status=active") == [of["explicit"], of["implicit"]]
    for name in permissions[2:]:
        assert await cc.ids(f"status={name}") == [of[name]]
    assert await cc.ids("status=unsubscribed,deleted") == ids[-2:]


async def test_filters_by_list_and_tag(cc: Caller) -> None:
    list_id = cc.account.default_list.list_id
    tag = (await cc.call("POST", "/v3/contact_tags", {"name": "VIP"})).body
    ann = await cc.create("ann@example.com", list_memberships=[list_id])
    bob = await cc.create("bob@example.com", taggings=[tag["tag_id"]])
    assert await cc.ids(f"lists={list_id},{NO_SUCH_ID}") == [ann["contact_id"]]
    assert await cc.ids(f"tags={tag['tag_id']}") == [bob["contact_id"]]
    tagged = await cc.put(ann["contact_id"], taggings=[tag["tag_id"]])
    assert tagged["taggings"] == [tag["tag_id"]]
    both = [ann["contact_id"], bob["contact_id"]]
    assert await cc.ids(f"tags={tag['tag_id']}") == both
    assert await cc.ids(f"tags={tag['tag_id']}&lists={list_id}") == both[:1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=ten",
        "limit=-1",
        "status=sleeping",
        "status=",
        "include=photos",
        "include_count=maybe",
        "updated_after=yesterday",
        "updated_after=",
        "updated_after=2026-01-01T01:00:00+01:00",
        "optout_before=2026-13-01",
        "lists=17",
        "lists=" + ",".join([NO_SUCH_ID] * 26),
        "tags=" + ",".join([NO_SUCH_ID] * 51),
        "sms_status=loud",
        "cursor=bm9uc2Vuc2U",
        "cursor=%25",
        "segment_id=14",
        "updated_since=2026-01-01",
    ],
)
async def test_bad_parameters_are_refused(cc: Caller, query: str) -> None:
    answer = await cc.call("GET", f"/v3/contacts?{query}")
    assert answer.status == 400
    assert answer.body[0]["error_key"] == "contacts.api.validation.error"


async def test_a_cursor_belongs_to_its_listing(cc: Caller) -> None:
    await seed(cc, 2)
    page = await cc.get("/v3/contacts?limit=1")
    cursor = page["_links"]["next"]["href"].partition("?")[2]
    assert (await cc.call("GET", f"/v3/contact_lists?{cursor}")).status == 400


async def test_a_hundred_thousand_contacts_are_held_and_paged(cc: Caller) -> None:
    """The measure is work, not time: a page may touch no more than its own rows."""
    seeds = [{"first_name": f"P{number}"} for number in range(100_000)]
    await cc.of_account("POST", "/contacts", seeds)
    await cc.put(cc.account.book.entries[7].contact.contact_id, first_name="Changed")
    middle = await cc.get("/v3/contacts?limit=500")
    for _ in range(3):
        middle = await cc.get(middle["_links"]["next"]["href"])
    assert middle["contacts"][0]["first_name"] == "P1500"
    touched = _count_touched(cc)
    await cc.get(middle["_links"]["next"]["href"])
    assert touched.count <= 501
    touched.count = 0
    cc.emulator.clock.advance(10)
    await cc.put(cc.account.book.entries[9].contact.contact_id, first_name="Changed")
    assert len(await cc.ids("updated_after=2026-03-10T12:00:05Z&status=all")) == 1
    assert touched.count <= 2
    assert await cc.ids("status=deleted&limit=500") == []
    assert touched.count <= 2
    full = {"email_address": {"address": "one.more@example.com"}}
    refused = await cc.send(
        "POST", f"/_emulator/accounts/{cc.account.account_id}/contacts", json=[full]
    )
    assert refused.status == 400


class _Touched(list[Any]):
    """A list of contacts that counts how often one is looked at."""

    count = 0

    def __getitem__(self, at: Any) -> Any:
        self.count += 1
        return super().__getitem__(at)


def _count_touched(cc: Caller) -> _Touched:
    cc.account.book.entries = _Touched(cc.account.book.entries)
    return cc.account.book.entries


async def test_lists_are_created_renamed_counted_and_deleted(cc: Caller) -> None:
    created = await cc.call("POST", "/v3/contact_lists", {"name": "Regulars"})
    assert created.status == 201
    list_id = created.body["list_id"]
    again = await cc.call("POST", "/v3/contact_lists", {"name": "Regulars"})
    assert again.status == 409
    assert (await cc.call("POST", "/v3/contact_lists", {"name": ""})).status == 400
    path = f"/v3/contact_lists/{list_id}"
    renamed = await cc.call("PUT", path, {"name": "Friends", "favorite": True})
    assert (renamed.body["name"], renamed.body["favorite"]) == ("Friends", True)
    ann = await cc.create("ann@example.com", list_memberships=[list_id])
    query = "include_count=true&include_membership_count=all&name=Friends"
    page = await cc.get(f"/v3/contact_lists?{query}")
    assert page["lists_count"] == 1
    assert page["lists"][0]["membership_count"] == 1
    gone = await cc.call("DELETE", path)
    assert gone.status == 202
    states = [
        (await cc.get(gone.body["_links"]["self"]["href"]))["state"] for _ in range(3)
    ]
    assert states == ["initialized", "processing", "completed"]
    ann = await cc.get(f"/v3/contacts/{ann['contact_id']}?include=list_memberships")
    assert ann["list_memberships"] == []
    names = [found["name"] for found in (await cc.get("/v3/contact_lists"))["lists"]]
    assert names == ["General Interest"]
    page = await cc.get("/v3/contact_lists?status=deleted")
    assert [found["list_id"] for found in page["lists"]] == [list_id]
    late = {
        "create_source": "Account",
        "first_name": "Late",
        "list_memberships": [list_id],
    }
    assert (await cc.call("POST", "/v3/contacts", late)).status == 400


async def test_lists_come_in_pages_too(cc: Caller) -> None:
    for number in range(4):
        await cc.call("POST", "/v3/contact_lists", {"name": f"List {number}"})
    path, names = "/v3/contact_lists?limit=2", []
    while path:
        page = await cc.get(path)
        names += [found["name"] for found in page["lists"]]
        path = page.get("_links", {}).get("next", {}).get("href")
    assert names == ["General Interest", *(f"List {number}" for number in range(4))]


async def test_tags_are_created_listed_renamed_and_deleted(cc: Caller) -> None:
    created = await cc.call("POST", "/v3/contact_tags", {"name": "PieSync Trash"})
    assert created.status == 201
    tag_id = created.body["tag_id"]
    again = await cc.call("POST", "/v3/contact_tags", {"name": "PieSync Trash"})
    assert again.status == 409
    await cc.create("ann@example.com", taggings=[tag_id])
    page = await cc.get("/v3/contact_tags?include_count=true&limit=500")
    assert [tag["contacts_count"] for tag in page["tags"]] == [1]
    path = f"/v3/contact_tags/{tag_id}"
    assert (await cc.call("PUT", path, {"name": "Trash"})).body["name"] == "Trash"
    assert (await cc.get(path))["name"] == "Trash"
    assert (await cc.call("DELETE", path)).status == 202
    assert (await cc.call("GET", path)).status == 404
    assert await cc.ids(f"tags={tag_id}") == []


async def test_custom_fields_of_every_type_hold_values(cc: Caller) -> None:
    for kind in FIELD_TYPES.split():
        body: dict[str, Any] = {"label": f"My {kind}", "type": kind}
        if kind.endswith("select"):
            body["choices"] = [{"choice_label": "Red", "display_order": 1}]
        created = await cc.call("POST", "/v3/contact_custom_fields", body)
        assert created.status == 201
        assert created.body["name"] == f"My_{kind}"
        again = await cc.call("POST", "/v3/contact_custom_fields", body)
        assert again.status == 409
    fields = (await cc.get("/v3/contact_custom_fields"))["custom_fields"]
    text, select = fields[0], fields[-1]
    values = [
        {"custom_field_id": text["custom_field_id"], "value": "x" * 255},
        {"custom_field_id": select["custom_field_id"], "choice_ids": ["1"]},
    ]
    ann = await cc.create("ann@example.com", custom_fields=values)
    assert ann["custom_fields"] == values
    for bad in ({"value": "x" * 256}, {}, {"value": None}):
        body = {"create_source": "Account", "first_name": "B"}
        body["custom_fields"] = [{"custom_field_id": text["custom_field_id"], **bad}]
        assert (await cc.call("POST", "/v3/contacts", body)).status == 400
    path = f"/v3/contact_custom_fields/{text['custom_field_id']}"
    assert (await cc.call("PUT", path, {"label": "Colour"})).body["name"] == "Colour"
    assert (await cc.get(path))["type"] == "string"
    assert (await cc.call("DELETE", path)).status == 204
    (ann,) = await cc.listed("include=custom_fields")
    assert ann["custom_fields"] == values[1:]
    page = await cc.get("/v3/contact_custom_fields?limit=1")
    assert "_links" in page
    wrong = {"label": "Odd", "type": "colour"}
    answer = await cc.call("POST", "/v3/contact_custom_fields", wrong)
    assert answer.status == 400
