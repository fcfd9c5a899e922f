"""Sealed rows that were swapped, altered or keyed wrongly open nowhere.

Somebody writes to the database; a real process of auth is asked for what the row is
for. It refuses, the secret leaves by no way, and other rows serve as before (hazards
120 to 122). Rings that cannot be used keep auth from starting.
"""

import asyncio
import base64
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from proto.auth import CredentialKind, IssueToken
from proto.errors import ErrorCode
from proto.ids import AccountId, TenantId
from services.auth import rows, sealing, vault
from services.auth.sealing import AccountSecret
from services.chassis.errors import CommandFailed
from tests.integration.auth_world import (
    MAIL,
    OTHER_TENANT,
    TENANT,
    World,
    opened,
    refused,
)
from tests.security.conftest import Figures
from tests.security.processes import Processes

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANA, BEN = AccountId("acct_ana"), AccountId("acct_ben")
OLD = "the password before"
SECRETS = {
    (TENANT, ANA): "the password of ana",
    (TENANT, BEN): "the password of ben",
    (OTHER_TENANT, ANA): "the password of another tenant's ana",
}
CLIENT_SECRETS = {TENANT: "client secret one", OTHER_TENANT: "client secret two"}
SEALED = ("key_id", "wrapped_key", "body")
NONCE_END, TAG = 12, 16


class Rows:
    """What is stored, written anew before each attempt."""

    def __init__(self, world: World, processes: Processes, *, ring: Path) -> None:
        self.world = world
        self.processes = processes
        self._safe = vault.load(ring)

    async def write(self) -> None:
        """Store three passwords of two tenants, and a client of each."""
        for table in ("credentials", "accounts", "app_clients"):
            await self.world.rows(f"DELETE FROM auth.{table}")
        for (tenant_id, account_id), password in SECRETS.items():
            await self.world.rows(
                "INSERT INTO auth.accounts (tenant_id, account_id, app, state,"
                " created_at) VALUES ($1, $2, $3, 'connected', now())",
                *(tenant_id, account_id, MAIL),
            )
            columns = self.sealed(tenant_id, account_id, password, version=2)
            await self.world.rows(
                "INSERT INTO auth.credentials (tenant_id, account_id, kind, version,"
                " key_id, wrapped_key, body) VALUES ($1, $2, $3, 2, $4, $5, $6)",
                *(tenant_id, account_id, CredentialKind.BASIC.value),
                *columns.values(),
            )
        for tenant_id, secret in CLIENT_SECRETS.items():
            sealed = sealing.seal_client(
                self._safe, secret, tenant_id=tenant_id, app=MAIL
            )
            await self.world.rows(
                "INSERT INTO auth.app_clients (tenant_id, app, client_id, key_id,"
                " wrapped_key, body, authorise_url, token_url, api_url, updated_at)"
                " VALUES ($1, $2, 'id', $3, $4, $5, '', '', '', now())",
                *(tenant_id, MAIL, *rows.columns(sealed).values()),
            )

    def sealed(
        self,
        tenant_id: TenantId,
        account_id: AccountId,
        password: str,
        *,
        version: int,
    ) -> dict[str, object]:
        return rows.columns(
            sealing.seal_account(
                self._safe,
                AccountSecret(password=password),
                tenant_id=tenant_id,
                account_id=account_id,
                version=version,
            )
        )

    async def ask(self, account_id: AccountId, tenant_id: TenantId = TENANT) -> str:
        command = IssueToken(tenant_id=tenant_id, account_id=account_id)
        token = await self.world.connector.bus.request(command, timeout_s=20)
        return token.secret


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres_server, nats_server, tmp_path_factory) -> AsyncIterator[Rows]:
    directory = tmp_path_factory.mktemp("rows")
    ring = write_ring(directory / "ring.json", active="1", keys=("1", "2"))
    async with opened(postgres_server, nats_server) as world:
        processes = Processes(world, ring=ring, log=directory / "auth.log")
        try:
            await processes.start(1)
            yield Rows(world, processes, ring=ring)
        finally:
            await processes.end(signal.SIGKILL)


@pytest_asyncio.fixture(loop_scope="module")
async def stored(shared: Rows) -> Rows:
    await shared.write()
    return shared


def write_ring(path: Path, *, active: str, keys: tuple[str, ...]) -> Path:
    made = {name: base64.b64encode(os.urandom(32)).decode() for name in keys}
    path.write_text(json.dumps({"active": active, "keys": made}))
    return path


def moved(columns: str, *, origin: str) -> str:
    """Return what puts some columns of another row into that of ana."""
    assigned = ", ".join(f"{name} = other.{name}" for name in columns.split())
    return (
        f"UPDATE auth.credentials AS ana SET {assigned} FROM {origin} AS other"
        f" WHERE ana.tenant_id = '{TENANT}' AND ana.account_id = '{ANA}'"
    )


def altered(assignment: str) -> str:
    return (
        f"UPDATE auth.credentials SET {assignment}"
        f" WHERE tenant_id = '{TENANT}' AND account_id = '{ANA}'"
    )


def flipped(column: str, place: str) -> str:
    at = place.format(length=f"length({column})")
    return altered(f"{column} = set_byte({column}, {at}, get_byte({column}, {at}) # 1)")


BENS = "(SELECT * FROM auth.credentials WHERE account_id = 'acct_ben')"
FOREIGN = f"(SELECT * FROM auth.credentials WHERE tenant_id = '{OTHER_TENANT}')"
CLIENTS = f"(SELECT * FROM auth.app_clients WHERE tenant_id = '{TENANT}')"
PLACES = ("0", f"{NONCE_END}", "{length} - 1", f"{{length}} - {TAG}")
ATTACKS = {
    "of another account": moved("key_id wrapped_key body", origin=BENS),
    "body of another account": moved("body", origin=BENS),
    "key of another account": moved("key_id wrapped_key", origin=BENS),
    "of another tenant": moved("key_id wrapped_key body", origin=FOREIGN),
    "body of another tenant": moved("body", origin=FOREIGN),
    "of another purpose": moved("key_id wrapped_key body", origin=CLIENTS),
    "of a later version": altered("version = 3"),
    "of an earlier version": altered("version = 1"),
    "another key of the ring": altered("key_id = '2'"),
    "a key that the ring lacks": altered("key_id = 'gone'"),
    "no key": altered("key_id = ''"),
    **{
        f"{column} altered at {place}": flipped(column, place)
        for column in ("body", "wrapped_key")
        for place in PLACES
    },
    **{
        f"{column} {name}": altered(f"{column} = {value.format(column)}")
        for column in ("body", "wrapped_key")
        for name, value in {
            "empty": "''::bytea",
            "cut short": "substring({0} FROM 1 FOR 20)",
            "without its tag": "substring({0} FROM 1 FOR length({0}) - 16)",
            "with more behind": "{0} || '\\x00'::bytea",
            "twice": "{0} || {0}",
        }.items()
    },
    "body in the place of the key": altered("wrapped_key = body"),
    "a password as it is": altered(
        r"body = convert_to('{\"password\":\"x\"}', 'UTF8')"
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_row_that_is_not_its_own_does_not_open(
    stored: Rows, figures: Figures, name: str
):
    await stored.world.rows(ATTACKS[name])
    (failure,) = await asyncio.gather(stored.ask(ANA), return_exceptions=True)
    figures["rows_attacked"] = int(figures.get("rows_attacked", 0)) + 1
    figures["rows_opened"] = int(figures.get("rows_opened", 0)) + isinstance(
        failure, str
    )
    assert isinstance(failure, CommandFailed)
    assert failure.code is ErrorCode.UNKNOWN
    assert not [s for s in SECRETS.values() if s in failure.detail]
    for (tenant_id, account_id), password in SECRETS.items():
        if (tenant_id, account_id) != (TENANT, ANA):
            assert await stored.ask(account_id, tenant_id) == password


async def test_a_row_as_it_was_opens(stored: Rows):
    """Or the refusals above would say nothing."""
    assert await stored.ask(ANA) == SECRETS[TENANT, ANA]


async def test_an_old_version_put_back_does_not_open(stored: Rows):
    """Out of a backup: the row says version 2, and what is in it was sealed for 1."""
    columns = stored.sealed(TENANT, ANA, OLD, version=1)
    await stored.world.rows(
        "UPDATE auth.credentials SET key_id = $1, wrapped_key = $2, body = $3"
        " WHERE tenant_id = $4 AND account_id = $5",
        *(*columns.values(), TENANT, ANA),
    )
    assert (await refused(stored.ask(ANA))).code is ErrorCode.UNKNOWN


@pytest.mark.parametrize(
    "origin",
    [
        f"(SELECT * FROM auth.app_clients WHERE tenant_id = '{OTHER_TENANT}')",
        BENS,
    ],
    ids=["of another tenant", "of an account"],
)
async def test_a_client_secret_of_elsewhere_is_not_sent(stored: Rows, origin: str):
    """An account's token has to be renewed with it: the app is not even asked."""
    world = stored.world
    world.emulator.statistics.reset()
    token = AccountSecret(access_token="a", refresh_token="r")
    sealed = sealing.seal_account(
        stored._safe, token, tenant_id=TENANT, account_id=ANA, version=2
    )
    await world.rows(
        "UPDATE auth.credentials SET kind = 'bearer', renew_at = now(),"
        " key_id = $1, wrapped_key = $2, body = $3"
        " WHERE tenant_id = $4 AND account_id = $5",
        *(*rows.columns(sealed).values(), TENANT, ANA),
    )
    await world.rows(
        "UPDATE auth.app_clients AS mine SET key_id = other.key_id,"
        f" wrapped_key = other.wrapped_key, body = other.body FROM {origin} AS other"
        " WHERE mine.tenant_id = $1",
        TENANT,
    )
    assert (await refused(stored.ask(ANA))).code is ErrorCode.UNKNOWN
    assert world.token_calls() == 0


def ring_of(key: bytes, *, name: str = "1") -> str:
    return json.dumps({"active": name, "keys": {name: base64.b64encode(key).decode()}})


RINGS = {
    "no ring named": ("", "AUTH_KEY_RING_FILE is not set"),
    "no such file": ("none", "No such file"),
    "the example of zeros": (ring_of(bytes(32)), "is an example"),
    "a sentence": (ring_of(b"please change this to a real key"), "is an example"),
    "without the key in use": (
        ring_of(os.urandom(32), name="3"),
        "secrets need the key '1' too",
    ),
}


@pytest.mark.parametrize("name", RINGS)
async def test_a_ring_that_cannot_be_used_keeps_auth_from_starting(
    stored: Rows, figures: Figures, tmp_path: Path, name: str
):
    """Never is anything stored without a key, or with one that everybody knows."""
    text, said = RINGS[name]
    path = tmp_path / "ring.json"
    if text not in ("", "none"):
        path.write_text(text)
    refusing = Processes(stored.world, ring=path, log=tmp_path / "auth.log")
    setting = {} if text else {"AUTH_KEY_RING_FILE": ""}
    output = await refusing.refusal(**setting)
    assert said in output
    assert "Traceback" not in output
    figures["rings_refused"] = int(figures.get("rings_refused", 0)) + 1


async def test_no_secret_was_written_to_the_log(stored: Rows):
    """Last in this file: after all that was refused."""
    written = stored.processes.log.read_text()
    assert "command_failed" in written
    known = (*SECRETS.values(), *CLIENT_SECRETS.values(), OLD)
    assert not [secret for secret in known if secret in written]
