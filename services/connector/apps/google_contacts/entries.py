"""The values of a field, which come as a list of which one is the first among them.

The list's order means nothing to the vendor; one of it is marked as primary. An update
replaces the whole list, so that what is kept of it has to be sent again.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from services.connector.apps.google_contacts.wire import Entry

_SHOWN: Final = frozenset({"metadata", "formattedType", "canonicalForm"})
"""Worked out by the vendor, who takes none of it back."""
_SHOWN_OF_NAMES: Final = _SHOWN | {"displayName", "displayNameLastFirst"}


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries with the primary one first, and the others as they come."""
    return sorted(entries, key=lambda entry: not is_primary(entry))


def is_primary(entry: Entry) -> bool:
    """Say whether an entry is the first among those of its field."""
    metadata = entry.get("metadata")
    return isinstance(metadata, dict) and (
        metadata.get("primary") is True or metadata.get("sourcePrimary") is True
    )


def bare(entry: Entry, *, field: str) -> Entry:
    """Return an entry as it is sent: without what the vendor works out."""
    shown = _SHOWN_OF_NAMES if field == "names" else _SHOWN
    return {key: value for key, value in entry.items() if key not in shown}


def led(entries: Sequence[Entry]) -> list[Entry]:
    """Return bare entries of which the first is to be the primary one."""
    if len(entries) < 2:
        return [*entries]
    first = {**entries[0], "metadata": {"sourcePrimary": True}}
    return [first, *entries[1:]]


def resent(entries: Iterable[Entry], *, field: str) -> list[Entry]:
    """Return entries so that a field stays as it is."""
    return led([bare(entry, field=field) for entry in ordered(entries)])
