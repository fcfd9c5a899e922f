"""Codes are those of RFC 6238, and an app can read what it is to know."""

import base64
import datetime
import re
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from services.api.content import picturing
from services.api.proofs import recovery, totp

SECRET = b"12345678901234567890"
OF_RFC = b"12345678901234567890123456789012"
EMAIL = "ana+x&y@example.org"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "119246"),
        (1111111109, "084774"),
        (1111111111, "062674"),
        (1234567890, "819424"),
        (2000000000, "698825"),
        (20000000000, "737706"),
    ],
)
def test_codes_are_those_of_rfc_6238(moment: int, code: str) -> None:
    """Its appendix B for SHA-256, of which six of eight digits are shown."""
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    assert totp.code_of(OF_RFC, totp.step_of(at)) == code


def test_a_code_counts_in_its_own_step_alone() -> None:
    code = totp.code_of(SECRET, 7)
    told = [totp.is_right(SECRET, code, step=step) for step in (6, 7, 8)]
    assert told == [False, True, False]


@pytest.mark.parametrize(
    "text", ["", "12345", "1234567", "12345x", "１２３４５６", "-12345"]
)
def test_what_is_not_six_digits_is_no_code(text: str) -> None:
    assert not totp.is_code(text)


def test_secrets_are_as_long_as_the_hash_and_new() -> None:
    made = {totp.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {20}


def test_an_app_reads_all_that_it_has_to_know() -> None:
    uri = urlsplit(totp.uri_of(SECRET, email=EMAIL))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    assert unquote(uri.path) == f"/Tandem:{EMAIL}"
    assert {name: value for name, (value,) in parse_qs(uri.query).items()} == {
        "secret": base64.b32encode(SECRET).decode(),
        "issuer": "Tandem",
        "algorithm": "SHA256",
        "digits": "6",
        "period": "30",
    }
    spelled = totp.spelled(SECRET)
    assert base64.b32decode(spelled.replace(" ", "")) == SECRET


def test_the_picture_is_squares_and_no_text() -> None:
    """Whatever the address: nothing of it is markup, or readable, in the page."""
    for email in (EMAIL, '"><script>alert(1)</script>@x.example'):
        drawn = picturing.picture_of(totp.uri_of(SECRET, email=email))
        assert re.fullmatch(
            r'<svg width="\d+" height="\d+"><g transform="scale\(5\)">'
            r'<path fill="#fff" d="[Mhvz0-9. -]+"/>'
            r'<path stroke="#000" d="[Mmh0-9. -]+"/></g></svg>',
            drawn,
        ), drawn[:200]


def test_recovery_codes_are_140_random_bits_and_may_be_spaced_anyhow() -> None:
    codes = [code for _ in range(20) for code in recovery.new_codes()]
    assert len(set(codes)) == len(codes) == 20 * recovery.COUNT
    for code in codes:
        assert re.fullmatch(r"([A-Z2-7]{4}-){6}[A-Z2-7]{4}", code)
    code = codes[0]
    assert recovery.digest_of(f" {code.replace('-', ' ').lower()} ") == (
        recovery.digest_of(code)
    )
    assert recovery.digest_of(code) != recovery.digest_of(codes[1])
