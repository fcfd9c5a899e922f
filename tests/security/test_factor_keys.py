"""The api's key ring is replaced while people sign in, and so is its cipher."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from services.api.proofs import seals
from services.api.proofs.passwords import Hasher
from services.chassis.errors import BadConfiguration
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures, running
from tests.integration.api_system.running import System
from tests.security.second_factors import Home, Visitor, person_of
from tests.security.test_people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = MovableClock()
AES, CHACHA = "aes-256-gcm", "chacha20-poly1305"


class Rings:
    """Files of key rings, one after the other."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.keys = {
            name: base64.b64encode(os.urandom(32)).decode() for name in ("1", "2")
        }

    def write(self, active: str, *names: str, cipher: str = AES) -> Path:
        """Return a file with some of the keys, one of them active."""
        ring = {
            "active": active,
            "keys": {name: self.keys[name] for name in names},
            "cipher": cipher,
        }
        path = self._directory / f"{active}-{''.join(names)}-{cipher}.json"
        path.write_text(json.dumps(ring))
        return path


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Rings:
    return Rings(tmp_path_factory.mktemp("rings"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server, rings: Rings
) -> AsyncIterator[System]:
    """An api whose ring has two keys, of which the first seals."""
    ring = rings.write("1", "1", "2")
    async with fixtures.alone(
        postgres_server, nats_server, clock=CLOCK, key_ring_file=ring
    ) as started:
        yield started


def rotate(system: System, ring: Path) -> tuple[int, list[str]]:
    """Run the errand as an operator does; return its exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "services.api", "rotate-keys"],
        env={
            "PATH": os.environ["PATH"],
            "API_DATABASE_URL": system.runtime.settings.database_url,
            "API_NATS_URL": "nats://127.0.0.1:1",
            "API_KEY_RING_FILE": str(ring),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines()


async def sealed_by(system: System) -> set[tuple[str, str]]:
    """Return the keys and ciphers that second factors are sealed by."""
    rows = await system.rows("SELECT key_id, sealed FROM second_factors")
    return {
        (row["key_id"], bytes(row["sealed"]).partition(b"\0")[0].decode())
        for row in rows
    }


async def test_another_key_and_cipher_take_over_second_factors(
    system: System, rings: Rings
) -> None:
    home = Home(
        system,
        CLOCK,
        await system.tenant(requires_second_factor=True),
        await Hasher().hash(PASSWORD),
    )
    people = [await home.enrolled() for _ in range(3)]
    assert await sealed_by(system) == {("1", AES)}
    code, said = rotate(system, rings.write("2", "1", "2"))
    assert (code, said) == (
        0,
        ["second factors moved to the key '2': 3", "no other key is in use"],
    )
    assert await sealed_by(system) == {("2", AES)}
    # The replica that still seals with the first key opens what the second sealed.
    await people[0].enter()
    code, said = rotate(system, rings.write("2", "1", "2", cipher=CHACHA))
    assert (code, said[0]) == (0, "second factors moved to the key '2': 3")
    assert await sealed_by(system) == {("2", CHACHA)}
    await people[1].enter()
    assert rotate(system, rings.write("2", "2", cipher=CHACHA))[1][0].endswith(": 0")


async def test_what_does_not_open_stays_and_is_told(
    system: System, rings: Rings
) -> None:
    one, other = [await _person(system) for _ in range(2)]
    await system.rows(
        "UPDATE second_factors SET sealed = (SELECT sealed FROM second_factors"
        " WHERE person_id = $2) WHERE person_id = $1",
        person_of(one),
        person_of(other),
    )
    before = await _sealed_of(system, one)
    code, said = rotate(system, rings.write("2", "1", "2"))
    assert code == 1
    assert "second factors that cannot be moved: 1" in said
    assert await _sealed_of(system, one) == before
    assert await _sealed_of(system, other) != before
    await system.rows("DELETE FROM second_factors WHERE person_id = $1", person_of(one))


async def test_the_api_does_not_start_without_a_key_that_somebody_needs(
    system: System, rings: Rings, nats_server: nats.Server
) -> None:
    """Hazard 122: else nobody who has a second factor could sign in."""
    await _person(system)
    ring = rings.write("2", "2")
    with pytest.raises(BadConfiguration, match="second factors need the key '1'"):
        async with running.running(
            system.database, nats_server, others=system.others, key_ring_file=ring
        ):
            pass


async def test_a_factor_opens_for_its_own_person_alone(rings: Rings) -> None:
    """Hazard 121; ASVS 11.2.2: and by a cipher that is known."""
    safe = seals.load(rings.write("1", "1", "2"))
    whose = {"tenant_id": "tnt_1", "person_id": "pers_1"}
    sealed = safe.seal(b"secret", **whose)  # type: ignore[arg-type]
    assert safe.unseal(sealed, **whose) == b"secret"  # type: ignore[arg-type]
    for spoilt, whose_ in (
        (sealed, {**whose, "person_id": "pers_2"}),
        (sealed, {**whose, "tenant_id": "tnt_2"}),
        (msgspec.structs.replace(sealed, key_id="2"), whose),
        (msgspec.structs.replace(sealed, key_id="gone"), whose),
        (
            msgspec.structs.replace(sealed, sealed=b"rot13" + sealed.sealed[11:]),
            whose,
        ),
    ):
        with pytest.raises(seals.CannotOpen):
            safe.unseal(spoilt, **whose_)  # type: ignore[arg-type]


async def _person(system: System) -> Visitor:
    tenant_id = await system.tenant(requires_second_factor=True)
    home = Home(system, CLOCK, tenant_id, await Hasher().hash(PASSWORD))
    return await home.enrolled()


async def _sealed_of(system: System, visitor: Visitor) -> bytes:
    (row,) = await system.rows(
        "SELECT sealed FROM second_factors WHERE person_id = $1", person_of(visitor)
    )
    return bytes(row["sealed"])
