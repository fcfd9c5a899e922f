"""Python files keep to conventions.md; and each checker sees a violation."""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.tidy import code
from tests.tidy.tree import ROOT, Source, sources

EVERYWHERE = ("proto", "services", "deploy", "tests")
PRODUCT = ("proto", "services", "deploy")

NESTED_FOUR = """
def f(a):
    for x in a:
        if x:
            while x:
                with x:
                    try:
                        pass
                    finally:
                        pass
"""
CHAIN = """
def f(a):
    for x in a:
        if x == 1:
            pass
        elif x == 2:
            pass
        elif x == 3:
            with x:
                while x:
                    pass
"""


@dataclass(frozen=True)
class Rule:
    """A checker, where it applies, and samples it must refuse and accept."""

    check: Callable[[Source], Iterator[str]]
    folders: tuple[str, ...]
    bad: tuple[str, ...]
    good: tuple[str, ...]
    bad_path: str = "services/auth/sample.py"


RULES = [
    Rule(
        code.module_size,
        EVERYWHERE,
        bad=("x = 1\n" * 401,),
        good=("x = 1\n" * 400,),
    ),
    Rule(
        code.function_size,
        EVERYWHERE,
        bad=("def f():\n" + "    x = 1\n" * 60,),
        good=("def f():\n" + "    x = 1\n" * 59,),
    ),
    Rule(
        code.module_docstring,
        EVERYWHERE,
        bad=("x = 1\n", '"""1.\n' + "2\n" * 6 + '"""'),
        good=('"""Say."""\n', '"""1.\n' + "2\n" * 5 + '"""'),
    ),
    Rule(code.nesting, EVERYWHERE, bad=(NESTED_FOUR,), good=(CHAIN,)),
    Rule(
        code.keyword_only,
        PRODUCT,
        bad=("def f(a, b, c): ...", "class A:\n  def __init__(self, a, b, c): ..."),
        good=(
            "class A:\n  def f(self, a, b, *, c): ...",
            "class A:\n  def __aexit__(self, a, b, c): ...",
        ),
    ),
    Rule(
        code.module_name,
        EVERYWHERE,
        bad=("",),
        good=("",),
        bad_path="services/auth/token_utils.py",
    ),
    Rule(
        code.open_ends,
        EVERYWHERE,
        bad=("x = 1  # TO" + "DO: later", "raise NotImplemented" + "Error"),
        good=("x = 1  # TODO(#7): later", "raise ValueError"),
    ),
    Rule(
        code.sql_in_python,
        ("services",),
        bad=("f'SELECT a FROM {table}'", "x = 'DELETE FROM a.b'"),
        good=('"""SELECT is a word."""\nx = "select one"[0]',),
    ),
    Rule(
        code.sleeping,
        ("tests",),
        bad=("time.sleep(1)", "from time import sleep"),
        good=("clock.move(1)", "from time import monotonic"),
    ),
    Rule(
        code.mocking,
        ("tests",),
        bad=("from unittest.mock import patch", "from unittest import mock"),
        good=("import unittest",),
    ),
    Rule(
        code.environment,
        ("proto", "services"),
        bad=("import os\nx = os.environ['X']", "import os\nx = os.getenv('X')"),
        good=("import os\nx = os.getpid()",),
    ),
    Rule(
        code.functions_by_module,
        PRODUCT,
        bad=("from proto.codec import decode",),
        good=("from proto import codec", "from proto.codec import Undecodable"),
    ),
    Rule(
        code.message_options,
        ("proto",),
        bad=("class A(Event, frozen=True): ...", "class A(Job, kw_only=True): ..."),
        good=("class A(Event, frozen=True, kw_only=True): ...", "class A(Enum): ..."),
    ),
]


def _name(rule: Rule) -> str:
    return rule.check.__name__


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_code_keeps_the_rule(rule: Rule) -> None:
    found = [
        problem
        for source in sources(*rule.folders, suffix=".py")
        for problem in rule.check(source)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_the_checker_tells_bad_from_good(rule: Rule) -> None:
    for bad in rule.bad:
        assert list(rule.check(Source(rule.bad_path, bad))), bad
    for good in rule.good:
        assert list(rule.check(Source("services/auth/sample.py", good))) == [], good


def test_only_listed_handler_loops_catch_everything() -> None:
    """The list and the code agree both ways, so the list cannot outlive its cause."""
    listed = tomllib.loads((ROOT / "tests/tidy/handler_loops.toml").read_text())
    found = {}
    for source in sources(*PRODUCT, suffix=".py"):
        found |= code.broad_excepts(source)
    assert sorted(found) == sorted(listed)
    assert all(reason.strip() for reason in listed.values())


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("except Exception:\n    pass", ["x.py:A.f"]),
        ("except (ValueError, BaseException):\n    pass", ["x.py:A.f"]),
        ("except:\n    pass", ["x.py:A.f"]),
        ("except Exception:\n    undo()\n    raise", []),
        ("except ValueError:\n    pass", []),
    ],
)
def test_a_broad_except_is_found(handler: str, expected: list[str]) -> None:
    body = ("try:\n    g()\n" + handler).replace("\n", "\n    ")
    text = "class A:\n  def f(self):\n    " + body
    assert list(code.broad_excepts(Source("x.py", text))) == expected
