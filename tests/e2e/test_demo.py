"""The demo itself, as `make demo` runs it off a terminal, with fewer people."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.demo", "--no-stay", *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "TERM": "dumb", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


def test_the_demo_ends_well_shows_its_figures_and_leaves_nothing_running(tmp_path):
    directory = tmp_path / "demo"
    ended = run("--small", "--directory", str(directory))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    shown = ended.stdout
    assert re.search(r"linked +│ +1\d\d ", shown)
    assert re.search(r"excluded \(no email\) +│ +[1-9]", shown)
    assert re.search(r"calls to Constant Contact +│ +[1-9]", shown)
    assert re.search(r"calls to the address book +│ +[1-9]", shown)
    assert "0 missing left, 0 missing right, 0 doubled, 0 different" in shown
    assert shown.count("later.") == 2
    assert not _running_in(directory)


def test_the_demo_deletes_nothing_that_is_not_its_own(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    ended = run("--small", "--directory", str(tmp_path))
    assert ended.returncode == 1
    assert "holds other things" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "letters.txt").read_text() == "dear"


def _running_in(directory: Path) -> list[str]:
    """Return the command lines of processes that mention a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in command:
            found.append(command)
    return found
