"""The Google Contacts emulator: people, batches, labels and syncs."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from tests.contract import vendor_specs
from tests.contract.google_contacts_caller import (
    CONTACT,
    GROUPS,
    LIST,
    MASK,
    PEOPLE,
    Caller,
    calling,
    description,
)
from tests.contract.vendor_discovery import Discovery
from tests.emulators.core.settings import unlimited
from tests.emulators.google_contacts.settings import Settings

WEEK_S = 7 * 86_400
NOBODY = "people/c99"


@pytest.fixture
async def gc() -> AsyncIterator[Caller]:
    """Yield an authorised caller; there are no limits, and time stands still."""
    async with calling(unlimited(Settings())) as caller:
        yield caller


async def sync_token(gc: Caller) -> str:
    """Read everybody; return where changes go on."""
    page = await gc.list()
    return str(page["nextSyncToken"])


def names_of(page: dict[str, Any]) -> list[str]:
    return [one["resourceName"] for one in page.get("connections", ())]


# People


async def test_fields_have_to_be_named_and_only_those_are_shown(gc: Caller) -> None:
    ann = await gc.create("ann@example.com", names=[{"givenName": "Ann"}])
    name = ann["resourceName"]
    assert (await gc.call("GET", f"/v1/{name}")).status == 400
    assert (await gc.call("GET", f"/v1/{name}?personFields=shoes")).status == 400
    assert (await gc.call("GET", LIST)).status == 400
    shown = await gc.read(name, "emailAddresses")
    assert set(shown) == {"resourceName", "etag", "emailAddresses"}
    (email,) = shown["emailAddresses"]
    assert email["metadata"]["primary"]


async def test_a_name_is_shown_in_one_piece_and_in_parts(gc: Caller) -> None:
    ann = await gc.create(names=[{"unstructuredName": "Ann Marie Baker"}])
    (name,) = ann["names"]
    assert (name["givenName"], name["familyName"]) == ("Ann Marie", "Baker")
    ann["names"] = [name | {"familyName": "Cook"}]
    told = (await gc.update(ann, "names")).body
    assert told["names"][0]["displayName"] == "Ann Marie Baker", "it was sent along"
    told["names"] = [{"givenName": "Ann", "familyName": "Cook"}]
    told = (await gc.update(told, "names")).body
    assert told["names"][0]["displayName"] == "Ann Cook"


async def test_an_update_replaces_what_its_mask_names(gc: Caller) -> None:
    ann = await gc.create(
        "ann@example.com", names=[{"givenName": "Ann"}], phoneNumbers=[{"value": "1"}]
    )
    body = {key: ann[key] for key in ("resourceName", "etag", "metadata")}
    body["emailAddresses"] = [{"value": "a@example.com"}, {"value": "b@example.com"}]
    told = (await gc.update(body, "emailAddresses,phoneNumbers")).body
    values = [one["value"] for one in told["emailAddresses"]]
    assert values == ["a@example.com", "b@example.com"]
    assert "phoneNumbers" not in told, "named and not there is cleared"
    assert told["names"][0]["givenName"] == "Ann"
    assert told["etag"] != ann["etag"]


@pytest.mark.parametrize(
    ("fields", "mask"),
    [
        ({"names": [{"givenName": "A"}, {"givenName": "B"}]}, "names"),
        ({"birthdays": [{"date": {"month": 13, "day": 1}}]}, "birthdays"),
        ({"birthdays": [{"date": {"day": 1}}]}, "birthdays"),
        ({"memberships": []}, "memberships"),
        ({"emailAddresses": [{"address": "x"}]}, "emailAddresses"),
        ({}, ""),
        ({}, "photos"),
    ],
)
async def test_what_cannot_be_is_refused(
    gc: Caller, fields: dict[str, Any], mask: str
) -> None:
    ann = await gc.create("ann@example.com")
    reply = await gc.update(ann | fields, mask)
    assert reply.status == 400
    assert reply.body["error"]["status"] == "INVALID_ARGUMENT"
    assert await gc.read(ann["resourceName"]) == ann


async def test_an_update_of_who_was_changed_since_is_refused(gc: Caller) -> None:
    ann = await gc.create("ann@example.com")
    old = dict(ann)
    assert (await gc.update(ann, "emailAddresses")).status == 200
    reply = await gc.update(old, "emailAddresses")
    error = reply.body["error"]
    assert (reply.status, error["status"]) == (400, "FAILED_PRECONDITION")
    del old["metadata"]
    reply = await gc.update(old, "emailAddresses")
    assert reply.body["error"]["status"] == "INVALID_ARGUMENT"


async def test_either_tag_may_be_the_one_that_counts(gc: Caller) -> None:
    ann = await gc.create("ann@example.com")
    source = ann["metadata"]["sources"][0]
    for checked, is_taken in (("person", False), ("source", True), ("both", False)):
        gc.emulator.behaviour.checked_etag = checked
        body = ann | {"etag": "old", "metadata": {"sources": [source]}}
        reply = await gc.update(body, "emailAddresses")
        assert (reply.status == 200) is is_taken
        if is_taken:
            source = reply.body["metadata"]["sources"][0]


async def test_who_is_not_there_is_told_of_in_a_batch(gc: Caller) -> None:
    ann = await gc.create("ann@example.com")
    name = ann["resourceName"]
    path = f"{PEOPLE}:batchGet?personFields={MASK}&{CONTACT}"
    path += f"&resourceNames={name}&resourceNames={NOBODY}"
    told, missing = (await gc.done("GET", path))["responses"]
    assert told["person"] == ann
    assert (missing["httpStatusCode"], missing["status"]["code"]) == (404, 5)
    gc.emulator.behaviour.missing_refuse_batches = True
    assert (await gc.call("GET", path)).status == 404
    many = "&".join(f"resourceNames=people/c{number}" for number in range(201))
    path = f"{PEOPLE}:batchGet?personFields=names&{many}"
    assert (await gc.call("GET", path)).status == 400


async def test_a_batch_is_done_for_all_or_for_nobody(gc: Caller) -> None:
    good, bad = {"names": [{"givenName": "A"}]}, {"birthdays": [{"date": {"day": 1}}]}
    new = [{"contactPerson": good}, {"contactPerson": bad}]
    path = f"{PEOPLE}:batchCreateContacts"
    reply = await gc.call("POST", path, {"contacts": new, "readMask": "names"})
    (detail,) = reply.body["error"]["details"]
    assert (reply.status, list(detail["contactErrors"])) == (400, ["1"])
    assert names_of(await gc.list()) == []
    ann, bob = [await gc.create(f"{name}@example.com") for name in ("ann", "bob")]
    await gc.update(dict(bob), "emailAddresses")
    people = {one["resourceName"]: one for one in (ann, bob)}
    body = {"contacts": people, "updateMask": "emailAddresses", "readMask": MASK}
    reply = await gc.call("POST", f"{PEOPLE}:batchUpdateContacts", body)
    (detail,) = reply.body["error"]["details"]
    assert detail["contactErrors"].keys() == {bob["resourceName"]}
    assert detail["contactErrors"][bob["resourceName"]]["code"] == 9
    assert await gc.read(ann["resourceName"]) == ann


async def test_a_profile_is_among_the_sources_unless_it_is_not_asked_for(
    gc: Caller,
) -> None:
    ann = await gc.create("ann@example.com")
    profile = {"emailAddresses": [{"value": "ann@gmail.example"}]}
    name = await gc.act("link", contact_id=ann["resourceName"], profile=profile)
    assert name != ann["resourceName"]
    path = f"/v1/{name}?personFields=emailAddresses,metadata"
    both = await gc.done("GET", path)
    assert [one["type"] for one in both["metadata"]["sources"]] == [
        "CONTACT",
        "PROFILE",
    ]
    assert len(both["emailAddresses"]) == 2
    assert len((await gc.read(name))["emailAddresses"]) == 1
    former = await gc.read(ann["resourceName"])
    assert former["resourceName"] == name, "the former name leads to the new one"


# Labels


async def test_labels_are_made_given_and_taken(gc: Caller) -> None:
    group = await gc.done("POST", GROUPS, {"contactGroup": {"name": "VIP"}})
    taken = await gc.call("POST", GROUPS, {"contactGroup": {"name": "VIP"}})
    assert taken.status == 409
    ann = await gc.create("ann@example.com")
    (first,) = ann["memberships"]
    mine = first["contactGroupMembership"]["contactGroupResourceName"]
    assert mine == "contactGroups/myContacts"
    named = [mine, group["resourceName"]]
    ann["memberships"] = [
        {"contactGroupMembership": {"contactGroupResourceName": one}} for one in named
    ]
    told = (await gc.update(ann, "memberships")).body
    assert len(told["memberships"]) == 2
    friends = {"contactGroupResourceName": "contactGroups/friends"}
    told["memberships"] = [{"contactGroupMembership": friends}]
    assert (await gc.update(told, "memberships")).status == 400, "deprecated"
    path = f"/v1/{group['resourceName']}"
    members = {"resourceNamesToRemove": [ann["resourceName"], NOBODY]}
    done = await gc.done("POST", f"{path}/members:modify", members)
    assert done == {"notFoundResourceNames": [NOBODY]}
    members["resourceNamesToRemove"] = [ann["resourceName"]]
    done = await gc.done("POST", f"/v1/{mine}/members:modify", members)
    assert done["canNotRemoveLastContactGroupResourceNames"] == [ann["resourceName"]]
    renamed = await gc.done("PUT", path, {"contactGroup": {"name": "Very important"}})
    assert renamed["formattedName"] == "Very important"
    await gc.done("DELETE", path)
    assert (await gc.call("GET", path)).status == 404


async def test_groups_come_in_pages(gc: Caller) -> None:
    for number in range(25):
        await gc.done("POST", GROUPS, {"contactGroup": {"name": f"L{number}"}})
    first = await gc.done("GET", GROUPS)
    assert (len(first["contactGroups"]), first["totalItems"]) == (30, 33)
    token = first["nextPageToken"]
    rest = await gc.done("GET", f"{GROUPS}?pageToken={token}")
    assert len(rest["contactGroups"]) == 3


# Syncs


async def test_a_sync_shows_what_changed_and_nothing_else(gc: Caller) -> None:
    ann, bob, eve = [await gc.create(f"{n}@example.com") for n in ("ann", "bob", "eve")]
    token = await sync_token(gc)
    quiet = await gc.list(syncToken=token)
    assert quiet.keys() == {"nextSyncToken"}, "there is no list at all"
    await gc.act("delete", contact_id=bob["resourceName"])
    await gc.update(eve, "emailAddresses")
    page = await gc.list(syncToken=quiet["nextSyncToken"])
    assert names_of(page) == [bob["resourceName"], eve["resourceName"]]
    assert page["connections"][0]["metadata"]["deleted"]
    assert names_of(await gc.list()) == [ann["resourceName"], eve["resourceName"]]


async def test_a_merge_tells_former_names_to_syncs_alone(gc: Caller) -> None:
    ann, bob = [await gc.create(f"{name}@example.com") for name in ("ann", "bob")]
    token = await sync_token(gc)
    await gc.act("merge", contact_id=ann["resourceName"], other_id=bob["resourceName"])
    page = await gc.list(syncToken=token)
    by_name = {one["resourceName"]: one for one in page["connections"]}
    former = by_name[ann["resourceName"]]["metadata"]["previousResourceNames"]
    assert former == [bob["resourceName"]]
    assert by_name[bob["resourceName"]]["metadata"]["deleted"]
    (left,) = (await gc.list())["connections"]
    assert "previousResourceNames" not in left["metadata"]
    assert len(left["emailAddresses"]) == 2
    assert (await gc.read(bob["resourceName"]))["resourceName"] == ann["resourceName"]


async def test_a_sync_token_lives_a_week_from_the_full_sync_on(gc: Caller) -> None:
    token = await sync_token(gc)
    gc.emulator.clock.advance(WEEK_S - 60)
    gc.token = gc.new_token()
    token = (await gc.list(syncToken=token))["nextSyncToken"]
    gc.emulator.clock.advance(120)
    path = f"{LIST}?personFields={MASK}&{CONTACT}&requestSyncToken=true"
    reply = await gc.call("GET", f"{path}&syncToken={token}")
    assert reply.status == 400
    (detail,) = reply.body["error"]["details"]
    assert detail["reason"] == "EXPIRED_SYNC_TOKEN"


async def test_a_token_is_good_for_its_own_question_alone(gc: Caller) -> None:
    for name in ("ann", "bob"):
        await gc.create(f"{name}@example.com")
    page = await gc.list(pageSize="1")
    token = page["nextPageToken"]
    for wrong in (f"pageToken={token}", f"pageSize=1&syncToken={token}", "syncToken=x"):
        path = f"{LIST}?personFields={MASK}&{CONTACT}&requestSyncToken=true&{wrong}"
        assert (await gc.call("GET", path)).status == 400
    assert "nextSyncToken" in await gc.list(pageSize="1", pageToken=token)


async def test_listings_are_behind_and_reads_are_not(gc: Caller) -> None:
    token = await sync_token(gc)
    gc.emulator.behaviour.sync_lag_s = 120.0
    ann = await gc.create("ann@example.com")
    assert names_of(await gc.list(syncToken=token)) == []
    token = (await gc.list(syncToken=token))["nextSyncToken"]
    assert (await gc.read(ann["resourceName"]))["etag"] == ann["etag"]
    gc.emulator.clock.advance(120)
    assert names_of(await gc.list(syncToken=token)) == [ann["resourceName"]]


async def test_a_listing_shows_a_hundred_addresses_of_somebody(gc: Caller) -> None:
    emails = [{"value": f"a{number}@example.com"} for number in range(130)]
    ann = await gc.create(emailAddresses=emails)
    (listed,) = (await gc.list())["connections"]
    assert len(listed["emailAddresses"]) == 100
    assert len((await gc.read(ann["resourceName"]))["emailAddresses"]) == 130


# That the answers are checked.


@pytest.fixture
def described() -> Discovery:
    """Return the vendor's description, or skip the test that needs it."""
    return vendor_specs.needed(description())


async def test_every_method_was_checked(described: Discovery, gc: Caller) -> None:
    described.checked.clear()
    ann, bob, eve = [await gc.create(f"{n}@example.com") for n in ("ann", "bob", "eve")]
    name = ann["resourceName"]
    await gc.done("GET", f"{PEOPLE}/me?personFields=emailAddresses,metadata")
    path = f"{PEOPLE}:batchGet?personFields={MASK}&resourceNames={name}"
    await gc.done("GET", path)
    await gc.list()
    await gc.update(ann, "emailAddresses")
    new = {"contacts": [{"contactPerson": {}}], "readMask": MASK}
    await gc.done("POST", f"{PEOPLE}:batchCreateContacts", new)
    changed = {"contacts": {bob["resourceName"]: bob}, "updateMask": "names"}
    changed["readMask"] = MASK
    await gc.done("POST", f"{PEOPLE}:batchUpdateContacts", changed)
    gone = {"resourceNames": [bob["resourceName"]]}
    await gc.done("POST", f"{PEOPLE}:batchDeleteContacts", gone)
    await gc.done("DELETE", f"/v1/{eve['resourceName']}:deleteContact")
    group = await gc.done("POST", GROUPS, {"contactGroup": {"name": "VIP"}})
    path = f"/v1/{group['resourceName']}"
    await gc.done("GET", GROUPS)
    await gc.done("GET", path)
    await gc.done("PUT", path, {"contactGroup": {"name": "VIPs"}})
    members = {"resourceNamesToAdd": [name]}
    await gc.done("POST", f"{path}/members:modify", members)
    await gc.done("DELETE", path)
    served = {
        "people.get people.getBatchGet people.createContact people.batchCreateContacts",
        "people.updateContact people.batchUpdateContacts people.deleteContact",
        "people.batchDeleteContacts people.connections.list contactGroups.list",
        "contactGroups.get contactGroups.create contactGroups.update",
        "contactGroups.delete contactGroups.members.modify",
    }
    expected = {f"people.{one}" for line in served for one in line.split()}
    assert described.checked == expected
    routes = [one for one in gc.emulator.host.routes() if one.scope]
    assert len(routes) == len(expected) + 1, "the user is a person, too"


@pytest.mark.parametrize(
    "changes",
    [
        {"resourceName": 17},
        {"names": "Ann"},
        {"nickname": "Ann"},
        {"metadata": {"sources": [{"type": "FRIEND"}]}},
        {"emailAddresses": [{"address": "ann@example.com"}]},
    ],
)
def test_a_wrong_answer_would_be_noticed(
    described: Discovery, changes: dict[str, Any]
) -> None:
    person = {"resourceName": "people/c1", "etag": "e"}
    path = f"{PEOPLE}/c1?personFields=names"
    described.check(method="GET", path=path, body=person)
    with pytest.raises(jsonschema.ValidationError):
        described.check(method="GET", path=path, body=person | changes)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{PEOPLE}:createContact?fieldMask=names", {}),
        (f"{PEOPLE}:createContact?sources=EVERYWHERE", {}),
        (f"{PEOPLE}:createContact", None),
        (f"{PEOPLE}:createContact", {"mails": []}),
        (f"{PEOPLE}:createAnybody", {}),
    ],
)
def test_a_wrong_question_would_be_noticed(
    described: Discovery, path: str, body: Any
) -> None:
    described.check_question(method="POST", path=f"{PEOPLE}:createContact", body={})
    with pytest.raises((AssertionError, jsonschema.ValidationError)):
        described.check_question(method="POST", path=path, body=body)
