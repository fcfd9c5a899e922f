"""What listings share: a page, and which parts of an answer are wanted."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.emulators.core.http import Call, Reply, json_reply
from tests.emulators.mailchimp.problems import Fault, invalid

COUNT_DEFAULT = 10
COUNT_MAX = 1_000


class Window(NamedTuple):
    """Which page of a listing."""

    count: int
    offset: int


def window_of(query: Mapping[str, str]) -> Window:
    """Return which page is asked for."""
    count = _number(query.get("count", str(COUNT_DEFAULT)), name="count")
    if count > COUNT_MAX:
        fault = Fault("count", f"Count must be at most {COUNT_MAX}")
        raise invalid("The resource submitted could not be validated.", fault)
    return Window(count, _number(query.get("offset", "0"), name="offset"))


def reply(call: Call, body: Mapping[str, Any], status: int = 200) -> Reply:
    """Answer with the parts of a body that were asked for."""
    wanted = call.query().get("fields", "")
    if not wanted:
        return json_reply(body, status)
    return json_reply(_picked(body, [path.split(".") for path in wanted.split(",")]))


def _picked(value: Any, paths: Iterable[list[str]]) -> Any:
    if isinstance(value, list):
        return [_picked(each, paths) for each in value]
    if not isinstance(value, Mapping):
        return value
    below: dict[str, list[list[str]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(rest)
    return {
        name: value[name] if [] in rests else _picked(value[name], rests)
        for name, rests in below.items()
        if name in value
    }


def _number(text: str, *, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        fault = Fault(name, f"{name} must be a number")
        raise invalid("The resource submitted could not be validated.", fault)
    return int(text[:9])
