"""Keyed hashes of who was erased: of one tenant, and of no use without the key."""

import hashlib
import hmac

import pytest

from proto.ids import AccountId, ErasureId, RecordId, TenantId
from services.chassis.keyring import KeyRing
from services.reconciler.errors import CannotUnseal
from services.reconciler.pseudonyms import Pseudonyms

OURS, THEIRS = TenantId("tnt_ours"), TenantId("tnt_theirs")
EMAIL = "ana@example.org"
KEYS = {name: hashlib.sha256(name.encode()).digest() for name in ("k1", "k2")}


def made(*names: str) -> Pseudonyms:
    return Pseudonyms(KeyRing(names[0], {name: KEYS[name] for name in names}))


def test_a_hash_depends_on_the_key_the_tenant_and_what_it_is_of():
    first = made("k1")
    record = {"account_id": AccountId("a"), "record_id": RecordId("bc")}
    other = {"account_id": AccountId("ab"), "record_id": RecordId("c")}
    found = [
        first.of_email(OURS, EMAIL),
        first.of_email(THEIRS, EMAIL),
        made("k2").of_email(OURS, EMAIL),
        first.of_link(OURS, EMAIL),
        first.of_record(OURS, record["account_id"], record_id=record["record_id"]),
        first.of_record(OURS, other["account_id"], record_id=other["record_id"]),
    ]
    assert len(set(found)) == len(found)
    assert first.of_email(OURS, EMAIL) == made("k1").of_email(OURS, EMAIL)
    # Neither the address alone nor with the ring's key itself gives it.
    assert hashlib.sha256(EMAIL.encode()).digest() not in found
    assert hmac.digest(KEYS["k1"], EMAIL.encode(), "sha256") not in found


def test_after_a_rotation_old_hashes_are_still_known():
    before, after = made("k1"), made("k2", "k1")
    old = before.of_email(OURS, EMAIL)
    assert after.of_email(OURS, EMAIL) != old
    assert old in after.all_of_email(OURS, EMAIL)
    assert after.lacks(["k1", "k2"]) == []
    assert made("k2").lacks(["k1", "k2"]) == ["k1"]


def test_a_note_opens_for_its_own_erasure_alone():
    first, erasure_id = made("k1"), ErasureId("eras_1")
    sealed = first.seal(b"Ana", tenant_id=OURS, erasure_id=erasure_id)
    assert b"Ana" not in sealed
    again = made("k2", "k1").unseal(sealed, tenant_id=OURS, erasure_id=erasure_id)
    assert again == b"Ana"
    for other, tenant_id, name in (
        (first, THEIRS, erasure_id),
        (first, OURS, ErasureId("eras_2")),
        (made("k2"), OURS, erasure_id),
    ):
        with pytest.raises(CannotUnseal):
            other.unseal(sealed, tenant_id=tenant_id, erasure_id=name)
    with pytest.raises(CannotUnseal):
        first.unseal(
            sealed[:-1] + bytes([sealed[-1] ^ 1]),
            tenant_id=OURS,
            erasure_id=erasure_id,
        )
