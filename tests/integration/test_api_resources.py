"""The REST interface does what it says, resource by resource."""

import datetime

import pytest

from proto.auth import (
    AddAccount,
    CheckAppClient,
    ClientFinding,
    ClientPart,
    SetAppClient,
    Verdict,
)
from proto.errors import ErrorCode
from proto.reconciler import ChangeConnection, ListRecords, RecordState
from tests.integration.api_system import others
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD_ACCOUNT = {
    "app": "carddav",
    "base_url": "https://dav.example.org",
    "username": "ana",
    "password": "correct horse",
}


async def test_apps_say_where_to_register_the_redirect(system: System) -> None:
    client = await system.client()
    answer = await client("GET", "/v1/apps")
    dav, mail = answer.body["items"]
    assert answer.status == 200
    assert dav["redirect_uri"] is None
    assert [field["name"] for field in dav["credential_fields"]] == [
        "base_url",
        "username",
        "password",
    ]
    assert dav["credential_fields"][2] == {
        "name": "password",
        "label": "Password",
        "is_secret": True,
        "help": "Of this app.",
        "placeholder": "",
    }
    assert mail["credential_fields"] == []
    assert mail["redirect_uri"] == f"{system.url}/oauth/callback/constant_contact"


async def test_a_client_is_stored_and_its_secret_not_shown(system: System) -> None:
    client = await system.client()
    body = {"client_id": "id-1", "client_secret": "s3cr3t"}
    answer = await client("PUT", "/v1/apps/constant_contact/client", body)
    assert answer.status == 200
    assert "s3cr3t" not in str(answer.body)
    sent = system.others.last(SetAppClient)
    assert (sent.tenant_id, sent.client_secret) == (client.tenant_id, "s3cr3t")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (("accepted", "accepted", "accepted"), "accepted"),
        (("accepted", "unknown", "accepted"), "unknown"),
        (("unknown", "refused", "accepted"), "refused"),
        ((), "unknown"),
    ],
)
async def test_a_client_is_checked_before_anybody_is_sent_to_the_app(
    system: System, verdicts: tuple[str, ...], expected: str
) -> None:
    client = await system.client()
    parts = (ClientPart.SECRET, ClientPart.REDIRECT_URI, ClientPart.SCOPES)
    system.others.findings = tuple(
        ClientFinding(part=part, verdict=Verdict(verdict), detail="Do this.")
        for part, verdict in zip(parts, verdicts, strict=False)
    )
    answer = await client("POST", "/v1/apps/constant_contact/client/check")
    assert (answer.status, answer.body["verdict"]) == (200, expected)
    redirect_uri = f"{system.url}/oauth/callback/constant_contact"
    assert answer.body["redirect_uri"] == redirect_uri
    sent = system.others.last(CheckAppClient)
    assert (sent.tenant_id, sent.redirect_uri) == (client.tenant_id, redirect_uri)
    assert [each["verdict"] for each in answer.body["findings"]] == list(verdicts)


async def test_a_client_may_name_an_emulator(system: System) -> None:
    client = await system.client()
    body = {
        "client_id": "id-1",
        "client_secret": "s3cr3t",
        "token_url": "http://127.0.0.1:9/token",
    }
    path = "/v1/apps/constant_contact/client"
    assert (await client("PUT", path, body)).status == 200
    assert system.others.last(SetAppClient).token_url == body["token_url"]
    for url in ("ftp://x", "https://", "https://u:p@x", "https://x/#f", "nothing"):
        answer = await client("PUT", path, {**body, "token_url": url})
        assert (answer.status, answer.faults) == (422, ["/token_url"])


async def test_an_account_with_a_password_is_added_and_read(system: System) -> None:
    client = await system.client()
    added = await client("POST", "/v1/accounts", PASSWORD_ACCOUNT)
    assert added.status == 201
    account_id = added.body["account_id"]
    read = await client("GET", f"/v1/accounts/{account_id}")
    assert (read.status, read.body) == (200, added.body)
    again = {**PASSWORD_ACCOUNT, "account_id": account_id}
    assert (await client("POST", "/v1/accounts", again)).status == 200
    assert system.others.last(AddAccount).account_id == account_id


async def test_what_a_person_gives_goes_by_the_names_of_the_form(
    system: System,
) -> None:
    client = await system.client()
    for name in ("api_key", "token"):
        body = {"app": "carddav", name: "s3cr3t"}
        assert (await client("POST", "/v1/accounts", body)).status == 201
        assert system.others.last(AddAccount).values == {name: "s3cr3t"}
    answer = await client("POST", "/v1/accounts", {"app": "carddav", "pin": "1"})
    assert (answer.status, answer.faults) == (422, ["/pin"])
    with system.others.refusing(AddAccount, ErrorCode.INVALID, field="api_key"):
        answer = await client("POST", "/v1/accounts", {"app": "carddav"})
    assert (answer.status, answer.faults) == (422, ["/api_key"])


async def test_a_wrong_password_is_a_clear_refusal(system: System) -> None:
    client = await system.client()
    code = ErrorCode.CREDENTIALS_REFUSED
    with system.others.refusing(AddAccount, code, field="password"):
        answer = await client("POST", "/v1/accounts", PASSWORD_ACCOUNT)
    assert (answer.status, answer.code) == (422, "credentials_refused")
    assert answer.faults == ["/password"]
    assert "password" in answer.body["detail"]


async def test_an_account_is_described(system: System) -> None:
    client = await system.client()
    account = system.others.add_account(client.tenant_id)
    path = f"/v1/accounts/{account.account_id}/description"
    answer = await client("GET", path)
    assert answer.status == 200
    assert answer.body["containers"] == [{"container_id": "/a/", "name": "Friends"}]
    assert [f["role"] for f in answer.body["fields"]] == ["unknown", "name.full"]


async def test_where_an_account_is_pushed_to_is_for_who_may_change_it(
    system: System,
) -> None:
    client = await system.client()
    account = system.others.add_account(client.tenant_id)
    path = f"/v1/accounts/{account.account_id}/push"
    answer = await client("GET", path)
    assert answer.status == 200
    assert answer.body == {
        "url": f"https://tandem.example/push/{account.account_id}",
        "signing_secret": "signing",
    }
    reader = await system.client("read")
    theirs = system.others.add_account(reader.tenant_id)
    refused = await reader("GET", f"/v1/accounts/{theirs.account_id}/push")
    assert (refused.status, refused.code) == (403, "scope_missing")


async def test_an_account_in_use_is_not_removed(system: System) -> None:
    client = await system.client()
    connection = system.others.add_connection(client.tenant_id)
    path = f"/v1/accounts/{connection.settings.left.account_id}"
    refused = await client("DELETE", path)
    assert (refused.status, refused.code) == (409, "account_in_use")
    assert connection.connection_id in refused.body["detail"]
    gone = await client("DELETE", f"/v1/connections/{connection.connection_id}")
    assert gone.status == 204
    assert (await client("DELETE", path)).status == 204
    assert (await client("GET", path)).status == 404


async def test_lists_are_read_page_by_page(system: System) -> None:
    client = await system.client()
    made = [system.others.add_account(client.tenant_id).account_id for _ in range(5)]
    for path in ("/v1/accounts?limit=2", "/v1/accounts?limit=5", "/v1/accounts"):
        seen, pages = [], 0
        following: str | None = path
        while following:
            answer = await client("GET", following)
            seen += [account["account_id"] for account in answer.body["items"]]
            pages += 1
            link = answer.headers.get("Link", "")
            following = link.partition(">")[0].removeprefix("<") or None
            assert (answer.body["next"] is None) == (following is None)
        assert seen == sorted(made)
        assert pages == (3 if path.endswith("=2") else 1)


async def test_connections_and_records_have_pages_too(system: System) -> None:
    client = await system.client()
    for _ in range(3):
        made = system.others.add_connection(client.tenant_id)
    first = await client("GET", "/v1/connections?limit=2")
    rest = await client("GET", f"/v1/connections?limit=2&after={first.body['next']}")
    assert (len(first.body["items"]), len(rest.body["items"])) == (2, 1)
    account_id = made.settings.left.account_id
    one = await client("GET", f"/v1/connections?account_id={account_id}")
    assert [c["connection_id"] for c in one.body["items"]] == [made.connection_id]
    system.others.records = tuple(others.record(n) for n in range(3))
    path = f"/v1/connections/{made.connection_id}/records?state=excluded&limit=2"
    first = await client("GET", path)
    assert "state=excluded" in first.headers["Link"]
    rest = await client("GET", first.headers["Link"].partition(">")[0][1:])
    assert [r["reason"] for r in rest.body["items"]] == ["no_email"]
    assert system.others.last(ListRecords).state is RecordState.EXCLUDED


async def test_a_connection_is_made_changed_and_told(system: System) -> None:
    client = await system.client()
    left, right = (system.others.add_account(client.tenant_id) for _ in "12")
    body = {
        "name": "Newsletter",
        "left": {"account_id": left.account_id},
        "right": {"account_id": right.account_id, "container_id": "/a/"},
        "winner": "right",
    }
    made = await client("POST", "/v1/connections", body)
    assert (made.status, made.body["state"]) == (201, "draft")
    assert made.body["winner"] == "right"
    path = made.headers["Location"]
    assert (await client("GET", path)).body == made.body
    changed = await client("PATCH", path, {"name": "Customers"})
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert changed.body["name"] == "Customers"
    assert changed.body["right"] == made.body["right"]
    for act, state in (
        ("start", "scanning"),
        ("pause", "paused"),
        ("resume", "syncing"),
        ("sync", "live"),
    ):
        told = await client("POST", f"{path}/{act}")
        assert (told.status, told.body["state"]) == (200, state)
    assert (await client("DELETE", path)).status == 204
    assert (await client("GET", path)).status == 404


async def test_a_change_is_refused_at_another_version(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    path = f"/v1/connections/{made.connection_id}"
    body = {"name": "Other", "direction": "to_left", "mappings_off": ["email"]}
    for version in ('"7"', "W/x", "9" * 12):
        headers = {"If-Match": version}
        answer = await client("PATCH", path, body, headers=headers)
        assert (answer.status, answer.code) == (412, "version_conflict")
    with system.others.refusing(
        ChangeConnection, ErrorCode.NOT_ALLOWED_NOW, field="version"
    ):
        answer = await client("PATCH", path, body)
    assert answer.status == 412
    answer = await client("PATCH", path, body, headers={"If-Match": '"1"'})
    assert (answer.status, answer.body["direction"]) == (200, "to_left")
    assert system.others.last(ChangeConnection).version == 1


async def test_a_change_of_nothing_asks_nothing(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    before = len([c for c in system.others.asked if isinstance(c, ChangeConnection)])
    answer = await client("PATCH", f"/v1/connections/{made.connection_id}", {})
    assert (answer.status, answer.body["version"]) == (200, 1)
    after = len([c for c in system.others.asked if isinstance(c, ChangeConnection)])
    assert after == before


async def test_a_status_says_what_to_do(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    answer = await client("GET", f"/v1/connections/{made.connection_id}/status")
    assert answer.status == 200
    assert answer.body["attention"] == "account_lost"
    assert "Authorise the account again" in answer.body["attention_detail"]
    assert answer.body["progress"]["seconds_left"] == 4


async def test_a_services_fault_points_into_the_request(system: System) -> None:
    client = await system.client()
    made = system.others.add_connection(client.tenant_id)
    path = f"/v1/connections/{made.connection_id}"
    for field, pointers in (("connection_id", []), ("settings.name", ["/name"])):
        with system.others.refusing(ChangeConnection, ErrorCode.INVALID, field=field):
            answer = await client("PATCH", path, {"name": "x"})
        assert (answer.status, answer.faults) == (422, pointers)
    with system.others.refusing(ListRecords, ErrorCode.INVALID, field="after"):
        answer = await client("GET", f"{path}/records?after=1")
    assert answer.faults == ["after"]


async def test_a_connection_needs_accounts_of_the_tenant(system: System) -> None:
    client = await system.client()
    mine = system.others.add_account(client.tenant_id)
    theirs = system.others.add_account(await system.tenant())
    body = {
        "name": "x",
        "left": {"account_id": mine.account_id},
        "right": {"account_id": theirs.account_id},
    }
    answer = await client("POST", "/v1/connections", body)
    assert (answer.status, answer.faults) == (404, ["/right/account_id"])


async def test_a_key_is_shown_once_and_works_until_it_is_revoked(
    system: System,
) -> None:
    client = await system.client()
    expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    body = {"name": "two", "scopes": ["manage"], "expires_at": expires_at.isoformat()}
    made = await client("POST", "/v1/api-keys", body)
    assert made.status == 201
    other = system.stranger(made.body["key"])
    assert (await other("GET", "/v1/api-keys")).status == 200
    assert (await other("GET", "/v1/accounts")).code == "scope_missing"
    listed = await client("GET", "/v1/api-keys?limit=1")
    rest = await client("GET", f"/v1/api-keys?after={listed.body['next']}")
    assert rest.body["items"][0]["hint"] == made.body["key"][:8]
    assert made.body["key"] not in str(rest.body)
    path = f"/v1/api-keys/{made.body['key_id']}"
    assert (await client("DELETE", path)).status == 204
    assert (await other("GET", "/v1/api-keys")).code == "key_revoked"
    rows = await system.rows(
        "SELECT digest FROM api_keys WHERE key_id = $1", made.body["key_id"]
    )
    assert made.body["key"].encode() not in rows[0]["digest"]


async def test_a_key_makes_no_key_that_can_more_than_itself(system: System) -> None:
    """A write key made itself a reader, and a key for a day one for ever."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    end, later = (now + datetime.timedelta(days=days) for days in (1, 2))
    writer = await system.client("write", "manage")
    for body in ({"name": "k"}, {"name": "k", "scopes": ["read"]}):
        answer = await writer("POST", "/v1/api-keys", body)
        assert (answer.status, answer.code) == (403, "scope_missing")
        assert "`read`" in answer.body["detail"]
    own = {"name": "k", "scopes": ["write", "manage"]}
    assert (await writer("POST", "/v1/api-keys", own)).status == 201
    brief = await system.client(expires_at=end)
    for at in (None, later.isoformat()):
        body = {"name": "k", "expires_at": at}
        answer = await brief("POST", "/v1/api-keys", body)
        assert (answer.status, answer.faults) == (422, ["/expires_at"])
        assert f"{end:%Y-%m-%dT%H:%M:%SZ}" in answer.body["errors"][0]["detail"]
    body = {"name": "k", "expires_at": end.isoformat()}
    assert (await brief("POST", "/v1/api-keys", body)).status == 201


async def test_every_act_is_in_the_audit_log(system: System) -> None:
    client = await system.client()
    added = await client("POST", "/v1/accounts", PASSWORD_ACCOUNT)
    await client("DELETE", f"/v1/accounts/{added.body['account_id']}")
    await client("POST", "/v1/api-keys", {"name": "k"})
    with system.others.refusing(SetAppClient, ErrorCode.UNKNOWN_APP):
        body = {"client_id": "i", "client_secret": "s"}
        answer = await client("PUT", "/v1/apps/nobody/client", body)
    assert (answer.status, answer.code) == (404, "unknown_app")
    rows = await system.rows(
        "SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY entry_id",
        client.tenant_id,
    )
    assert [(row["act"], row["outcome"]) for row in rows] == [
        ("account.add", "begun"),
        ("account.add", "done"),
        ("account.remove", "begun"),
        ("account.remove", "done"),
        ("api_key.create", "done"),
        ("app.set_client", "begun"),
        ("app.set_client", "unknown_app"),
    ]
    assert rows[1]["object_id"] == added.body["account_id"]
    assert rows[0]["fields"] == ["app", "base_url", "password", "username"]
    assert "correct horse" not in str(rows)
    assert rows[0]["request_id"] == added.headers["X-Request-Id"]
