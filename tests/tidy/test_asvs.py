"""The page of security requirements is whole, and its tests exist."""

import pytest

from tests.tidy import asvs
from tests.tidy.asvs import PAGE, ROWS, Row
from tests.tidy.tree import Source, read, sources

TEST = ("tests/x.py", "test_it")
SHOWN = "`tests/x.py::test_it`"


def _whole() -> list[Row]:
    """Return as many rows of each level as there should be."""
    levels = [level for level, count in ROWS.items() for _ in range(count)]
    return [
        Row(f"1.1.{number}", level, "what", "met", SHOWN)
        for number, level in enumerate(levels, 1)
    ]


def test_each_requirement_has_a_row_with_evidence() -> None:
    found = asvs.rows(read(PAGE).text)
    tests = asvs.tests_in(sources("tests", suffix=".py"))
    problems = list(asvs.faults(found, tests))
    assert not problems, "\n".join(problems)


def test_the_counts_are_those_of_the_rows() -> None:
    page = read(PAGE).text
    problems = list(asvs.miscounted(page, asvs.rows(page)))
    assert not problems, "\n".join(problems)


def test_what_is_said_to_be_nowhere_is_nowhere() -> None:
    found = asvs.rows(read(PAGE).text)
    problems = list(asvs.not_absent(found, sources("services")))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(
    ("word", "text", "is_found"),
    [
        ("acr", "Goes across.", False),
        ("acr", "claims['ACR']", True),
        ("eval(", "x = eval(y)", True),
        ("eval(", "retrieval(y)", False),
        ("Access-Control-", "access-control-allow-origin", True),
        ("subprocess", "asyncio.subprocess.PIPE", True),
    ],
)
def test_a_word_that_is_there_after_all_is_found(
    word: str, text: str, is_found: bool
) -> None:
    row = Row(
        "1.1.1", "1", "what", "met", f"Nowhere below `services`: `none`, `{word}`."
    )
    problems = list(asvs.not_absent([row], [Source("services/a.py", text)]))
    assert problems == ([f"1.1.1: `{word}` is in services/a.py"] if is_found else [])


def test_a_whole_page_is_taken() -> None:
    assert list(asvs.faults(_whole(), {TEST})) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"evidence": "`tests/x.py::test_gone`"}, "there is no test"),
        ({"evidence": "`tests/gone.py::test_it`"}, "there is no test"),
        ({"evidence": "it is so"}, "names no test"),
        ({"evidence": ""}, "empty cell"),
        ({"gist": ""}, "empty cell"),
        ({"state": ""}, "empty cell"),
        ({"state": "mostly"}, "is no state"),
        ({"state": "open", "evidence": "Not yet."}, "has no owner"),
        ({"state": "open", "evidence": "Not yet. Owner: nobody."}, "is no owner"),
        ({"id": "1.1.2"}, "1.1.2 is there 2 times"),
        ({"id": "1.2.1"}, "not in order"),
        ({"level": "2"}, "rows of the levels"),
        ({"level": "3"}, "rows of the levels"),
    ],
)
def test_a_row_that_is_not_whole_is_found(change: dict[str, str], reason: str) -> None:
    first, *rest = _whole()
    found = list(asvs.faults([first._replace(**change), *rest], {TEST}))
    assert any(reason in fault for fault in found), found


def test_a_missing_row_is_found() -> None:
    (fault,) = asvs.faults(_whole()[1:], {TEST})
    assert "rows of the levels" in fault


def test_rows_are_read_from_tables() -> None:
    page = f"| id | level |\n|---|---|\n| 1.2.3 | 1 | what | met | {SHOWN} |\n"
    assert asvs.rows(page) == [Row("1.2.3", "1", "what", "met", SHOWN)]
    with pytest.raises(ValueError, match=r"1\.2\.4 has 4 cells"):
        asvs.rows("| 1.2.4 | 1 | what | met |")


def test_counts_that_are_wrong_are_found() -> None:
    right = "| met | 1 | 0 | 1 |\n| not applicable | 0 | 0 | 0 |\n| open | 0 | 0 | 0 |"
    found = [Row("1.2.3", "1", "what", "met", SHOWN)]
    assert list(asvs.miscounted(right, found)) == []
    assert len(list(asvs.miscounted(right, [*found, *found]))) == 1


def test_tests_are_read_from_modules() -> None:
    text = "async def test_it(): ...\ndef helper(): ...\nclass A:\n  test_x = 1\n"
    assert asvs.tests_in([Source("tests/x.py", text)]) == {TEST}
