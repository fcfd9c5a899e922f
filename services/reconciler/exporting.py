"""Reads what a tenant owns here, a page of one table at a time, as lines of JSON.

A page ends with its number of rows, or where a message would become too large; where it
ended is told by the connection or account, and by the row.
"""

from pathlib import Path
from typing import Final

from proto.base import BATCH_BYTES_MAX
from proto.errors import ErrorCode
from proto.export import ExportedRows, ExportRows
from services.chassis import queries
from services.chassis.database import Database
from services.chassis.errors import CommandFailed

Q = queries.load(Path(__file__).parent / "sql" / "export_queries.sql")

PAGE_MAX: Final = 500
_APART: Final = "\t"
_TABLES: Final = {
    "connections": ("connection", Q["export_connections"]),
    "accounts": ("account", Q["export_accounts"]),
    "observations": ("account", Q["export_observations"]),
    "links": ("connection", Q["export_links"]),
    "intents": ("connection", Q["export_intents"]),
    "losses": ("connection", Q["export_losses"]),
}
"""Whose rows each table has, and how they are read."""

LEFT_OUT: Final = {
    "emails": "addresses of observations, in normal form",
    "scans": "numbers of scans",
    "scan_parts": "numbers of parts",
    "dirty": "what is about to be planned",
    "suppressions": "keyed hashes; of use to nobody without the key",
    "erasures": "shown by GET /v1/erasures",
}
"""Tables that are not exported, each with the reason."""


class Exporting:
    """Carries out the command that reads everything."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rows(self, command: ExportRows) -> ExportedRows:
        """Return a page of a table."""
        if command.table not in _TABLES or not 1 <= command.limit <= PAGE_MAX:
            raise CommandFailed(ErrorCode.INVALID, "There is no such page.")
        kind, template = _TABLES[command.table]
        after_parent, _, after = command.after.partition(_APART)
        reader = self._database.reader(command.tenant_id)
        parents = [
            row["parent_id"]
            for row in await reader.fetch(
                Q["export_parents"](tenant_id=command.tenant_id)
            )
            if row["kind"] == kind and row["parent_id"] >= after_parent
        ]
        for parent_id in parents:
            rows = await reader.fetch(
                template(
                    tenant_id=command.tenant_id,
                    parent_id=parent_id,
                    after=after if parent_id == after_parent else "",
                    limit=command.limit,
                )
            )
            lines: list[str] = []
            size = 0
            for row in rows:
                size += 2 * len(row["line"].encode())
                if lines and size > BATCH_BYTES_MAX:
                    break
                lines.append(row["line"])
            if lines:
                at = _APART.join((parent_id, rows[len(lines) - 1]["key"]))
                return ExportedRows(lines=tuple(lines), next_after=at)
        return ExportedRows(lines=())
