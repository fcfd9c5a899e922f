"""Whoever pushes without the right to gets nothing (hazards 26 and 126, gate S11).

Forged, altered, old and repeated pushes have no effect, and no answer tells how near
they came.
"""

import asyncio
import random
import string

import pytest

from proto.ids import AccountId, TenantId
from services.connector import pushing, webhooks
from services.connector.port import Heard, Push
from services.connector.pushing import Keys, Replays, Target
from tests.fakes.clock import SkippingClock
from tests.integration.connector_pushing import (
    ACCOUNT,
    CLIENT,
    CLIENT_SECRET,
    GIVEN,
    KEYS,
    UNSIGNED,
    URL,
    GivenApp,
    Pushed,
    sign_client,
    sign_given,
    target,
)
from tests.security.conftest import Figures

MUTATED = 10_000
AT_ONCE = 40
LETTERS = string.ascii_letters + string.digits + "-_"
EVENTS = b'[{"portal": "portal-1"}]'


@pytest.fixture
async def pushed():
    async with Pushed(None, SkippingClock()).listening() as listening:
        yield listening


def genuine(pushed: Pushed, app) -> dict[str, str | bytes]:
    """Return all that a push of a vendor is made of."""
    path, stamp = KEYS.path(target(app)), pushed.stamp()
    if app == GIVEN:
        secret = KEYS.signing_secrets(target(app))[0]
        sign = sign_given(secret, stamp=stamp, body=EVENTS)
    else:
        sign = sign_client(CLIENT_SECRET, url=URL + path, stamp=stamp, body=EVENTS)
    return {"path": path, "stamp": stamp, "sign": sign, "body": EVENTS}


def mutated(whole: dict[str, str | bytes], chance: random.Random):
    """Change one part in one of the ways that a guess could take."""
    changed = dict(whole)
    part = chance.choice(["path", "stamp", "sign", "sign", "body"])
    before = whole[part]
    text = before.decode() if isinstance(before, bytes) else before
    # Of the path what comes before the slash is where it is, and no proof.
    start = 1 if part == "path" else 0
    place = chance.randrange(start, len(text))
    way = chance.randrange(5)
    if way == 0:
        other = chance.choice(LETTERS.replace(text[place], ""))
        text = text[:place] + other + text[place + 1 :]
    elif way == 1:
        text = text[:place]
    elif way == 2:
        text = text[:place] + chance.choice(LETTERS) + text[place:]
    elif way == 3:
        text = text[:start] + "".join(chance.choices(LETTERS, k=len(text) - start))
    else:
        text = text[:start] + text[start:].swapcase()
    changed[part] = text.encode() if isinstance(before, bytes) else text
    return changed if changed != whole else None


@pytest.mark.parametrize("app", [GIVEN, CLIENT])
async def test_of_ten_thousand_altered_pushes_none_is_taken(
    pushed: Pushed, figures: Figures, app
):
    chance = random.Random(126)
    whole = genuine(pushed, app)
    tries = []
    while len(tries) < MUTATED:
        if (one := mutated(whole, chance)) is not None:
            tries.append(one)
    changed = iter(tries)
    statuses = []

    async def send():
        for one in changed:
            statuses.append(
                await pushed.send(
                    one["path"], one["body"], X_Stamp=one["stamp"], X_Sign=one["sign"]
                )
            )

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    assert statuses == [webhooks.REFUSED_STATUS] * MUTATED
    assert pushed.waiting == []
    figures[f"altered_pushes_refused_{app}"] = len(statuses)
    # Not because nothing is taken: what all of them were made of is.
    assert await pushed.push(app, EVENTS) == 200
    assert pushed.waiting == ["acct_1"]


async def test_a_push_counts_once(pushed: Pushed):
    """It is answered like the first: the app may never have got that answer."""
    for app in (GIVEN, CLIENT):
        stamp = pushed.stamp()
        assert await pushed.push(app, EVENTS, stamp=stamp) == 200
        assert pushed.waiting == ["acct_1"]
        pushed.hints._waiting.clear()
        assert await pushed.push(app, EVENTS, stamp=stamp) == 200
        assert pushed.waiting == []
        assert await pushed.push(app, EVENTS, stamp=pushed.stamp(1)) == 200
        assert pushed.waiting == ["acct_1"]
        pushed.hints._waiting.clear()


@pytest.mark.parametrize(
    ("ahead_s", "status"), [(-302, 404), (-298, 200), (298, 200), (302, 404)]
)
async def test_a_push_is_taken_for_five_minutes(
    pushed: Pushed, ahead_s: int, status: int
):
    assert await pushed.push(GIVEN, EVENTS, stamp=pushed.stamp(ahead_s)) == status
    assert len(pushed.waiting) == (status == 200)


async def test_no_push_counts_twice_as_long_as_it_is_timely(pushed: Pushed):
    """Signed ahead of our clock it can come again for ten minutes."""
    stamp = pushed.stamp(299)
    assert await pushed.push(GIVEN, EVENTS, stamp=stamp) == 200
    pushed.hints._waiting.clear()
    for _ in range(20):
        pushed.clock.move(29.5)
        await pushed.push(GIVEN, EVENTS, stamp=stamp)
        assert pushed.waiting == []
    pushed.clock.move(30)
    assert await pushed.push(GIVEN, EVENTS, stamp=stamp) == 404


async def test_a_signed_push_without_a_time_is_refused(pushed: Pushed):
    """It could be repeated for ever."""
    assert await pushed.push(GIVEN, EVENTS, stamp="") == 404
    assert pushed.waiting == []


async def test_who_is_refused_learns_nothing_from_the_answer(pushed: Pushed):
    there = KEYS.path(target(GIVEN))
    old = pushed.stamp(-400)
    secret = KEYS.signing_secrets(target(GIVEN))[0]
    answers = []
    for method, path, headers in (
        ("POST", "/", {}),
        ("POST", "/push/given/tnt_1/acct_1/" + "A" * 43, {}),
        ("POST", KEYS.path(target("silent")), {}),
        ("POST", KEYS.path(target("gone")), {}),
        ("POST", KEYS.path(Target(CLIENT, TenantId("tnt_1"), ACCOUNT)), {}),
        ("PUT", there, {}),
        ("GET", there, {}),
        ("POST", there, {}),
        ("POST", there, {"X-Sign": "0" * 64, "X-Stamp": pushed.stamp()}),
        (
            "POST",
            there,
            {"X-Sign": sign_given(secret, stamp=old, body=b"{}"), "X-Stamp": old},
        ),
    ):
        async with pushed.session.request(
            method, path, data=b"{}", headers=headers
        ) as answer:
            told = {k: v for k, v in answer.headers.items() if k != "Date"}
            answers.append((answer.status, told, await answer.read()))
    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 404
    assert pushed.waiting == []


async def test_a_push_whose_app_fails_is_refused(
    pushed: Pushed, monkeypatch: pytest.MonkeyPatch
):
    """What strangers send meets an app's code: nothing of it may end the listener."""

    def fails(push: Push, *, secret: bytes) -> Heard | None:
        raise RecursionError

    monkeypatch.setattr(GivenApp, "hear", staticmethod(fails))
    assert await pushed.push(GIVEN, EVENTS) == 404
    assert await pushed.push(UNSIGNED, EVENTS) == 200


def test_an_address_is_its_own_accounts_alone():
    whole = Target(UNSIGNED, TenantId("tnt_1"), AccountId("acct_1"))
    path = KEYS.path(whole)
    assert KEYS.find(path) == whole
    assert KEYS.find(KEYS.path(target(CLIENT))) == target(CLIENT)
    for before, after in (
        ("tnt_1", "tnt_2"),
        ("acct_1", "acct_2"),
        ("unsigned", "given"),
        ("/acct_1", ""),
        ("/tnt_1/", "/tnt_1/acct_1/"),
        ("/push", "/push/"),
        ("/push", "//push"),
        ("tnt_1/acct_1", "tnt_1acct_1"),
        ("tnt_1/acct_1", "tnt_/1acct_1"),
    ):
        assert before in path
        assert KEYS.find(path.replace(before, after, 1)) is None
    assert KEYS.find(path + "?") is None
    assert KEYS.find(path + "/" * 1_000_000) is None


def test_addresses_and_secrets_outlast_a_new_key():
    """S11: rotation without a gap."""
    old, new = bytes(range(32)), bytes(range(100, 132))
    before, both, after = Keys([old]), Keys([new, old]), Keys([new])
    path, secret = before.path(target()), before.signing_secrets(target())[0]
    assert both.find(path) == target()
    assert secret in both.signing_secrets(target())
    assert both.path(target()) == after.path(target()) != path
    assert both.signing_secrets(target())[0] == after.signing_secrets(target())[0]
    assert after.find(path) is None
    assert secret not in after.signing_secrets(target())


def test_what_is_remembered_of_pushes_has_a_bound():
    replays = Replays(count_max=100)
    for number in range(1_000):
        assert replays.is_new(number.to_bytes(4, "big"), now_s=number / 1000)
    assert len(replays) <= 101
    assert not replays.is_new((999).to_bytes(4, "big"), now_s=1.0)
    assert replays.is_new(b"later", now_s=1.0 + 2 * pushing.AGE_S_MAX)
    assert len(replays) == 1
