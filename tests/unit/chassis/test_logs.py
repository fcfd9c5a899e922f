"""What a line of the log is made of, whatever is put into it."""

import asyncio
import datetime
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from services.chassis import logs

FORGED = '{"event": "started", "level": "info"}'
BREAKS = ("\n", "\r", "\r\n", "\v", "\f", "\x1b[2K", "\x85", "\u2028", "\u2029", "\0")


class Lines(io.StringIO):
    """Where the log goes, read as a machine reads it."""

    def read_all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log of a process, and of nothing else afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    found = Lines()
    logs.configure("auth", stream=found)
    yield found
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:], root.level = before


@pytest.mark.parametrize("text", BREAKS)
def test_no_value_begins_a_line_of_its_own(lines: Lines, text: str) -> None:
    """Hazard 118: also none that only some readers take for the end of a line."""
    log = structlog.get_logger()
    log.warning("reading_failed", reason=f"odd{text}{FORGED}", app=f"x{text}")
    assert lines.getvalue().isascii()
    assert lines.getvalue().count("\n") == 1
    (line,) = lines.read_all()
    assert line["event"] == "reading_failed"
    assert line["reason"] == f"odd{text}{FORGED}"


def test_a_line_says_when_in_utc_and_of_whom(lines: Lines) -> None:
    structlog.get_logger().info("stopped", count=0)
    (line,) = lines.read_all()
    assert (line["service"], line["level"]) == ("auth", "info")
    assert line["timestamp"].endswith("Z")
    at = datetime.datetime.fromisoformat(line["timestamp"])
    assert abs(datetime.datetime.now(datetime.UTC) - at) < datetime.timedelta(minutes=1)


def test_what_is_not_listed_keeps_its_name_alone(lines: Lines) -> None:
    """Hazard 119."""
    structlog.get_logger().info("stopped", count=1, email="ana@example.org")
    (line,) = lines.read_all()
    assert (line["count"], line["email"]) == (1, logs.HIDDEN)


async def test_a_task_that_nobody_waited_for_is_told(lines: Lines) -> None:
    """Python tells it to its own log, which nobody read."""

    async def fail() -> None:
        raise ValueError("ana@example.org")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    await asyncio.sleep(0)
    (line,) = lines.read_all()
    assert (line["event"], line["kind"]) == ("library_failed", "asyncio")
    assert (line["level"], line["error_type"]) == ("error", "ValueError")
    assert any(frame.endswith(" fail") for frame in line["exception"])
    assert "ana@" not in lines.getvalue()


def test_words_of_a_library_stay_out(lines: Lines) -> None:
    logging.getLogger("some.library").error("No login for %s", "ana@example.org")
    logging.getLogger("some.library").warning("Slow")
    (line,) = lines.read_all()
    assert (line["event"], line["kind"]) == ("library_failed", "some.library")
    assert "ana@" not in lines.getvalue()
