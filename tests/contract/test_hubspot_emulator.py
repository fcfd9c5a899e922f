"""The HubSpot emulator: contacts one by one and in batches, merges, opting out."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.hubspot_caller import (
    CONTACTS,
    PROPERTIES,
    Caller,
    calling_without_limits,
)

UNKNOWN = "99999999"


@pytest.fixture
async def hs() -> AsyncIterator[Caller]:
    """Yield an authorised caller; there are no limits, and time stands still."""
    async with calling_without_limits() as caller:
        yield caller


async def test_only_what_was_asked_for_is_shown(hs: Caller) -> None:
    ann = await hs.create("ann@example.com", firstname="Ann", jobtitle="Baker")
    plain = await hs.done("GET", f"{CONTACTS}/{ann}")
    always = {"createdate", "hs_object_id", "lastmodifieddate"}
    assert set(plain["properties"]) == always | {"email", "firstname"}
    shown = await hs.read(ann, "jobtitle", "phone", "no_such_property")
    assert set(shown["properties"]) == always | {"jobtitle"}
    hs.emulator.behaviour.empty_is_null = True
    path = f"{CONTACTS}/{ann}?properties=phone,no_such_property"
    reply = await hs.send("GET", path, headers={"Authorization": f"Bearer {hs.token}"})
    assert set(reply.body["properties"]) == always | {"phone"}
    assert reply.body["properties"]["phone"] is None


async def test_a_patch_changes_what_it_mentions_and_tells_little_else(
    hs: Caller,
) -> None:
    ann = await hs.create("ann@example.com", firstname="Ann", jobtitle="Baker")
    body = {"properties": {"jobtitle": "", "city": "Freiburg"}}
    told = await hs.done("PATCH", f"{CONTACTS}/{ann}", body)
    assert told["properties"]["city"] == "Freiburg"
    assert "firstname" not in told["properties"]
    shown = await hs.read(ann, "firstname", "jobtitle", "city")
    assert shown["properties"]["firstname"] == "Ann"
    assert "jobtitle" not in shown["properties"]


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"email": "nonsense"}, "INVALID_EMAIL"),
        ({"favourite": "rye"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_email_optout": "false"}, "READ_ONLY_VALUE"),
        ({"lifecyclestage": "baker"}, "INVALID_OPTION"),
        ({"company": "Bakery"}, "REQUIRED_FIELD"),
    ],
)
async def test_what_cannot_be_is_refused(
    hs: Caller, properties: dict[str, str], code: str
) -> None:
    reply = await hs.call("POST", CONTACTS, {"properties": properties})
    assert reply.status == 400
    assert reply.body["category"] == "VALIDATION_ERROR"
    assert reply.body["errors"][0]["code"] == code


async def test_a_second_contact_with_an_address_is_refused_by_name(hs: Caller) -> None:
    ann = await hs.create("ann@example.com")
    body = {"properties": {"email": "ANN@example.com"}}
    reply = await hs.call("POST", CONTACTS, body)
    assert (reply.status, reply.body["category"]) == (409, "CONFLICT")
    assert reply.body["message"] == f"Contact already exists. Existing ID: {ann}"
    bob = await hs.create("bob@example.com")
    reply = await hs.call("PATCH", f"{CONTACTS}/{bob}", body)
    assert reply.status == 409


async def test_the_archived_are_in_a_listing_of_their_own(hs: Caller) -> None:
    ann, bob = [await hs.create(f"{name}@example.com") for name in ("ann", "bob")]
    assert (await hs.call("DELETE", f"{CONTACTS}/{ann}")).status == 204
    listed = await hs.done("GET", CONTACTS)
    assert [one["id"] for one in listed["results"]] == [bob]
    gone = await hs.done("GET", f"{CONTACTS}?archived=true")
    assert [one["id"] for one in gone["results"]] == [ann]
    assert gone["results"][0]["archivedAt"] == "2026-03-10T12:00:00.000Z"
    assert (await hs.call("GET", f"{CONTACTS}/{ann}")).status == 404
    assert (await hs.call("GET", f"{CONTACTS}/{ann}?archived=true")).status == 200
    assert (await hs.create("ann@example.com")) != ann, "the address is free again"


async def test_a_listing_goes_on_behind_the_last_one_shown(hs: Caller) -> None:
    ids = [await hs.create(f"p{n}@example.com") for n in range(5)]
    page = await hs.done("GET", f"{CONTACTS}?limit=2")
    after = page["paging"]["next"]["after"]
    await hs.call("DELETE", f"{CONTACTS}/{ids[0]}")
    rest = await hs.done("GET", f"{CONTACTS}?limit=100&after={after}")
    assert [one["id"] for one in rest["results"]] == ids[2:]
    assert "paging" not in rest
    for query in ("limit=101", "limit=0", "after=nonsense"):
        assert (await hs.call("GET", f"{CONTACTS}?{query}")).status == 400


async def test_a_batch_is_read_by_id_or_address_as_far_as_they_are_there(
    hs: Caller,
) -> None:
    ann, bob = [await hs.create(f"{name}@example.com") for name in ("ann", "bob")]
    asked = {"properties": ["email"], "propertiesWithHistory": []}
    inputs = [{"id": ann}, {"id": UNKNOWN}, {"id": bob}]
    reply = await hs.call("POST", f"{CONTACTS}/batch/read", asked | {"inputs": inputs})
    assert reply.status == 207
    assert {one["id"] for one in reply.body["results"]} == {ann, bob}
    assert reply.body["errors"][0]["context"] == {"ids": [UNKNOWN]}
    inputs = [{"id": "Ann@Example.com"}]
    by_email = asked | {"inputs": inputs, "idProperty": "email"}
    reply = await hs.call("POST", f"{CONTACTS}/batch/read", by_email)
    assert [one["id"] for one in reply.body["results"]] == [ann]
    many = asked | {"inputs": [{"id": str(n)} for n in range(101)]}
    assert (await hs.call("POST", f"{CONTACTS}/batch/read", many)).status == 400


def traced(properties: list[dict[str, str]]) -> dict[str, object]:
    return {
        "inputs": [
            {"properties": each, "associations": [], "objectWriteTraceId": f"t{n}"}
            for n, each in enumerate(properties)
        ]
    }


async def test_a_batch_with_traces_is_answered_input_by_input(hs: Caller) -> None:
    ann = await hs.create("ann@example.com")
    people = [{"email": f"{name}@example.com"} for name in ("bob", "ann", "no one")]
    reply = await hs.call("POST", f"{CONTACTS}/batch/create", traced(people))
    assert reply.status == 207
    (made,) = reply.body["results"]
    assert made["objectWriteTraceId"] == "t0"
    told = {
        one["context"]["objectWriteTraceId"][0]: one["category"]
        for one in reply.body["errors"]
    }
    assert told == {"t1": "CONFLICT", "t2": "VALIDATION_ERROR"}
    inputs = [
        {"id": each, "properties": {"city": "Graz"}, "objectWriteTraceId": each}
        for each in (ann, UNKNOWN)
    ]
    reply = await hs.call("POST", f"{CONTACTS}/batch/update", {"inputs": inputs})
    assert reply.status == 207
    assert [one["id"] for one in reply.body["results"]] == [ann]
    assert reply.body["errors"][0]["category"] == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize("second", ["ann@example.com", "no one", "bob@example.com"])
async def test_a_batch_without_traces_is_done_whole_or_not_at_all(
    hs: Caller, second: str
) -> None:
    await hs.create("ann@example.com")
    inputs = [
        {"properties": {"email": email}, "associations": []}
        for email in ("bob@example.com", second)
    ]
    reply = await hs.call("POST", f"{CONTACTS}/batch/create", {"inputs": inputs})
    assert reply.status in (400, 409)
    assert len((await hs.done("GET", CONTACTS))["results"]) == 1


@pytest.mark.parametrize("is_new", [True, False])
async def test_who_was_merged_is_part_of_another(hs: Caller, is_new: bool) -> None:
    hs.emulator.behaviour.merges_make_new_ids = is_new
    ann = await hs.create("ann@example.com", firstname="Ann")
    other = await hs.create("a@example.com", firstname="A", city="Graz")
    body = {"primaryObjectId": ann, "objectIdToMerge": other}
    merged = await hs.done("POST", f"{CONTACTS}/merge", body)
    assert (merged["id"] == ann) is not is_new
    held = merged["properties"]
    assert (held["firstname"], held["city"]) == ("Ann", "Graz")
    assert held["hs_additional_emails"] == "a@example.com"
    parts = {ann, other} - {merged["id"]}
    assert set(held["hs_merged_object_ids"].split(";")) == parts
    assert (await hs.read(other, "email"))["id"] == merged["id"]
    by_email = await hs.done("GET", f"{CONTACTS}/a@example.com?idProperty=email")
    assert by_email["id"] == merged["id"]
    listed = await hs.done("GET", CONTACTS)
    assert [one["id"] for one in listed["results"]] == [merged["id"]]


async def test_opting_out_belongs_to_the_address_and_outlives_the_contact(
    hs: Caller,
) -> None:
    ann = await hs.create("ann@example.com")
    path = "/communication-preferences/v4/statuses/ann%40example.com/unsubscribe-all"
    assert (await hs.call("POST", path)).status == 400
    await hs.done("POST", f"{path}?channel=EMAIL")
    nobody = path.replace("ann%40example.com", "ann")
    assert (await hs.call("POST", f"{nobody}?channel=EMAIL")).status == 400
    shown = await hs.read(ann, "hs_email_optout")
    assert shown["properties"]["hs_email_optout"] == "true"
    await hs.call("DELETE", f"{CONTACTS}/{ann}")
    again = await hs.create("ann@example.com")
    shown = await hs.read(again, "hs_email_optout")
    assert shown["properties"]["hs_email_optout"] == "true"
    body = {"properties": {"email": "other@example.com"}}
    await hs.done("PATCH", f"{CONTACTS}/{again}", body)
    shown = await hs.read(again, "hs_email_optout")
    assert "hs_email_optout" not in shown["properties"]


async def test_properties_are_listed_and_defined(hs: Caller) -> None:
    new = {
        "name": "favourite_bread",
        "label": "Favourite bread",
        "type": "enumeration",
        "fieldType": "checkbox",
        "groupName": "contactinformation",
        "options": [
            {"label": each, "value": each.lower(), "hidden": False}
            for each in ("Rye", "Spelt")
        ],
    }
    await hs.done("POST", PROPERTIES, new)
    assert (await hs.call("POST", PROPERTIES, new)).status == 409
    found = {one["name"]: one for one in (await hs.done("GET", PROPERTIES))["results"]}
    assert found["favourite_bread"]["hubspotDefined"] is False
    metadata = found["hs_email_optout"]["modificationMetadata"]
    assert metadata["readOnlyValue"] is True
    await hs.create("ann@example.com", favourite_bread="rye;spelt")
    body = {"properties": {"email": "b@example.com", "favourite_bread": "rye;oat"}}
    assert (await hs.call("POST", CONTACTS, body)).status == 400
