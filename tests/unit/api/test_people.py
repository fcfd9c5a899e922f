"""What is decided of passwords, of places, and of whose page a request is."""

import asyncio
import dataclasses
from pathlib import Path

import argon2
import pytest
from aiohttp.test_utils import make_mocked_request
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from services.api import remotes
from services.api.config import Config
from services.api.people import signing
from services.api.proofs import passwords
from services.api.proofs.passwords import Hasher, TooBusy
from services.api.requests import origins, sessions
from services.api.store import guesses
from services.chassis.errors import BadConfiguration
from tests.contract.growing import LINEAR_MAX, growth

EMAIL = "ana.bell@acme.example"
CHEAP = dataclasses.replace(
    passwords.PARAMETERS, time_cost=1, memory_cost=64, parallelism=1
)
OWN = "https://tandem.example.org"


@pytest.mark.parametrize(
    "password",
    [
        "stapled pigeons argue",
        "twelve chars",
        "пароль из слов",
        "ünïcödé works fine",
        "x" * 3 + "Rt9 wq7 zk1!" * 20,
        "correct horse, but mine",
        "ana.bell was born here",
    ],
)
def test_length_is_what_counts(password: str) -> None:
    assert passwords.fault_of(password, email=EMAIL) == ""


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "eleven char",
        "x" * 257,
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "123456789012",
        "0123456789012345",
        "abcdefghijklmnop",
        "zyxwvutsrqponmlk",
        "qwertyuiopasdf",
        "password1234",
        "Password1234!",
        "P@ssw0rd!!!!12",
        "passwordpassword",
        "pass word pass word",
        "correct horse battery staple",
        "tandem123456",
        "ana.bell@acme.example",
        "Ana.Bell2024!",
        "acme.example",
        "acmeacmeacme",
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    assert passwords.fault_of(password, email=EMAIL)


def test_no_breached_password_is_taken_however_it_is_lengthened() -> None:
    """Each of 30,000, alone or made long enough in the ways that people know."""
    listed = FREQUENCY_LISTS["passwords"]
    assert len(listed) == 30_000
    long_enough = [one for one in listed if len(one) >= passwords.CHARS_MIN]
    assert len(long_enough) > 200
    tried = list(long_enough)
    for one in listed:
        times = -(-passwords.CHARS_MIN // len(one))
        tried += (one * max(times, 2), f"{one}!2026!123456", f"12345678{one}.!?")
    taken = [one for one in tried if not passwords.fault_of(one, email=EMAIL)]
    assert taken == []


def test_a_listed_password_may_be_a_part_of_a_longer_one() -> None:
    for text in ("monkey dragon shadow", "sunshine on lighthouses", "my dragon sleeps"):
        assert not passwords.fault_of(text, email=EMAIL)


def test_no_text_keeps_the_check_busy() -> None:
    """What is as good as linear, for texts that keep estimates of guesses busy."""

    def check(text: str) -> None:
        for _ in range(20):
            passwords.fault_of(text, email=EMAIL)

    for part in ("4@8({[<369!1|/0$5+7%2xz", "a1", "\u0130"):
        few, many = (part * 25)[:25], (part * 250)[:250]
        assert growth(check, few=few, many=many) < LINEAR_MAX, part


async def test_a_password_is_checked_exactly_as_it_came() -> None:
    """ASVS 6.2.8: not cut off, and nothing in it changed: neither signs nor case."""
    hasher, password = Hasher(CHEAP), " caf\u00e9 au lait, deux "
    made = await hasher.hash(password)
    assert await hasher.verify(made, password) == (True, made)
    for other in (
        "cafe\u0301 au lait, deux ",
        password.strip(),
        password.upper(),
        password.replace(" ", "\u00a0"),
        password[:-1],
        password + "\n",
    ):
        assert not (await hasher.verify(made, other)).is_right, other
    long = "x" * passwords.CHARS_MAX
    assert not (await hasher.verify(await hasher.hash(long), long + "y")).is_right


def test_a_password_is_as_long_as_it_came() -> None:
    """Composed it would be too short: counted is what is typed."""
    typed = "ae\u0301iou\u0308 qzwxk"
    assert len(typed) == 13
    assert passwords.fault_of("q\u00e9 wzx k\u00fcp!", email=EMAIL)
    assert not passwords.fault_of(typed, email=EMAIL)
    # But a word that is guessed first is one in wide letters, too.
    assert passwords.fault_of("\uff30\uff41ssword \uff30assword", email=EMAIL)


async def test_an_empty_hash_is_nobodys() -> None:
    assert not (await Hasher(CHEAP).verify("", "")).is_right


async def test_too_many_hashes_at_once_are_not_waited_for() -> None:
    hasher = Hasher(CHEAP)
    results = await asyncio.gather(
        *(hasher.verify("", "x") for _ in range(passwords.WAITING_MAX + 3)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, TooBusy) for result in results) == 3
    assert not (await hasher.verify("", "x")).is_right


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ana@example.org", "ana@example.org"),
        (" Ana@EXAMPLE.org\n", "ana@example.org"),
        ("ana@bücher.example", "ana@bücher.example"),
        ("ana@xn--bcher-kva.example", "ana@bücher.example"),
        ("e\u0301@example.org", "\u00e9@example.org"),
        ("ana", ""),
        ("", ""),
        ("a\x00@example.org", ""),
        ("a@b@example.org", ""),
        ("x" * 300 + "@example.org", ""),
    ],
)
def test_an_address_has_one_spelling(text: str, normal: str) -> None:
    assert signing.normal_email(text) == normal


@pytest.mark.parametrize(
    ("headers", "is_foreign", "is_own"),
    [
        ({}, False, False),
        ({"Sec-Fetch-Site": "same-origin"}, False, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://x"}, False, True),
        ({"Sec-Fetch-Site": "same-site"}, True, False),
        ({"Sec-Fetch-Site": "cross-site"}, True, False),
        ({"Sec-Fetch-Site": "none"}, True, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": OWN}, True, False),
        ({"Sec-Fetch-Site": ""}, True, False),
        ({"Origin": OWN}, False, True),
        ({"Origin": "null"}, True, False),
        ({"Origin": "http://tandem.example.org"}, True, False),
        ({"Origin": f"{OWN}.attacker.example"}, True, False),
        ({"Origin": f"{OWN}:8443"}, True, False),
    ],
)
def test_whose_page_it_is(
    headers: dict[str, str], is_foreign: bool, is_own: bool
) -> None:
    assert origins.is_foreign(headers, base_url=OWN) is is_foreign
    assert origins.is_own(headers, base_url=OWN) is is_own


@pytest.mark.parametrize(
    ("peer", "forwarded", "remote"),
    [
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.7,10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["2001:DB8::1"], "2001:db8::1"),
        ("203.0.113.5", ["198.51.100.7"], "203.0.113.5"),
        ("", ["198.51.100.7"], ""),
    ],
)
def test_proxies_are_believed_as_far_as_they_are_known(
    peer: str, forwarded: list[str], remote: str
) -> None:
    """Else anybody could guess from a new address each time."""
    request = make_mocked_request(
        "GET", "/", headers=[("X-Forwarded-For", line) for line in forwarded]
    ).clone(remote=peer)
    assert remotes.remote_of(request, ("10.0.0.0/8",)) == remote
    assert remotes.remote_of(request, ()) == peer


def test_what_is_no_network_is_said_at_start() -> None:
    with pytest.raises(BadConfiguration) as caught:
        Config(
            database_url="x",
            nats_url="x",
            key_ring_file=Path("x"),
            proxies=("10.0.0.1/8", "proxy"),
        )
    assert len(caught.value.faults) == 2


@pytest.mark.parametrize(
    ("remote", "place"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", ""),
    ],
)
def test_a_place_is_what_one_visitor_has(remote: str, place: str) -> None:
    assert guesses.place_of(remote) == place


def test_hashes_are_made_by_the_second_recommendation_of_rfc_9106() -> None:
    parameters = passwords.PARAMETERS
    assert parameters.type is argon2.Type.ID
    assert (parameters.time_cost, parameters.memory_cost) == (3, 64 * 1024)
    assert (parameters.parallelism, parameters.salt_len) == (4, 16)
    assert parameters.hash_len == 32


def test_subjects_do_not_run_together() -> None:
    seen = {
        subject
        for pair in (("a", "b"), ("a\0b", ""), ("ab", ""), ("", "ab"))
        for subject in guesses.subjects_of(*pair)
    }
    assert len(seen) == 4 + 4 + 3


def test_the_cookie_is_bound_to_this_host_where_there_is_https() -> None:
    assert sessions.cookie_name(OWN) == "__Host-tandem_session"
    assert sessions.cookie_name("http://127.0.0.1:8080") == "tandem_session"
