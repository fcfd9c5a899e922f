"""The emulator answers as Constant Contact's own description and quirks demand.

Contacts are here; lists, limits and logging in have files of their own. Whatever the
caller receives under `/v3` is validated on the way.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.constant_contact_caller import Caller, calling
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.core.limits import Limits

NO_SUCH_ID = "00000000-0000-4000-8000-000000000000"
ALL_SUBS = (
    "custom_fields,list_memberships,phone_numbers,street_addresses,taggings,notes"
)


@pytest.fixture
async def cc() -> AsyncIterator[Caller]:
    """Yield an authorised caller of an emulator whose time stands still at noon."""
    async with calling(
        Settings(limits=Limits(), accounts=("Bakery", "Bookshop"))
    ) as caller:
        caller.token = (await caller.authorize()).body["access_token"]
        yield caller


def full(cc: Caller, **changes: Any) -> dict[str, Any]:
    """Return a contact with everything that needs no set-up."""
    return {
        "email_address": {"address": "Ann@example.com"},
        "first_name": "Ann",
        "last_name": "Émond",
        "job_title": "Baker",
        "company_name": "Bread & Co",
        "birthday_month": 2,
        "birthday_day": 29,
        "anniversary": "3/7/2015",
        "create_source": "Account",
        "phone_numbers": [{"phone_number": "617-555-0100", "kind": "mobile"}],
        "street_addresses": [{"kind": "home", "street": "1 Elm St", "city": "Boston"}],
        "list_memberships": [cc.account.default_list.list_id],
        "notes": [{"content": "likes rye"}],
    } | changes


async def test_a_created_contact_comes_back_whole(cc: Caller) -> None:
    body = (await cc.call("POST", "/v3/contacts", full(cc))).body
    assert body["created_at"] == body["updated_at"] == "2026-03-10T12:00:00Z"
    assert body["anniversary"] == "2015-03-07"
    assert body["email_address"]["permission_to_send"] == "implicit"
    assert body["email_address"]["opt_in_source"] == "Account"
    assert "update_source" not in body
    again = await cc.get(f"/v3/contacts/{body['contact_id']}?include={ALL_SUBS}")
    assert again == body


async def test_sub_resources_are_absent_unless_asked_for(cc: Caller) -> None:
    created = (await cc.call("POST", "/v3/contacts", full(cc))).body
    plain = await cc.get(f"/v3/contacts/{created['contact_id']}")
    assert not set(ALL_SUBS.split(",")) & set(plain)
    (listed,) = await cc.listed("include=phone_numbers,notes")
    assert set(ALL_SUBS.split(",")) & set(listed) == {"phone_numbers", "notes"}


@pytest.mark.parametrize(
    "changes",
    [
        {"first_name": "x" * 51},
        {"company_name": "x" * 51},
        {"email_address": {"address": "a" * 69 + "@example.com"}},
        {"email_address": {"address": "no address"}},
        {"email_address": {}},
        {"email_address": {"address": "a@example.com", "permission_to_send": "yes"}},
        {"birthday_month": 2, "birthday_day": None},
        {"birthday_month": 13},
        {"anniversary": "2015-02-30"},
        {"anniversary": "7 March"},
        {"create_source": None},
        {"create_source": "Tandem"},
        {"phone_numbers": [{"phone_number": "1" * 26}]},
        {"phone_numbers": [{"phone_number": "1", "kind": "fax"}]},
        {"phone_numbers": [{"phone_number": "1"}] * 4},
        {"street_addresses": [{"street": "no kind"}]},
        {"street_addresses": [{"kind": "home", "city": "x" * 51}]},
        {"street_addresses": [{"kind": "home"}] * 4},
        {"list_memberships": [NO_SUCH_ID]},
        {"taggings": [NO_SUCH_ID]},
        {"custom_fields": [{"custom_field_id": NO_SUCH_ID, "value": "x"}]},
        {"notes": [{"content": "x" * 2001}]},
    ],
)
async def test_what_the_description_forbids_is_refused_and_leaves_no_trace(
    cc: Caller, changes: dict[str, Any]
) -> None:
    answer = await cc.call("POST", "/v3/contacts", full(cc, **changes))
    assert answer.status == 400
    assert answer.body[0]["error_key"] == "contacts.api.validation.error"
    assert await cc.listed("status=all") == []


async def test_a_contact_needs_a_name_or_an_address(cc: Caller) -> None:
    body = {"create_source": "Account", "company_name": "Bread & Co"}
    assert (await cc.call("POST", "/v3/contacts", body)).status == 400
    named = await cc.create(last_name="Only")
    assert "email_address" not in named
    assert "first_name" not in named


async def test_a_taken_address_conflicts_and_names_its_contact(cc: Caller) -> None:
    ann = await cc.create("Ann@Example.com")
    body = {"create_source": "Account", "email_address": {"address": "ANN@example.com"}}
    expected = (
        f"Validation failed: Email already exists for contact {ann['contact_id']}"
    )
    for _ in range(2):
        answer = await cc.call("POST", "/v3/contacts", body)
        assert answer.status == 409
        assert answer.body == [
            {"error_key": "contacts.api.conflict", "error_message": expected}
        ]
        # The second round: a deleted contact holds on to its address.
        await cc.call("DELETE", f"/v3/contacts/{ann['contact_id']}")
    bob = await cc.create("bob@example.com")
    stolen = body | {"update_source": "Account"}
    answer = await cc.call("PUT", f"/v3/contacts/{bob['contact_id']}", stolen)
    assert answer.status == 409


async def test_put_nulls_omitted_core_and_keeps_omitted_sub_resources(
    cc: Caller,
) -> None:
    created = (await cc.call("POST", "/v3/contacts", full(cc))).body
    cc.emulator.clock.advance(60)
    body = await cc.put(created["contact_id"], first_name="Anna", job_title="")
    gone = {"last_name", "job_title", "company_name", "birthday_month", "anniversary"}
    assert not gone & set(body)
    assert body["first_name"] == "Anna"
    assert body["update_source"] == "Account"
    assert body["updated_at"] == "2026-03-10T12:01:00Z"
    assert body["created_at"] == created["created_at"]
    for kept in ("email_address", "phone_numbers", "list_memberships", "notes"):
        assert body[kept] == created[kept]


async def test_put_replaces_the_sub_resources_it_supplies(cc: Caller) -> None:
    created = (await cc.call("POST", "/v3/contacts", full(cc))).body
    body = await cc.put(
        created["contact_id"],
        phone_numbers=[{"phone_number": "2", "kind": "work"}],
        list_memberships=[],
        email_address={"address": "new@example.com"},
    )
    assert [phone["phone_number"] for phone in body["phone_numbers"]] == ["2"]
    assert body["list_memberships"] == []
    assert body["email_address"]["address"] == "new@example.com"
    assert body["street_addresses"] == created["street_addresses"]
    assert await cc.listed("email=ann@example.com") == []
    assert await cc.ids("email=NEW@example.com") == [created["contact_id"]]
    assert await cc.ids(f"lists={cc.account.default_list.list_id}") == []


async def test_put_needs_its_source(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    answer = await cc.call("PUT", f"/v3/contacts/{ann['contact_id']}", {})
    assert answer.status == 400
    assert "update_source" in answer.body[0]["error_message"]


async def test_a_contact_as_read_may_be_sent_back(cc: Caller) -> None:
    created = (await cc.call("POST", "/v3/contacts", full(cc))).body
    again = await cc.put(**created)
    changing = {"update_source", "phone_numbers", "street_addresses", "notes"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in created.items() if k not in changing
    }


async def test_delete_is_soft(cc: Caller) -> None:
    ann = (await cc.call("POST", "/v3/contacts", full(cc))).body
    bob = await cc.create("bob@example.com")
    cc.emulator.clock.advance(3600)
    path = f"/v3/contacts/{ann['contact_id']}"
    assert (await cc.call("DELETE", path)).status == 204
    assert await cc.ids() == [bob["contact_id"]]
    (deleted,) = await cc.listed("status=deleted&include=list_memberships")
    assert deleted["deleted_at"] == "2026-03-10"
    assert deleted["list_memberships"] == []
    assert deleted["email_address"]["opt_out_source"] == "Account"
    assert deleted["updated_at"] == ann["updated_at"]
    assert await cc.ids("status=all") == [ann["contact_id"], bob["contact_id"]]
    assert (await cc.get(path))["deleted_at"] == "2026-03-10"


async def test_whether_a_deletion_moves_updated_at_can_be_chosen(cc: Caller) -> None:
    changes = {"behaviour": {"deletions_move_updated_at": True}}
    await cc.admin("PATCH", "/settings", changes)
    ann = await cc.create("ann@example.com")
    cc.emulator.clock.advance(60)
    await cc.call("DELETE", f"/v3/contacts/{ann['contact_id']}")
    query = "status=all&updated_after=2026-03-10T12:00:30Z"
    assert await cc.ids(query) == [ann["contact_id"]]


async def test_put_revives_a_deleted_contact_for_the_account_only(cc: Caller) -> None:
    ann = (await cc.call("POST", "/v3/contacts", full(cc))).body
    path = f"/v3/contacts/{ann['contact_id']}"
    await cc.call("DELETE", path)
    assert (await cc.call("PUT", path, {"update_source": "Contact"})).status == 400
    revived = await cc.put(ann["contact_id"], first_name="Ann")
    assert "deleted_at" not in revived
    assert "opt_out_date" not in revived["email_address"]
    assert revived["list_memberships"] == []
    assert await cc.ids() == [ann["contact_id"]]
    assert await cc.ids("status=deleted") == []


async def test_an_opt_out_is_invisible_to_updated_after(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    cc.emulator.clock.advance(60)
    await cc.act("unsubscribe", email="ann@example.com", reason="too many mails")
    after = "2026-03-10T12:00:30Z"
    assert await cc.ids(f"updated_after={after}&status=all") == []
    (found,) = await cc.listed(f"optout_after={after}&status=unsubscribed")
    assert found["updated_at"] == ann["updated_at"]
    assert (
        found["email_address"]
        | {
            "permission_to_send": "unsubscribed",
            "updated_at": "2026-03-10T12:01:00Z",
            "opt_out_date": "2026-03-10T12:01:00Z",
            "opt_out_source": "Contact",
            "opt_out_reason": "too many mails",
        }
        == found["email_address"]
    )
    assert await cc.ids(f"optout_before={after}") == []


async def test_an_opt_out_by_put_names_who_did_it(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    email = {"address": "ann@example.com", "permission_to_send": "unsubscribed"}
    body = await cc.put(
        ann["contact_id"],
        update_source="Contact",
        email_address=email | {"opt_out_reason": "asked by phone"},
    )
    assert body["email_address"]["opt_out_source"] == "Contact"
    assert body["email_address"]["opt_out_reason"] == "asked by phone"
    # Who opted out alone stays out unless the same person says otherwise.
    email = {"address": "ann@example.com", "permission_to_send": "explicit"}
    path = f"/v3/contacts/{ann['contact_id']}"
    body = {"update_source": "Account", "email_address": email}
    assert (await cc.call("PUT", path, body)).status == 400
    body = await cc.put(ann["contact_id"], update_source="Contact", email_address=email)
    assert body["email_address"]["permission_to_send"] == "explicit"
    assert "opt_out_date" not in body["email_address"]


async def test_a_persons_opt_out_outlives_deletion_and_revival(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    await cc.act("unsubscribe", email="ann@example.com")
    cc.emulator.clock.advance(60)
    await cc.call("DELETE", f"/v3/contacts/{ann['contact_id']}")
    email = (await cc.get(f"/v3/contacts/{ann['contact_id']}"))["email_address"]
    assert email["opt_out_source"] == "Contact"
    assert email["opt_out_date"] == "2026-03-10T12:00:00Z"
    assert await cc.ids("status=unsubscribed") == []
    revived = await cc.put(ann["contact_id"])
    assert revived["email_address"] == email
    assert await cc.ids("status=unsubscribed") == [ann["contact_id"]]


async def test_silence_about_permission_keeps_it(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    await cc.act("unsubscribe", email="ann@example.com")
    body = await cc.put(
        ann["contact_id"], email_address={"address": "ann2@example.com"}
    )
    assert body["email_address"]["permission_to_send"] == "unsubscribed"


async def test_sign_up_creates_then_updates_in_part(cc: Caller) -> None:
    list_id = cc.account.default_list.list_id
    form = {"email_address": "ann@example.com", "list_memberships": [list_id]}
    first = await cc.call(
        "POST",
        "/v3/contacts/sign_up_form",
        form | {"first_name": "Ann", "last_name": "Lee", "phone_number": "1"},
    )
    assert (first.status, first.body["action"]) == (201, "created")
    other = (await cc.call("POST", "/v3/contact_lists", {"name": "Other"})).body
    second = await cc.call(
        "POST",
        "/v3/contacts/sign_up_form",
        form | {"first_name": "Anna", "list_memberships": [other["list_id"]]},
    )
    assert (second.status, second.body["action"]) == (200, "updated")
    contact_id = first.body["contact_id"]
    assert second.body["contact_id"] == contact_id
    body = await cc.get(f"/v3/contacts/{contact_id}?include={ALL_SUBS}")
    assert (body["first_name"], body["last_name"]) == ("Anna", "Lee")
    assert body["list_memberships"] == [list_id, other["list_id"]]
    assert [phone["phone_number"] for phone in body["phone_numbers"]] == ["1"]
    assert body["email_address"]["permission_to_send"] == "explicit"
    assert body["email_address"]["opt_in_source"] == "Contact"


async def test_sign_up_re_permissions_and_revives(cc: Caller) -> None:
    """The trap that a sync must never walk into: it overrules an opt-out."""
    ann = await cc.create("ann@example.com")
    await cc.act("unsubscribe", email="ann@example.com")
    await cc.call("DELETE", f"/v3/contacts/{ann['contact_id']}")
    lists = [cc.account.default_list.list_id]
    form = {"email_address": "ann@example.com", "list_memberships": lists}
    await cc.call("POST", "/v3/contacts/sign_up_form", form)
    body = await cc.get(f"/v3/contacts/{ann['contact_id']}")
    assert body["email_address"]["permission_to_send"] == "explicit"
    assert "deleted_at" not in body


@pytest.mark.parametrize(
    "changes",
    [
        {"list_memberships": []},
        {"list_memberships": None},
        {"email_address": "a" * 39 + "@example.com"},
        {"email_address": None},
        {"first_name": "x" * 51},
    ],
)
async def test_a_sign_up_form_is_checked(cc: Caller, changes: dict[str, Any]) -> None:
    lists = [cc.account.default_list.list_id]
    form = {"email_address": "a@example.com", "list_memberships": lists} | changes
    answer = await cc.call("POST", "/v3/contacts/sign_up_form", form)
    assert answer.status == 400


async def test_what_forms_append_has_the_limits_of_a_contact(cc: Caller) -> None:
    ids: dict[str, list[str]] = {"contact_lists": [], "contact_custom_fields": []}
    for number in range(51):
        for resource, found in ids.items():
            label = f"L{number}"
            new = {"name": label, "label": label, "type": "string"}
            created = (await cc.call("POST", f"/v3/{resource}", new)).body
            found.append(created.get("list_id") or created["custom_field_id"])
    lists, fields = ids.values()
    values = [{"custom_field_id": field_id, "value": "x"} for field_id in fields]
    base = {"email_address": "a@example.com", "list_memberships": lists[:1]}
    for more, expected in (
        ({"list_memberships": lists[:50], "custom_fields": values[:25]}, 201),
        ({"list_memberships": lists[50:]}, 400),
        ({"custom_fields": values[25:26]}, 400),
        ({"custom_fields": values[:1]}, 200),
    ):
        form = base | more
        assert (
            await cc.call("POST", "/v3/contacts/sign_up_form", form)
        ).status == expected
    form = {"email_address": "b@example.com", "list_memberships": lists[:1]}
    form |= {"custom_fields": values[:26]}
    answer = await cc.call("POST", "/v3/contacts/sign_up_form", form)
    assert answer.status == 400


async def test_confirmed_opt_in_leaves_new_sign_ups_pending(cc: Caller) -> None:
    cc.account.has_confirmed_opt_in = True
    lists = [cc.account.default_list.list_id]
    form = {"email_address": "a@example.com", "list_memberships": lists}
    await cc.call("POST", "/v3/contacts/sign_up_form", form)
    (found,) = await cc.listed("status=pending_confirmation")
    assert found["email_address"]["confirm_status"] == "pending"


async def test_a_resubscribe_mail_is_sent_once_and_confirmed_by_the_person(
    cc: Caller,
) -> None:
    ann = await cc.create("ann@example.com")
    path = f"/v3/contacts/resubscribe/{ann['contact_id']}"
    body = {"list_ids": [cc.account.default_list.list_id]}
    assert (await cc.call("PUT", path, body)).status == 409
    await cc.act("unsubscribe", email="ann@example.com")
    assert (await cc.call("PUT", path, {})).status == 400
    assert (await cc.call("PUT", path, body)).status == 200
    assert (await cc.call("PUT", path, body)).status == 409
    assert await cc.ids("status=unsubscribed") == [ann["contact_id"]]
    await cc.act("come_back", email="ann@example.com")
    (found,) = await cc.listed("status=active&include=list_memberships")
    assert found["list_memberships"] == body["list_ids"]


async def test_counts_by_consent(cc: Caller) -> None:
    for name in ("a", "b", "c", "d"):
        await cc.create(f"{name}@example.com")
    await cc.act("unsubscribe", email="a@example.com")
    await cc.act("delete", email="b@example.com")
    assert await cc.get("/v3/contacts/counts?include=new_subscriber") == {
        "total": 3,
        "explicit": 0,
        "implicit": 2,
        "pending": 0,
        "unsubscribed": 1,
        "new_subscriber": 2,
    }


async def test_unknown_and_ill_formed_ids(cc: Caller) -> None:
    for method, body in (("GET", None), ("PUT", {"update_source": "Account"})):
        answer = await cc.call(method, f"/v3/contacts/{NO_SUCH_ID}", body)
        assert answer.status == 404
        answer = await cc.call(method, "/v3/contacts/17", body)
        assert answer.status == 404
        assert answer.body[0] == {
            "error_key": "contacts.api.not_found",
            "error_message": "contact_id is in an invalid format.",
        }
    assert (await cc.call("DELETE", f"/v3/contacts/{NO_SUCH_ID}")).status == 404


async def test_a_number_for_text_messages_is_enough(cc: Caller) -> None:
    consent = {"consent_type": "promotional_sms", "sms_consent_permission": "explicit"}
    channel = {
        "full_sms_address": "+1 (617) 555-0100",
        "sms_channel_consents": [consent],
    }
    created = await cc.create(sms_channel=channel)
    assert created["sms_channel"]["sms_address"] == "6175550100"
    assert await cc.ids("sms_status=explicit") == [created["contact_id"]]
    again = {"create_source": "Account", "sms_channel": channel}
    assert (await cc.call("POST", "/v3/contacts", again)).status == 409


async def test_sign_up_finds_by_number_and_takes_nobody_elses(cc: Caller) -> None:
    consent = {"consent_type": "promotional_sms", "sms_consent_permission": "explicit"}
    channel = {
        "sms_address": "6175550100",
        "dial_code": "1",
        "country_code": "US",
        "sms_channel_consents": [consent],
    }
    form = {"list_memberships": [cc.account.default_list.list_id]}
    form |= {"sms_channel": channel}
    path = "/v3/contacts/sign_up_form"
    assert (await cc.call("POST", path, form)).status == 201
    named = await cc.call("POST", path, form | {"first_name": "Ann"})
    assert named.status == 200
    (ann,) = await cc.listed()
    assert (ann["contact_id"], ann["first_name"]) == (named.body["contact_id"], "Ann")
    other = form | {"email_address": "bob@example.com"}
    assert (await cc.call("POST", path, other)).status == 409


async def test_accounts_do_not_see_each_other(cc: Caller) -> None:
    ann = await cc.create("ann@example.com")
    cc.account = list(cc.emulator.accounts.values())[1]
    cc.token = (await cc.authorize()).body["access_token"]
    assert await cc.listed("status=all") == []
    assert (await cc.call("GET", f"/v3/contacts/{ann['contact_id']}")).status == 404
    await cc.create("ann@example.com")
    summary = await cc.get("/v3/account/summary?extra_fields=physical_address")
    assert summary["encoded_account_id"] == cc.account.account_id
    assert summary["organization_name"] == "Bookshop"
