"""What is decided of a provider before anybody is sent there."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from services.api.config import Config
from services.api.proofs import oidc
from services.api.proofs.oidc import KeysTooShort, NotProved
from services.chassis import config
from services.chassis.errors import BadConfiguration

NEEDED: dict[str, Any] = {
    "database_url": "x",
    "nats_url": "x",
    "key_ring_file": Path("x"),
}


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://other.example"},
        {"issuer": "https://id.example/"},
        {"token_endpoint": "http://id.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": 7},
    ],
)
def test_a_document_is_the_issuers_own_and_stays_with_https(
    change: dict[str, Any],
) -> None:
    good = {
        "issuer": "https://id.example",
        "authorization_endpoint": "https://id.example/authorise",
        "token_endpoint": "https://id.example/token",
        "jwks_uri": "https://keys.example/",
    }
    oidc.read_provider(json.dumps(good).encode(), issuer="https://id.example")
    with pytest.raises(NotProved):
        oidc.read_provider(
            json.dumps({**good, **change}).encode(), issuer="https://id.example"
        )


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"keys": []}', b'{"keys": [1]}', b'{"keys": [{}]}']
)
def test_keys_that_are_none_are_said_so(data: bytes) -> None:
    with pytest.raises(NotProved):
        oidc.read_keys(data)


def test_what_is_missing_of_a_provider_is_said_at_start() -> None:
    for issuer in ("https://id.example", "http://127.0.0.1:8000", "ftp://x", "x"):
        with pytest.raises(BadConfiguration) as caught:
            Config(**NEEDED, oidc_issuer=issuer)
        is_good = issuer[:4] == "http"
        assert len(caught.value.faults) == (2 if is_good else 3)
    with pytest.raises(BadConfiguration):
        Config(
            **NEEDED,
            oidc_issuer="http://id.example",
            oidc_client_id="x",
            oidc_client_secret_file=Path("x"),
        )


@pytest.mark.parametrize(
    ("bits", "floor", "is_taken"),
    [(1024, 2048, False), (2048, 2048, True), (2048, 3072, False), (3072, 3072, True)],
)
def test_an_rsa_key_that_is_too_short_signs_nobody_in(
    bits: int, floor: int, is_taken: bool
) -> None:
    key = RSAKey.generate_key(bits, auto_kid=True).as_dict(private=False)
    curve = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=False)
    data = json.dumps({"keys": [key, curve]}).encode()
    read = oidc.read_keys(data, rsa_bits_min=floor)
    found = {one.kid for one in read.keys.keys}
    assert found == {curve["kid"], *([key["kid"]] if is_taken else [])}
    assert read.short_count == (0 if is_taken else 1)


def test_what_is_taken_unless_an_operator_says_otherwise_is_128_bits() -> None:
    """ASVS 11.2.3; NIST SP 800-57 part 1, table 2."""
    settings = Config(**NEEDED)
    assert settings.oidc_rsa_bits_min == oidc.RSA_BITS_MIN == 3072
    short = RSAKey.generate_key(2048, auto_kid=True).as_dict(private=False)
    data = json.dumps({"keys": [short]}).encode()
    with pytest.raises(KeysTooShort, match="keys_too_short"):
        oidc.read_keys(data)
    for curve in ("P-256", "P-384"):
        key = ECKey.generate_key(curve, auto_kid=True).as_dict(private=False)
        oidc.read_keys(json.dumps({"keys": [key]}).encode())
    with pytest.raises(BadConfiguration, match="API_OIDC_RSA_BITS_MIN must be from"):
        config.load(
            Config,
            "API",
            environment={
                **{f"API_{name.upper()}": str(value) for name, value in NEEDED.items()},
                "API_OIDC_RSA_BITS_MIN": "2047",
            },
        )
