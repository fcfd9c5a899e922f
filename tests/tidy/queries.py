"""What conventions.md asks of a service's .sql files, and who uses which query."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tidy.tree import Source

_NAME = re.compile(r"^-- name: *(\S+) *$")
_SET = re.compile(r"^_?Q$|^(queries\.)?load\(")
_STAR = re.compile(r"\b(?:SELECT|RETURNING)\s+(?:DISTINCT\s+)?(?:\w+\.)?\*")
_LOWER = re.compile(
    r"^\s*(select|insert into|update|delete from|from|where|(?:left |inner )?join"
    r"|order by|group by|limit|values|set|returning|on conflict|with|for update)\b"
)
_TABLE_READ = re.compile(
    r"(?<!DISTINCT )\b(?:FROM|JOIN|USING|(?:DELETE|TRUNCATE)\s+ON)"
    r"\s+(?P<name>[a-z_][\w.]*)(?![\w.]|\s*\()"  # with a bracket it is a function
)
_TABLE_WRITTEN = re.compile(
    r"\b(?:INTO|UPDATE|TABLE|SEQUENCE|REFERENCES|INDEX\s+\w+\s+ON)"
    r"\s+(?P<name>[a-z_][\w.]*)"
)
_NEXTVAL = re.compile(r"\bnextval\('(?P<name>[^']*)'\)")
_CTE = re.compile(r"(?:\bWITH(?:\s+RECURSIVE)?|,)\s+(?P<name>\w+)\s+AS\s+\(")
_COMMENT = re.compile(r"--[^\n]*")


@dataclass(frozen=True)
class Query:
    """One named query as it stands in its file."""

    name: str
    at: str
    promise: str
    body: str


def parse(source: Source) -> list[Query]:
    """Return the queries of one file, in their order."""
    starts = [
        (number, match[1])
        for number, line in enumerate(source.lines, 1)
        if (match := _NAME.match(line))
    ]
    if not starts:
        # The picture of a schema holds no queries.
        return []
    ends = [number - 1 for number, _ in starts[1:]] + [len(source.lines)]
    found = []
    for (start, name), end in zip(starts, ends, strict=True):
        lines = source.lines[start:end]
        head = 0
        while head < len(lines) and lines[head].startswith("--"):
            head += 1
        found.append(
            Query(
                name=name,
                at=f"{source.path}:{start}",
                promise=" ".join(line[2:].strip() for line in lines[:head]).strip(),
                body="\n".join(lines[head:]).strip(),
            )
        )
    return found


def faults(source: Source) -> Iterator[str]:
    """Every query says what it promises, lists columns and shouts its keywords."""
    seen = set()
    for query in parse(source):
        if not query.promise.endswith((".", "!", "?")):
            yield f"{query.at}: {query.name} promises nothing in a sentence"
        if not query.body:
            yield f"{query.at}: {query.name} is empty"
        if _STAR.search(query.body):
            yield f"{query.at}: {query.name} selects *"
        if any(_LOWER.match(line) for line in query.body.splitlines()):
            yield f"{query.at}: {query.name} has a keyword in lower case"
        if query.name in seen:
            yield f"{query.at}: a second {query.name}"
        seen.add(query.name)


def unqualified(source: Source, *, chassis: set[str]) -> Iterator[str]:
    """Every table carries its schema, but those that exist in each service's."""
    schema = source.path.split("/")[1]
    body = _COMMENT.sub("", source.text)
    known = chassis | {match["name"] for match in _CTE.finditer(body)}
    for pattern in (_TABLE_READ, _TABLE_WRITTEN, _NEXTVAL):
        for match in pattern.finditer(body):
            name = match["name"]
            if name not in known and not name.startswith(f"{schema}."):
                yield f"{source.path}: {name} is not {schema}.{name}"


def tables(source: Source) -> set[str]:
    """Return the tables that a migration makes."""
    return set(re.findall(r"CREATE TABLE ([\w.]+)", source.text))


def used(source: Source) -> set[str]:
    """Return the names a module looks up, in ``Q`` or in what ``load`` returned."""
    return {
        node.slice.value
        for node in source.nodes
        if isinstance(node, ast.Subscript)
        and _SET.search(ast.unparse(node.value))
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    }


def unmatched(queries: list[Source], modules: list[Source]) -> Iterator[str]:
    """Every query is used, and every query that is used exists."""
    where = {query.name: query.at for file in queries for query in parse(file)}
    wanted = {name for module in modules for name in used(module)}
    for name in sorted(where.keys() - wanted):
        yield f"{where[name]}: nobody uses {name}"
    for name in sorted(wanted - where.keys()):
        yield f"{queries[0].path if queries else 'no file'}: {name} is missing"
