"""What the engine of this checkout can do, so that nobody asks it for more.

Each is switched on in the change that brings it; the invariants then hold it to that.
"""

from typing import Final

import msgspec


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What users may do and what may go wrong, and still everything must hold."""

    confirms_deletions: bool = False
    """A record that is not found counts as deleted only after a second look."""
    sweeps: bool = False
    """Both sides are compared completely now and then, whatever was missed."""
    tags: bool = False
    """Deletions and unsubscribes can be told by tags."""
    consents: bool = False
    """An unsubscribe can be told by the other side's own status."""
    rules: bool = False
    """Filters and actions."""
    custom_mappings: bool = False
    guards: bool = False
    """Too many deletions at once wait for a person."""
    merges: bool = False
    """A record merged into another takes its link along."""
    freezes: bool = False
    """A field that goes to and fro is left alone."""
    recycles: bool = False
    """A record's id that comes to mean somebody else is noticed."""


PRESENT: Final = Features()
