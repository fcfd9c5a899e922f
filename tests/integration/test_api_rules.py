"""Rules, options, approvals and links by hand through the REST interface."""

import pytest

from proto.errors import ErrorCode
from proto.reconciler import (
    ApproveChanges,
    ChangeConnection,
    CreateConnection,
    LinkRecords,
    ListRecords,
    RecordState,
    Side,
    UnlinkRecords,
)
from proto.rules import ActionKind, Leaving, Operator, Unsubscribes
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Client, System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = {
    "rule_id": "customers",
    "conditions": [{"operator": "is", "field_id": "stage", "value": "customer"}],
    "actions": [{"kind": "add_tag", "value": "Customer"}],
    "undoes": True,
}
SETTINGS = {
    "left_rules": [RULE],
    "right_rules": [],
    "leaving": "keep_updating",
    "tags_deletions": True,
    "deletion_tag": "Bin",
    "unsubscribes": "tag",
    "unsubscribe_tag": "Quit",
    "winners": {"name.given": "right"},
    "custom_mappings": [
        {"left": {"field_id": "stage"}, "right": {"field_id": "X-STAGE"}}
    ],
}


async def ends(system: System, client: Client) -> dict[str, object]:
    left, right = (system.others.add_account(client.tenant_id) for _ in "12")
    return {
        "name": "Newsletter",
        "left": {"account_id": left.account_id},
        "right": {"account_id": right.account_id},
    }


async def test_rules_and_options_are_sent_on_and_shown(system: System) -> None:
    client = await system.client()
    body = {**await ends(system, client), **SETTINGS}
    made = await client("POST", "/v1/connections", body)
    assert made.status == 201
    sent = system.others.last(CreateConnection).settings
    (rule,) = sent.left_rules
    assert rule.conditions[0].operator is Operator.IS
    assert rule.actions[0].kind is ActionKind.ADD_TAG
    assert rule.undoes
    assert (sent.leaving, sent.unsubscribes) == (
        Leaving.KEEP_UPDATING,
        Unsubscribes.TAG,
    )
    assert sent.winners == {"name.given": Side.RIGHT}
    for name in ("leaving", "deletion_tag", "unsubscribe_tag", "winners"):
        assert made.body[name] == SETTINGS[name]
    assert made.body["left_rules"][0]["actions"] == [
        {"kind": "add_tag", "value": "Customer", "field_id": ""}
    ]
    path = made.headers["Location"]
    # What was read can be sent back as it is.
    back = {name: made.body[name] for name in SETTINGS}
    assert (await client("PATCH", path, back)).body["version"] == 1
    changed = await client("PATCH", path, {"left_rules": []})
    assert changed.body["left_rules"] == []
    assert changed.body["deletion_tag"] == "Bin"
    assert system.others.last(ChangeConnection).settings.left_rules == ()


async def test_what_is_not_sent_is_off(system: System) -> None:
    client = await system.client()
    made = await client("POST", "/v1/connections", await ends(system, client))
    assert {name: made.body[name] for name in SETTINGS} == {
        "left_rules": [],
        "right_rules": [],
        "leaving": "stop",
        "tags_deletions": False,
        "deletion_tag": "PieSync Trash",
        "unsubscribes": "ignore",
        "unsubscribe_tag": "PieSync Unsubscribes",
        "winners": {},
        "custom_mappings": [],
    }
    assert made.body["guarded"] == []
    assert set(made.body["offers"]) == {
        "tags_deletions",
        "unsubscribes_tag",
        "unsubscribes_status",
    }


async def test_a_refusal_points_into_the_settings(system: System) -> None:
    client = await system.client()
    body = {**await ends(system, client), "left_rules": [RULE]}
    pointer = "/left_rules/0/conditions/0/field_id"
    detail = "The account has no such field. Give the id of one that it describes."
    with system.others.refusing(
        CreateConnection, ErrorCode.INVALID, detail, field=pointer
    ):
        answer = await client("POST", "/v1/connections", body)
    assert (answer.status, answer.code) == (422, "invalid")
    assert answer.body["detail"] == detail
    assert answer.body["errors"] == [{"pointer": pointer, "detail": detail}]
    made = await client("POST", "/v1/connections", body)
    # A mapping's id has dots, and so does its pointer.
    with system.others.refusing(
        ChangeConnection, ErrorCode.INVALID, field="/winners/name.given"
    ):
        answer = await client(
            "PATCH", made.headers["Location"], {"winners": {"name.given": "left"}}
        )
    assert answer.faults == ["/winners/name.given"]


async def test_held_changes_are_approved_and_that_is_on_record(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id, guarded=(Side.RIGHT,))
    path = f"/v1/connections/{made.connection_id}"
    assert (await client("GET", path)).body["guarded"] == ["right"]
    answer = await client("POST", f"{path}/approve")
    assert (answer.status, answer.body["guarded"]) == (200, [])
    assert answer.headers["ETag"] == '"1"'
    assert system.others.last(ApproveChanges).tenant_id == client.tenant_id
    rows = await system.rows(
        "SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY entry_id",
        client.tenant_id,
    )
    assert [(row["act"], row["outcome"], row["object_id"]) for row in rows] == [
        ("connection.approve", "begun", made.connection_id),
        ("connection.approve", "done", made.connection_id),
    ]
    assert rows[0]["actor"].startswith("key_")


async def test_two_records_are_linked_and_taken_apart(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    path = f"/v1/connections/{made.connection_id}/links"
    body = {"left_record_id": "481", "right_record_id": "ana 7.vcf"}
    linked = await client("POST", path, body)
    assert linked.status == 201
    sent = system.others.last(LinkRecords)
    assert (sent.left_record_id, sent.right_record_id) == ("481", "ana 7.vcf")
    one = f"{path}/{linked.body['link_id']}"
    assert (await client("DELETE", one)).status == 204
    assert system.others.last(UnlinkRecords).link_id == linked.body["link_id"]
    assert (await client("DELETE", one)).status == 404
    rows = await system.rows(
        "SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY entry_id",
        client.tenant_id,
    )
    assert [(row["act"], row["outcome"]) for row in rows] == [
        ("connection.link", "begun"),
        ("connection.link", "done"),
        ("connection.unlink", "begun"),
        ("connection.unlink", "done"),
        ("connection.unlink", "begun"),
        ("connection.unlink", "not_found"),
    ]
    assert rows[1]["object_id"] == linked.body["link_id"]
    assert rows[0]["fields"] == ["left_record_id", "right_record_id"]


async def test_a_record_that_cannot_be_linked_is_named(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    path = f"/v1/connections/{made.connection_id}/links"
    body = {"left_record_id": "l", "right_record_id": "gone"}
    answer = await client("POST", path, body)
    assert (answer.status, answer.faults) == (404, ["/right_record_id"])
    with system.others.refusing(
        LinkRecords, ErrorCode.NOT_ALLOWED_NOW, "Linked.", field="left_record_id"
    ):
        answer = await client("POST", path, body)
    assert (answer.status, answer.faults) == (409, ["/left_record_id"])
    for change in ({"left_record_id": ""}, {"left_record_id": "x" * 1_001}):
        answer = await client("POST", path, {**body, **change})
        assert (answer.status, answer.faults) == (422, ["/left_record_id"])


async def test_merged_contacts_are_counted_and_can_be_listed(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    path = f"/v1/connections/{made.connection_id}"
    assert (await client("GET", f"{path}/status")).body["counts"]["merged"] == 0
    assert (await client("GET", f"{path}/records?state=merged")).status == 200
    assert system.others.last(ListRecords).state is RecordState.MERGED
