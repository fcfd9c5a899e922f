"""The reconciler's queries on links."""

import datetime

from tests.fakes.database.reconciler_connections import is_kept, is_running
from tests.fakes.database.sessions import Chosen, Session
from tests.fakes.database.tables import Row, only

LINK = only("link_id", "body", "version")
LISTED = only("link_id", "body", "name", "email", "changed_at")


async def load_links_of_records(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    left_ids: list[str],
    right_ids: list[str],
) -> list[Row]:
    return [
        LINK(row)
        for index, record_ids in (("links_left", left_ids), ("links_right", right_ids))
        for record_id in record_ids
        for row in session.find("links", index, connection_id, record_id, tenant_id)[:1]
    ]


async def find_links_around(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    left_account: str,
    right_account: str,
    left_ids: list[str],
    right_ids: list[str],
    steps_max: int,
) -> list[Row]:
    kept = [
        row
        for row in session.scan("connections")
        if row["tenant_id"] == tenant_id and row["deleted_at"] is None
    ]
    ends = {left_account, right_account}
    if not any(
        row["connection_id"] != connection_id
        and not ends.isdisjoint((row["left_account"], row["right_account"]))
        for row in kept
    ):
        return []
    ways = (
        ("left", left_ids, left_account, right_account),
        ("right", right_ids, right_account, left_account),
    )
    return [
        {"side": side, "record_id": record_id}
        for side, ids, account_id, goal in ways
        for record_id in ids
        for places in [{(account_id, record_id)}]
        if _leads_to(session, goal, places, connections=kept, steps_max=steps_max)
    ]


def _leads_to(
    session: Session,
    goal: str,
    places: set[tuple[str, str]],
    *,
    connections: list[Row],
    steps_max: int,
) -> bool:
    """Say whether so many links lead from a record to an account."""
    for _ in range(steps_max):
        if any(account_id == goal for account_id, _ in places):
            break
        places = places.union(*(_steps(session, at, connections) for at in places))
    return any(account_id == goal for account_id, _ in places)


def _steps(
    session: Session, place: tuple[str, str], connections: list[Row]
) -> set[tuple[str, str]]:
    """Return where the links of connections lead from a record."""
    account_id, record_id = place
    return {
        (connection[f"{other}_account"], link[f"{other}_record_id"])
        for connection in connections
        for side, other in (("left", "right"), ("right", "left"))
        if connection[f"{side}_account"] == account_id
        for link in session.find(
            "links",
            f"links_{side}",
            connection["connection_id"],
            record_id,
            connection["tenant_id"],
        )
        if link[f"{other}_record_id"] is not None
    }


async def load_links(
    session: Session, *, tenant_id: str, connection_id: str, link_ids: list[str]
) -> list[Row]:
    keys = [(connection_id, link_id, tenant_id) for link_id in link_ids]
    return [LINK(row) for row in session.get_all("links", keys)]


async def lock_links(
    session: Session, *, tenant_id: str, connection_id: str, link_ids: list[str]
) -> list[Row]:
    keys = [(connection_id, link_id, tenant_id) for link_id in link_ids]
    held = await session.lock("links", session.get_all("links", keys))
    return [LINK(row) for row in held]


async def save_links(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    now: datetime.datetime,
    link_ids: list[str],
    left_ids: list[str | None],
    right_ids: list[str | None],
    states: list[str],
    reasons: list[str],
    bodies: list[bytes],
    names: list[str],
    emails: list[str],
    intent_ids: list[str | None],
    retry_at: list[datetime.datetime | None],
    versions: list[int],
) -> list[Row]:
    names_of_columns = (
        "link_id",
        "left_record_id",
        "right_record_id",
        "state",
        "reason",
        "body",
        "name",
        "email",
        "intent_id",
        "retry_at",
        "version",
    )
    given = zip(
        link_ids,
        left_ids,
        right_ids,
        states,
        reasons,
        bodies,
        names,
        emails,
        intent_ids,
        retry_at,
        versions,
        strict=True,
    )
    common = {
        "tenant_id": tenant_id,
        "connection_id": connection_id,
        "changed_at": now,
    }
    kept = [
        {**common, **dict(zip(names_of_columns, values, strict=True))}
        for values in given
    ]
    kept.sort(key=lambda row: row["link_id"])
    stored = await session.insert("links", kept, otherwise=_next_version)
    return [{"link_id": row["link_id"]} for row in stored]


def _next_version(there: Row, new: Row) -> Row | None:
    if there["version"] != new["version"] - 1:
        return None
    return {
        **new,
        "name": new["name"] or there["name"],
        "email": new["email"] or there["email"],
    }


async def drop_links(
    session: Session, *, tenant_id: str, connection_id: str, link_ids: list[str]
) -> list[Row]:
    keys = [(connection_id, link_id, tenant_id) for link_id in link_ids]
    free = [row for row in session.get_all("links", keys) if row["intent_id"] is None]
    dropped = await session.delete("links", free, is_exact=True)
    return [{"link_id": row["link_id"]} for row in dropped]


async def retry_links(session: Session, *, now: datetime.datetime, limit: int) -> int:
    def is_due(row: Row) -> bool:
        at = (row["connection_id"], row["tenant_id"])
        connection = session.get("connections", *at)
        is_run = connection is not None and is_running(connection)
        return row["retry_at"] <= now and is_run and is_kept(connection)

    due = [row for row in session.find("links", "retry") if is_due(row)]
    due.sort(key=lambda row: row["retry_at"])
    known = sorted(
        session.scan("connections"),
        key=lambda row: (row["connection_id"], row["tenant_id"]),
    )
    connections = session.choose("connections", known)
    held = await session.lock("links", due, skips=True, limit=limit)
    retried = await session.update("links", held, lambda _: {"retry_at": None})
    places = sorted(
        (row["tenant_id"], row["connection_id"], side, row[f"{side}_record_id"])
        for row in retried
        for side in ("left", "right")
        if row[f"{side}_record_id"] is not None
    )
    table = session.tables["dirty"]
    names = ("tenant_id", "connection_id", "side", "record_id")
    await session.insert(
        "dirty",
        (
            {**dict(zip(names, place, strict=True)), "mark": table.next_value()}
            for place in places
        ),
        otherwise=lambda _there, new: {"mark": new["mark"]},
    )
    marked = {(place[0], place[1]) for place in places}
    concerned = Chosen(
        (slot, row)
        for slot, row in connections
        if (row["tenant_id"], row["connection_id"]) in marked
    )
    return len(
        await session.update("connections", concerned, lambda _: {"due_at": now})
    )


async def count_links(
    session: Session, *, tenant_id: str, connection_id: str
) -> list[Row]:
    counts: dict[str, Row] = {}
    for row in session.find("links", "connection", connection_id, tenant_id):
        count = counts.setdefault(
            row["state"], {"state": row["state"], "contacts": 0, "linked": 0}
        )
        count["contacts"] += 1
        count["linked"] += (
            row["left_record_id"] is not None and row["right_record_id"] is not None
        )
    return list(counts.values())


async def list_links(
    session: Session, *, tenant_id: str, connection_id: str, after: str, limit: int
) -> list[Row]:
    links = session.find("links", "connection", connection_id, tenant_id)
    return _page(links, after=after, limit=limit)


async def list_links_in_state(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    state: str,
    after: str,
    limit: int,
) -> list[Row]:
    links = session.find("links", "connection", connection_id, tenant_id)
    return _page(
        [row for row in links if row["state"] == state], after=after, limit=limit
    )


async def list_links_with_email(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    after: str,
    state: str | None,
    left_account: str,
    right_account: str,
    email: str,
    limit: int,
) -> list[Row]:
    named = {
        link["link_id"]: link
        for index, account_id in (
            ("links_left", left_account),
            ("links_right", right_account),
        )
        for owner in session.find("emails", "email", account_id, email, tenant_id)
        for link in session.find(
            "links", index, connection_id, owner["record_id"], tenant_id
        )
    }
    links = [row for row in named.values() if state in (None, row["state"])]
    return _page(links, after=after, limit=limit)


def _page(links: list[Row], *, after: str, limit: int) -> list[Row]:
    rest = [row for row in links if row["link_id"] > after]
    rest.sort(key=lambda row: row["link_id"])
    return [LISTED(row) for row in rest[:limit]]
