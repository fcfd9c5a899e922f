"""API keys: a typo is told from an unknown key, and no text is kept."""

import random

import pytest

from proto.ids import ApiKeyId, TenantId
from services.api.proofs import keys
from services.api.requests import issuing
from services.chassis import identifiers
from services.chassis.clock import SystemClock
from services.chassis.identifiers import Identifiers


def test_a_new_key_is_well_formed_and_new() -> None:
    made = {keys.generate() for _ in range(200)}
    assert len(made) == 200
    assert all(keys.is_well_formed(key) and len(key) == 53 for key in made)


def test_every_single_typo_is_seen() -> None:
    key = keys.generate()
    source = random.Random(7)
    for place in range(len(key)):
        other = source.choice([c for c in "abcXYZ059_" if c != key[place]])
        assert not keys.is_well_formed(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tdm_",
        "x" * 53,
        "tdm_" + "é" * 49,
        "tdm_" + "0" * 48,
        "tdm_\0" * 11,
        "tdm_" + "0" * 43 + "\udcff" * 6,
    ],
)
def test_what_is_no_key_is_refused_without_a_fault(text: str) -> None:
    assert not keys.is_well_formed(text)
    assert keys.digest(text) != keys.digest(keys.generate())


def test_swapped_neighbours_are_seen() -> None:
    key = keys.generate()
    for place in range(4, len(key) - 1):
        first, second = key[place], key[place + 1]
        if first != second:
            swapped = key[:place] + second + first + key[place + 2 :]
            assert not keys.is_well_formed(swapped)


def test_a_row_holds_the_digest_alone() -> None:
    issued = issuing.make(
        TenantId("tnt_1"),
        name="k",
        scopes=("write", "read", "write"),
        expires_at=None,
        created_by="key_1",
        identifiers=Identifiers(SystemClock()),
    )
    assert issued.row.digest == keys.digest(issued.text)
    assert issued.row.scopes == ("read", "write")
    assert issued.text not in str(issued.row)
    assert identifiers.is_id(ApiKeyId, issued.row.key_id)


@pytest.mark.parametrize("text", ["", "key", "key_", "key_x", "tnt_1", "key_\n"])
def test_what_is_no_id_is_none(text: str) -> None:
    assert not identifiers.is_id(ApiKeyId, text)


def test_an_id_is_of_its_own_type_alone() -> None:
    made = Identifiers(SystemClock()).new(TenantId)
    assert identifiers.is_id(TenantId, made)
    assert not identifiers.is_id(ApiKeyId, made)
    assert not identifiers.is_id(TenantId, made + "\n")
    assert not identifiers.is_id(TenantId, made.upper())
