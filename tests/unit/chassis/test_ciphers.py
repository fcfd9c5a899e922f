"""What is sealed says by which cipher, and opens by that one and no other."""

import hashlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from services.chassis import ciphers
from services.chassis.ciphers import AES_256_GCM, CHACHA20_POLY1305
from services.chassis.errors import NotOpened

KEY = hashlib.sha256(b"key").digest()
SECRET = b"a secret"
PLACE = b"here"


@pytest.mark.parametrize("cipher", ciphers.KNOWN)
def test_a_secret_says_by_which_cipher_it_was_sealed(cipher: str) -> None:
    sealed = ciphers.seal(KEY, SECRET, bound_to=PLACE, cipher=cipher)
    assert sealed.startswith(cipher.encode() + b"\0")
    assert ciphers.cipher_of(sealed) == cipher
    assert SECRET not in sealed
    assert ciphers.unseal(KEY, sealed, bound_to=PLACE) == SECRET
    for key, place in ((bytes(32), PLACE), (KEY, b"there")):
        with pytest.raises(NotOpened):
            ciphers.unseal(key, sealed, bound_to=place)


@pytest.mark.parametrize("cipher", ciphers.KNOWN)
def test_an_altered_byte_anywhere_is_seen(cipher: str) -> None:
    sealed = ciphers.seal(KEY, SECRET, bound_to=PLACE, cipher=cipher)
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(NotOpened):
            ciphers.unseal(KEY, bytes(altered), bound_to=PLACE)
    for length in range(len(sealed)):
        with pytest.raises(NotOpened):
            ciphers.unseal(KEY, sealed[:length], bound_to=PLACE)


def test_a_secret_of_an_unknown_cipher_is_refused() -> None:
    for name in (b"rot13", b"none", b"", b"AES-256-GCM", b"x" * 100, b"\xff"):
        with pytest.raises(NotOpened, match="no cipher that is known"):
            ciphers.unseal(KEY, name + b"\0" + bytes(60), bound_to=PLACE)
    with pytest.raises(NotOpened, match="no cipher that is known"):
        ciphers.unseal(KEY, bytes(60), bound_to=PLACE)


def test_the_name_of_the_cipher_is_sealed_along() -> None:
    """Without the name in what is authenticated the rest opens by nothing."""
    sealed = ciphers.seal(KEY, SECRET, bound_to=PLACE, cipher=AES_256_GCM)
    head = ciphers.header(AES_256_GCM)
    nonce, text = sealed[len(head) : len(head) + 12], sealed[len(head) + 12 :]
    keyed = ciphers._keyed(AES_256_GCM, KEY)
    assert keyed.decrypt(nonce, text, head + PLACE) == SECRET
    with pytest.raises(InvalidTag):
        keyed.decrypt(nonce, text, PLACE)
    renamed = ciphers.header(CHACHA20_POLY1305) + nonce + text
    with pytest.raises(NotOpened):
        ciphers.unseal(KEY, renamed, bound_to=PLACE)


def test_no_two_ciphers_have_the_same_key_and_none_has_the_given_one() -> None:
    head = {name: ciphers.header(name) for name in ciphers.KNOWN}
    for name, kind in ((AES_256_GCM, AESGCM), (CHACHA20_POLY1305, ChaCha20Poly1305)):
        sealed = ciphers.seal(KEY, SECRET, bound_to=PLACE, cipher=name)
        rest = sealed[len(head[name]) :]
        with pytest.raises(InvalidTag):
            kind(KEY).decrypt(rest[:12], rest[12:], head[name] + PLACE)


def test_nothing_is_sealed_twice_alike() -> None:
    made = {ciphers.seal(KEY, SECRET, bound_to=PLACE) for _ in range(50)}
    assert len(made) == 50
