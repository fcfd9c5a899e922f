"""Documents keep to conventions.md, and each checker sees a violation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest
import yaml

from tests.tidy import documents
from tests.tidy.tree import ROOT, Source, read, sources

ADR = "# 7. A title\n\n" + "".join(f"## {p}\ntext\n" for p in documents.ADR_PARTS)
HOWTO = "# Do it\n1. First.\n2. Then prove it:\n```\nmake test\n```\n"


def _pages() -> list[Source]:
    return sources(suffix=".md")


def _adrs() -> list[Source]:
    return [s for s in sources("docs/adr") if not s.path.endswith("README.md")]


def _one_pagers() -> list[Source]:
    return [*sources("services", suffix="README.md"), *_adrs()]


def _howtos() -> list[Source]:
    return sources("docs/howto", suffix=".md")


@dataclass(frozen=True)
class Rule:
    """A checker, the documents it applies to, and samples to refuse and accept."""

    check: Callable[[Source], Iterator[str]]
    pages: Callable[[], list[Source]]
    bad: tuple[str, ...]
    good: tuple[str, ...]


RULES = [
    Rule(
        documents.broken_links,
        _pages,
        bad=("[a](nowhere.md)", "[a](#gone)", "[a](/README.md)", "[a]: gone.md"),
        good=(
            "[a](LICENSE)",
            "# So, there\n[a](#so-there)",
            "`[a](gone.md)`",
            "```\n[a](gone)\n```",
        ),
    ),
    Rule(
        documents.longer_than_a_page,
        _one_pagers,
        bad=("x\n" * 76, "x" * 5001),
        good=("x\n" * 75, "x" * 5000),
    ),
    Rule(
        documents.adr_shape,
        _adrs,
        bad=(ADR.replace("# 7", "# 8"), ADR.replace("## Refused", "")),
        good=(ADR,),
    ),
    Rule(
        documents.howto_shape,
        _howtos,
        bad=(HOWTO.replace("`", ""), "# Do it\nJust do."),
        good=(HOWTO,),
    ),
]


def _name(rule: Rule) -> str:
    return rule.check.__name__


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_documents_keep_the_rule(rule: Rule) -> None:
    pages = rule.pages()
    assert pages
    found = [problem for page in pages for problem in rule.check(page)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("rule", RULES, ids=_name)
def test_the_checker_tells_bad_from_good(rule: Rule) -> None:
    for bad in rule.bad:
        assert list(rule.check(Source("0007-sample.md", bad))), bad
    for good in rule.good:
        assert list(rule.check(Source("0007-sample.md", good))) == [], good


def test_every_service_has_a_readme() -> None:
    paths = [s.path for s in sources("services")]
    assert documents.folders_without_readme(paths) == set()


def test_a_service_without_a_readme_is_found() -> None:
    paths = ["services/__init__.py", "services/a/b/README.md", "services/c/README.md"]
    assert documents.folders_without_readme(paths) == {"a"}


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    names = [PurePosixPath(s.path).name for s in _adrs()]
    index = read("docs/adr/README.md").text
    assert list(documents.unlisted_adrs(names, index)) == []


@pytest.mark.parametrize(
    ("names", "index"),
    [
        (["0001-a.md", "0003-b.md"], "[1](0001-a.md) [3](0003-b.md)"),
        (["0001-a.md", "0002-b.md"], "[1](0001-a.md)"),
        (["0001-a.md"], "[1](0001-a.md) [2](0002-b.md)"),
    ],
)
def test_a_decision_out_of_line_is_found(names: list[str], index: str) -> None:
    assert list(documents.unlisted_adrs(names, index))


def test_the_changelog_has_a_place_for_the_next_release() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()


def test_requests_that_documents_show_are_in_the_description() -> None:
    openapi = yaml.safe_load(read("services/api/openapi.yaml").text)
    found = [f for page in _pages() for f in documents.unknown_requests(page, openapi)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("request_shown", "is_known"),
    [
        ("curl -H x $TANDEM/v1/links/$LINK", True),
        ("curl -X POST $TANDEM/v1/links", True),
        ("curl $TANDEM/v1/links \\\n  --json '{}'", True),
        ("curl $TANDEM/v1/links", False),
        ("curl -X DELETE $TANDEM/v1/links/$LINK", False),
        ("curl $TANDEM/v1/nothing", False),
    ],
)
def test_a_request_that_is_not_taken_is_found(
    request_shown: str, is_known: bool
) -> None:
    openapi = {"paths": {"/v1/links": {"post": {}}, "/v1/links/{link_id}": {"get": {}}}}
    page = Source("x.md", f"```\n{request_shown}\ncurl $OTHER --json '{{}}'\n```\n")
    found = list(documents.unknown_requests(page, openapi))
    assert (found == []) is is_known
