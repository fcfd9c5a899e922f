"""What the supply chain check makes of locks, bills and the words of its tools."""

import json
import sys
from pathlib import Path

import pytest

from deploy.supply import __main__ as supply
from deploy.supply import locks, tools

LOCK = """\
a-b==1.0 ; python_version < "4" \\
    --hash=sha256:00aa \\
    --hash=sha256:11bb
    # via c
C.d[x]==2 \\
    --hash=sha256:22cc
"""


def test_a_lock_is_read_with_all_hashes():
    assert locks.pins(LOCK) == [
        locks.Pin("a-b", "1.0", ("00aa", "11bb")),
        locks.Pin("c-d", "2", ("22cc",)),
    ]
    assert list(locks.faults("x", LOCK)) == []


@pytest.mark.parametrize(
    "line",
    ["e>=1 \\\n    --hash=sha256:00", "e==1", "-r other.txt", "-c x", "git+ssh:e"],
)
def test_what_a_lock_lets_in_is_told(line: str):
    assert len(list(locks.faults("x", f"{LOCK}{line}\n"))) == 1


def printed(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


SKIPPED = {"name": "b", "skip_reason": "Dependency not found"}
CLEAN = {"name": "c", "version": "1", "vulns": []}
WEAK = {"name": "d", "version": "2", "vulns": [{"id": "CVE-1"}, {"id": "CVE-2"}]}


def test_what_nobody_answered_for_is_not_audited():
    """pip-audit ends well then, and says that nothing is known of them."""
    assert tools.read_audit(printed(SKIPPED)) == tools.Audit(0, ("b",), ())
    found = tools.read_audit(printed(SKIPPED, CLEAN, WEAK))
    assert found == tools.Audit(2, ("b",), ("d 2: CVE-1", "d 2: CVE-2"))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", None),
        (printed(SKIPPED), None),
        (printed(CLEAN, WEAK), tools.Audit(2, (), ("d 2: CVE-1", "d 2: CVE-2"))),
    ],
)
def test_an_advisory_service_out_of_reach_is_no_clean_answer(
    text: str, wanted: tools.Audit | None, tmp_path: Path
):
    """A stand-in for pip-audit prints what it does, with its one status for all."""
    script = f"#!{sys.executable}\nimport sys\nprint({text!r}, end='')\nsys.exit(1)\n"
    (tmp_path / "pip-audit").write_text(script)
    (tmp_path / "pip-audit").chmod(0o755)
    assert tools.audit(tmp_path, lock=tmp_path / "x.txt") == wanted


def test_a_known_weakness_fails_the_check():
    """However young it is; and what nobody knows anything of fails it, too."""
    said, faults = supply.judged(tools.read_audit(printed(CLEAN, WEAK)))
    assert said == "2 audited, 2 known weaknesses"
    assert faults == ["d 2: CVE-1", "d 2: CVE-2"]
    assert supply.judged(tools.read_audit(printed(CLEAN)))[1] == []
    assert len(supply.judged(tools.read_audit(printed(CLEAN, SKIPPED)))[1]) == 1
    assert supply.judged(None) == (supply.NOT_REACHED, [])


def test_a_package_that_the_bill_lacks_is_told():
    bill = {"components": [{"name": "A_b", "version": "1.0"}]}
    assert supply.missing_from(bill, LOCK) == ["c-d 2"]
    bill["components"].append({"name": "c.d", "version": "3"})
    assert supply.missing_from(bill, LOCK) == ["c-d 2"]
