"""What the engine of this checkout can do, so that nobody asks it for more.

Each is switched on in the change that brings it; the invariants then hold it to that.
"""

from typing import Final

import msgspec


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What users may do and what may go wrong, and still everything must hold."""

    confirms_deletions: bool = True
    """A record that is not found counts as deleted only after a second look."""
    sweeps: bool = True
    """Both sides are compared completely now and then, whatever was missed."""
    tags: bool = True
    """Deletions and unsubscribes can be told by tags."""
    consents: bool = True
    """An unsubscribe can be told by the other side's own status."""
    rules: bool = True
    """Filters and actions."""
    custom_mappings: bool = True
    guards: bool = True
    """Too many deletions at once wait for a person."""
    merges: bool = True
    """A record merged into another takes its link along."""
    freezes: bool = True
    """A field that goes to and fro is left alone."""
    edits_at_once: bool = True
    """An edit right after a write is not taken for what the app made of it."""
    recycles: bool = True
    """A record's id that comes to mean somebody else is noticed."""


PRESENT: Final = Features()
