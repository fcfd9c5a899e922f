"""Listings of members, page by page, though they move while they are read."""

import datetime
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

import msgspec

from services.connector import vendors
from services.connector.apps.mailchimp import answers, wire
from services.connector.apps.mailchimp.cursors import Progress
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation

R = TypeVar("R", bound=wire.Named)


class Listed(NamedTuple, Generic[R]):
    """A page of a listing."""

    progress: Progress
    """Where to go on; it knows when the pass began."""
    rows: Sequence[R]
    """Who is new on the page."""
    total: int
    """How many there are in all."""


def query(
    count: int, offset: int, *, parts: Sequence[str], direction: str = "ASC"
) -> tuple[tuple[str, str], ...]:
    """Return what a listing is asked for, with these parts of everybody in it."""
    shown = (*(f"members.{part}" for part in parts), "total_items")
    return (
        ("count", str(count)),
        ("offset", str(offset)),
        ("sort_field", "last_changed"),
        ("sort_dir", direction),
        ("fields", ",".join(shown)),
    )


def read(
    progress: Progress,
    *,
    limit: int,
    parts: Sequence[str],
    into: type[wire.Members[R]],
) -> Operation[Listed[R] | None]:
    """Read the page that goes on from what was shown, and note when it began.

    Returns:
        The page; None: the audience is gone.
    """
    while True:
        for start in progress.starts():
            answer = yield Call(
                method="GET",
                path=f"/lists/{progress.list_id}/members",
                query=(*query(limit, start, parts=parts), *progress.filters),
                accepts=(200, 404),
            )
            if answer.status == 404:
                answers.checked(answer)
                return None
            page = answer.decode(into)
            rows = page.members
            ids = [one.contact_id for one in rows]
            if not rows and start < page.total_items:
                raise CallFailed(Meaning.BROKEN, "nobody where there is more")
            known = progress.read_of(start, ids)
            if known is not None:
                newest = rows[-1].last_changed if rows else None
                last_at = vendors.read_moment(newest)
                following = _begun(progress, answer, last_at=last_at).after_page(
                    start,
                    ids,
                    has_new=known < len(rows),
                    last_at=last_at,
                    is_more=start + len(rows) < page.total_items,
                )
                return Listed(following, rows[known:], page.total_items)
        progress = progress.turned()


def _begun(
    progress: Progress, answer: Answer, *, last_at: datetime.datetime | None
) -> Progress:
    """Note when the pass began, at its first answer."""
    if progress.began is not None:
        return progress
    began = vendors.clock_of(answer.headers) or last_at or progress.since
    return msgspec.structs.replace(progress, began=began)
