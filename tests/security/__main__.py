"""Runs every suite of this folder in full and prints its figures: `make security`.

What it prints is one JSON object: how pytest ended, and the figures of each suite that
has some. It takes some fifteen minutes on two cores, most of them for the refresh race,
the requests that are made of the description, and the run full of canaries.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.security.conftest import FIGURES_PATH

SUITES = Path(__file__).parent
FULL = {"SECURITY_FULL": "1"}


def main() -> int:
    """Run the suites; return how pytest ended."""
    with tempfile.TemporaryDirectory() as place:
        lines = Path(place) / "figures.jsonl"
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(SUITES)],
            env={**os.environ, **FULL, FIGURES_PATH: str(lines)},
            stdout=sys.stderr,
            check=False,
        )
        told = lines.read_text(encoding="utf-8") if lines.exists() else ""
    suites = {
        each["suite"]: {"failed": each["failed"], **each["figures"]}
        for each in map(json.loads, told.splitlines())
    }
    print(json.dumps({"exit": run.returncode, "suites": suites}, indent=2))
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
