"""Accounts come in: the whole authorisation, its refusals, passwords, listing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from proto.auth import (
    Account,
    AccountState,
    AddAccount,
    BeginAuthorisation,
    CredentialKind,
    GetAccount,
    IssueToken,
    ListAccounts,
    RemoveAccount,
)
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId
from services.auth.store import STALE_BATCH
from services.chassis.errors import BadConfiguration
from tests.contract.emulator_caller import REDIRECT_URI
from tests.emulators.constant_contact.settings import Settings as VendorSettings
from tests.emulators.core.faults import Fault
from tests.integration.auth_fixtures import world
from tests.integration.auth_world import (
    API_KEY,
    BEARER_TOKEN,
    BROWSER,
    CARDS,
    CARDS_URL,
    KEYED,
    MAIL,
    OTHER_TENANT,
    PASSWORD,
    TENANT,
    TOKENED,
    World,
    completion,
    opened,
    refused,
    write_key_ring,
)

__all__ = ["world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    postgres_server, nats_server, tmp_path_factory
) -> AsyncIterator[World]:
    """One vendor with two accounts, and one auth."""
    settings = VendorSettings(accounts=("Bakery", "Bookshop"))
    ring = write_key_ring(tmp_path_factory.mktemp("auth") / "ring.json")
    async with (
        opened(postgres_server, nats_server, settings=settings) as world,
        world.auth(key_ring_file=ring),
    ):
        yield world


async def stored_accounts(world: World) -> int:
    found = await world.rows("SELECT count(*) FROM auth.accounts")
    return found[0]["count"]


@pytest.mark.behaviour(
    1,
    broken_by="auth/proving.py: the app's name for an account is not kept",
)
async def test_a_person_authorises_an_account(world: World):
    account = await world.authorise(vendor_id=world.vendor_ids[1])
    assert account.state is AccountState.CONNECTED
    assert account.vendor_account_id == world.vendor_ids[1]
    assert account.display_name == "Bookshop"
    assert set(account.scopes) == {"account_read", "contact_data", "offline_access"}
    token = await world.issue(account.account_id)
    grant = world.emulator.server.check(token.secret)
    assert grant is not None
    assert grant.account_id == world.vendor_ids[1]
    got = await world.ask(GetAccount(tenant_id=TENANT, account_id=account.account_id))
    assert got == account
    assert await world.told("account_connected") == 1


async def test_no_secret_is_stored_in_the_clear(world: World):
    """Hazard 120: a dump of the database opens no account."""
    await world.authorise()
    await world.add_password()
    for table in ("accounts", "app_clients", "authorisations", "credentials", "outbox"):
        rows = await world.rows(f"SELECT to_jsonb(t) FROM auth.{table} AS t")
        dump = repr(rows)
        plain = [secret.encode().hex() for secret in world.all_secrets()]
        assert not [s for s in (*plain, *world.all_secrets()) if s in dump]


async def test_a_denied_authorisation_stores_nothing(world: World):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url, decision="deny")
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_DENIED
    assert await stored_accounts(world) == 0


async def test_a_state_serves_once(world: World):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    await world.ask(completion(back))
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_EXPIRED
    assert await stored_accounts(world) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"browser": "the cookie of another window"},
        {"browser": ""},
        {"tenant_id": OTHER_TENANT},
        {"state": "guessed"},
    ],
    ids=["other browser", "no browser", "other tenant", "other state"],
)
async def test_a_callback_of_somebody_else_is_refused(
    world: World, changes: dict[str, Any]
):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    failure = await world.refusal(completion(back, **changes))
    assert failure.code is ErrorCode.AUTHORISATION_EXPIRED
    assert await stored_accounts(world) == 0


async def test_an_authorisation_begun_too_long_ago_is_refused(world: World):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    world.clock.move(601)
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_EXPIRED


async def test_authorisations_nobody_came_back_from_are_forgotten(world: World):
    await world.begin()
    world.clock.move(601)
    await world.begin()
    assert len(await world.rows("SELECT 1 FROM auth.authorisations")) == 1


async def test_what_is_stale_is_dropped_some_at_a_time_and_past_others(world: World):
    """Each beginning read all accounts, and waited for whoever held a stale row."""
    await world.rows(
        "INSERT INTO auth.authorisations SELECT 'state ' || n, 'tnt_1', 'x', NULL,"
        " '', '', 'k1', '', '', now() - interval '1 day' FROM"
        " generate_series(1, $1) AS n",
        STALE_BATCH + 10,
    )
    await world.rows(
        "INSERT INTO auth.accounts (tenant_id, account_id, app, state, created_at)"
        " SELECT 'tnt_1', 'acct_' || n, 'x', 'pending', now() - interval '1 day'"
        " FROM generate_series(1, $1) AS n",
        STALE_BATCH + 10,
    )
    holder = await asyncpg.connect(world.database.admin_url)
    try:
        async with holder.transaction():
            await holder.fetch("SELECT 1 FROM auth.authorisations LIMIT 5 FOR UPDATE")
            await holder.fetch("SELECT 1 FROM auth.accounts LIMIT 5 FOR UPDATE")
            await world.begin()
            assert await stale(world) == (10, 10)
            await world.begin()
            assert await stale(world) == (5, 5)
    finally:
        await holder.close()
    await world.begin()
    assert await stale(world) == (0, 0)


async def stale(world: World) -> tuple[int, int]:
    """Return how many stale authorisations and accounts there are."""
    (row,) = await world.rows(
        "SELECT (SELECT count(*) FROM auth.authorisations WHERE app = 'x'),"
        " (SELECT count(*) FROM auth.accounts WHERE app = 'x')"
    )
    return tuple(row.values())


async def test_an_answer_of_another_issuer_is_refused(world: World):
    """Hazard 111: a code is never taken to a server that did not give it."""
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    failure = await world.refusal(completion(back, issuer="https://evil.example"))
    assert failure.code is ErrorCode.AUTHORISATION_DENIED
    assert world.token_calls() == 0
    again = await world.consent((await world.begin()).authorise_url)
    account = await world.ask(completion(again, issuer="https://issuer.example"))
    assert account.state is AccountState.CONNECTED


async def test_a_wrong_client_secret_is_said(world: World):
    await world.set_client(client_secret="wrong")
    failure = await refused(world.authorise())
    assert failure.code is ErrorCode.CLIENT_REFUSED
    assert "invalid_client" in failure.detail
    assert "PUT /v1/apps/constant_contact/client" in failure.detail


async def test_another_code_is_refused(world: World):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    failure = await world.refusal(completion(back, code="guessed"))
    assert failure.code is ErrorCode.CREDENTIALS_REFUSED
    assert "invalid_grant" in failure.detail


async def test_a_code_of_another_flow_is_refused(world: World):
    """PKCE: a code that was stolen and put into another flow opens nothing."""
    first, second = await world.begin(), await world.begin()
    stolen = await world.consent(first.authorise_url)
    own = await world.consent(second.authorise_url)
    failure = await world.refusal(completion(own, code=stolen["code"]))
    assert failure.code is ErrorCode.CREDENTIALS_REFUSED


@pytest.mark.parametrize("kind", ["applied_but_lost", "status", "html"])
async def test_a_token_endpoint_that_fails_is_said(world: World, kind: Any):
    world.emulator.faults.add(Fault(kind=kind, path="/oauth2"))
    begun = await world.begin()
    world.emulator.faults.clear()
    back = await world.consent(begun.authorise_url)
    world.emulator.faults.add(Fault(kind=kind, path="/oauth2"))
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.APP_UNREACHABLE
    assert failure.retry is Retry.LATER
    assert await stored_accounts(world) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"app": AppId("nonesuch")}, ErrorCode.UNKNOWN_APP),
        ({"app": CARDS}, ErrorCode.INVALID),
        ({"redirect_uri": "javascript:alert(1)"}, ErrorCode.INVALID),
        ({"redirect_uri": "http://a b/"}, ErrorCode.INVALID),
        ({"browser": ""}, ErrorCode.INVALID),
        ({"account_id": AccountId("acct_none")}, ErrorCode.NOT_FOUND),
        ({"tenant_id": OTHER_TENANT}, ErrorCode.CLIENT_MISSING),
    ],
)
async def test_what_cannot_begin_is_said(
    world: World, changes: dict[str, Any], code: ErrorCode
):
    values = {
        "tenant_id": TENANT,
        "app": MAIL,
        "redirect_uri": REDIRECT_URI,
        "browser": BROWSER,
    }
    failure = await world.refusal(BeginAuthorisation(**{**values, **changes}))
    assert failure.code is code
    assert await world.rows("SELECT 1 FROM auth.authorisations") == []


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": ""},
        {"client_secret": "x" * 3000},
        {"client_secret": "a\0b"},
        {"token_url": "ftp://vendor.example/token"},
        {"token_url": "https://user@vendor.example/token"},
        {"api_url": "https://vendor.example:99999/"},
    ],
)
async def test_a_bad_client_is_refused(world: World, changes: dict[str, str]):
    failure = await refused(world.set_client(**changes))
    assert failure.code is ErrorCode.INVALID
    assert failure.field == next(iter(changes))


async def test_without_an_answer_from_the_app_nothing_is_kept(world: World):
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    world.connector_says = ErrorCode.APP_UNREACHABLE
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.APP_UNREACHABLE
    assert failure.retry is Retry.LATER
    assert await stored_accounts(world) == 0
    world.connector_says = None
    assert (await world.authorise()).state is AccountState.CONNECTED


async def test_once_the_state_is_used_up_nobody_is_told_to_try_again(world: World):
    """A page once said "try again shortly", and every try after that was refused.

    The state and mostly the code too are gone by then, so that only a new
    authorisation helps.
    """
    begun = await world.begin()
    back = await world.consent(begun.authorise_url)
    world.connector_says = ErrorCode.SERVICE_UNAVAILABLE
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_EXPIRED
    assert failure.retry is Retry.NEVER
    assert "Begin again" in failure.detail
    assert await stored_accounts(world) == 0


@pytest.mark.behaviour(
    1,
    broken_by="auth/proving.py: an account that is known already is stored once more",
)
async def test_the_same_account_of_the_app_is_reused(world: World):
    first = await world.authorise()
    second = await world.authorise()
    other = await world.authorise(vendor_id=world.vendor_ids[1])
    assert second.account_id == first.account_id
    assert second.created_at == first.created_at
    assert other.account_id != first.account_id
    assert await stored_accounts(world) == 2
    token = await world.issue(first.account_id)
    assert token.version == 2
    assert world.emulator.server.check(token.secret) is not None


async def test_two_windows_at_once_make_one_account(world: World):
    backs = [await world.consent((await world.begin()).authorise_url) for _ in range(4)]
    accounts = await asyncio.gather(*(world.ask(completion(back)) for back in backs))
    assert len({account.account_id for account in accounts}) == 1
    assert await stored_accounts(world) == 1


@pytest.mark.behaviour(
    4,
    broken_by="auth/proving.py: another account of the app takes the place of the"
    " first",
)
async def test_another_account_of_the_app_is_refused(world: World):
    """Hazard 10: whoever signs in as somebody else changes nothing."""
    account = await world.authorise()
    before = await world.issue(account.account_id)
    failure = await refused(
        world.authorise(vendor_id=world.vendor_ids[1], instead_of=account.account_id)
    )
    assert failure.code is ErrorCode.ACCOUNT_MISMATCH
    assert await stored_accounts(world) == 1
    assert await world.issue(account.account_id) == before
    assert await world.told("account_connected") == 1
    same = await world.authorise(instead_of=account.account_id)
    assert same.account_id == account.account_id


async def test_a_password_is_proved_before_it_is_stored(world: World):
    failure = await refused(world.add_password("wrong password"))
    assert failure.code is ErrorCode.CREDENTIALS_REFUSED
    assert await stored_accounts(world) == 0
    assert await world.told("account_lost") == 0
    account = await world.add_password()
    token = await world.issue(account.account_id)
    assert (token.username, token.secret) == ("ada", PASSWORD)
    assert token.base_url == CARDS_URL
    assert token.expires_at is None


async def test_a_password_of_another_account_is_refused(world: World):
    account = await world.add_password()
    world.identity = "somebody else"
    failure = await refused(world.add_password(account_id=account.account_id))
    assert failure.code is ErrorCode.ACCOUNT_MISMATCH
    assert (await world.issue(account.account_id)).version == 1


@pytest.mark.behaviour(
    1,
    broken_by="auth/proving.py: an account that is known already is stored once more",
)
async def test_one_account_is_one_however_its_address_is_spelled(world: World):
    """Each spelling of a server's address once made an account of its own."""
    world.identity = "127.0.0.1/ada/"
    first = await world.add_password()
    assert first.base_url == CARDS_URL
    for base_url in (
        "HTTP://127.0.0.1:1/dav/",
        "http://127.0.0.1:1",
        "http://127.0.0.1:1/dav/principals/ada/",
    ):
        again = await world.add_password(base_url=base_url)
        assert again.account_id == first.account_id
    other = await world.add_password(base_url="http://127.0.0.1:2/dav")
    assert other.account_id != first.account_id
    assert await stored_accounts(world) == 2


@pytest.mark.parametrize("is_known", [False, True])
async def test_an_account_that_is_dropped_while_it_is_proved_is_no_fault(
    world: World, is_known: bool
):
    """Another replica takes one for stale whose proof never comes to an end.

    An assertion told that once, as an unexpected fault; both with a row to be connected
    and with one that stands for the account already.
    """
    if is_known:
        await world.add_password()

    async def drop() -> None:
        await world.rows("DELETE FROM auth.accounts WHERE state = 'pending'")

    world.while_proved = drop
    failure = await refused(world.add_password())
    assert failure.code is ErrorCode.NOT_FOUND
    assert await stored_accounts(world) == is_known


async def test_an_account_that_another_stands_for_is_named(world: World):
    """To authorise one of two again at the other's address was a fault of ours."""
    world.identity = "127.0.0.1/ada/"
    first = await world.add_password(base_url="http://127.0.0.1:1")
    other = await world.add_password(base_url="http://127.0.0.1:2")
    failure = await refused(
        world.add_password(
            base_url="http://127.0.0.1:2/dav", account_id=first.account_id
        )
    )
    assert failure.code is ErrorCode.ALREADY_EXISTS
    assert other.account_id in failure.detail
    assert failure.field == "account_id"
    assert await stored_accounts(world) == 2
    assert (await world.issue(first.account_id)).base_url == "http://127.0.0.1:1"
    moved = await world.add_password(
        base_url="http://127.0.0.1:3", account_id=first.account_id
    )
    assert moved.account_id == first.account_id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"app": MAIL}, ErrorCode.INVALID),
        ({"base_url": "file:///etc/passwd"}, ErrorCode.INVALID),
        ({"username": ""}, ErrorCode.INVALID),
        ({"password": ""}, ErrorCode.INVALID),
        ({"account_id": AccountId("acct_none")}, ErrorCode.NOT_FOUND),
    ],
)
async def test_a_bad_password_account_is_refused(
    world: World, changes: dict[str, Any], code: ErrorCode
):
    values = {"base_url": CARDS_URL, "username": "ada", "password": PASSWORD}
    where = {name: changes[name] for name in changes.keys() - values.keys()}
    form = {name: changes.get(name, value) for name, value in values.items()}
    command = {"tenant_id": TENANT, "app": CARDS, "values": form, **where}
    failure = await world.refusal(AddAccount(**command))
    assert failure.code is code


@pytest.mark.behaviour(
    5, broken_by="auth/forms.py: what an app does not ask for is taken all the same"
)
@pytest.mark.parametrize(
    ("app", "name", "secret", "kind"),
    [
        (KEYED, "api_key", API_KEY, CredentialKind.API_KEY),
        (TOKENED, "token", BEARER_TOKEN, CredentialKind.BEARER),
    ],
)
async def test_what_a_person_gave_is_proved_sealed_and_issued(
    world: World, app: AppId, name: str, secret: str, kind: CredentialKind
):
    """Keys and tokens are kept like all credentials, and only by the app's form."""

    async def give(account_id: AccountId | None = None, **values: str) -> Account:
        return await world.ask(
            AddAccount(tenant_id=TENANT, app=app, values=values, account_id=account_id)
        )

    refusal = await refused(give(**{name: "wrong"}))
    assert refusal.code is ErrorCode.CREDENTIALS_REFUSED
    for values, field in (
        ({}, name),
        ({name: secret, "password": "x"}, "password"),
        ({name: secret, "base_url": CARDS_URL}, "base_url"),
    ):
        refusal = await refused(give(**values))
        assert (refusal.code, refusal.field) == (ErrorCode.INVALID, field)
    assert await stored_accounts(world) == 0

    account = await give(**{name: f"{secret}\n"})
    token = await world.issue(account.account_id)
    assert (token.kind, token.secret, token.username) == (kind, secret, "")
    assert (token.base_url, token.expires_at) == ("", None)
    (row,) = await world.rows("SELECT * FROM auth.credentials")
    assert secret.encode() not in repr(dict(row)).encode()
    assert secret.encode() not in bytes(row["body"])
    again = await give(account.account_id, **{name: secret})
    assert again.account_id == account.account_id
    assert (await world.issue(account.account_id)).version == 2


async def test_accounts_are_listed_in_pages(world: World):
    made = [await world.authorise(vendor_id=vendor) for vendor in world.vendor_ids]
    made.append(await world.add_password())
    first = await world.ask(ListAccounts(tenant_id=TENANT, limit=2))
    rest = await world.ask(
        ListAccounts(tenant_id=TENANT, limit=2, after=first.next_after)
    )
    assert [*first.accounts, *rest.accounts] == made
    assert rest.next_after is None
    whole = await world.ask(ListAccounts(tenant_id=TENANT, limit=0))
    assert len(whole.accounts) == 1
    assert (await world.ask(ListAccounts(tenant_id=OTHER_TENANT))).accounts == ()


async def test_a_removed_account_is_gone_with_its_credential(world: World):
    account_id = (await world.authorise()).account_id
    await world.ask(RemoveAccount(tenant_id=TENANT, account_id=account_id))
    assert await world.rows("SELECT 1 FROM auth.credentials") == []
    failure = await refused(world.issue(account_id))
    assert failure.code is ErrorCode.NOT_FOUND
    # A connection made with it a moment ago must not wait for ever.
    assert await world.told("account_lost") == 1


async def test_an_account_of_another_tenant_is_not_there(world: World):
    """Hazards 112 and 113: not refused, but unknown."""
    account_id = (await world.authorise()).account_id
    await world.ask(GetAccount(tenant_id=TENANT, account_id=account_id))
    for command in (GetAccount, RemoveAccount):
        failure = await world.refusal(
            command(tenant_id=OTHER_TENANT, account_id=account_id)
        )
        assert failure.code is ErrorCode.NOT_FOUND
    failure = await refused(
        world.connector.bus.request(
            IssueToken(tenant_id=OTHER_TENANT, account_id=account_id)
        )
    )
    assert failure.code is ErrorCode.NOT_FOUND
    assert (await world.issue(account_id)).version == 1


async def test_auth_refuses_to_start_with_what_cannot_work(
    world: World, tmp_path: Path
):
    """Hazard 122: a key ring without the keys in use is seen at once."""
    await world.add_password()
    ring = write_key_ring(tmp_path / "other.json", key_id="k2")
    with pytest.raises(BadConfiguration, match="secrets need the key 'k1' too"):
        async with world.auth(key_ring_file=ring):
            await asyncio.sleep(0)


async def test_tokens_say_which_client_they_share_and_no_claim_changes_it(
    world: World,
):
    """Vendors count by client: to name another's would be to spend that one's calls."""
    first, second = [
        (await world.authorise(vendor_id=vendor_id)).account_id
        for vendor_id in world.vendor_ids[:2]
    ]
    told = {(await world.issue(each)).limited_by for each in (first, second)}
    assert len(told) == 1
    assert len(told.pop()) == 32
    by_password = await world.add_password()
    assert (await world.issue(by_password.account_id)).limited_by == ""
    before = (await world.issue(first)).limited_by
    await world.set_client(client_id="of somebody else", client_secret="none")
    assert (await world.issue(first)).limited_by == before
    await world.set_client()
    world.move(86_340)
    renewed = await world.issue(first)
    assert (renewed.version, renewed.limited_by) == (2, before)
