"""The tools of others that check the supply chain, in an environment of their own.

They come from a lock with hashes as well, as wheels alone: nothing of them runs at
their installation, and nothing of them is where the services run.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

INSTALL_TIMEOUT_S: Final = 600
TOOL_TIMEOUT_S: Final = 300
STRICT: Final = ("--require-hashes", "--only-binary=:all:")


class ToolFailed(Exception):
    """A tool ended with an error of its own."""


class Audit(NamedTuple):
    """What the advisory service knows of the locked packages."""

    audited: int
    skipped: tuple[str, ...]
    """Packages that it said nothing about."""
    known: tuple[str, ...]
    """``name version: id`` of each known weakness."""


def prepare(folder: Path, *, lock: Path) -> Path:
    """Install the tools, if this lock's are not there yet; return their folder."""
    bin_folder, mark = folder / "bin", folder / "lock.txt"
    wanted = lock.read_bytes()
    if mark.is_file() and mark.read_bytes() == wanted:
        return bin_folder
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], INSTALL_TIMEOUT_S)
    pip = [str(bin_folder / "python"), "-m", "pip", "install", "--quiet", *STRICT]
    _run([*pip, "--disable-pip-version-check", "-r", str(lock)], INSTALL_TIMEOUT_S)
    mark.write_bytes(wanted)
    return bin_folder


def write_bill(tools: Path, *, lock: Path, into: Path) -> dict[str, Any]:
    """Write a lock's bill of materials as CycloneDX JSON, validated; return it."""
    into.parent.mkdir(parents=True, exist_ok=True)
    options = ["--output-reproducible", "--validate", "--output-format", "JSON"]
    command = [str(tools / "cyclonedx-py"), "requirements", str(lock), *options]
    _run([*command, "--output-file", str(into)], TOOL_TIMEOUT_S)
    found: dict[str, Any] = json.loads(into.read_bytes())
    return found


def audit(tools: Path, *, lock: Path) -> Audit | None:
    """Ask what is known of a lock's packages; None if nobody could be asked."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    command = [str(tools / "pip-audit"), *options, "--format", "json"]
    done = subprocess.run(
        [*command, "--requirement", str(lock)],
        capture_output=True,
        text=True,
        timeout=TOOL_TIMEOUT_S,
        check=False,
    )
    if not done.stdout.strip():
        # It has one status for a weakness and for a failure; only the first is told.
        return None
    found = read_audit(done.stdout)
    return found if found.audited else None


def read_audit(text: str) -> Audit:
    """Return what pip-audit printed.

    It calls a package that its service does not answer for skipped, and ends well even
    if that are all of them: where the service cannot be reached, everything looks fine.
    """
    audited, skipped, known = 0, [], []
    for package in json.loads(text)["dependencies"]:
        if "skip_reason" in package:
            skipped.append(package["name"])
            continue
        audited += 1
        known += [
            f"{package['name']} {package['version']}: {each['id']}"
            for each in package["vulns"]
        ]
    return Audit(audited, tuple(skipped), tuple(known))


def _run(command: list[str], timeout_s: float) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    if done.returncode:
        raise ToolFailed(f"{Path(command[0]).name}: {done.stderr.strip()[-2_000:]}")
