"""How far a connection has come: contacts by state, and the sync under way."""

import msgspec


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Contacts by state, and what has been done so far."""

    in_sync: int = 0
    pending: int = 0
    excluded: int = 0
    duplicate: int = 0
    held: int = 0
    failed: int = 0
    deleted: int = 0
    merged: int = 0
    linked: int = 0
    """Links with a record on both sides, whatever their state."""
    created_left: int = 0
    created_right: int = 0
    updated_left: int = 0
    updated_right: int = 0
    erased: int = 0
    """Records that its accounts show and that are left out: erased on request."""


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the present scan and sync are."""

    scanned_left: int = 0
    scanned_right: int = 0
    scan_done_left: bool = False
    scan_done_right: bool = False
    to_plan: int = 0
    """Records whose change has not been looked at yet."""
    to_write: int = 0
    """Writes decided and not yet confirmed."""
    done: int = 0
    """Writes confirmed since the connection was started or resumed."""
    failed: int = 0
    seconds_left: int | None = None
    """An estimate from the rate so far; None while there is nothing to go by."""
