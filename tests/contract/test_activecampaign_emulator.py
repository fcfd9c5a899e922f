"""The ActiveCampaign emulator: contacts, lists, tags, fields, and its limits."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import msgspec
import pytest

from tests.contract import activecampaign_caller, vendor_specs
from tests.contract.activecampaign_caller import PREFIX, Caller, calling
from tests.contract.counting import Counted
from tests.contract.emulator_caller import Reply
from tests.emulators.activecampaign.settings import CALLS_PER_SECOND, Settings
from tests.emulators.core.faults import Fault
from tests.emulators.core.settings import unlimited

ANN = "ann@example.org"
ALL = "include=fieldValues,contactLists,contactTags.tag"


@pytest.fixture
async def ac() -> AsyncIterator[Caller]:
    """Yield a caller with a key; there is no limit, and time stands still."""
    async with calling(unlimited(Settings())) as caller:
        yield caller


async def test_a_wrong_answer_would_be_noticed(ac: Caller) -> None:
    vendor_specs.needed(activecampaign_caller.description())
    made = await ac.create("ann@example.org")
    path = f"{PREFIX}/contacts"
    ac.check("POST", path, Reply(201, {"contact": made}, {}))
    for changes in ({"email": 7}, {"links": "none"}, {"orgid": [17]}):
        with pytest.raises(jsonschema.ValidationError):
            ac.check("POST", path, Reply(201, {"contact": made | changes}, {}))


async def test_what_belongs_to_contacts_comes_beside_them_on_request(ac: Caller):
    field = ac.emulator.act(
        ac.account, "define", field={"title": "Bread", "type": "text"}
    )
    values = [{"field": str(field), "value": "Rye"}]
    made = await ac.create(ANN, firstName="Ann", fieldValues=values)
    contact_id = int(made["id"])
    await ac.act("subscribe", contact_id=contact_id)
    await ac.act("tag", contact_id=contact_id, names=["VIP"])
    plain = await ac.done("GET", "/contacts")
    assert "fieldValues" not in plain
    assert plain["meta"]["total"] == "1"
    page = await ac.done("GET", f"/contacts?{ALL}")
    assert [(one["field"], one["value"]) for one in page["fieldValues"]] == [
        (str(field), "Rye")
    ]
    assert [(one["list"], one["status"]) for one in page["contactLists"]] == [
        ("1", "1")
    ]
    (tagging,) = page["contactTags"]
    assert page["tags"][0] | {"id": tagging["tag"], "tag": "VIP"} == page["tags"][0]
    one = await ac.done("GET", f"/contacts/{contact_id}")
    assert one["contact"]["firstName"] == "Ann"
    assert one["fieldValues"] == page["fieldValues"]


async def test_a_put_changes_what_it_mentions(ac: Caller) -> None:
    made = await ac.create(ANN, firstName="Ann", phone="1")
    body = {"contact": {"phone": ""}}
    assert "firstName" not in made, "as in the vendor's sample"
    changed = (await ac.done("PUT", f"/contacts/{made['id']}", body))["contact"]
    assert (changed["firstName"], changed["phone"]) == ("Ann", "")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"email": "ANN@example.org"}, (422, "email", "duplicate")),
        ({"email": "nonsense"}, (422, "email", "")),
        ({"firstName": "Ann"}, (422, "email", "")),
        (
            {"email": "b@x.org", "fieldValues": [{"field": 7, "value": "x"}]},
            (422, "fieldValues", ""),
        ),
    ],
)
async def test_what_cannot_be_is_refused(ac: Caller, body: Any, expected: Any) -> None:
    await ac.create(ANN)
    assert await ac.refused("POST", "/contacts", {"contact": body}) == expected


async def test_a_choice_takes_its_options_alone(ac: Caller) -> None:
    for kind, good, bad in (
        ("dropdown", "S", "XL"),
        ("radio", "L", "||S||L||"),
        ("checkbox", "||S||L||", "||S||XL||"),
    ):
        field = {"title": kind, "type": kind, "options": ["S", "L"]}
        number = ac.emulator.act(ac.account, "define", field=field)
        body = {"email": f"{kind}@x.org"}
        for value, is_good in ((good, True), (bad, False)):
            asked = body | {"fieldValues": [{"field": number, "value": value}]}
            reply = await ac.call(
                "POST", activecampaign_caller.CONTACTS, {"contact": asked}
            )
            assert (reply.status == 201) is is_good


async def test_sync_makes_or_changes_by_address(ac: Caller) -> None:
    for status, name in ((201, "Ann"), (200, "Anna")):
        body = {"contact": {"email": ANN, "firstName": name}}
        path = "/api/3/contact/sync"
        reply = await ac.send(
            "POST", path, json=body, headers=ac.emulator.proof(ac.token)
        )
        assert (reply.status, reply.body["contact"]["firstName"]) == (status, name)
    assert (await ac.done("GET", "/contacts"))["meta"]["total"] == "1"


async def test_listings_are_filtered_and_go_on_behind_an_id(ac: Caller) -> None:
    ids = [(await ac.create(f"p{number}@x.org"))["id"] for number in range(5)]
    page = await ac.done("GET", f"/contacts?limit=2&id_greater={ids[1]}&orders[id]=asc")
    assert [one["id"] for one in page["contacts"]] == ids[2:4]
    assert page["meta"]["total"] == "3"
    page = await ac.done("GET", f"/contacts?ids[]={ids[0]}&ids[]={ids[4]}&ids[]=9999")
    assert [one["id"] for one in page["contacts"]] == [ids[0], ids[4]]
    page = await ac.done("GET", "/contacts?email=P3%40x.org")
    assert [one["id"] for one in page["contacts"]] == [ids[3]]
    assert await ac.refused("GET", "/contacts?emial=x") == (422, "emial", "")


@pytest.mark.parametrize(
    ("kind", "count"), [("moment", 1), ("day", 2), ("later_day", 0)]
)
async def test_changes_go_by_the_second_or_by_the_day(
    ac: Caller, kind: Any, count: int
):
    ac.emulator.behaviour.updated_after = kind
    await ac.create(ANN)
    ac.emulator.clock.advance(3_600)
    await ac.create("bob@example.org")
    after = "filters[updated_after]=2026-03-10T12:30:00Z"
    assert (await ac.done("GET", f"/contacts?{after}"))["meta"]["total"] == str(count)


async def test_a_lists_status_is_a_filter_and_moves_no_time(ac: Caller) -> None:
    made = await ac.create(ANN)
    ac.emulator.clock.advance(60)
    asked = {"list": 1, "contact": made["id"], "status": 2}
    told = await ac.done("POST", "/contactLists", {"contactList": asked})
    assert told["contactList"]["status"] == 2
    page = await ac.done("GET", "/contacts?status=2")
    assert [one["udate"] for one in page["contacts"]] == [made["udate"]]
    assert (await ac.done("GET", "/contacts?status=1"))["contacts"] == []
    refused = await ac.refused(
        "POST", "/contactLists", {"contactList": asked | {"status": 0}}
    )
    assert refused == (422, "status", "")


async def test_who_left_by_themselves_is_brought_back_by_a_word_alone(ac: Caller):
    """An application that says so is found out."""
    made = await ac.create(ANN)
    await ac.act("subscribe", contact_id=int(made["id"]))
    await ac.act("unsubscribe", contact_id=int(made["id"]))
    asked = {"list": 1, "contact": made["id"], "status": 1}
    refused = await ac.refused("POST", "/contactLists", {"contactList": asked})
    assert refused == (422, "status", "")
    await ac.done("POST", "/contactLists", {"contactList": asked | {"sourceid": 4}})


async def test_a_tag_is_taken_by_the_id_of_its_relation(ac: Caller) -> None:
    made = await ac.create(ANN)
    tag = (
        await ac.done("POST", "/tags", {"tag": {"tag": "VIP", "tagType": "contact"}})
    )["tag"]
    asked = {"contactTag": {"contact": int(made["id"]), "tag": int(tag["id"])}}
    given = (await ac.done("POST", "/contactTags", asked))["contactTag"]
    assert (await ac.done("GET", "/tags?search=vi"))["meta"]["total"] == "1"
    assert await ac.refused("POST", "/tags", {"tag": {"tag": "VIP"}}) == (
        422,
        "tag",
        "duplicate",
    )
    await ac.done("DELETE", f"/contactTags/{given['id']}")
    gone = await ac.refused("DELETE", f"/contactTags/{given['id']}")
    assert gone[0] == 404


async def test_who_is_deleted_leaves_no_trace(ac: Caller) -> None:
    made = await ac.create(ANN)
    await ac.done("DELETE", f"/contacts/{made['id']}")
    text = f"No Result found for Subscriber with id {made['id']}"
    assert await ac.refused("GET", f"/contacts/{made['id']}") == (404, text)
    assert (await ac.done("GET", f"/contacts?ids[]={made['id']}"))["contacts"] == []


async def test_five_calls_a_second_are_answered(ac: Caller) -> None:
    ac.emulator.limiter.limits.requests_per_second = CALLS_PER_SECOND
    headers = ac.emulator.proof(ac.token)
    replies = [
        await ac.send("GET", "/api/3/users/me", headers=headers)
        for _ in range(CALLS_PER_SECOND + 1)
    ]
    assert [one.status for one in replies] == [200] * CALLS_PER_SECOND + [429]
    assert replies[-1].headers["Retry-After"] == "1"
    assert replies[0].headers["RateLimit-Limit"] == str(CALLS_PER_SECOND)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("empty_listing", (0, "0")),
        ("endless_listing", (2, "20")),
        ("malformed_page", (2, "2")),
    ],
)
async def test_listings_go_wrong_on_request(ac: Caller, kind: Any, expected: Any):
    for number in range(2):
        await ac.create(f"p{number}@x.org")
    ac.emulator.faults.add(Fault(kind=kind))
    headers = ac.emulator.proof(ac.token)
    reply = await ac.send("GET", "/api/3/contacts", headers=headers)
    assert (len(reply.body["contacts"]), reply.body["meta"]["total"]) == expected


async def test_a_page_looks_at_no_more_contacts_than_it_shows():
    """Each once looked at everybody: a scan of very many took all of its time there."""
    settings = unlimited(Settings())
    async with Caller.calling(settings) as ac:
        people = [{"email": f"p{number}@example.org"} for number in range(300)]
        ids = ac.emulator.admin.fill(ac.account, msgspec.json.encode(people))
        ac.account.contacts = Counted(ac.account.contacts)
        query = f"limit=10&id_greater={ids[149]}&orders[id]=ASC&include=fieldValues"
        found = await ac.done("GET", f"/contacts?{query}")
        assert [int(one["id"]) for one in found["contacts"]] == ids[150:160]
        assert found["meta"]["total"] == "150"
        assert 0 < ac.account.contacts.looks <= 30
