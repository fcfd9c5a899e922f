"""What is drawn from sequences, one by one: marks of what waits, and numbers."""

from collections.abc import Iterable

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row

Place = tuple[str, str, str, str]
"""Tenant, connection, side and record."""


async def mark(
    session: Session, places: Iterable[Place], *, is_check: bool = False
) -> list[Row]:
    """Mark records under new marks; returns the connection of each."""
    check = {"is_check": True} if is_check else {}
    stored = await session.insert(
        "dirty",
        ({**row, **check} for row in rows(session, sorted(places))),
        otherwise=lambda _there, new: {"mark": new["mark"], **check},
    )
    return [{"connection_id": row["connection_id"]} for row in stored]


def draw_number(session: Session) -> int:
    """Draw the number of a record that comes to live, or of an intent."""
    return session.tables["intents"].next_value()


def rows(session: Session, places: Iterable[Place]) -> Iterable[Row]:
    """Return rows whose marks are drawn one by one, as they are stored."""
    table = session.tables["dirty"]
    for tenant_id, connection_id, side, record_id in places:
        yield {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "side": side,
            "record_id": record_id,
            "mark": table.next_value(),
        }
