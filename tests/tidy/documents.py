"""What conventions.md asks of documents: links that lead somewhere, one page, a shape.

Links to other hosts are not followed: a test has no network.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from tests.tidy.tree import ROOT, Source, read

PAGE_LINES_MAX = 75
PAGE_CHARS_MAX = 5000

ADR_PARTS = ("Context", "Decision", "Consequences", "Refused")

_FENCE = re.compile(r"^ *(```|~~~).*?^ *\1[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_REST = re.compile(r"\$TANDEM(/v1[^\s\"'?]*)")
_METHOD = re.compile(r"-X +([A-Z]+)")
_STEP = re.compile(r"^\d+\. ", re.MULTILINE)


def broken_links(source: Source) -> Iterator[str]:
    """Every relative link leads to a file, and every anchor to a heading."""
    text = _CODE.sub("", _FENCE.sub("", source.text))
    for target in (*_LINK.findall(text), *_REFERENCE.findall(text)):
        if re.match(r"[a-z][a-z+.-]*:", target):
            continue
        path, _, anchor = unquote(target).partition("#")
        here = source.path
        if path.startswith("/"):
            yield f"{source.path}: {target} is absolute"
            continue
        if path:
            joined = ROOT / PurePosixPath(source.path).parent / path
            there = joined.resolve()
            if not there.is_relative_to(ROOT) or not there.exists():
                yield f"{source.path}: {target} leads nowhere"
                continue
            here = there.relative_to(ROOT).as_posix()
        if anchor and here.endswith(".md"):
            page = source if here == source.path else read(here)
            if anchor not in anchors(page.text):
                yield f"{source.path}: {target} names no heading"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as code hosts derive them."""
    found: dict[str, int] = {}
    result = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        result.add(f"{slug}-{count}" if count else slug)
    return result


def longer_than_a_page(source: Source) -> Iterator[str]:
    """A service's README and an ADR fit on one page."""
    lines, chars = len(source.lines), len(source.text)
    if lines > PAGE_LINES_MAX or chars > PAGE_CHARS_MAX:
        yield f"{source.path}: {lines} lines, {chars} characters are not one page"


def adr_shape(source: Source) -> Iterator[str]:
    """An ADR is titled by its number and has its four parts in order."""
    number = int(PurePosixPath(source.path).name[:4])
    if not source.text.startswith(f"# {number}. "):
        yield f"{source.path}: the title does not start with '# {number}. '"
    parts = tuple(re.findall(r"^## (.+)$", source.text, re.MULTILINE))
    if parts != ADR_PARTS:
        yield f"{source.path}: its parts are {', '.join(parts) or 'missing'}"


def unlisted_adrs(names: list[str], index: str) -> Iterator[str]:
    """ADRs are numbered from 1 without a gap, and the index lists each, in order."""
    for number, name in enumerate(names, 1):
        if not name.startswith(f"{number:04}-"):
            yield f"{name} should be number {number}"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)
    if listed != names:
        yield f"the index lists {', '.join(listed)}"


def folders_without_readme(paths: list[str]) -> set[str]:
    """Return the folders of services that hold code and no README.md."""
    parts = [path.split("/") for path in paths]
    folders = {p[1] for p in parts if len(p) > 2}
    return folders - {p[1] for p in parts if p[2:] == ["README.md"]}


def howto_shape(source: Source) -> Iterator[str]:
    """A how-to is numbered steps, and a command after the last shows it worked."""
    steps = [match.start() for match in _STEP.finditer(source.text)]
    if len(steps) < 2:
        yield f"{source.path}: no numbered steps"
    elif "```" not in source.text[steps[-1] :]:
        yield f"{source.path}: no command after its last step proves success"


def unknown_requests(source: Source, openapi: dict[str, Any]) -> Iterator[str]:
    """Every request to the REST interface that is shown is one that it takes."""
    taken = [
        (method.upper(), _pattern(path))
        for path, item in openapi["paths"].items()
        for method in item
    ]
    for command in re.sub(r"\\\n", " ", source.text).split("curl ")[1:]:
        shown = command.partition("```")[0]
        path, given = _REST.search(shown), _METHOD.search(shown)
        if path is None:
            continue
        method = given[1] if given else "POST" if " --json" in shown else "GET"
        if not any(
            known == method and pattern.fullmatch(path[1].rstrip("/"))
            for known, pattern in taken
        ):
            yield f"{source.path}: {method} {path[1]} is not in openapi.yaml"


def _pattern(path: str) -> re.Pattern[str]:
    """Return what a path matches: a parameter stands for any one step."""
    steps = re.split(r"\{\w+\}", path)
    return re.compile("[^/]+".join(re.escape(step) for step in steps))
