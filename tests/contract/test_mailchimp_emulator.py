"""The Mailchimp emulator: members one by one and in batches, consent, tags, limits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jsonschema
import pytest

from tests.contract import mailchimp_caller, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.mailchimp_caller import LISTS, Caller, calling
from tests.emulators.core.faults import Fault
from tests.emulators.mailchimp.settings import CONNECTIONS_MAX
from tests.emulators.mailchimp.wire import hash_of

ANN = "ann@example.org"
COMPLIANCE = "Member In Compliance State"


@pytest.fixture
async def mc() -> AsyncIterator[Caller]:
    """Yield an authorised caller; time stands still."""
    async with calling() as caller:
        yield caller


async def test_a_wrong_answer_would_be_noticed(mc: Caller) -> None:
    vendor_specs.needed(mailchimp_caller.description())
    made = await mc.create(ANN)
    path = f"{mc.members}/{made['id']}"
    mc.check("GET", path, Reply(200, made, {}))
    for changes in ({"shoe_size": 39}, {"status": "glad"}, {"vip": "yes"}):
        with pytest.raises(jsonschema.ValidationError):
            mc.check("GET", path, Reply(200, made | changes, {}))


async def test_a_member_is_shown_whole_or_by_the_fields_asked_for(mc: Caller) -> None:
    made = await mc.create(ANN, merge_fields={"FNAME": "Ann"})
    assert made["id"] == hash_of(ANN)
    assert made["merge_fields"] == {
        "FNAME": "Ann",
        **dict.fromkeys(("LNAME", "ADDRESS", "PHONE", "BIRTHDAY", "COMPANY"), ""),
    }
    for name in (made["id"], made["contact_id"], ANN):
        assert (await mc.done("GET", f"{mc.members}/{name}"))["full_name"] == "Ann"
    shown = await mc.done("GET", f"{mc.members}/{made['id']}?fields=id,tags_count")
    assert shown == {"id": made["id"], "tags_count": 0}
    page = await mc.done("GET", f"{mc.members}?fields=members.status,total_items")
    assert page == {"members": [{"status": "subscribed"}], "total_items": 1}


async def test_the_id_goes_with_the_address_and_the_contact_id_stays(mc: Caller):
    made = await mc.create(ANN)
    path = f"{mc.members}/{made['contact_id']}"
    moved = await mc.done("PATCH", path, {"email_address": "anna@example.org"})
    assert moved["id"] == hash_of("anna@example.org")
    assert moved["contact_id"] == made["contact_id"]
    gone = await mc.problem("GET", f"{mc.members}/{made['id']}")
    assert gone == (404, "Resource Not Found")


async def test_a_patch_keeps_what_it_does_not_mention(mc: Caller) -> None:
    merged = {"FNAME": "Ann", "LNAME": "Émond"}
    made = await mc.create(ANN, merge_fields=merged, vip=True)
    path = f"{mc.members}/{made['id']}"
    changed = await mc.done("PATCH", path, {"merge_fields": {"LNAME": ""}})
    assert (changed["merge_fields"]["FNAME"], changed["vip"]) == ("Ann", True)
    assert (changed["merge_fields"]["LNAME"], changed["status"]) == ("", "subscribed")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"merge_fields": {"BIRTHDAY": "31/12"}}, ("Invalid Resource", "BIRTHDAY")),
        (
            {"merge_fields": {"ADDRESS": {"city": "Graz"}}},
            ("Invalid Resource", "ADDRESS"),
        ),
        ({"email_address": "nonsense"}, ("Invalid Resource", "email_address")),
        ({"email_address": "a@fake.example"}, ("Invalid Resource",)),
        ({"status": "transactional"}, ("JSON Parse Error",)),
    ],
)
async def test_what_cannot_be_is_refused(
    mc: Caller, body: Any, expected: tuple[str, ...]
) -> None:
    made = await mc.create(ANN)
    path = f"{mc.members}/{made['id']}"
    assert await mc.problem("PATCH", path, body) == (400, *expected)


async def test_values_have_the_types_of_their_fields(mc: Caller) -> None:
    fields = f"{LISTS}/{mc.list_id}/merge-fields"
    for tag, kind, options in (
        ("LOAVES", "number", {}),
        ("SINCE", "date", {}),
        ("SIZE", "dropdown", {"choices": ["S", "L"]}),
        ("SITE", "url", {}),
        ("CODE", "zip", {}),
        ("CELL", "phone", {"phone_format": "US"}),
    ):
        body = {"name": tag, "type": kind, "tag": tag, "options": options}
        await mc.done("POST", fields, body)
    good = {
        "LOAVES": "2.50",
        "SINCE": "2019-05-01",
        "SIZE": "L",
        "SITE": "https://example.org",
        "CODE": "94110",
        "CELL": "415-555-0100",
    }
    made = await mc.create(ANN, merge_fields=good)
    assert made["merge_fields"] | good | {"LOAVES": 2.5} == made["merge_fields"]
    for tag in good:
        body = {"merge_fields": {tag: "nothing of it"}}
        path = f"{mc.members}/{made['id']}"
        assert await mc.problem("PATCH", path, body) == (400, "Invalid Resource", tag)


async def test_a_field_that_is_required_is_unless_that_is_waived(mc: Caller) -> None:
    fields = f"{LISTS}/{mc.list_id}/merge-fields"
    body = {"name": "Size", "type": "text", "tag": "SIZE", "required": True}
    await mc.done("POST", fields, body)
    new = {"email_address": ANN, "status": "subscribed"}
    refused = await mc.problem("POST", mc.members, new)
    assert refused == (400, "Invalid Resource", "SIZE")
    await mc.done("POST", f"{mc.members}?skip_merge_validation=true", new)


async def test_a_second_member_with_an_address_is_refused(mc: Caller) -> None:
    await mc.create(ANN)
    bob = await mc.create("bob@example.org")
    body = {"email_address": "ANN@example.org", "status": "subscribed"}
    assert await mc.problem("POST", mc.members, body) == (400, "Member Exists")
    path = f"{mc.members}/{bob['id']}"
    moved = await mc.problem("PATCH", path, {"email_address": ANN})
    assert moved == (400, "Member Exists")


@pytest.mark.parametrize("act", ["unsubscribe", "bounce"])
async def test_nobody_is_brought_back_who_left_by_themselves(mc: Caller, act: str):
    made = await mc.create(ANN)
    await mc.act(act, contact_id=f"{mc.list_id}/{made['contact_id']}")
    path = f"{mc.members}/{made['id']}"
    body = {"status": "subscribed"}
    assert await mc.problem("PATCH", path, body) == (400, COMPLIANCE)
    put = {"email_address": ANN, "status_if_new": "subscribed"} | body
    assert await mc.problem("PUT", path, put) == (400, COMPLIANCE)
    answer = await mc.batch(
        {"email_address": ANN, "status": "subscribed"}, update_existing=True
    )
    assert (answer["error_count"], answer["total_updated"]) == (1, 0)
    pending = await mc.done("PATCH", path, {"status": "pending"})
    assert pending["status"] == "pending"


async def test_who_was_unsubscribed_by_an_application_is_brought_back_by_one(
    mc: Caller,
) -> None:
    """So that an application that does so is seen to."""
    made = await mc.create(ANN, "unsubscribed")
    body = {"email_address": ANN, "status": "subscribed"}
    await mc.batch(body, update_existing=True)
    shown = await mc.done("GET", f"{mc.members}/{made['id']}")
    assert shown["status"] == "subscribed"


async def test_of_a_batch_each_is_answered_for_itself(mc: Caller) -> None:
    await mc.create(ANN)
    answer = await mc.batch(
        {"email_address": ANN, "status": "unsubscribed"},
        {"email_address": "bob@example.org", "status": "transactional"},
        {"email_address": "x@fake.example", "status": "subscribed"},
        {
            "email_address": "eva@example.org",
            "status": "subscribed",
            "merge_fields": {"BIRTHDAY": "soon"},
        },
    )
    (made,) = answer["new_members"]
    assert (made["email_address"], made["status"]) == (
        "bob@example.org",
        "transactional",
    )
    assert "contact_id" not in made
    assert [(one["error_code"], one.get("field")) for one in answer["errors"]] == [
        ("ERROR_CONTACT_EXISTS", None),
        ("ERROR_GENERIC", None),
        ("ERROR_GENERIC", "BIRTHDAY"),
    ]
    shown = await mc.done("GET", f"{mc.members}/{hash_of(ANN)}")
    assert shown["status"] == "subscribed"


async def test_a_batch_takes_an_address_once_and_five_hundred_at_most(mc: Caller):
    one = {"email_address": ANN, "status": "subscribed"}
    path = f"{LISTS}/{mc.list_id}"
    assert (await mc.problem("POST", path, {"members": [one, one]}))[0] == 400
    many = [one | {"email_address": f"p{n}@example.org"} for n in range(501)]
    assert (await mc.problem("POST", path, {"members": many}))[0] == 400
    answer = await mc.batch(one, one, query="?skip_duplicate_check=true")
    assert (answer["total_created"], answer["error_count"]) == (1, 1)


async def test_archived_members_are_listed_apart_and_can_be_added_again(mc: Caller):
    made = await mc.create(ANN, merge_fields={"FNAME": "Ann"})
    path = f"{mc.members}/{made['id']}"
    assert (await mc.call("DELETE", path)).status == 204
    assert (await mc.done("GET", mc.members))["total_items"] == 0
    gone = await mc.done("GET", f"{mc.members}?status=archived")
    assert [one["id"] for one in gone["members"]] == [made["id"]]
    again = await mc.create(ANN, "transactional")
    assert again["contact_id"] == made["contact_id"]
    assert again["merge_fields"]["FNAME"] == "Ann"


@pytest.mark.parametrize("is_batch", [False, True], ids=["alone", "batch"])
async def test_an_opt_out_that_an_application_wrote_is_lost_with_the_archive(
    mc: Caller, is_batch: bool
) -> None:
    """So that an application that creates without looking is found out."""
    made = await mc.create(ANN, "unsubscribed")
    path = f"{mc.members}/{made['id']}"
    assert (await mc.call("DELETE", path)).status == 204
    assert (await mc.done("GET", path))["status"] == "archived"
    if is_batch:
        await mc.batch({"email_address": ANN, "status": "transactional"})
    else:
        await mc.create(ANN, "transactional")
    shown = await mc.done("GET", path)
    assert (shown["status"], shown["contact_id"]) == (
        "transactional",
        made["contact_id"],
    )


async def test_who_unsubscribed_and_was_archived_is_not_added_as_another(mc: Caller):
    made = await mc.create(ANN)
    contact_id = f"{mc.list_id}/{made['contact_id']}"
    for act in ("unsubscribe", "archive"):
        await mc.act(act, contact_id=contact_id)
    for status in ("subscribed", "transactional"):
        body = {"email_address": ANN, "status": status}
        assert await mc.problem("POST", mc.members, body) == (400, COMPLIANCE)
    assert (await mc.create(ANN, "unsubscribed"))["status"] == "unsubscribed"


async def test_a_forgotten_address_is_never_taken_again(mc: Caller) -> None:
    made = await mc.create(ANN)
    path = f"{mc.members}/{made['id']}/actions/delete-permanent"
    assert (await mc.call("POST", path)).status == 204
    body = {"email_address": ANN, "status": "subscribed"}
    title = "Forgotten Email Not Subscribed"
    assert await mc.problem("POST", mc.members, body) == (400, title)
    answer = await mc.batch(body)
    assert "permanently deleted" in answer["errors"][0]["error"]
    bob = await mc.create("bob@example.org")
    moved = {"email_address": ANN}
    assert (await mc.problem("PATCH", f"{mc.members}/{bob['id']}", moved))[1] == title
    assert (await mc.done("GET", f"{mc.members}?status=archived"))["total_items"] == 0


async def test_listings_go_by_changes_in_whole_seconds(mc: Caller) -> None:
    for number in range(3):
        await mc.create(f"p{number}@example.org")
        mc.emulator.clock.advance(1)
    await mc.act("tag", contact_id=await first(mc), names=["VIP"])
    query = "?sort_field=last_changed&sort_dir=ASC&count=2"
    page = await mc.done("GET", f"{mc.members}{query}&offset=1")
    assert [one["email_address"][:2] for one in page["members"]] == ["p2", "p0"]
    assert page["total_items"] == 3
    since = f"{mc.members}?since_last_changed=2026-03-10T12:00:02%2B00:00"
    assert (await mc.done("GET", since))["total_items"] == 1
    mc.emulator.behaviour.since = "from"
    mc.account.audiences[mc.list_id]._listed.clear()
    assert (await mc.done("GET", since))["total_items"] == 2
    assert (await mc.problem("GET", f"{mc.members}?count=1001"))[0] == 400
    soon = f"{mc.members}?since_last_changed=soon"
    assert await mc.problem("GET", soon) == (
        400,
        "Invalid Resource",
        "since_last_changed",
    )


async def first(mc: Caller) -> str:
    """Return the id of the first member who was made."""
    return f"{mc.list_id}/{next(iter(mc.account.audiences[mc.list_id].members))}"


async def test_tags_are_given_by_hash_and_fifty_are_shown(mc: Caller) -> None:
    made = await mc.create(ANN, tags=["VIP"])
    tags = [{"name": f"t{n}", "status": "active"} for n in range(60)]
    tags.append({"name": "VIP", "status": "inactive"})
    path = f"{mc.members}/{made['id']}/tags"
    body = {"tags": tags, "is_syncing": True}
    assert (await mc.call("POST", path, body)).status == 204
    shown = await mc.done("GET", f"{mc.members}/{made['id']}")
    assert (len(shown["tags"]), shown["tags_count"]) == (50, 60)
    every = await mc.done("GET", f"{path}?count=1000")
    assert (len(every["tags"]), every["total_items"]) == (60, 60)
    by_id = f"{mc.members}/{made['contact_id']}/tags"
    assert (await mc.problem("POST", by_id, body))[0] == 404
    member = mc.account.audiences[mc.list_id].by_hash[made["id"]]
    assert member.automations == 1, "the tag that came with the member, and no other"


async def test_audiences_know_nothing_of_each_other(mc: Caller) -> None:
    other = await mc.act("open_audience", title="Newsletter", asks_twice=True)
    await mc.create(ANN)
    here = await mc.done("GET", f"{LISTS}?count=1000")
    assert [(one["name"], one["double_optin"]) for one in here["lists"]] == [
        ("Customers", False),
        ("Newsletter", True),
    ]
    members = f"{LISTS}/{other}/members"
    assert (await mc.done("GET", members))["total_items"] == 0
    await mc.done("POST", members, {"email_address": ANN, "status": "subscribed"})
    await mc.act("close_audience", list_id=other)
    assert await mc.problem("GET", members) == (404, "Resource Not Found")


async def test_a_token_or_a_key_opens_the_door(mc: Caller) -> None:
    for header in ({}, {"Authorization": "Bearer nonsense"}):
        reply = await mc.send("GET", LISTS, headers=header)
        assert (reply.status, reply.body["title"]) == (401, "API Key Invalid")
    header = {"Authorization": aiohttp.encode_basic_auth("anybody", mc.token)}
    assert (await mc.send("GET", LISTS, headers=header)).status == 200


async def test_a_person_agrees_and_the_metadata_tells_where_the_account_is(mc: Caller):
    back = await mc.consent()
    given = await mc.exchange(back["code"])
    assert given.body["expires_in"] == 0
    assert given.body["scope"] is None
    assert "refresh_token" not in given.body
    token = given.body["access_token"]
    path = "/oauth2/metadata"
    reply = await mc.send("GET", path, headers={"Authorization": f"OAuth {token}"})
    assert reply.body["api_endpoint"] == mc.emulator.url
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await mc.send("GET", path, headers=bearer)).status == 401


@pytest.mark.parametrize(
    ("refusal", "status", "is_bare"),
    [("problem", 429, False), ("bare_429", 429, True), ("bare_403", 403, True)],
)
async def test_the_eleventh_call_at_once_is_refused(
    mc: Caller, refusal: str, status: int, is_bare: bool
) -> None:
    change = {"connections": {"refusal": refusal}}
    await mc.admin("PATCH", "/settings", change)
    mc.emulator.faults.add(Fault(kind="latency", delay_s=0.5, path=LISTS))
    headers = {"Authorization": f"Bearer {mc.token}"}
    calls = (mc.send("GET", LISTS, headers=headers) for _ in range(CONNECTIONS_MAX + 3))
    replies = await asyncio.gather(*calls)
    refused = [one for one in replies if one.status != 200]
    assert [one.status for one in refused] == [status] * 3
    assert all(isinstance(one.body, str) == is_bare for one in refused)
    assert mc.emulator.host.most == CONNECTIONS_MAX


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("empty_listing", (0, 0)),
        ("endless_listing", (2, 20)),
        ("malformed_page", (2, 2)),
    ],
)
async def test_listings_go_wrong_on_request(
    mc: Caller, kind: Any, expected: tuple[int, int]
) -> None:
    for number in range(2):
        await mc.create(f"p{number}@example.org")
    mc.emulator.faults.add(Fault(kind=kind))
    headers = {"Authorization": f"Bearer {mc.token}"}
    reply = await mc.send("GET", f"{mc.members}?offset=0", headers=headers)
    assert (len(reply.body["members"]), reply.body["total_items"]) == expected
