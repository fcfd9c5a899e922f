"""What a listing takes: batches, and a filter whose value holds names and values."""

import datetime
import re
from typing import Final

import msgspec

from tests.emulators.core.http import Call
from tests.emulators.dotloop.problems import invalid

PARAMETERS: Final = frozenset({"batch_number", "batch_size", "filter"})
_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, checked."""

    number: int
    size: int
    updated_min: str = ""
    """Whole seconds, so that texts are sorted as times are."""

    @property
    def start(self) -> int:
        """Return how many come before this batch."""
        return (self.number - 1) * self.size


def read_query(call: Call, *, size_max: int) -> Query:
    """Check every parameter; a size above the greatest is taken for that one."""
    query = call.query()
    for name in query:
        if name not in PARAMETERS:
            raise invalid(f"{name} is not a valid query parameter")
    size = _count(query.get("batch_size", str(size_max)), name="batch_size")
    return Query(
        number=_count(query.get("batch_number", "1"), name="batch_number"),
        size=min(size, size_max),
        updated_min=_updated_min(query.get("filter", "")),
    )


def _count(text: str, *, name: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise invalid(f"{name} does not have a valid value")
    return int(text[:9])


def _updated_min(text: str) -> str:
    found = ""
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name != "updated_min":
            raise invalid(f"{name} is not a valid filter")
        found = value
        if not _SECOND.fullmatch(value) or not _is_date(value):
            raise invalid(f"date string invalid: Unparseable date: {value}")
    return found


def _is_date(text: str) -> bool:
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
