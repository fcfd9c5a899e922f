"""Fuzzes a range: ``python -m tests.security.fuzz --from 0 --count 100000``.

Prints one JSON line of figures, and a line for each failure. Ranges may be run in any
order, by several processes, and again: a number always does the same.
"""

import argparse
import json
import sys
from dataclasses import asdict

from tests.security.fuzz import running
from tests.security.fuzz.targets import TARGETS


def main() -> int:
    """Run what the command line asks for; 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz")
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--target", help="only this decoder, with the same numbers")
    given = parser.parse_args()
    targets = [one for one in TARGETS if given.target in (None, one.name)]
    if not targets:
        parser.error(f"targets are {', '.join(one.name for one in TARGETS)}")
    report = running.run(targets, first=given.first, count=given.count)
    for failure in report.failures:
        print(json.dumps(asdict(failure)))
    print(json.dumps(report.as_figures()))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
