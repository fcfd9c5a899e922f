"""What is sealed opens for its own row only, and the key ring says what ails it."""

import base64
import hashlib
import json
import random
from pathlib import Path

import msgspec
import pytest

from proto.ids import AccountId, AppId, TenantId
from services.auth import sealing, vault
from services.auth.errors import CannotOpen
from services.auth.sealing import AccountSecret
from services.auth.vault import Sealed, Vault
from services.chassis import ciphers
from services.chassis.ciphers import AES_256_GCM, CHACHA20_POLY1305
from services.chassis.errors import BadConfiguration

TENANT = TenantId("tnt_1")
ACCOUNT = AccountId("acct_1")
SECRET = AccountSecret(access_token="access", refresh_token="refresh")
KEYS = {name: hashlib.sha256(name.encode()).digest() for name in ("old", "new")}
GOOD = base64.b64encode(KEYS["old"]).decode()
ROW = {"tenant_id": TENANT, "account_id": ACCOUNT, "version": 3}


@pytest.fixture
def safe() -> Vault:
    return Vault(active="new", keys=KEYS)


def test_a_secret_opens_in_its_own_row(safe: Vault):
    sealed = sealing.seal_account(safe, SECRET, **ROW)
    assert sealed.key_id == "new"
    assert sealing.open_account(safe, sealed, **ROW) == SECRET
    assert b"refresh" not in sealed.body + sealed.wrapped_key


def test_every_key_of_the_ring_opens(safe: Vault):
    """Rotation: the first key seals, the others still open (hazard 122)."""
    before = Vault(active="old", keys={"old": KEYS["old"]})
    sealed = sealing.seal_account(before, SECRET, **ROW)
    assert sealing.open_account(safe, sealed, **ROW) == SECRET
    assert before.lacks(["old", "new", "new"]) == ["new"]
    assert safe.lacks(["old", "new"]) == []


def test_nothing_is_sealed_twice_alike(safe: Vault):
    sealed = [sealing.seal_account(safe, SECRET, **ROW) for _ in range(50)]
    start = len(safe.header)
    assert len({each.body[start : start + 12] for each in sealed}) == 50
    assert len({each.wrapped_key[start + 12 :] for each in sealed}) == 50


@pytest.mark.parametrize(
    "other",
    [
        {"tenant_id": TenantId("tnt_2")},
        {"account_id": AccountId("acct_2")},
        {"version": 2},
        {"tenant_id": TenantId("tnt_1a"), "account_id": AccountId("cct_1")},
    ],
)
def test_a_secret_of_another_row_does_not_open(safe: Vault, other: dict[str, object]):
    """Hazard 121: copied to another tenant, account or version."""
    sealed = sealing.seal_account(safe, SECRET, **ROW)
    with pytest.raises(CannotOpen):
        sealing.open_account(safe, sealed, **(ROW | other))


def test_a_secret_of_another_purpose_does_not_open(safe: Vault):
    sealed = sealing.seal_client(safe, "secret", tenant_id=TENANT, app=AppId("app"))
    with pytest.raises(CannotOpen):
        sealing.open_verifier(safe, sealed, tenant_id=TENANT, state_hash="app")


def test_the_parts_of_two_rows_do_not_open(safe: Vault):
    one, two = (sealing.seal_account(safe, SECRET, **ROW) for _ in range(2))
    swapped = msgspec.structs.replace(one, body=two.body)
    with pytest.raises(CannotOpen):
        sealing.open_account(safe, swapped, **ROW)


@pytest.mark.parametrize("part", ["wrapped_key", "body"])
def test_an_altered_byte_anywhere_is_seen(safe: Vault, part: str):
    sealed = sealing.seal_account(safe, SECRET, **ROW)
    whole: bytes = getattr(sealed, part)
    for place in range(len(whole)):
        altered = bytearray(whole)
        altered[place] ^= 1
        broken = msgspec.structs.replace(sealed, **{part: bytes(altered)})
        with pytest.raises(CannotOpen):
            sealing.open_account(safe, broken, **ROW)
    for length in (0, 5, 12, 20):
        broken = msgspec.structs.replace(sealed, **{part: whole[:length]})
        with pytest.raises(CannotOpen):
            sealing.open_account(safe, broken, **ROW)


def test_an_unknown_key_is_named(safe: Vault):
    sealed = Sealed(key_id="gone", wrapped_key=b"", body=b"")
    with pytest.raises(CannotOpen, match="no key 'gone'"):
        sealing.open_account(safe, sealed, **ROW)


def ring(**keys: str) -> str:
    return json.dumps({"active": "k1", "keys": keys})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "No such file"),
        ("", "is empty"),
        ("  \n", "is empty"),
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"active": "k1"}', "not a JSON object"),
        ('{"active": "k1", "keys": {}, "more": 1}', "not a JSON object"),
        (b'{"active": "\xff", "keys": {}}', "not a JSON object"),
        (ring(k1="not base64!"), "key 'k1' is not base64"),
        (ring(k1="ключ"), "key 'k1' is not base64"),
        (ring(k1=base64.b64encode(b"short").decode()), "32 bytes, not 5"),
        (ring(k1=""), "32 bytes, not 0"),
        (ring(k1=base64.b64encode(bytes(32)).decode()), "key 'k1' is an example"),
        (ring(k1=base64.b64encode(bytes(range(9, 41))).decode()), "is an example"),
        (ring(k1=base64.b64encode(b"\x00\x7f" * 16).decode()), "is an example"),
        (
            ring(k1=base64.b64encode(b"this is no key, it is a sentence").decode()),
            "is an example",
        ),
        (ring(k2=GOOD), "there is no key 'k1'"),
        (
            json.dumps({"active": "k1", "keys": {"k1": GOOD}, "cipher": "rot13"}),
            "no cipher 'rot13': aes-256-gcm, chacha20-poly1305",
        ),
        (ring(), "there is no key 'k1'"),
    ],
)
def test_a_bad_key_ring_says_what_is_wrong(
    tmp_path: Path, content: str | bytes | None, fault: str
):
    path = tmp_path / "ring.json"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadConfiguration, match=fault) as failure:
        vault.load(path)
    assert all(str(path) in told for told in failure.value.faults)


def test_a_key_that_chance_made_is_no_example(tmp_path: Path):
    path = tmp_path / "ring.json"
    chance = random.Random(1)
    for _ in range(2_000):
        key = base64.b64encode(chance.randbytes(32)).decode()
        path.write_text(ring(k1=key))
        assert vault.load(path).active == "k1"


def test_every_fault_of_a_key_ring_is_told_at_once(tmp_path: Path):
    path = tmp_path / "ring.json"
    path.write_text(ring(k2="!", k3="QUJD", k4=GOOD))
    with pytest.raises(BadConfiguration) as failure:
        vault.load(path)
    assert len(failure.value.faults) == 3
    assert GOOD not in str(failure.value)


def test_a_good_key_ring_is_read(tmp_path: Path):
    path = tmp_path / "ring.json"
    path.write_text(ring(k1=GOOD) + "\n")
    sealed = vault.load(path).seal(b"secret", bound_to=("here",))
    assert vault.load(path).open(sealed, bound_to=("here",)) == b"secret"


def test_a_key_is_wrapped_anew_and_the_secret_stays_as_it_is(safe: Vault):
    before = Vault(active="old", keys=KEYS)
    place = sealing.of_account(TENANT, ACCOUNT, version=3)
    sealed = sealing.seal_account(before, SECRET, **ROW)
    wrapped = safe.rewrap(sealed, bound_to=place)
    assert wrapped.key_id == "new"
    moved = Sealed(
        key_id=wrapped.key_id, wrapped_key=wrapped.wrapped_key, body=sealed.body
    )
    after = Vault(active="new", keys={"new": KEYS["new"]})
    assert sealing.open_account(after, moved, **ROW) == SECRET


def test_another_cipher_seals_and_what_the_one_before_sealed_opens(safe: Vault):
    """ASVS 11.2.2: a cipher is replaced as a key is."""
    old = sealing.seal_account(safe, SECRET, **ROW)
    other = Vault(active="new", keys=KEYS, cipher=CHACHA20_POLY1305)
    new = sealing.seal_account(other, SECRET, **ROW)
    for sealed, name in ((old, AES_256_GCM), (new, CHACHA20_POLY1305)):
        for part in (sealed.wrapped_key, sealed.body):
            assert ciphers.cipher_of(part) == name
        for vault_ in (safe, other):
            assert sealing.open_account(vault_, sealed, **ROW) == SECRET
    assert (other.is_of_cipher(old), other.is_of_cipher(new)) == (False, True)
    # Wrapping anew changes the key alone: the body would still be of the old cipher.
    place = sealing.of_account(TENANT, ACCOUNT, version=3)
    assert safe.is_of_cipher(other.rewrap(old, bound_to=place))


def test_parts_by_two_ciphers_do_not_make_a_secret(safe: Vault):
    other = Vault(active="new", keys=KEYS, cipher=CHACHA20_POLY1305)
    one = sealing.seal_account(safe, SECRET, **ROW)
    two = sealing.seal_account(other, SECRET, **ROW)
    with pytest.raises(CannotOpen):
        sealing.open_account(safe, msgspec.structs.replace(one, body=two.body), **ROW)


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, 4),
        ({"key_id": "new"}, 3),
        ({"key_id": "gone"}, 3),
        ({"wrapped_key": b""}, 3),
        ({"wrapped_key": bytes(60)}, 3),
    ],
)
def test_what_does_not_open_is_not_wrapped_anew(
    safe: Vault, changes: dict[str, object], version: int
):
    sealed = sealing.seal_account(Vault(active="old", keys=KEYS), SECRET, **ROW)
    spoilt = msgspec.structs.replace(sealed, **changes)
    with pytest.raises(CannotOpen):
        safe.rewrap(
            spoilt, bound_to=sealing.of_account(TENANT, ACCOUNT, version=version)
        )
