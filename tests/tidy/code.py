"""What conventions.md asks of one Python file. One checker, one rule.

Style and docstrings of single lines are ruff's; what needs a whole file is here.
"""

import ast
import re
from collections.abc import Iterator

from tests.tidy.tree import ROOT, Source

FUNCTION_LINES_MAX = 60
MODULE_LINES_MAX = 400
TEST_LINES_MAX = 600
DOCSTRING_LINES_MAX = 6
NESTING_MAX = 3
POSITIONAL_MAX = 2

HOMELESS = re.compile(r"(^|_)(utils?|common|helpers?|misc)$")
OPEN_END = re.compile(r"#\s*(TODO(?!\(#\d+\): )|FIXME|XXX|HACK)\b")
STATEMENT = re.compile(
    r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+[\w.]+\s+SET\s|DELETE\s+FROM\s"
    r"|MERGE\s+INTO\s|WITH\s+\w+\s+AS\s*\()"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.Try,
    ast.TryStar,
    ast.Match,
)
# A `with` holds a resource and decides nothing, so it adds no depth of its own.
SCOPES = (ast.With, ast.AsyncWith)


def module_size(source: Source) -> Iterator[str]:
    """A module stops at 400 lines, a test module at 600."""
    is_test = source.path.startswith("tests/")
    most = TEST_LINES_MAX if is_test else MODULE_LINES_MAX
    if len(source.lines) > most:
        yield f"{source.path}: {len(source.lines)} lines, more than {most}"


def function_size(source: Source) -> Iterator[str]:
    """A function stops at 60 lines."""
    for node in _functions(source):
        size = (node.end_lineno or node.lineno) - node.lineno + 1
        if size > FUNCTION_LINES_MAX:
            yield f"{_at(source, node)}: {node.name} has {size} lines"


def module_docstring(source: Source) -> Iterator[str]:
    """A module opens with one to six lines."""
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        yield f"{source.path}: no docstring says what lives here"
    elif docstring.count("\n") >= DOCSTRING_LINES_MAX:
        yield f"{source.path}: the module docstring is longer than six lines"


def nesting(source: Source) -> Iterator[str]:
    """Branches and loops stand in each other at most three deep."""
    for node in _functions(source):
        if _depth(node.body) > NESTING_MAX:
            yield f"{_at(source, node)}: {node.name} nests deeper than {NESTING_MAX}"


def keyword_only(source: Source) -> Iterator[str]:
    """More than two parameters are keyword-only."""
    for node in _functions(source):
        given = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
        # An unused one is there because a library calls with it.
        names = [n for n in given if n not in ("self", "cls") and n[0] != "_"]
        is_dictated = node.name.startswith("__") and node.name != "__init__"
        if len(names) > POSITIONAL_MAX and not is_dictated:
            yield f"{_at(source, node)}: {node.name} takes {len(names)} by position"


def module_name(source: Source) -> Iterator[str]:
    """A module is named for what it holds."""
    for part in source.path.removesuffix(".py").split("/"):
        if HOMELESS.search(part):
            yield f"{source.path}: '{part}' says nothing; give the code a home"


def open_ends(source: Source) -> Iterator[str]:
    """Work left open carries an issue's number and stubs nothing."""
    for number, line in enumerate(source.lines, 1):
        if OPEN_END.search(line):
            yield f"{source.path}:{number}: an open end without a number"
    for node in source.nodes:
        if isinstance(node, ast.Raise) and "NotImplemented" in ast.unparse(node):
            yield f"{_at(source, node)}: a stub"


def sql_in_python(source: Source) -> Iterator[str]:
    """SQL lives in .sql files, but for what runs before there is a schema."""
    if source.path == "services/chassis/migrations.py":
        return
    docstrings = {id(node.value) for node in source.nodes if isinstance(node, ast.Expr)}
    for node in source.nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in docstrings and STATEMENT.match(node.value):
            yield f"{_at(source, node)}: a statement outside the .sql files"


def sleeping(source: Source) -> Iterator[str]:
    """A test moves the clock or awaits an event; it does not sleep."""
    for node in source.nodes:
        is_called = isinstance(node, ast.Attribute) and (
            ast.unparse(node) == "time.sleep"
        )
        is_imported = (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and any(alias.name == "sleep" for alias in node.names)
        )
        if is_called or is_imported:
            yield f"{_at(source, node)}: sleeps"


def mocking(source: Source) -> Iterator[str]:
    """Fakes, not mocks."""
    for node in source.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{name}" for name in names}
            if any(name.startswith("unittest.mock") for name in names):
                yield f"{_at(source, node)}: mocks; write a fake"


def environment(source: Source) -> Iterator[str]:
    """The chassis' configuration alone reads the environment."""
    if source.path == "services/chassis/config.py":
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "os.environ",
            "os.getenv",
        ):
            yield f"{_at(source, node)}: reads the environment"


def functions_by_module(source: Source) -> Iterator[str]:
    """Types are imported by name, functions used through their module."""
    for node in source.nodes:
        if not isinstance(node, ast.ImportFrom) or node.module is None:
            continue
        if node.module.split(".")[0] not in ("proto", "services", "deploy"):
            continue
        for alias in node.names:
            folder = ROOT.joinpath(*node.module.split("."))
            is_module = (folder / f"{alias.name}.py").is_file() or (
                folder / alias.name
            ).is_dir()
            if alias.name.islower() and not is_module:
                yield f"{_at(source, node)}: import the module of {alias.name}"


def message_options(source: Source) -> Iterator[str]:
    """Every Struct of proto repeats frozen and kw_only; msgspec inherits one only."""
    for node in source.nodes:
        if not isinstance(node, ast.ClassDef) or not node.bases:
            continue
        if any(ast.unparse(b).endswith(("Enum", "Error")) for b in node.bases):
            continue
        given = {k.arg for k in node.keywords if ast.unparse(k.value) == "True"}
        if not {"frozen", "kw_only"} <= given:
            yield f"{_at(source, node)}: {node.name} is not frozen and kw_only"


def broad_excepts(source: Source) -> dict[str, int]:
    """Return the line of each except that swallows anything, by its function."""
    found = {}
    for name, function in _named_functions(source.tree, ""):
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                found[f"{source.path}:{name}"] = node.lineno
    return found


def _is_broad(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    if handler.type is None:
        return True
    caught = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
    return bool(caught & {"Exception", "BaseException"})


def _named_functions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each module-level function or method, and the module's own level."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.ClassDef):
            yield from _named_functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, Function):
            yield f"{prefix}{node.name}", node
        else:
            yield "<module>", node


def _functions(source: Source) -> Iterator[Function]:
    return (node for node in source.nodes if isinstance(node, Function))


def _depth(body: list[ast.stmt], *, chained: bool = False) -> int:
    """Return how deep blocks stand in each other; an elif is no deeper than its if."""
    deepest = 0
    for node in body:
        if isinstance(node, SCOPES):
            deepest = max(deepest, _depth(node.body))
        if not isinstance(node, BLOCKS):
            continue
        inner = max(_depth(part) for part in _parts(node))
        is_elif = chained and isinstance(node, ast.If) and len(body) == 1
        if isinstance(node, ast.If):
            inner = max(inner, _depth(node.orelse, chained=True))
        deepest = max(deepest, inner if is_elif else inner + 1)
    return deepest


def _parts(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    yield getattr(node, "body", [])
    yield getattr(node, "finalbody", [])
    if not isinstance(node, ast.If):
        yield getattr(node, "orelse", [])
    for branch in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield branch.body


def _at(source: Source, node: ast.AST) -> str:
    return f"{source.path}:{getattr(node, 'lineno', 1)}"
