"""What two real apps offer together, and what no app is ever asked for."""

import ast
import inspect

import pytest

from proto.connector import Capabilities, WriteKind
from proto.ids import AppId
from proto.reconciler import Direction, Offers
from services.connector import port, registry
from services.reconciler.engine import options
from services.reconciler.engine.model import Config
from tests.engine.world import config
from tests.tidy.tree import Source, sources

APPS = registry.load()
BOTH, TO_LEFT, TO_RIGHT = Direction.BOTH, Direction.TO_LEFT, Direction.TO_RIGHT
CONSTANT_CONTACT = "constant_contact"
TIES = ("/contactTags/",)
"""What ties a contact to a tag at some vendor: to take the tag is to delete the tie."""
NOTHING = Capabilities()
TAGS = Capabilities(can_tag=True)


def able(app: str) -> Capabilities:
    """Return what an app's manifest says that it can do."""
    return APPS.entry(AppId(app)).manifest.capabilities


def between(left: Capabilities, right: Capabilities) -> Config:
    return config(left_more={"capabilities": left}, right_more={"capabilities": right})


@pytest.mark.behaviour(
    40,
    broken_by="reconciler/engine/consent.py: unsubscribes are tagged where the app has"
    " no tags",
)
@pytest.mark.parametrize(
    ("other", "deletions", "tag", "status"),
    [
        (TAGS, TO_RIGHT, TO_RIGHT, None),
        (able("carddav"), BOTH, TO_RIGHT, None),
        (able(CONSTANT_CONTACT), BOTH, BOTH, BOTH),
        (NOTHING, None, None, None),
    ],
)
def test_b40_constant_contact_offers_both_options_where_the_other_app_can_tag(
    other, deletions, tag, status
):
    found = options.offers(between(able(CONSTANT_CONTACT), other))
    assert found == Offers(
        tags_deletions=deletions, unsubscribes_tag=tag, unsubscribes_status=status
    )
    assert able(CONSTANT_CONTACT).detects_deletions
    assert able(CONSTANT_CONTACT).detects_unsubscribes


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
