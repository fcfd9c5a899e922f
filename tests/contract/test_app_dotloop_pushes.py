"""What Dotloop's app makes of pushes, and what its emulator pushes."""

import datetime
import hashlib
import hmac
import json

import pytest

from services.connector.port import Heard, Push
from tests.contract.dotloop_account import FOLDER, Account, emulated_account
from tests.emulators.core.hooks import Hook

SECRET = b"a key that was given"
URL = "https://tandem.example/push/dotloop/tnt_1/acct_1/x"
SENT_AT = datetime.datetime(2026, 2, 11, 12, tzinfo=datetime.UTC)
STAMP = "1770811200"
EVENT = (FOLDER / "fixtures/push_updated.json").read_bytes()
hear = emulated_account.new_app("dotloop").hear


def signed(body: bytes, *, stamp: str = STAMP) -> str:
    text = stamp.encode() + b"." + body
    return hmac.new(SECRET, text, hashlib.sha1).hexdigest()


def pushed(body: bytes = EVENT, *, stamp: str = STAMP, **more: str) -> Push:
    headers = {
        "x-dotloop-timestamp": stamp,
        "x-dotloop-signature": signed(body, stamp=stamp),
    }
    return Push(url=URL, body=body, headers=headers | more)


@pytest.mark.parametrize("body", [EVENT, b"", b"\xff", b"[" * 5_000])
def test_what_is_signed_says_when(body):
    """The address says whose it is, and the body is not read."""
    assert hear(pushed(body), secret=SECRET) == Heard(sent_at=SENT_AT)


@pytest.mark.parametrize("start", ["x-dotloop-", "x-dotloop-webhook-"])
@pytest.mark.parametrize("with_others", [False, True])
def test_headers_have_one_name_or_the_other(start, with_others):
    """Sources differ; a signature counts with the time beside it alone."""
    others = {"x-dotloop-timestamp": "", "x-dotloop-signature": "none"}
    told = {f"{start}timestamp": STAMP, f"{start}signature": signed(EVENT)}
    push = Push(url=URL, body=EVENT, headers=(others if with_others else {}) | told)
    assert hear(push, secret=SECRET) == Heard(sent_at=SENT_AT)
    apart = {**others, f"{start}timestamp": "1", f"{start}signature": signed(EVENT)}
    apart["x-dotloop-other-timestamp"] = STAMP
    assert hear(Push(url=URL, body=EVENT, headers=apart), secret=SECRET) is None


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1" * 15, "٣", "1770811200.5"])
def test_a_time_that_is_none_is_refused(stamp):
    assert hear(pushed(stamp=stamp), secret=SECRET) is None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "\udcff",
        signed(EVENT)[:-1],
        signed(EVENT).upper(),
        signed(b"{}"),
        # Over the body alone it holds no time: whoever has it could send it for ever.
        hmac.new(SECRET, EVENT, hashlib.sha1).hexdigest(),
    ],
)
def test_a_signature_that_is_none_is_refused(signature):
    assert hear(pushed(**{"x-dotloop-signature": signature}), secret=SECRET) is None


def test_another_key_is_refused():
    assert hear(pushed(), secret=b"") is None
    assert hear(pushed(), secret=SECRET + b"!") is None


async def test_the_emulator_pushes_ids_and_signs_where_it_has_a_key():
    async with Account.connected() as account:
        hooks = account.emulator.hooks
        for secret in ("", "s"):
            hook = Hook(
                url="http://127.0.0.1:1/",
                account_id=account.held.account_id,
                secret=secret,
            )
            hooks.enter(hook)
        (ann,) = account.add(1)
        account.edit(ann, firstName="Ann")
        account.delete(ann)
        sent = await hooks.settled()
    told = [json.loads(one.request.body) for one in sent]
    kinds = [one["eventType"] for one in told]
    assert kinds[::2] == ["CONTACT_CREATED", "CONTACT_UPDATED", "CONTACT_DELETED"]
    assert {one["event"]["id"] for one in told} == {str(ann)}
    plain, with_key = (one.request for one in sent[:2])
    assert "X-DOTLOOP-SIGNATURE" not in plain.headers
    text = with_key.headers["X-DOTLOOP-TIMESTAMP"].encode() + b"." + with_key.body
    expected = hmac.new(b"s", text, hashlib.sha1).hexdigest()
    assert with_key.headers["X-DOTLOOP-SIGNATURE"] == expected
