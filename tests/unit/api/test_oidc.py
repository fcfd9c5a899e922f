"""What is decided of a provider before anybody is sent there."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from services.api import oidc
from services.api.config import Config
from services.api.oidc import NotProved
from services.chassis.errors import BadConfiguration


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
            Config(database_url="x", nats_url="x", oidc_issuer=issuer)
        is_good = issuer[:4] == "http"
        assert len(caught.value.faults) == (2 if is_good else 3)
    with pytest.raises(BadConfiguration):
        Config(
            database_url="x",
            nats_url="x",
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
    found = {one.kid for one in oidc.read_keys(data, rsa_bits_min=floor).keys}
    assert found == {curve["kid"], *([key["kid"]] if is_taken else [])}
