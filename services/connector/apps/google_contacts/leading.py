"""Fields of which one value counts: that of the primary entry, or the only one.

A name, an organisation and a note are entries with several texts. What is not asked for
of an entry stays, and so do the other entries of the field.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType

from services.connector.apps.google_contacts import entries, wire
from services.connector.apps.google_contacts.wire import Entry

ANNIVERSARY: Final = "anniversary"
_SAYING_NOTHING: Final = frozenset({"type", "current", "contentType"})
_DATE: Final = re.compile(r"(?:(\d{4})|-)-(\d\d)-(\d\d)\Z", re.ASCII)


def read_text(found: Sequence[Entry], key: str) -> str | None:
    """Return a text of the leading entry; None for none."""
    for entry in entries.ordered(found)[:1]:
        return wire.text(entry, key) or None
    return None


def write_texts(
    found: Sequence[Entry], texts: Mapping[str, str], *, field: str
) -> list[Entry]:
    """Return the entries with some texts of the leading one set; empty ones go."""
    held = [entries.bare(entry, field=field) for entry in entries.ordered(found)]
    first = held[0] if held else {}
    if field == "names":
        # It is shown in place of the parts, and was made of the old ones.
        first.pop("unstructuredName", None)
    elif field == "biographies" and "value" in texts:
        first["contentType"] = "TEXT_PLAIN"
    first = {key: value for key, value in (first | dict(texts)).items() if value != ""}
    is_empty = first.keys() <= _SAYING_NOTHING
    return entries.led([*([] if is_empty else [first]), *held[1:]])


def read_date(found: Sequence[Entry], *, kind: str = "") -> str | None | UnsetType:
    """Return a day as text; ``UNSET`` for what is not exactly a day."""
    entry = _dated(found, kind)
    if entry is None:
        return None
    date = entry.get("date")
    if not isinstance(date, dict):
        return UNSET
    year, month, day = (_number(date, part) for part in ("year", "month", "day"))
    if not (0 < month <= 12 and 0 < day <= 31 and 0 <= year <= 9999):
        return UNSET
    return f"{year:04}-{month:02}-{day:02}" if year else f"--{month:02}-{day:02}"


def write_date(
    found: Sequence[Entry], text: str, *, field: str, kind: str = ""
) -> list[Entry] | None:
    """Return the entries with the day set, or without it; None if the text is none."""
    date: dict[str, int] = {}
    if text:
        match = _DATE.match(text)
        if match is None:
            return None
        year, month, day = (int(part or 0) for part in match.groups())
        date = {"year": year, "month": month, "day": day}
        date = {part: number for part, number in date.items() if number}
    mine = _dated(found, kind)
    others = [entries.bare(one, field=field) for one in found if one is not mine]
    if not date:
        return entries.led(others)
    kept = {} if mine is None else entries.bare(mine, field=field)
    # A text beside the date is the same day in words, and would be the old one.
    kept.pop("text", None)
    entry = kept | {"date": date} | ({"type": kind} if kind else {})
    return entries.led([entry, *others])


def _dated(found: Sequence[Entry], kind: str) -> Entry | None:
    of_kind = (
        entry
        for entry in entries.ordered(found)
        if not kind or wire.text(entry, "type").lower() == kind
    )
    return next(of_kind, None)


def _number(date: Mapping[str, Any], part: str) -> int:
    found = date.get(part, 0)
    return found if isinstance(found, int) else -1
