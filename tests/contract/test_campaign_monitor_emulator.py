"""The emulator answers as the reference and the vendor's own client have it.

The shapes are those of the answers in that client's tests, told here by their keys.
"""

from typing import Any

import pytest

from tests.contract import emulator_caller
from tests.contract.emulator_caller import Reply
from tests.emulators.campaign_monitor.emulator import Emulator
from tests.emulators.campaign_monitor.settings import Behaviour, Settings

API = "/api/v3.3"
SHAPE: dict[str, Any] = {
    "EmailAddress": str,
    "Name": str,
    "Date": str,
    "ListJoinedDate": str,
    "State": str,
    "CustomFields": list,
    "ReadsEmailWith": str,
}
PAGE: dict[str, Any] = {
    "Results": list,
    "ResultsOrderedBy": str,
    "OrderDirection": str,
    "PageNumber": int,
    "PageSize": int,
    "RecordsOnThisPage": int,
    "TotalNumberOfRecords": int,
    "NumberOfPages": int,
}
RESULT: dict[str, Any] = {
    "FailureDetails": list,
    "TotalUniqueEmailsSubmitted": int,
    "TotalExistingSubscribers": int,
    "TotalNewSubscribers": int,
    "DuplicateEmailsInSubmission": list,
}


def has_shape(body: Any, shape: dict[str, Any]) -> bool:
    return body.keys() == shape.keys() and all(
        isinstance(body[name], kind) for name, kind in shape.items()
    )


class Caller(emulator_caller.Caller):
    """One authorised application, and the account's first list."""

    emulator_kind = Emulator
    asked_scopes = "ManageLists,ImportSubscribers"

    async def log_in(self) -> dict[str, Any]:
        tokens = await self.exchange((await self.consent())["code"])
        assert tokens.status == 200, tokens
        self.token = tokens.body["access_token"]
        return tokens.body

    @property
    def list_id(self) -> str:
        return next(iter(self.account.lists))

    def subscribers(self, rest: str = "") -> str:
        return f"{API}/subscribers/{self.list_id}{rest}"

    async def listed(self, state: str, query: str = "") -> Reply:
        return await self.call(
            "GET", f"{API}/lists/{self.list_id}/{state}.json?{query}"
        )

    async def take_in(self, *people: dict[str, Any], **more: Any) -> Reply:
        tracked = [{"ConsentToTrack": "No", **one} for one in people]
        body = {"Subscribers": tracked, **more}
        return await self.call("POST", self.subscribers("/import.json"), body)

    async def change(self, email: str, **asked: Any) -> Reply:
        path = self.subscribers(f".json?email={email}")
        body = {"EmailAddress": email, "ConsentToTrack": "Unchanged", **asked}
        return await self.call("PUT", path, body)

    async def get(self, email: str) -> Reply:
        return await self.call("GET", self.subscribers(f".json?email={email}"))


@pytest.fixture
async def vendor():
    async with Caller.calling() as caller:
        await caller.log_in()
        yield caller


def error(reply: Reply) -> tuple[int, int]:
    return reply.status, reply.body["Code"]


async def test_a_code_becomes_tokens_and_the_refresh_token_stays():
    async with Caller.calling() as caller:
        first = await caller.log_in()
        assert first.keys() == {
            "access_token",
            "expires_in",
            "refresh_token",
            "token_type",
        }
        assert first["expires_in"] == 1_209_600
        # No client's name and no secret come along.
        again = await caller.send(
            "POST",
            "/oauth/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": first["refresh_token"],
            },
        )
        assert again.status == 200
        assert again.body["refresh_token"] == first["refresh_token"]
        assert again.body["access_token"] != first["access_token"]


async def test_what_the_token_endpoint_refuses_has_status_200():
    async with Caller.calling() as caller:
        refused = await caller.exchange("no-such-code")
        assert refused.status == 200
        assert refused.body["error"] == "invalid_grant"


async def test_a_bad_token_and_a_list_of_somebody_else_are_401(vendor):
    assert error(await vendor.call("GET", f"{API}/lists/{'0' * 32}/active.json")) == (
        401,
        102,
    )
    vendor.token = "nonsense"
    assert error(await vendor.call("GET", f"{API}/clients.json")) == (401, 120)


async def test_what_the_scopes_do_not_allow_is_a_401(vendor):
    narrow = vendor.emulator.issue(vendor.account, frozenset({"ViewReports"}))
    vendor.token = narrow.access_token
    assert error(await vendor.call("GET", f"{API}/clients.json")) == (401, 60)


async def test_clients_have_lists_which_have_subscribers(vendor):
    clients = (await vendor.call("GET", f"{API}/clients.json")).body
    assert [one.keys() for one in clients] == [{"ClientID", "Name"}]
    lists = f"{API}/clients/{clients[0]['ClientID']}/lists.json"
    assert (await vendor.call("GET", lists)).body == [
        {"ListID": vendor.list_id, "Name": "Main list"}
    ]
    await vendor.act("subscribe", subscriber={"email": "ann@example.org"})
    path = lists.replace("lists.json", "listsforemail.json?email=ANN@example.org")
    (found,) = (await vendor.call("GET", path)).body
    assert found.keys() == {
        "ListID",
        "ListName",
        "SubscriberState",
        "DateSubscriberAdded",
    }


async def test_a_listing_is_told_as_the_client_reads_it(vendor):
    await vendor.act("subscribe", subscriber={"email": "ann@example.org"})
    page = await vendor.listed("active")
    assert page.status == 200
    assert has_shape(page.body, PAGE)
    (ann,) = page.body["Results"]
    assert has_shape(ann, SHAPE)
    assert has_shape((await vendor.get("ann@example.org")).body, SHAPE)
    told = await vendor.listed("active", "includetrackingpreference=true")
    assert told.body["Results"] == [ann | {"ConsentToTrack": "No"}]


async def test_times_are_whole_minutes_of_the_accounts_zone(vendor):
    await vendor.act("subscribe", subscriber={"email": "ann@example.org"})
    vendor.emulator.clock.advance(90)
    await vendor.act("unsubscribe", contact_id=f"{vendor.list_id}/ann@example.org")
    body = (await vendor.get("ann@example.org")).body
    assert body["Date"] == "2026-03-10 22:01:00"
    assert body["ListJoinedDate"] == "2026-03-10 22:00:00"
    now = await vendor.call("GET", f"{API}/systemdate.json")
    assert now.body == {"SystemDate": "2026-03-10 22:01:30"}


async def test_a_change_of_state_moves_the_date_and_an_edit_does_not(vendor):
    await vendor.act("subscribe", subscriber={"email": "ann@example.org"})
    vendor.emulator.clock.advance(3600)
    await vendor.change("ann@example.org", Name="Ann")
    since = "date=2026-03-10 22:30"
    assert (await vendor.listed("active", since)).body["Results"] == []
    await vendor.act("delete", contact_id=f"{vendor.list_id}/ann@example.org")
    (gone,) = (await vendor.listed("deleted", since)).body["Results"]
    assert (gone["State"], gone["Name"]) == ("Deleted", "Ann")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pagesize=9", 801),
        ("pagesize=1001", 801),
        ("page=0", 800),
        ("page=2", 800),
        ("orderfield=state", 802),
        ("orderdirection=up", 803),
        ("date=yesterday", 5),
    ],
)
async def test_what_a_listing_does_not_take_is_an_error_with_a_number(
    vendor, query, code
):
    assert error(await vendor.listed("active", query)) == (400, code)


async def test_pages_are_by_address_without_case(vendor):
    for name in ("Mia", "bob", "Ann"):
        await vendor.act("subscribe", subscriber={"email": f"{name}@example.org"})
    page = (await vendor.listed("active", "pagesize=10&orderfield=email")).body
    names = [one["EmailAddress"].partition("@")[0] for one in page["Results"]]
    assert names == ["Ann", "bob", "Mia"]


async def test_an_import_takes_in_who_is_new_and_changes_who_is_there(vendor):
    ann, bob = {"EmailAddress": "ann@example.org"}, {"EmailAddress": "bob@example.org"}
    first = await vendor.take_in(ann)
    assert first.status == 201
    assert has_shape(first.body, RESULT)
    again = await vendor.take_in({**ann, "Name": "Ann"}, bob, bob)
    assert again.body["TotalExistingSubscribers"] == 1
    assert again.body["TotalNewSubscribers"] == 1
    assert again.body["DuplicateEmailsInSubmission"] == ["bob@example.org"]
    assert (await vendor.get("ann@example.org")).body["Name"] == "Ann"


@pytest.mark.parametrize(
    ("act", "code", "state"),
    [
        ("delete", 205, "Deleted"),
        ("unsubscribe", 206, "Unsubscribed"),
        ("bounce", 207, "Bounced"),
        ("await", 208, "Unconfirmed"),
    ],
)
async def test_who_is_out_is_only_taken_in_again_where_that_is_asked_for(
    vendor, act, code, state
):
    await vendor.act("subscribe", subscriber={"email": "ann@example.org"})
    await vendor.act(act, contact_id=f"{vendor.list_id}/ann@example.org")
    ann, bob = {"EmailAddress": "ann@example.org"}, {"EmailAddress": "bob@example.org"}
    refused = await vendor.take_in(ann, bob)
    assert error(refused) == (400, 210)
    result = refused.body["ResultData"]
    assert has_shape(result, RESULT)
    (failure,) = result["FailureDetails"]
    assert failure.keys() == {"EmailAddress", "Code", "Message"}
    assert (failure["EmailAddress"], failure["Code"]) == ("ann@example.org", code)
    assert (await vendor.get("ann@example.org")).body["State"] == state
    assert (await vendor.get("bob@example.org")).body["State"] == "Active"
    await vendor.take_in(ann, Resubscribe=True)
    assert (await vendor.get("ann@example.org")).body["State"] == "Active"


async def test_an_import_has_its_rules(vendor):
    ann = {"EmailAddress": "ann@example.org"}
    assert error(await vendor.take_in({**ann, "ConsentToTrack": ""})) == (400, 214)
    assert error(await vendor.take_in({**ann, "ConsentToTrack": "?"})) == (400, 215)
    assert error(await vendor.take_in()) == (400, 212)
    many = [{"EmailAddress": f"p{n}@example.org"} for n in range(1_001)]
    assert error(await vendor.take_in(*many)) == (400, 209)
    bad = (await vendor.take_in({"EmailAddress": "ann@example"})).body
    assert bad["ResultData"]["FailureDetails"][0]["Code"] == 1
    assert (await vendor.listed("active")).body["TotalNumberOfRecords"] == 0


async def test_an_address_is_changed_by_the_old_one(vendor):
    for name in ("ann", "bob"):
        await vendor.act("subscribe", subscriber={"email": f"{name}@example.org"})
    moved = await vendor.change("ann@example.org", EmailAddress="mia@example.org")
    assert (moved.status, moved.body) == (200, "")
    assert error(await vendor.get("ann@example.org")) == (400, 203)
    taken = await vendor.change("mia@example.org", EmailAddress="bob@example.org")
    assert error(taken) == (400, 201)
    assert error(await vendor.change("nobody@example.org")) == (400, 203)
    bad = await vendor.change("mia@example.org", EmailAddress="mia@example")
    assert error(bad) == (400, 211)


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_name_that_is_not_named_is_kept_or_emptied(keeps):
    settings = Settings(behaviour=Behaviour(keeps_omitted_name=keeps))
    async with Caller.calling(settings) as caller:
        await caller.log_in()
        await caller.take_in({"EmailAddress": "ann@example.org", "Name": "Ann"})
        await caller.change("ann@example.org")
        assert (await caller.get("ann@example.org")).body["Name"] == "Ann" * keeps


async def define(vendor: Caller, name: str, kind: str, *options: str) -> Reply:
    path = f"{API}/lists/{vendor.list_id}/customfields.json"
    body = {"FieldName": name, "DataType": kind, "Options": options}
    return await vendor.call("POST", path, body)


async def values_of(vendor: Caller) -> list[tuple[str, str]]:
    body = (await vendor.get("ann@example.org")).body
    return [(one["Key"], one["Value"]) for one in body["CustomFields"]]


async def test_custom_fields_are_named_in_brackets_and_shown_by_name(vendor):
    made = await define(vendor, "subscription date", "Date")
    assert (made.status, made.body) == (201, "[subscriptiondate]")
    assert error(await define(vendor, "subscription date", "Text")) == (400, 255)
    assert error(await define(vendor, "size", "MultiSelectOne")) == (400, 257)
    assert error(await define(vendor, "size", "Colour")) == (400, 259)
    (field,) = (
        await vendor.call("GET", f"{API}/lists/{vendor.list_id}/customfields.json")
    ).body
    assert field.keys() == {
        "FieldName",
        "Key",
        "DataType",
        "FieldOptions",
        "VisibleInPreferenceCenter",
    }
    day = {"Key": field["Key"], "Value": "2026/03/09"}
    await vendor.take_in({"EmailAddress": "ann@example.org", "CustomFields": [day]})
    assert await values_of(vendor) == [("subscription date", "2026/03/09")]
    for ignored in ("1899-12-31", "2076-06-07", "soon"):
        await vendor.change("ann@example.org", CustomFields=[day | {"Value": ignored}])
        assert len(await values_of(vendor)) == 1
    none = {"Key": field["Key"], "Value": "0000-00-00"}
    await vendor.change("ann@example.org", CustomFields=[none])
    assert await values_of(vendor) == []


@pytest.mark.parametrize("adds", [True, False])
async def test_several_options_are_several_values(adds):
    settings = Settings(behaviour=Behaviour(adds_options=adds))
    async with Caller.calling(settings) as vendor:
        await vendor.log_in()
        await define(vendor, "days", "MultiSelectMany", "Mon", "Tue", "Fri")
        first = [{"Key": "[days]", "Value": day} for day in ("Mon", "Tue", "Sun")]
        await vendor.take_in({"EmailAddress": "ann@example.org", "CustomFields": first})
        assert await values_of(vendor) == [("days", "Mon"), ("days", "Tue")]
        friday = [{"Key": "[days]", "Value": "Fri"}]
        await vendor.change("ann@example.org", CustomFields=friday)
        before = [("days", "Mon"), ("days", "Tue")] if adds else []
        assert await values_of(vendor) == [*before, ("days", "Fri")]
        clear = [{"Key": "[days]", "Value": "Fri", "Clear": True}]
        await vendor.change("ann@example.org", CustomFields=clear)
        assert await values_of(vendor) == before
        await vendor.change(
            "ann@example.org", CustomFields=[{"Key": "[days]", "Clear": True}]
        )
        assert await values_of(vendor) == []


async def test_a_no_reaches_all_lists_where_the_list_says_so(vendor):
    client = vendor.account.client_of(vendor.account.lists[vendor.list_id])
    made = await vendor.call(
        "POST",
        f"{API}/lists/{client.client_id}.json",
        {"Title": "Offers", "UnsubscribeSetting": "AllClientLists"},
    )
    assert made.status == 201
    for list_id in (vendor.list_id, made.body):
        who = {"email": "ann@example.org", "list_id": list_id}
        await vendor.act("subscribe", subscriber=who)
    path = f"{API}/subscribers/{made.body}/unsubscribe.json"
    done = await vendor.call("POST", path, {"EmailAddress": "ann@example.org"})
    assert done.status == 200
    assert (await vendor.get("ann@example.org")).body["State"] == "Unsubscribed"


async def test_who_is_suppressed_is_not_taken_in(vendor):
    client = vendor.account.client_of(vendor.account.lists[vendor.list_id])
    client.suppressed.add("ann@example.org")
    refused = await vendor.take_in({"EmailAddress": "Ann@example.org"})
    assert refused.body["ResultData"]["FailureDetails"][0]["Code"] == 204
