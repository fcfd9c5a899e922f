"""Check answers, and what is asked, against a vendor's own discovery document.

Such documents are Google's form of describing an API. They are not part of the
repository; ``vendor_specs`` says where they are looked for.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema

from tests.contract.vendor_specs import formats


class Discovery:
    """One API's description, made strict: what it does not name is refused."""

    def __init__(self, path: Path) -> None:
        document = json.loads(path.read_text(encoding="utf-8"))
        self._schemas: dict[str, Any] = document["schemas"]
        for schema in self._schemas.values():
            if schema.get("properties"):
                schema["additionalProperties"] = False
            _resolve(schema)
        self._common = set(document["parameters"])
        self._methods = [
            (re.compile("/" + _pattern(method["flatPath"])), method)
            for method in sorted(
                _methods(document), key=lambda method: "{" in method["flatPath"]
            )
        ]
        self.checked: set[str] = set()
        """The methods of which an answer was checked so far, by the vendor's ids."""

    def check(self, *, method: str, path: str, body: Any) -> None:
        """Raise if this is no answer with which the vendor could say yes."""
        found = self._find(method, path)
        self.checked.add(found["id"])
        self._validate(found["response"]["$ref"], body)

    def check_question(self, *, method: str, path: str, body: Any) -> None:
        """Raise if this is nothing that the vendor could be asked.

        Args:
            path: With its query.
            body: None where there is none.
        """
        found = self._find(method, path)
        known = self._common | set(found["parameters"])
        for name, text in parse_qsl(path.partition("?")[2], keep_blank_values=True):
            assert name in known, f"{found['id']} has no parameter {name}"
            allowed = found["parameters"].get(name, {}).get("enum")
            assert allowed is None or text in allowed, f"{name} cannot be {text}"
        assert ("request" in found) == (body is not None), f"a body of {found['id']}"
        if body is not None:
            self._validate(found["request"]["$ref"], body)

    def _find(self, method: str, path: str) -> Mapping[str, Any]:
        bare = path.partition("?")[0]
        for pattern, found in self._methods:
            if found["httpMethod"] == method and pattern.fullmatch(bare):
                return found
        raise AssertionError(f"the vendor has no {method} {bare}")

    def _validate(self, name: str, body: Any) -> None:
        rooted = {"allOf": [{"$ref": f"#/schemas/{name}"}], "schemas": self._schemas}
        jsonschema.Draft4Validator(rooted, format_checker=formats).validate(body)


@functools.cache
def load(path: Path) -> Discovery:
    """Return a description; it is kept once read."""
    return Discovery(path)


def _methods(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from node.get("methods", {}).values()
    for child in node.get("resources", {}).values():
        yield from _methods(child)


def _pattern(flat_path: str) -> str:
    """Return what matches a path whose parts in braces are one segment each."""
    parts = re.split(r"(\{\w+\})", flat_path)
    return "".join("[^/:]+" if p.startswith("{") else re.escape(p) for p in parts)


def _resolve(node: Any) -> None:
    """Make references those of JSON Schema; drop what means something else there."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            node["$ref"] = f"#/schemas/{node['$ref']}"
        for name in ("readOnly", "deprecated", "enumDescriptions", "annotations"):
            node.pop(name, None)
        if node.get("type") == "any":
            del node["type"]
        if not isinstance(node.get("id", ""), dict):
            node.pop("id", None)
        for child in node.values():
            _resolve(child)
    elif isinstance(node, list):
        for child in node:
            _resolve(child)
