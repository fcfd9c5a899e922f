"""Try every app against the conformance suite, and print what it does.

Use: ``python -m tests.contract [an app ...]``, or ``make apps``.
"""

import sys
from pathlib import Path

import pytest

from tests.contract.conformance import stages, table

_HERE = Path(__file__).parent


def main(apps: list[str]) -> int:
    """Run the suite for some apps, or for all; return 0 if nothing failed."""
    known = stages.load()
    if unknown := set(apps) - known.keys():
        print(f"no such app: {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"there are: {', '.join(sorted(known))}", file=sys.stderr)
        return 2
    collector = table.Collector()
    files = sorted(map(str, _HERE.glob("test_apps*.py")))
    chosen = ["-k", " or ".join(apps)] if apps else []
    code = pytest.main(["-q", "--no-header", *chosen, *files], plugins=[collector])
    print("\n".join(table.lines(collector)))
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
