"""What HubSpot's app makes of pushes, by the vendor's fields and signature."""

import base64
import datetime
import hashlib
import hmac
import json

import pytest

from services.connector.port import Heard, Push
from tests.contract.conformance import bench as benches
from tests.contract.conformance import door as doors
from tests.contract.conformance.stages.hubspot import HubSpot
from tests.contract.hubspot_account import FOLDER, MANIFEST, emulated_account

SECRET = b"a client's secret"
URL = "https://tandem.example/push/hubspot/tnt_1/x"
SENT_AT = datetime.datetime(2026, 2, 11, 12, 0, 0, 250_000, tzinfo=datetime.UTC)
STAMP = "1770811200250"
EVENTS = (FOLDER / "fixtures/push_events.json").read_bytes()
LAG_S = 45.0
hear = emulated_account.new_app("hubspot").hear


def signed(body: bytes, *, stamp: str = STAMP, url: str = URL) -> str:
    text = b"POST" + url.encode() + body + stamp.encode()
    return base64.b64encode(hmac.new(SECRET, text, hashlib.sha256).digest()).decode()


def pushed(body: bytes = EVENTS, *, stamp: str = STAMP, **more: str) -> Push:
    headers = {
        "x-hubspot-request-timestamp": stamp,
        "x-hubspot-signature-v3": signed(body, stamp=stamp),
    }
    return Push(url=URL, body=body, headers=headers | more)


def test_the_accounts_of_a_push_are_told_once_each():
    assert hear(pushed(), secret=SECRET) == Heard(
        vendor_account_ids=("24680135", "13579246"), sent_at=SENT_AT
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'[{"portalId": "24680135"}]',
        b'[{"portalId": -1}]',
        b'[{"portalId": 1%s}]' % (b"0" * 5_000),
        b"[" * 5_000,
        b"\xff",
    ],
)
def test_what_is_signed_and_not_known_names_nobody(body):
    assert hear(pushed(body), secret=SECRET) == Heard(sent_at=SENT_AT)


def test_more_events_than_the_vendor_sends_are_read_too():
    body = json.dumps([{"portalId": number} for number in range(1_000)]).encode()
    assert len(hear(pushed(body), secret=SECRET).vendor_account_ids) == 1_000


@pytest.mark.parametrize(
    "stamp", ["", "now", "-1", "1" * 15, "9" * 400, "٣", "1770811200.250", " 1"]
)
def test_a_time_that_is_none_is_refused(stamp):
    assert hear(pushed(stamp=stamp), secret=SECRET) is None


@pytest.mark.parametrize(
    "signature", ["", "a", "\udcff", signed(EVENTS)[:-1], signed(b"[]")]
)
def test_a_signature_that_is_none_is_refused(signature):
    assert hear(pushed(**{"x-hubspot-signature-v3": signature}), secret=SECRET) is None


def test_the_address_and_the_secret_are_signed_too():
    assert hear(pushed(), secret=b"") is None
    assert hear(pushed(), secret=SECRET + b"!") is None
    elsewhere = Push(url=URL + "?a=\udcff", body=EVENTS, headers=pushed().headers)
    assert hear(elsewhere, secret=SECRET) is None


def test_older_signatures_count_for_nothing():
    """They hold no time; the vendor sends them beside the newest."""
    older = hashlib.sha256(SECRET + EVENTS).hexdigest()
    headers = {"x-hubspot-signature": older, "x-hubspot-signature-version": "v1"}
    assert hear(Push(url=URL, body=EVENTS, headers=headers), secret=SECRET) is None


async def test_a_search_that_is_behind_is_read_once_more():
    """The change is in no search when it is pushed, and need not wait for a poll."""
    assert MANIFEST.push.shown_after_s > LAG_S
    async with (
        HubSpot.opened(None) as stage,
        benches.standing(stage) as bench,
        doors.standing(bench) as door,
    ):
        (record_id,) = await stage.add([stage.plain(1)])
        await door.replica.scan()
        await door.open()
        stage._emulator.behaviour.search_lag_s = LAG_S
        await stage.edit(record_id, {stage.text_role: "Baker"})
        assert (await stage.pushed())[-1].status == 200
        await door.hints.make_due()
        shown = await door.replica.read_due()
        assert await bench.value(shown[record_id], stage.text_role) is None
        assert await door.replica.read_due() == {}
        for clock in (bench.clock.move, stage.pass_time):
            clock(MANIFEST.push.shown_after_s)
        await door.hints.make_due()
        shown = await door.replica.read_due()
        assert await bench.value(shown[record_id], stage.text_role) == "Baker"
