"""What apps share of vendors: cursors, what statuses mean, moments and clocks."""

import datetime
import enum

import pytest

from services.connector import vendors
from services.connector.errors import CallFailed, Meaning

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """A pass with a moment."""

    since: datetime.datetime = NOON
    page: int = 0


class Stage(enum.StrEnum):
    SCAN = "scan"
    CHANGES = "changes"


class Staged(vendors.Progress, frozen=True, kw_only=True):
    stage: Stage
    after: str = ""


def test_a_cursor_is_read_as_it_was_written():
    progress = Progress(since=NOON, page=3)
    text = vendors.encode_cursor(progress)
    assert vendors.decode_cursor(text, Progress) == progress
    assert vendors.encode_cursor(Progress()) == "{}", "what is usual is left out"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"page": "x"}',
        '{"other": 1}',
        '{"since": "2026-03-10T12:00:00"}',
        '{"since": "0001-01-01T00:00:00+01:00"}',
        '{"since": "9999-12-31T23:59:59-01:00"}',
    ],
)
def test_what_is_no_cursor_of_ours_asks_for_a_complete_scan(text):
    with pytest.raises(CallFailed) as failure:
        vendors.decode_cursor(text, Progress)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED


def test_a_cursor_of_another_stage_is_none_for_this_one():
    text = vendors.encode_cursor(Staged(stage=Stage.SCAN, after="changes"))
    assert vendors.decode_cursor(text, Staged, stage=Stage.SCAN).after == "changes"
    with pytest.raises(CallFailed) as failure:
        vendors.decode_cursor(text, Staged, stage=Stage.CHANGES)
    assert failure.value.meaning is Meaning.CURSOR_EXPIRED


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (503, Meaning.UNAVAILABLE),
        (500, Meaning.NO_ANSWER),
        (599, Meaning.NO_ANSWER),
        (408, Meaning.NO_ANSWER),
    ],
)
def test_a_server_that_fails_may_have_written_unless_it_says_503(status, meaning):
    failed = vendors.meaning_of_server(status)
    assert failed is not None
    assert failed.meaning is meaning


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429])
def test_other_statuses_depend_on_the_body(status):
    assert vendors.meaning_of_server(status) is None


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (400, Meaning.REFUSED),
        (401, Meaning.UNAUTHORISED),
        (403, Meaning.FORBIDDEN),
        (404, Meaning.BROKEN),
        (422, Meaning.REFUSED),
    ],
)
def test_the_vendors_own_word_is_taken_by_its_status(status, meaning):
    assert vendors.meaning_of_word(status).meaning is meaning


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-10T12:00:00Z", NOON),
        ("2026-03-10T13:00:00+01:00", NOON),
        ("2026-03-10T12:00:00", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_that_cannot_be_placed_is_none(text, moment):
    assert vendors.read_moment(text) == moment


def test_a_moment_is_written_in_utc():
    east = NOON.astimezone(datetime.timezone(datetime.timedelta(hours=5)))
    assert vendors.write_moment(east) == "2026-03-10T12:00:00Z"
    told = vendors.write_moment(NOON, timespec="milliseconds")
    assert told == "2026-03-10T12:00:00.000Z"


@pytest.mark.parametrize("date", ["", "soon", "Tue, 10 Mar 2026 12:00:00 -0000"])
def test_a_clock_that_tells_no_place_is_none(date):
    assert vendors.clock_of({"date": date}) is None
    assert vendors.clock_of({}) is None
    assert vendors.clock_of({"date": "Tue, 10 Mar 2026 12:00:00 GMT"}) == NOON
