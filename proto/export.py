"""What a tenant owns, read a page at a time, as lines of JSON."""

from typing import ClassVar

from proto.base import Command, Reply


class ExportedRows(Reply, frozen=True, kw_only=True):
    """A page of one table, as lines of JSON; a page may be empty and not the last."""

    lines: tuple[str, ...]
    next_after: str | None = None


class ExportRows(Command[ExportedRows], frozen=True, kw_only=True):
    """Read a page of what the reconciler keeps for a tenant."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = ExportedRows
    table: str
    after: str = ""
    limit: int = 200
