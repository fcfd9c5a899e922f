"""``openapi.yaml`` as a judge: every answer of a test is held against it."""

import functools
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import yaml

from tests.tidy.tree import ROOT

PATH = ROOT / "services/api/openapi.yaml"


@functools.cache
def document() -> dict[str, Any]:
    """Return the description."""
    return yaml.safe_load(PATH.read_text(encoding="utf-8"))


def resolve(node: Any) -> Any:
    """Return what a node or its reference stands for."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = document()
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        node = found
    return node


def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """Return every operation by method and path."""
    methods = ("get", "put", "post", "patch", "delete")
    return {
        (method.upper(), path): item[method]
        for path, item in document()["paths"].items()
        for method in methods
        if method in item
    }


def template_of(method: str, path: str) -> str | None:
    """Return the path of the description that a request's path is of."""
    candidates = [
        template
        for known, template in operations()
        if known == method and _pattern(template).fullmatch(path)
    ]
    # A path without parameters goes before one with them, as in the router.
    return min(candidates, key=lambda t: t.count("{"), default=None)


def check(
    *,
    method: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: Any,
) -> None:
    """Assert that an answer is one that the description promises."""
    template = template_of(method, path)
    if template is None:
        assert status in (404, 405), f"{method} {path} is not described"
        assert ("Allow" in headers) == (status == 405)
        validate(body, {"$ref": "#/components/schemas/Problem"})
        return
    promised = operations()[method, template]["responses"]
    response = resolve(promised.get(str(status), promised.get("default")))
    assert response, f"{method} {template} does not promise {status}"
    _check_headers(headers, response.get("headers", {}), place=(method, template))
    if isinstance(body, dict) and "next" in body:
        has_next = body["next"] is not None
        assert ("Link" in headers) == has_next, "Link and next belong together"
    content = response.get("content", {})
    media_type = headers.get("Content-Type", "").partition(";")[0]
    if not content:
        assert body in (None, b"", ""), f"{method} {template} {status} has a body"
        return
    assert media_type in content, f"{method} {template} {status}: {media_type}"
    validate(body, content[media_type]["schema"])


def _check_headers(
    headers: Mapping[str, str],
    promised: dict[str, Any],
    *,
    place: tuple[str, str],
) -> None:
    """Assert that the headers that mean something are those that are promised."""
    for name in document()["components"]["headers"]:
        assert name in promised or name not in headers, f"{place}: {name} is new"
    for name, node in promised.items():
        header = resolve(node)
        if name in headers:
            validate(headers[name], header["schema"])
        else:
            assert not header.get("required"), f"{place}: {name} is missing"


def validate(value: Any, schema: dict[str, Any]) -> None:
    """Assert that a value is of a schema of the description."""
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(
        whole, format_checker=jsonschema.FormatChecker()
    ).validate(value)


@functools.cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{\w+\}", "[^/]+", template))
