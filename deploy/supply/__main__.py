"""Checks what Tandem is built of: ``python -m deploy.supply``.

Prints one JSON line of figures, and a line for each fault. What cannot be checked here
is called skipped, never passed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from deploy.supply import locks, tools

REQUIREMENTS: Final = Path("requirements")
FOLDER: Final = Path(".local/supply")
RUNTIME: Final = "runtime.txt"
NOT_REACHED: Final = "skipped: advisory service not reached"


def main() -> int:
    """Check locks, write the bill of materials, and ask for known weaknesses."""
    parser = argparse.ArgumentParser(prog="python -m deploy.supply")
    parser.add_argument("--into", type=Path, default=FOLDER / "sbom.cdx.json")
    parser.add_argument("--locks-only", action="store_true", help="without any tool")
    given = parser.parse_args()
    faults: list[str] = []
    figures: dict[str, Any] = {"locks": 0, "packages": 0, "hashes": 0}
    for path in sorted(REQUIREMENTS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        pinned = locks.pins(text)
        faults += locks.faults(str(path), text)
        figures["locks"] += 1
        figures["packages"] += len(pinned)
        figures["hashes"] += sum(len(pin.hashes) for pin in pinned)
    if not (faults or given.locks_only):
        faults += _with_tools(figures, into=given.into)
    figures["faults"] = len(faults)
    for fault in faults:
        print(fault)
    print(json.dumps(figures))
    return 1 if faults else 0


def _with_tools(figures: dict[str, Any], *, into: Path) -> list[str]:
    lock = REQUIREMENTS / RUNTIME
    try:
        ready = tools.prepare(FOLDER / "tools", lock=REQUIREMENTS / "audit.txt")
        bill = tools.write_bill(ready, lock=lock, into=into)
        found = tools.audit(ready, lock=lock)
    except tools.ToolFailed as err:
        return [str(err)]
    figures["sbom"] = str(into)
    figures["components"] = len(bill["components"])
    missing = missing_from(bill, lock.read_text(encoding="utf-8"))
    figures["audit"], weak = judged(found)
    return [*(f"{into}: without {name}" for name in missing), *weak]


def judged(found: tools.Audit | None) -> tuple[str, list[str]]:
    """Return what to say of an audit, and its faults: any weakness is one."""
    if found is None:
        return NOT_REACHED, []
    unknown = [f"{name}: nothing is known about it" for name in found.skipped]
    said = f"{found.audited} audited, {len(found.known)} known weaknesses"
    return said, [*unknown, *found.known]


def missing_from(bill: dict[str, Any], lock: str) -> list[str]:
    """Return the locked packages that a bill of materials lacks, version and all."""
    listed = {(locks.plain(one["name"]), one["version"]) for one in bill["components"]}
    return [
        f"{pin.name} {pin.version}"
        for pin in locks.pins(lock)
        if (pin.name, pin.version) not in listed
    ]


if __name__ == "__main__":
    sys.exit(main())
