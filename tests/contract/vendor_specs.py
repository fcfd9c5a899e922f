"""Check answers against a vendor's own Swagger 2.0 description.

The descriptions are not part of the repository. `TANDEM_VENDOR_SPECS` names their
folder; without it they are looked for beside the checkout.
"""

import copy
import functools
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import jsonschema
import pytest
import yaml

T = TypeVar("T")

_REPOSITORY = Path(__file__).parents[2]
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
formats = jsonschema.FormatChecker()


@formats.checks("date-time")
def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    return datetime.fromisoformat(value) is not None


def folder() -> Path:
    """Return where the vendors' descriptions should be."""
    configured = os.environ.get("TANDEM_VENDOR_SPECS")
    return Path(configured) if configured else _REPOSITORY.parent / "shared" / "specs"


def find(vendor: str, pattern: str) -> Path | None:
    """Return the one description of a vendor that matches, if it is there."""
    return next(iter(sorted((folder() / vendor).glob(pattern))), None)


def needed(found: T | None) -> T:
    """Return what was found of a vendor's, or skip the test that needs it."""
    if found is None:
        pytest.skip(
            f"the vendor's description is not in {folder()}, so the shape of answers"
            " was not checked; set TANDEM_VENDOR_SPECS to the folder that has it"
        )
    return found


class Swagger:
    """One vendor's description, made strict: what it does not name is refused."""

    def __init__(self, path: Path) -> None:
        self._spec = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
        self._base = self._spec["basePath"]
        self._definitions = self._spec.get("definitions", {})
        for schema in _objects([self._definitions, *self._successes()]):
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), path)
            # Paths without parameters come first: `counts` is no contact id.
            for path in sorted(self._spec["paths"], key=lambda path: "{" in path)
        ]
        self.checked: set[tuple[str, str, int]] = set()
        """What was checked so far, by method, path template and status."""

    def check(self, *, method: str, path: str, status: int, body: Any) -> None:
        """Raise if this is no answer that the vendor could give."""
        template = self._template(path)
        answers = self._spec["paths"][template][method.lower()]["responses"]
        response = answers.get(str(status), answers.get("default"))
        assert response is not None, f"{method} {template} never answers {status}"
        self.checked.add((method, template, status))
        if "schema" in response:
            self.check_schema(response["schema"], body)

    def check_question(self, *, method: str, path: str, body: Any) -> None:
        """Raise if a call is none that the vendor describes, or its body is not."""
        operation = self._spec["paths"][self._template(path)][method.lower()]
        known = {one["name"] for one in operation["parameters"] if one["in"] == "query"}
        asked = {name for name, _ in parse_qsl(path.partition("?")[2])}
        assert asked <= known, f"{method} {path} has no {asked - known}"
        schemas = [one["schema"] for one in operation["parameters"] if "schema" in one]
        for schema in schemas:
            self.check_schema(_strict(schema), body)

    def check_definition(self, name: str, body: Any) -> None:
        """Raise if a body is not as a named definition says."""
        self.check_schema({"$ref": f"#/definitions/{name}"}, body)

    def check_schema(self, schema: dict[str, Any], body: Any) -> None:
        """Raise if a body does not have a schema."""
        rooted = {**schema, "definitions": self._definitions}
        if "$ref" in schema:
            rooted = {"allOf": [schema], "definitions": self._definitions}
        jsonschema.Draft4Validator(rooted, format_checker=formats).validate(body)

    def _successes(self) -> list[Any]:
        """Return what answers of success hold, where it stands in their place."""
        return [
            answer.get("schema")
            for methods in self._spec["paths"].values()
            for operation in methods.values()
            if isinstance(operation, dict)
            for status, answer in operation.get("responses", {}).items()
            if str(status).startswith("2")
        ]

    def _template(self, path: str) -> str:
        inside = path.partition("?")[0].removeprefix(self._base)
        for pattern, template in self._patterns:
            if pattern.match(inside):
                return template
        raise AssertionError(f"the vendor has no {path}")


@functools.cache
def load(path: Path) -> Swagger:
    """Return a description; reading one takes a second, so it is kept."""
    return Swagger(path)


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that refuses what it does not name."""
    copied = copy.deepcopy(schema)
    for each in _objects(copied):
        if "properties" in each:
            each.setdefault("additionalProperties", False)
    return copied


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)
