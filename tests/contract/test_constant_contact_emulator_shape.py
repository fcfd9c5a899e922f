"""The check of the emulator's answers is there, is strict, and covers every route."""

from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import pytest

from tests.contract import vendor_specs
from tests.contract.constant_contact_caller import Caller, calling, swagger
from tests.emulators.constant_contact.settings import Settings
from tests.emulators.core.limits import Limits

UNKNOWN = "00000000-0000-4000-8000-000000000000"
CONTACT = {
    "contact_id": UNKNOWN,
    "email_address": {"address": "ann@example.com"},
    "created_at": "2026-03-10T12:00:00Z",
}


@pytest.fixture
def description() -> vendor_specs.Swagger:
    """Return the vendor's description, or skip the test that needs it."""
    return vendor_specs.needed(swagger())


@pytest.fixture
async def cc(description: vendor_specs.Swagger) -> AsyncIterator[Caller]:
    """Yield an authorised caller whose answers are checked."""
    async with calling(Settings(limits=Limits())) as caller:
        caller.token = (await caller.authorize()).body["access_token"]
        description.checked.clear()
        yield caller


async def test_every_route_was_checked_in_success_and_refusal(
    cc: Caller, description: vendor_specs.Swagger
) -> None:
    await _succeed(cc)
    routes = {(method, path) for method, path, status in description.checked}
    expected = {
        (route.method, route.template.removeprefix("/v3"))
        for route in cc.emulator.host.routes()
        if route.template.startswith("/v3")
    }
    assert routes == expected
    valid, cc.token = cc.token, "nonsense"
    for method, path in sorted(expected):
        answer = await cc.call(method, "/v3" + _filled(path))
        assert answer.status == 401
    cc.token = valid
    for method, path in sorted(expected):
        if "{" in path:
            answer = await cc.call(method, "/v3" + _filled(path), _body(method))
            assert answer.status == 404, (method, path)


def _filled(path: str) -> str:
    return "/".join(
        UNKNOWN if part.startswith("{") else part for part in path.split("/")
    )


def _body(method: str) -> dict[str, Any] | None:
    if method != "PUT":
        return None
    return {
        "update_source": "Account",
        "list_ids": [UNKNOWN],
        "name": "N",
        "label": "L",
    }


async def _succeed(cc: Caller) -> None:
    """Call every route once with success."""
    new = {"name": "N", "label": "L", "type": "string"}
    for resource, key in (
        ("contact_lists", "list_id"),
        ("contact_tags", "tag_id"),
        ("contact_custom_fields", "custom_field_id"),
    ):
        created = await cc.call("POST", f"/v3/{resource}", new)
        path = f"/v3/{resource}/{created.body[key]}"
        statuses = [
            created.status,
            (await cc.call("GET", f"/v3/{resource}")).status,
            (await cc.call("GET", path)).status,
            (await cc.call("PUT", path, new)).status,
        ]
        assert statuses == [201, 200, 200, 200]
        assert (await cc.call("DELETE", path)).status in (202, 204)
    (activity_id, *_) = cc.account.activities
    await cc.get(f"/v3/activities/{activity_id}")
    await cc.get("/v3/activities")
    order = {"import_data": [{"email": "bea@example.com"}]}
    order["list_ids"] = [cc.account.default_list.list_id]
    path = "/v3/activities/contacts_json_import"
    assert (await cc.call("POST", path, order)).status == 201
    await cc.get("/v3/account/summary?extra_fields=physical_address")
    await cc.get("/v3/contacts/counts")
    await cc.listed()
    ann = await cc.create("ann@example.com")
    path = f"/v3/contacts/{ann['contact_id']}"
    await cc.put(ann["contact_id"])
    await cc.get(path)
    await cc.act("unsubscribe", email="ann@example.com")
    lists = [cc.account.default_list.list_id]
    again = f"/v3/contacts/resubscribe/{ann['contact_id']}"
    assert (await cc.call("PUT", again, {"list_ids": lists})).status == 200
    form = {"email_address": "ann@example.com", "list_memberships": lists}
    assert (await cc.call("POST", "/v3/contacts/sign_up_form", form)).status == 200
    assert (await cc.call("DELETE", path)).status == 204


@pytest.mark.parametrize(
    "changes",
    [
        {"contact_id": 17},
        {"contact_id": "17"},
        {"created_at": "yesterday"},
        {"created_at": "2026-03-10 12:00:00"},
        {"first_name": None},
        {"first_name": "x" * 51},
        {"nickname": "Ann"},
        {"email_address": {}},
        {"email_address": {"address": "a@example.com", "is_valid": True}},
        {"list_memberships": [UNKNOWN] * 51},
    ],
)
def test_a_wrong_answer_would_be_noticed(
    description: vendor_specs.Swagger, changes: dict[str, Any]
) -> None:
    path = f"/v3/contacts/{UNKNOWN}"
    description.check(method="GET", path=path, status=200, body=CONTACT)
    with pytest.raises(jsonschema.ValidationError):
        description.check(method="GET", path=path, status=200, body=CONTACT | changes)


def test_a_status_that_the_vendor_never_gives_would_be_noticed(
    description: vendor_specs.Swagger,
) -> None:
    with pytest.raises(AssertionError, match="never answers 418"):
        description.check(method="GET", path="/v3/contacts", status=418, body=[])
