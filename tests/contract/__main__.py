"""Try every app against the conformance suite, or with every other one.

Use: ``python -m tests.contract [an app ...]``, or ``make apps``; with ``--pairs`` two
by two, from a pair on if ``--from one,other`` names it.
"""

import argparse
import sys
from pathlib import Path

import pytest

from tests.contract.conformance import stages, table
from tests.contract.pairs import matrix
from tests.contract.pairs.matrix import Outcome

_HERE = Path(__file__).parent


def main(arguments: argparse.Namespace) -> int:
    """Do what is asked for; return 0 if nothing failed."""
    apps = [app for text in arguments.apps for app in text.split(",") if app]
    return _pairs(apps, start=arguments.start) if arguments.pairs else _suite(apps)


def _suite(apps: list[str]) -> int:
    """Run the suite for some apps, or for all."""
    known = stages.every()
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


def _pairs(apps: list[str], *, start: str) -> int:
    """Play the pairs of some apps, or of all."""
    begin = start.split(",")
    try:
        chosen = matrix.chosen_of(apps, start=(begin[0], begin[-1]) if start else None)
    except ValueError as err:
        print(err, file=sys.stderr)
        return 2
    outcomes = matrix.play(chosen, tell=_tell)
    print("\n".join(matrix.lines(outcomes)))
    return 1 if any(one.faults for one in outcomes) else 0


def _tell(outcome: Outcome) -> None:
    came = "converges" if not outcome.faults else "FAILED"
    names = " and ".join(outcome.pair)
    print(f"{names}: {came} ({outcome.seconds:.0f} s)", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.contract")
    parser.add_argument("apps", nargs="*", help="all if none is named")
    parser.add_argument("--pairs", action="store_true", help="connect them two by two")
    parser.add_argument(
        "--from", dest="start", default="", help="one,other: from there"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main(_arguments()))
