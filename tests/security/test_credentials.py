"""The ring's key is replaced while tokens are issued, and nothing is left behind.

What becomes of rows that somebody has laid hands on is in `test_credential_rows`.
"""

import asyncio
import base64
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from proto.auth import CredentialKind, IssueToken
from proto.ids import AccountId
from services.auth import rotation, sealing, vault
from services.auth.config import Config
from services.auth.rotation import Rotator, Tally
from services.auth.sealing import AccountSecret
from services.auth.store import AuthWork, Credential
from services.auth.vault import Vault
from services.chassis.errors import CommandFailed
from services.chassis.store import Store
from tests.integration.auth_world import (
    MAIL,
    PASSWORD,
    TENANT,
    World,
    completion,
    opened,
    standing,
)
from tests.security.conftest import Figures

pytestmark = pytest.mark.asyncio(loop_scope="module")

CREDENTIALS = 10_000
READERS = 10
ROTATION_S_MAX = 60.0
TAKES_AT_ITS_WORD = {"refusal_confirm_s": 0.001}
"""A token that was just given and is refused is renewed all the same."""


class Rings:
    """The key ring files of one rotation, step by step."""

    def __init__(self, directory: Path) -> None:
        keys = {name: base64.b64encode(os.urandom(32)).decode() for name in ("1", "2")}
        self.old = self._write(directory, "old", active="1", keys={"1": keys["1"]})
        self.both = self._write(directory, "both", active="1", keys=keys)
        self.turned = self._write(directory, "turned", active="2", keys=keys)
        self.new = self._write(directory, "new", active="2", keys={"2": keys["2"]})
        self.other_cipher = self._write(
            directory, "cipher", active="1", keys=keys, cipher="chacha20-poly1305"
        )

    def _write(
        self,
        directory: Path,
        name: str,
        *,
        active: str,
        keys: dict[str, str],
        **more: str,
    ) -> Path:
        path = directory / f"{name}.json"
        path.write_bytes(msgspec.json.encode({"active": active, "keys": keys, **more}))
        return path


@pytest.fixture
def rings(tmp_path: Path) -> Rings:
    return Rings(tmp_path)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres_server, nats_server) -> AsyncIterator[World]:
    async with opened(postgres_server, nats_server) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> World:
    """Nothing stored at all."""
    await shared.reset()
    return shared


async def start(world: World, ring: Path) -> asyncio.subprocess.Process:
    """Start the errand as an operator does."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.auth", "rotate-keys"),
        env={
            "PATH": os.environ["PATH"],
            "AUTH_DATABASE_URL": world.database.service_url("auth"),
            "AUTH_NATS_URL": "nats://127.0.0.1:1",
            "AUTH_KEY_RING_FILE": str(ring),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def rotate(world: World, ring: Path) -> tuple[int | None, list[str]]:
    """Run the errand; return its exit code and what it said."""
    child = await start(world, ring)
    async with asyncio.timeout(ROTATION_S_MAX):
        out, err = await child.communicate()
    assert b"Traceback" not in err, err.decode()
    return child.returncode, out.decode().splitlines()


def password(number: int) -> str:
    return f"the password number {number:05}"


def account(number: int) -> AccountId:
    return AccountId(f"acct_{number:05}")


async def fill(world: World, safe: Vault, *, count: int) -> None:
    """Store accounts with passwords, as they would be had people added them."""
    accounts, credentials, now = [], [], world.clock.now()
    for number in range(count):
        key = {"tenant_id": TENANT, "account_id": account(number)}
        secret = AccountSecret(password=password(number))
        sealed = sealing.seal_account(safe, secret, **key, version=1)
        accounts.append((*key.values(), "carddav", "connected", str(number), now))
        credentials.append(
            (*key.values(), "basic", 1, sealed.key_id, sealed.wrapped_key, sealed.body)
        )
    connection = await asyncpg.connect(world.database.admin_url)
    try:
        await connection.copy_records_to_table(
            "accounts",
            schema_name="auth",
            records=accounts,
            columns=[
                *("tenant_id", "account_id", "app", "state", "vendor_account_id"),
                "created_at",
            ],
        )
        await connection.copy_records_to_table(
            "credentials",
            schema_name="auth",
            records=credentials,
            columns=[
                *("tenant_id", "account_id", "kind", "version"),
                *("key_id", "wrapped_key", "body"),
            ],
        )
    finally:
        await connection.close()


async def keys_of(world: World, table: str = "credentials") -> dict[str, int]:
    rows = await world.rows(
        f"SELECT key_id, count(*) FROM auth.{table} GROUP BY key_id"
    )
    return {row["key_id"]: row["count"] for row in rows}


class Readers:
    """Callers who want tokens all the time, and count those they did not get."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopping = False
        self.good = 0
        self.bad: list[str] = []
        self.renewed: dict[AccountId, int] = {}

    async def read(self, seed: int) -> None:
        """Ask for the secret of one account after another."""
        chance = random.Random(seed)
        while not self._stopping:
            number = chance.randrange(CREDENTIALS)
            command = IssueToken(tenant_id=TENANT, account_id=account(number))
            await self._ask(command, password(number))

    async def renew(self, account_id: AccountId) -> None:
        """Have the token of an account refreshed again and again."""
        self.renewed[account_id] = 1
        while not self._stopping:
            version = self.renewed[account_id] + 1
            await self._ask(
                IssueToken(tenant_id=TENANT, account_id=account_id, version_min=version)
            )
            self.renewed[account_id] = version

    async def _ask(self, command: IssueToken, expected: str | None = None) -> None:
        try:
            token = await self._world.connector.bus.request(command, timeout_s=20)
        except CommandFailed as err:
            self.bad.append(repr(err))
            return
        if expected is not None:
            assert token.kind is CredentialKind.BASIC
            is_good = token.secret == expected
        else:
            is_good = self._world.emulator.server.check(token.secret) is not None
        self.good += is_good
        if not is_good:
            self.bad.append(command.account_id)

    async def during(
        self, work: Awaitable[None], asking: Sequence[Awaitable[None]]
    ) -> None:
        """Ask while the work goes on."""
        tasks = [asyncio.ensure_future(one) for one in asking]
        try:
            await work
        finally:
            self._stopping = True
            await asyncio.gather(*tasks)


async def test_ten_thousand_credentials_are_rotated_online(
    world: World, rings: Rings, figures: Figures
):
    """Killed once on its way, with a replica that still seals with the old key."""
    readers = Readers(world)
    took_s = 0.0

    async def rotate_all() -> None:
        nonlocal took_s
        before = time.monotonic()
        child = await start(world, rings.turned)
        assert child.stderr is not None
        async with asyncio.timeout(ROTATION_S_MAX):
            while b"keys_rewrapped" not in await child.stderr.readline():
                pass
        child.kill()
        await child.communicate()
        moved = (await keys_of(world))["2"]
        assert rotation.PAGE <= moved < CREDENTIALS
        _code, said = await rotate(world, rings.turned)
        took_s = time.monotonic() - before
        count = int(said[0].split()[-1])
        assert count >= CREDENTIALS - moved

    async with world.auth(key_ring_file=rings.both, **TAKES_AT_ITS_WORD):
        await world.set_client()
        mail = (await world.authorise()).account_id
        begun = await world.begin()
        await fill(world, vault.load(rings.both), count=CREDENTIALS)
        await readers.during(
            rotate_all(),
            [*(readers.read(seed) for seed in range(READERS)), readers.renew(mail)],
        )
    assert readers.bad == []
    assert readers.good > 100
    assert readers.renewed[mail] > 5
    assert took_s < ROTATION_S_MAX
    figures |= {
        "credentials_rotated": CREDENTIALS,
        "rotation_seconds": round(took_s, 1),
        "reads_meanwhile": readers.good,
        "reads_failed": len(readers.bad),
    }
    # The old replica is gone now, and what it sealed last is moved too.
    code, said = await rotate(world, rings.turned)
    assert (code, said[-1]) == (0, "no other key is in use")
    for table in ("credentials", "app_clients", "authorisations"):
        assert (await keys_of(world, table)).keys() == {"2"}
    async with world.auth(key_ring_file=rings.new, **TAKES_AT_ITS_WORD):
        for number in (0, 4_999, 9_999):
            assert (await world.issue(account(number))).secret == password(number)
        version = readers.renewed[mail] + 1
        assert (await world.issue(mail, version_min=version)).version == version
        back = await world.consent(begun.authorise_url)
        assert (await world.ask(completion(back))).account_id == mail


async def test_another_cipher_takes_over_as_another_key_does(
    world: World, rings: Rings
):
    """ASVS 11.2.2: first it seals what is new, then `rotate-keys` moves the rest."""
    count = 2 * rotation.PAGE + 7
    async with world.auth(key_ring_file=rings.both, **TAKES_AT_ITS_WORD):
        await world.set_client()
        await world.authorise()
        await fill(world, vault.load(rings.both), count=count)
    assert await ciphers_of(world) == {"aes-256-gcm"}
    async with world.auth(key_ring_file=rings.other_cipher, **TAKES_AT_ITS_WORD):
        await world.begin()
        assert await ciphers_of(world) == {"aes-256-gcm", "chacha20-poly1305"}
        assert (await world.issue(account(3))).secret == password(3)
        code, said = await rotate(world, rings.other_cipher)
        # The account and the client that were made first, and all that was filled in.
        assert (code, said[0].split()[-1]) == (0, str(count + 2))
        assert await ciphers_of(world) == {"chacha20-poly1305"}
        for number in (0, rotation.PAGE, count - 1):
            assert (await world.issue(account(number))).secret == password(number)
    # And back again, whatever is said of a cipher.
    assert (await rotate(world, rings.both))[0] == 0
    assert await ciphers_of(world) == {"aes-256-gcm"}


async def ciphers_of(world: World) -> set[str]:
    """Return by which ciphers keys and bodies are sealed, in all tables."""
    return {
        bytes(row["cipher"]).decode()
        for table in ("credentials", "app_clients", "authorisations")
        for part in ("wrapped_key", "body")
        for row in await world.rows(
            f"SELECT DISTINCT substring({part} FROM 1 FOR position("
            f"'\\x00'::bytea IN {part}) - 1) AS cipher FROM auth.{table}"
        )
    }


async def test_nothing_to_do_is_said(world: World, rings: Rings):
    await fill(world, vault.load(rings.turned), count=3)
    assert await rotate(world, rings.turned) == (
        0,
        ["secrets moved to the key '2': 0", "no other key is in use"],
    )


async def test_rows_that_do_not_open_stay_and_are_told(world: World, rings: Rings):
    """Hazards 121 and 122: swapped, altered, of another version, keyed wrongly."""
    await fill(world, vault.load(rings.old), count=600)
    await world.rows(
        "UPDATE auth.credentials AS one SET wrapped_key = other.wrapped_key,"
        " body = other.body FROM auth.credentials AS other WHERE (one.account_id,"
        " other.account_id) IN (('acct_00000', 'acct_00001'),"
        " ('acct_00001', 'acct_00000'))"
    )
    await world.rows(
        "UPDATE auth.credentials SET wrapped_key ="
        " set_byte(wrapped_key, 20, get_byte(wrapped_key, 20) # 1)"
        " WHERE account_id = 'acct_00002'"
    )
    await world.rows(
        "UPDATE auth.credentials SET version = 2 WHERE account_id = 'acct_00003'"
    )
    await world.rows(
        "UPDATE auth.credentials SET key_id = 'gone' WHERE account_id = 'acct_00004'"
    )
    before = await spoilt(world)
    assert await rotate(world, rings.turned) == (
        1,
        [
            "secrets moved to the key '2': 595",
            "secrets that cannot be moved, see the log: 5",
            "secrets that still need the key '1': 4",
            "secrets that still need the key 'gone': 1",
        ],
    )
    assert await spoilt(world) == before
    assert len(before) == 5


async def spoilt(world: World) -> list[tuple[object, ...]]:
    rows = await world.rows(
        "SELECT account_id, key_id, wrapped_key, body FROM auth.credentials"
        " WHERE account_id < 'acct_00005' ORDER BY account_id"
    )
    return [tuple(row.values()) for row in rows]


async def test_what_is_replaced_meanwhile_is_not_overwritten(
    world: World, rings: Rings
):
    """By a replica with the old ring, so that even the key's name is the same."""
    old, safe = vault.load(rings.both), vault.load(rings.turned)
    async with standing(world, "auth", Config, key_ring_file=rings.turned) as runtime:
        store: Store[AuthWork] = runtime.store(AuthWork)
        rotator = Rotator(store, vault=safe)
        await fill(world, old, count=2)
        credentials, clients, _authorisations = rotation.DRAWERS
        async with world.auth(key_ring_file=rings.both):
            await world.set_client(client_secret="the first")
            read = [
                (drawer, await rotator.old(drawer, after=("", "")))
                for drawer in (credentials, clients)
            ]
            await world.set_client(client_secret="the second")
        await renew(store, old, number=1)
        tally = Tally()
        for drawer, page in read:
            await rotator.move(drawer, page, tally=tally)
        assert tally == Tally(rewrapped=1)
        async with store.transaction(TENANT) as work:
            assert await rotation.keys_in_use(work) == {"1": 2, "2": 1}
        assert await rotator.run() == Tally(rewrapped=2)
        async with store.transaction(TENANT) as work:
            client = await work.client(TENANT, MAIL)
            renewed = await work.credential(TENANT, account(1))
        assert client is not None
        sealed = client.client_secret
        secret = sealing.open_client(safe, sealed, tenant_id=TENANT, app=MAIL)
        assert secret == "the second"
        assert renewed is not None
        assert sealing.open_account(
            safe, renewed.secret, tenant_id=TENANT, account_id=account(1), version=2
        ) == AccountSecret(password=PASSWORD)


async def renew(store: Store[AuthWork], safe: Vault, *, number: int) -> None:
    """Replace an account's secret by its next version."""
    key = {"tenant_id": TENANT, "account_id": account(number), "version": 2}
    sealed = sealing.seal_account(safe, AccountSecret(password=PASSWORD), **key)
    renewed = Credential(
        kind=CredentialKind.BASIC,
        version=2,
        secret=sealed,
        expires_at=None,
        renew_at=None,
    )
    async with store.transaction(TENANT) as work:
        assert await work.renew_credential(TENANT, account(number), credential=renewed)
