"""Check answers, and what is asked, against a vendor's own OpenAPI 3 descriptions.

The descriptions are not part of the repository; ``vendor_specs`` says where they are
looked for.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.contract.vendor_specs import formats


class OpenApi:
    """Some descriptions of one vendor, made strict: what none names is refused.

    Args:
        is_of_samples: The schemas were made from samples: they may name too little, and
            several of them may fit.
    """

    def __init__(self, *paths: Path, is_of_samples: bool = False) -> None:
        self._operations: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        for path in paths:
            spec = _read(path)
            schemas = spec["components"].get("schemas", {})
            for schema in schemas.values():
                if schema.get("properties"):
                    schema.setdefault("additionalProperties", False)
            for template, operations in spec["paths"].items():
                self._operations[template] = (
                    (_loose if is_of_samples else _strict)(operations),
                    spec["components"],
                )
        # Paths without parameters come first: `search` is no contact's id.
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in sorted(self._operations, key=lambda path: "{" in path)
        ]
        self.checked: set[tuple[str, str, int]] = set()
        """What was checked so far, by method, path template and status."""

    def check(self, *, method: str, path: str, status: int, body: Any) -> None:
        """Raise if this is no answer that the vendor could give."""
        template, operation, components = self._operation(method, path)
        responses = operation["responses"]
        response = responses.get(str(status))
        if response is None:
            assert status >= 400, f"{method} {template} never answers {status}"
            response = _resolved(responses["default"], components)
        self.checked.add((method, template, status))
        for content in response.get("content", {}).values():
            _validate(content["schema"], body, components)

    def check_question(self, *, method: str, path: str, body: Any) -> None:
        """Raise if this is nothing that the vendor could be sent."""
        _, operation, components = self._operation(method, path)
        content = operation["requestBody"]["content"]["application/json"]
        _validate(content["schema"], body, components)

    def _operation(
        self, method: str, path: str
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        bare = path.partition("?")[0]
        for pattern, template in self._patterns:
            if pattern.match(bare):
                operations, components = self._operations[template]
                return template, operations[method.lower()], components
        raise AssertionError(f"the vendor has no {bare}")


@functools.cache
def load(*paths: Path, is_of_samples: bool = False) -> OpenApi:
    """Return descriptions; they are kept once read."""
    return OpenApi(*paths, is_of_samples=is_of_samples)


def _read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = (
        json.loads(text)
        if path.suffix == ".json"
        else yaml.load(text, Loader=yaml.CSafeLoader)
    )
    return found


def _loose(node: Any) -> Any:
    """Return schemas of which one has to fit, and not one alone."""
    if isinstance(node, list):
        return [_loose(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {"anyOf" if k == "oneOf" else k: _loose(one) for k, one in node.items()}


def _strict(node: Any) -> Any:
    """Return schemas that stand where they are used, made strict as those by name.

    Parts that are all given in full are made one, or each would refuse what the others
    name.
    """
    if isinstance(node, list):
        return [_strict(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {name: _strict(one) for name, one in node.items()}
    parts = found.get("allOf", ())
    if parts and all("properties" in part for part in parts):
        named = [part["properties"] for part in parts]
        found = {
            "type": "object",
            "properties": {k: v for d in named for k, v in d.items()},
        }
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    if found.get("nullable") is True and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


def _resolved(node: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref", "")
    if not reference:
        return node
    found: dict[str, Any] = components["responses"][reference.rsplit("/", 1)[1]]
    return found


def _validate(schema: dict[str, Any], body: Any, components: dict[str, Any]) -> None:
    rooted = {"allOf": [schema], "components": components}
    jsonschema.Draft4Validator(rooted, format_checker=formats).validate(body)
