"""Measures: `python -m tests.bench [NAME …]`, or `make bench`.

Without a name every measurement runs; with `make bench ONLY=scans APPS=a,b` one, of
some apps. JSON goes to standard output, the same for a
reader to standard error. Figures are compared within one run: machines are noisy.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from tests.bench import engine, first_sync, scans
from tests.contract.conformance import stages

MEASUREMENTS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "engine": lambda _arguments: engine.measure(),
    "first_sync": lambda arguments: asyncio.run(
        first_sync.measure(count=arguments.count, shared_count=arguments.shared)
    ),
    "scans": lambda arguments: scans.measure(
        count=arguments.records, apps=arguments.apps
    ),
}


def asked(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read what is asked for, of the command line if it is not given."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=", ".join(MEASUREMENTS)
    )
    parser.add_argument(
        "--count", type=int, default=10_000, help="contacts a side (%(default)s)"
    )
    parser.add_argument(
        "--shared", type=int, default=8_000, help="the same people (%(default)s)"
    )
    parser.add_argument(
        "--records", type=int, default=100_000, help="of a scan (%(default)s)"
    )
    parser.add_argument(
        "--apps", type=_apps, default=(), metavar="A,B", help="of scans; every app"
    )
    arguments = parser.parse_args(words)
    unknown = set(arguments.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    arguments.names = arguments.names or list(MEASUREMENTS)
    return arguments


def main() -> int:
    """Run what was asked for and print one JSON object."""
    arguments = asked()
    found = {name: MEASUREMENTS[name](arguments) for name in arguments.names}
    for name, figures in found.items():
        print(f"{name}:", file=sys.stderr)
        _show(figures, indent=2)
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    return 0 if all(f.get("is_right", True) for f in found.values()) else 1


def _apps(text: str) -> tuple[str, ...]:
    """Read ids of apps, separated by commas."""
    chosen, known = tuple(text.split(",")), stages.load()
    if unknown := set(chosen) - known.keys():
        raise argparse.ArgumentTypeError(
            f"no such app: {', '.join(sorted(unknown))}; there are: {', '.join(known)}"
        )
    return chosen


def _show(figures: dict[str, Any], *, indent: int) -> None:
    """Print figures for a reader; the members of a group share a line."""
    for name, figure in figures.items():
        label = " " * indent + name.replace("_", " ")
        if not isinstance(figure, dict):
            print(f"{label:<32}{figure}", file=sys.stderr)
        elif any(isinstance(member, dict) for member in figure.values()):
            print(label, file=sys.stderr)
            _show(figure, indent=indent + 2)
        else:
            members = ", ".join(f"{k} {v}" for k, v in figure.items() if v)
            print(f"{label:<32}{members}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
