"""Behaviours are proved by tests that failed once, and a document tells by which."""

import pytest

from tests.tidy import behaviours
from tests.tidy.behaviours import PAGE, Proof
from tests.tidy.tree import Source, read, sources

MATCH = "reconciler/engine/match.py: everything"
MARK = f'@pytest.mark.behaviour(20, 7, broken_by="{MATCH}")\n'
TEST = "def test_it():\n    pass\n"


def _modules() -> list[Source]:
    return sources("tests", suffix=".py")


def _found() -> list[Proof]:
    return behaviours.proofs(_modules())


def test_each_behaviour_that_is_required_has_a_test() -> None:
    assert behaviours.unproved(_found()) == set()
    assert len(behaviours.REQUIRED) == 29


def test_the_table_is_as_the_tests_say() -> None:
    page = read(PAGE).text
    wanted = behaviours.with_table(page, _found())
    assert page == wanted, "run `python -m tests.tidy.behaviours`"


def test_the_page_explains_each_number_once() -> None:
    assert behaviours.texts(read(PAGE).text) == list(range(1, 54))


def test_each_proof_notes_what_broke_it() -> None:
    names = behaviours.mutants()
    assert len(names) >= 30
    found = [each for proof in _found() for each in behaviours.untried(proof, names)]
    assert not found, "\n".join(found)


def test_markers_are_where_they_are_read() -> None:
    found = [
        problem
        for source in _modules()
        for check in (behaviours.misplaced, behaviours.unmarked)
        for problem in check(source)
    ]
    assert not found, "\n".join(found)


def test_a_proof_is_read_from_a_marker() -> None:
    found = behaviours.proofs([Source("tests/x.py", MARK + TEST)])
    assert found == [
        Proof(7, "tests/x.py", "test_it", 2, MATCH),
        Proof(20, "tests/x.py", "test_it", 2, MATCH),
    ]
    assert behaviours.unproved(found) == behaviours.REQUIRED - {7, 20}


@pytest.mark.parametrize(
    ("text", "is_bad"),
    [
        (MARK + TEST, False),
        (MARK + MARK + TEST, True),
        (f"pytestmark = {MARK[1:]}", True),
        (MARK.replace("20, 7, ", "") + TEST, True),
        (MARK.replace("20", "NUMBER") + TEST, True),
        (MARK + "def helper():\n    pass\n", True),
    ],
)
def test_a_marker_that_is_not_read_is_found(text: str, is_bad: bool) -> None:
    assert bool(list(behaviours.misplaced(Source("tests/x.py", text)))) is is_bad


@pytest.mark.parametrize(
    ("name", "is_bad"),
    [
        ("test_b20_b7_it", False),
        ("test_b07_it", False),
        ("test_b7_b8_it", True),
        ("test_b8_it", True),
        ("test_big_b8_it", False),
    ],
)
def test_a_number_in_a_name_without_a_marker_is_found(name: str, is_bad: bool) -> None:
    source = Source("tests/x.py", MARK + TEST.replace("test_it", name))
    assert bool(list(behaviours.unmarked(source))) is is_bad


@pytest.mark.parametrize(
    ("note", "is_bad"),
    [
        (MATCH, False),
        ("mutant a", False),
        ("mutant a: and so", False),
        ("", True),
        ("mutant b", True),
        ("reconciler/engine/gone.py: everything", True),
        ("reconciler/engine/match.py", True),
        ("reconciler/engine: everything", True),
    ],
)
def test_a_proof_that_was_never_seen_to_fail_is_found(note: str, is_bad: bool) -> None:
    proof = Proof(20, "tests/x.py", "test_it", 2, note)
    assert bool(list(behaviours.untried(proof, ["a"]))) is is_bad


def test_a_number_without_a_test_is_shown() -> None:
    page = f"# B\n\n7. Seven.\n20. Twenty.\n21. More.\n\n{behaviours.BEGIN}\nold\n"
    page += f"{behaviours.END}\nrest\n"
    found = behaviours.proofs([Source("tests/x.py", MARK + TEST)])
    written = behaviours.with_table(page, found)
    assert "old" not in written
    assert written.endswith(f"{behaviours.END}\nrest\n")
    link = "[`x`](../tests/x.py) `test_it`"
    assert f"| 7 | {link} | {MATCH} |\n| 20 | {link} | {MATCH} |\n| 21 | none | |" in (
        written
    )
    assert behaviours.with_table(written, found) == written
    with pytest.raises(ValueError, match="marks"):
        behaviours.with_table("# B\n", found)
