"""The emulator answers as the vendor's description demands, and keeps its limits."""

import msgspec
import pytest

from tests.contract import vendor_specs
from tests.contract.counting import Counted
from tests.contract.emulator_caller import Reply
from tests.contract.pipedrive_caller import API, PERSONS, Caller, description
from tests.emulators.core.limits import Limits
from tests.emulators.core.settings import unlimited
from tests.emulators.pipedrive.settings import Behaviour, Settings

FIELDS = f"{API}/personFields"


@pytest.fixture
async def vendor():
    async with Caller.calling(unlimited(Settings())) as caller:
        yield caller


def error(reply: Reply) -> int:
    assert reply.body["success"] is False
    assert isinstance(reply.body["error"], str)
    return reply.status


async def test_answers_are_checked_against_the_description(vendor):
    vendor_specs.needed(description())
    person_id = await vendor.create("ann@example.org")
    vendor.description.checked.clear()
    await vendor.call("GET", PERSONS)
    await vendor.call("GET", f"{PERSONS}/{person_id}")
    await vendor.call("PATCH", f"{PERSONS}/{person_id}", {"name": "Bob"})
    path = f"{PERSONS}/search?term=ann@example.org&fields=email&exact_match=true"
    await vendor.call("GET", path)
    await vendor.call("GET", FIELDS)
    await vendor.call("DELETE", f"{PERSONS}/{person_id}")
    await vendor.create("bob@example.org")
    assert vendor.description.checked == {
        ("GET", "/persons", 200),
        ("GET", "/persons/{id}", 200),
        ("PATCH", "/persons/{id}", 200),
        ("GET", "/persons/search", 200),
        ("GET", "/personFields", 200),
        ("DELETE", "/persons/{id}", 200),
        ("POST", "/persons", 200),
    }


async def test_what_the_description_does_not_know_would_be_noticed(vendor):
    vendor_specs.needed(description())
    body = {"success": True, "data": [{"id": 1, "shoe_size": 39}]}
    with pytest.raises(Exception, match="shoe_size"):
        vendor.check("GET", PERSONS, Reply(200, body, {}))


async def test_a_refresh_token_is_exchanged_once():
    async with Caller.calling() as caller:
        tokens = await caller.exchange((await caller.consent({"scope": ""}))["code"])
        first = tokens.body
        assert first["expires_in"] == 3_600
        assert first["api_domain"].startswith("https://company-")
        assert set(first["scope"].split(",")) == {"base", "contacts:full"}
        second = await caller.refresh(first["refresh_token"])
        assert second.status == 200
        assert second.body["refresh_token"] != first["refresh_token"]
        again = await caller.refresh(first["refresh_token"])
        assert (again.status, again.body["error"]) == (400, "invalid_grant")
        third = await caller.refresh(second.body["refresh_token"])
        assert third.status == 200


async def test_pages_go_on_behind_an_id(vendor):
    ids = [await vendor.create(f"p{n}@example.org") for n in range(5)]
    first = await vendor.call("GET", f"{PERSONS}?limit=2")
    assert [one["id"] for one in first.body["data"]] == ids[:2]
    await vendor.call("DELETE", f"{PERSONS}/{ids[0]}")
    shown, after = [], first.body["additional_data"]["next_cursor"]
    while after:
        page = (await vendor.call("GET", f"{PERSONS}?limit=2&cursor={after}")).body
        shown += [one["id"] for one in page["data"]]
        after = page["additional_data"]["next_cursor"]
    assert shown == ids[2:]


@pytest.mark.parametrize("order", ["update_time", "add_time"])
async def test_pages_in_the_order_of_times_have_everybody_once(vendor, order):
    """Also where many have one time."""
    ids = [await vendor.create() for _ in range(5)]
    shown, query = [], f"limit=2&sort_by={order}&sort_direction=asc"
    after = ""
    while after is not None:
        page = (await vendor.call("GET", f"{PERSONS}?{query}{after}")).body
        shown += [one["id"] for one in page["data"]]
        cursor = page["additional_data"]["next_cursor"]
        after = f"&cursor={cursor}" if cursor else None
    assert shown == ids


async def test_changes_are_asked_for_by_a_time_that_is_included(vendor):
    old = await vendor.create()
    vendor.emulator.clock.advance(10)
    new = await vendor.create()

    async def since(text: str) -> list[int]:
        found = await vendor.done("GET", f"{PERSONS}?updated_since={text}")
        return [one["id"] for one in found]

    assert await since("2026-03-10T12:00:00Z") == [old, new]
    assert await since("2026-03-10T12:00:10Z") == [new]
    assert await since("2026-03-10T12:00:11Z") == []
    vendor.emulator.clock.advance(10)
    await vendor.done("PATCH", f"{PERSONS}/{old}", {"name": "Old"})
    assert await since("2026-03-10T12:00:15Z") == [old]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=501",
        "limit=many",
        "sort_by=name",
        "cursor=nonsense",
        "updated_since=2026-03-10",
        "ids=" + ",".join(map(str, range(101))),
        "custom_fields=" + ",".join("abcdefghijklmnop"),
    ],
)
async def test_what_a_listing_does_not_take_is_refused(vendor, query):
    assert error(await vendor.call("GET", f"{PERSONS}?{query}")) == 400


@pytest.mark.parametrize("lists", [True, False])
async def test_who_was_deleted_is_shown_by_the_id_alone(lists):
    settings = Settings(behaviour=Behaviour(lists_deleted=lists))
    async with Caller.calling(unlimited(settings)) as vendor:
        gone, there = await vendor.create(), await vendor.create()
        await vendor.done("DELETE", f"{PERSONS}/{gone}")
        by_ids = await vendor.done("GET", f"{PERSONS}?ids={gone},{there},999")
        assert [one["id"] for one in by_ids] == [gone, there][not lists :]
        assert [one["id"] for one in await vendor.done("GET", PERSONS)] == [there]
        assert (await vendor.done("GET", f"{PERSONS}/{gone}"))["is_deleted"] is True
        assert error(await vendor.call("GET", f"{PERSONS}/999")) == 404
        assert error(await vendor.call("PATCH", f"{PERSONS}/{gone}", {})) == 404


async def test_who_is_merged_away_is_deleted_and_the_other_has_both(vendor):
    ann = await vendor.create("ann@example.org")
    bob = await vendor.create("bob@example.org")
    path = f"/api/v1/persons/{bob}/merge"
    assert (await vendor.done("PUT", path, {"merge_with_id": ann}))["id"] == ann
    found = await vendor.done("GET", f"{PERSONS}/{ann}")
    assert [(one["value"], one["primary"]) for one in found["emails"]] == [
        ("ann@example.org", True),
        ("bob@example.org", False),
    ]
    assert (await vendor.done("GET", f"{PERSONS}/{bob}"))["is_deleted"] is True


async def test_emails_are_replaced_together_and_one_is_primary(vendor):
    person_id = await vendor.create("ann@example.org")
    two = [{"value": "b@example.org"}, {"value": "c@example.org", "primary": True}]
    found = await vendor.done("PATCH", f"{PERSONS}/{person_id}", {"emails": two})
    assert [one["primary"] for one in found["emails"]] == [False, True]
    none = [{"value": "d@example.org"}]
    found = await vendor.done("PATCH", f"{PERSONS}/{person_id}", {"emails": none})
    assert [one["primary"] for one in found["emails"]] == [True]
    found = await vendor.done("PATCH", f"{PERSONS}/{person_id}", {"name": "Ann B"})
    assert [one["value"] for one in found["emails"]] == ["d@example.org"]
    assert (found["first_name"], found["last_name"]) == ("Ann", "B")


async def define(vendor: Caller, kind: str, *labels: str) -> dict:
    vendor.token = vendor.emulator.issue(
        vendor.account, vendor.emulator.vendor.scopes
    ).access_token
    body = {"field_name": kind, "field_type": kind}
    if labels:
        body["options"] = [{"label": label} for label in labels]
    reply = await vendor.send(
        "POST", FIELDS, json=body, headers={"Authorization": f"Bearer {vendor.token}"}
    )
    return reply.body["data"]


async def test_fields_are_known_by_hashes_and_options_by_numbers(vendor):
    field = await define(vendor, "enum", "Small", "Large")
    assert len(field["field_code"]) == 40
    (shown,) = [one for one in await vendor.done("GET", FIELDS) if one["options"]]
    assert shown == field
    small = field["options"][0]["id"]
    values = {field["field_code"]: small}
    person_id = await vendor.create(custom_fields=values)
    found = await vendor.done("GET", f"{PERSONS}/{person_id}")
    assert found["custom_fields"] == values


async def test_labels_are_options_that_can_be_added_and_two_may_have_one_name(vendor):
    path = f"{FIELDS}/label_ids/options"
    made = await vendor.done("POST", path, [{"label": "VIP"}, {"label": "VIP"}])
    assert [one["label"] for one in made] == ["VIP", "VIP"]
    (field,) = [one for one in await vendor.done("GET", FIELDS) if one["options"]]
    assert (field["field_code"], field["options"]) == ("label_ids", made)
    ids = [one["id"] for one in made]
    person_id = await vendor.create(label_ids=ids)
    assert (await vendor.done("GET", f"{PERSONS}/{person_id}"))["label_ids"] == ids
    unknown = {"label_ids": [999]}
    assert error(await vendor.call("PATCH", f"{PERSONS}/{person_id}", unknown)) == 400
    for bad in ([], [{"label": ""}], [{"label": "x" * 256}]):
        assert error(await vendor.call("POST", path, bad)) == 400


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("varchar", "x" * 255, "x" * 256),
        ("text", "x" * 256, 7),
        ("double", 12.5, "12.5"),
        ("date", "2026-03-10", "soon"),
        ("set", [1], []),
        ("enum", 1, 9),
        ("enum", 1, "1"),
        ("monetary", {"value": 1, "currency": "EUR"}, 1),
        ("address", {"value": "1 Elm St"}, "1 Elm St"),
    ],
)
async def test_a_value_is_of_its_type_or_refused(vendor, kind, good, bad):
    labels = ("One",) if kind in ("set", "enum") else ()
    code = (await define(vendor, kind, *labels))["field_code"]
    person_id = await vendor.create(custom_fields={code: good})
    path = f"{PERSONS}/{person_id}"
    assert (
        error(await vendor.call("PATCH", path, {"custom_fields": {code: bad}})) == 400
    )
    found = await vendor.done("PATCH", path, {"custom_fields": {code: None}})
    assert found["custom_fields"] == {code: None}


@pytest.mark.parametrize(
    "body", [{"shoe_size": 39}, {"name": 7}, {"custom_fields": {"0" * 40: 1}}, []]
)
async def test_what_is_not_described_is_refused(vendor, body):
    assert error(await vendor.call("POST", PERSONS, body)) == 400


async def test_a_no_is_for_good(vendor):
    person_id = await vendor.create(marketing_status="subscribed")
    path = f"{PERSONS}/{person_id}"
    asked = f"{path}?include_fields=marketing_status"
    assert (await vendor.done("GET", asked))["marketing_status"] == "subscribed"
    await vendor.done("PATCH", path, {"marketing_status": "unsubscribed"})
    await vendor.done("PATCH", path, {"marketing_status": "subscribed"})
    assert (await vendor.done("GET", asked))["marketing_status"] == "unsubscribed"
    assert "marketing_status" not in await vendor.done("GET", path)


async def test_without_campaigns_there_is_no_status():
    settings = Settings(behaviour=Behaviour(has_campaigns=False))
    async with Caller.calling(unlimited(settings)) as vendor:
        path = f"{PERSONS}?include_fields=marketing_status"
        assert error(await vendor.call("GET", path)) == 400
        codes = {one["field_code"] for one in await vendor.done("GET", FIELDS)}
        assert "marketing_status" not in codes


async def test_a_search_is_for_whole_addresses_in_any_case_and_may_be_late():
    settings = Settings(behaviour=Behaviour(search_lag_s=10))
    async with Caller.calling(unlimited(settings)) as vendor:
        person_id = await vendor.create("ann@example.org")
        path = f"{PERSONS}/search?fields=email&exact_match=true&term="
        assert (await vendor.done("GET", f"{path}ANN@example.org"))["items"] == []
        vendor.emulator.clock.advance(10)
        (found,) = (await vendor.done("GET", f"{path}ANN@example.org"))["items"]
        assert found["item"]["id"] == person_id
        assert (await vendor.done("GET", f"{path}ann@example.or"))["items"] == []


async def test_calls_are_counted_by_two_seconds():
    settings = Settings(limits=Limits(requests_per_window=2, window_s=2.0))
    async with Caller.calling(settings) as vendor:
        first = await vendor.call("GET", PERSONS)
        assert first.headers["x-ratelimit-limit"] == "2"
        assert first.headers["x-ratelimit-remaining"] == "1"
        await vendor.call("GET", PERSONS)
        refused = await vendor.call("GET", PERSONS)
        assert error(refused) == 429
        assert refused.headers["x-ratelimit-reset"] == "2"
        assert refused.headers["x-daily-requests-left"] != "0"
        vendor.emulator.clock.advance(2)
        assert (await vendor.call("GET", PERSONS)).status == 200


async def test_calls_cost_tokens_of_the_day():
    settings = Settings(budget=Limits(requests_per_day=31))
    async with Caller.calling(settings) as vendor:
        left = (await vendor.call("GET", PERSONS)).headers["x-daily-requests-left"]
        assert left == "21"
        path = f"{PERSONS}/search?fields=email&exact_match=true&term=a@example.org"
        assert (await vendor.call("GET", path)).status == 200
        refused = await vendor.call("GET", PERSONS)
        assert error(refused) == 429
        assert refused.headers["x-daily-requests-left"] == "0"
        vendor.emulator.clock.advance(86_400)
        vendor.token = vendor.emulator.issue(vendor.account).access_token
        assert (await vendor.call("GET", PERSONS)).status == 200


async def test_who_authorised_is_told(vendor):
    found = await vendor.done("GET", "/api/v1/users/me")
    assert found["company_id"] == int(vendor.account.account_id)
    vendor.token = "nonsense"
    assert error(await vendor.call("GET", PERSONS)) == 401


async def test_a_page_looks_at_no_more_persons_than_it_shows(vendor):
    """Each once looked at everybody: a scan of very many took all of its time there."""
    people = msgspec.json.encode([{"name": str(number)} for number in range(300)])
    ids = vendor.emulator.admin.fill(vendor.account, people)
    first = await vendor.call("GET", f"{PERSONS}?limit=150")
    after = first.body["additional_data"]["next_cursor"]
    vendor.account.persons = Counted(vendor.account.persons)
    page = await vendor.done("GET", f"{PERSONS}?limit=10&cursor={after}")
    assert [one["id"] for one in page] == ids[150:160]
    assert 0 < vendor.account.persons.looks <= 30
