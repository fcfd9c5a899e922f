"""What no app is ever asked for."""

import ast
import inspect

import pytest

from proto.connector import WriteKind
from services.connector import port
from tests.tidy.tree import Source, sources

TIES = ("/contactTags/",)
"""What ties a contact to a tag at some vendor: to take the tag is to delete the tie."""


@pytest.mark.behaviour(
    36,
    broken_by="connector/port.py: an app is asked to delete, besides",
)
def test_b36_there_is_no_way_to_ask_for_a_deletion():
    """Neither of the connector nor of an app, and no app calls for one by itself."""
    assert set(WriteKind) == {"unknown", "create", "update", "look"}
    operations = [name for name, _ in inspect.getmembers(port.App, inspect.isfunction)]
    assert {name for name in operations if not name.startswith("_")} == {
        "meaning_of",
        "verify",
        "describe_fields",
        "list_containers",
        "scan",
        "changes",
        "get",
        "find_by_email",
        "find_by_markers",
        "create",
        "update",
    }
    apps = sources("services/connector/apps", suffix=".py")
    methods = {method for source in apps for method in methods_of(source)}
    assert methods >= {"GET", "POST", "PUT"}
    assert methods <= {"GET", "POST", "PUT", "PATCH", "PROPFIND", "REPORT", "DELETE"}
    deleted = [path for source in apps for path in deleted_by(source)]
    assert all(any(each in path for each in TIES) for path in deleted), deleted


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            'Call(method="DELETE", path=f"{prefix}/contactTags/{one}")',
            ["/contactTags/"],
        ),
        ('Call(method="DELETE", path=f"/contacts/{one}")', ["/contacts/"]),
        ('Call(method="DELETE", path=path)', [""]),
        ('self._call("DELETE", f"/contacts/{one}")', [""]),
        ('Call(method="GET", path="/contacts")', []),
    ],
)
def test_what_an_app_deletes_is_seen(code, expected):
    assert deleted_by(Source("x.py", code)) == expected


def deleted_by(source: Source) -> list[str]:
    """Return what a module deletes: the fixed words of each path."""
    found = []
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        named = {one.arg: one.value for one in node.keywords}
        words = [*node.args, named.get("method")]
        if any(
            isinstance(one, ast.Constant) and one.value == "DELETE" for one in words
        ):
            path = named.get("path")
            parts = ast.walk(path) if path is not None else ()
            texts = (one.value for one in parts if isinstance(one, ast.Constant))
            found.append("".join(text for text in texts if isinstance(text, str)))
    return found


def methods_of(source: Source) -> set[str]:
    """Return the HTTP methods that a module's calls are made with."""
    return {
        word.value
        for node in source.nodes
        if isinstance(node, ast.keyword) and node.arg == "method"
        for word in ast.walk(node.value)
        if isinstance(word, ast.Constant)
    }
