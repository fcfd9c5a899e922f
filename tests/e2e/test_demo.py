"""The demo itself, as `make demo` runs it off a terminal, with fewer people."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.demo import __main__ as demo
from deploy.demo import people
from proto.subjects import SERVICES

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240
ENVIRONMENT = {**os.environ, "TERM": "dumb", "COLUMNS": "100"}
PARTS = {*SERVICES, "nats", "postgres", "radicale", "constant_contact"}


def command(*arguments: str) -> Sequence[str]:
    return [sys.executable, "-m", "deploy.demo", "--no-stay", *arguments]


@pytest.mark.timeout(TIMEOUT_S)
def test_the_demo_ends_well_shows_its_figures_and_leaves_nothing_running(tmp_path):
    directory = tmp_path / "demo"
    said = []
    with subprocess.Popen(
        command("--small", "--directory", str(directory)),
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            said.append(line)
            if line.startswith("Connected."):
                # What is looked for afterwards is to be found before.
                assert _running_in(directory) >= PARTS
    shown = "".join(said)
    assert running.returncode == 0, shown
    assert _running_in(directory) == set()
    assert re.search(r"linked +│ +1\d\d ", shown)
    assert re.search(r"excluded \(no email\) +│ +[1-9]", shown)
    assert re.search(r"calls to Constant Contact +│ +[1-9]", shown)
    assert re.search(r"calls to the address book +│ +[1-9]", shown)
    assert "0 missing left, 0 missing right, 0 doubled, 0 different" in shown
    assert shown.count("later.") == 2


def test_the_whole_demo_differs_from_the_small_one_in_numbers_alone():
    """So that what holds for the small one holds for 1,000 and 500 people too."""
    small, whole = people.small_crowd(), people.crowd()
    assert _numbers(whole) == {
        "left_count": 1_000,
        "right_count": 500,
        "shared_count": 250,
    }
    assert small == people.crowd(**_numbers(small))
    assert Path(demo.__file__).read_text().count("arguments.small") == 1


def test_the_demo_deletes_nothing_that_is_not_its_own(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    ended = subprocess.run(
        command("--small", "--directory", str(tmp_path)),
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert ended.returncode == 1
    assert "holds other things" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "letters.txt").read_text() == "dear"


def _numbers(crowd: people.Crowd) -> dict[str, int]:
    return {
        "left_count": len(crowd.left),
        "right_count": len(crowd.right),
        "shared_count": crowd.shared_count,
    }


def _running_in(directory: Path) -> set[str]:
    """Return the parts that run: each writes its output to a log in the folder."""
    found = set()
    for output in Path("/proc").glob("[0-9]*/fd/1"):
        try:
            log = output.readlink()
        except OSError:
            continue
        if log.is_relative_to(directory):
            found.add(log.name.partition(".")[0])
    return found
