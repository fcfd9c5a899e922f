"""Pages: ``limit`` and ``after`` of a query, ``next`` and the Link header of an answer.

A cursor is opaque to clients; it comes from the service that owns the list.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from aiohttp import web

from proto import codec
from proto.ids import TenantId
from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.api.requests.calls import Call
from services.chassis import identifiers
from services.chassis.database import Source
from services.chassis.identifiers import IdType

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
CURSOR_CHARS_MAX: Final = 500
QUERY: Final = ("limit", "after")
"""What every route takes that answers with pages."""
_NUMBER: Final = re.compile("[0-9]{1,4}")


class Load(Protocol[R_co]):
    """Reads a page of a tenant's rows behind a cursor."""

    async def __call__(
        self, source: Source, tenant_id: TenantId, *, after: str, limit: int
    ) -> Sequence[R_co]:
        """Return at most so many rows, oldest first."""


class Page(NamedTuple):
    """Which part of a list is asked for."""

    after: str
    limit: int


def read(call: Call) -> Page:
    """Return the page that a query asks for.

    Raises:
        Refused: A parameter is out of range.
    """
    limit, after = call.query["limit"], call.query["after"]
    faults = []
    if limit and not (_NUMBER.fullmatch(limit) and 1 <= int(limit) <= LIMIT_MAX):
        faults.append(Fault("limit", f"Give a number from 1 to {LIMIT_MAX}."))
    if len(after) > CURSOR_CHARS_MAX or not after.isprintable():
        faults.append(Fault("after", "Give the `next` of the page before."))
    if faults:
        raise Refused(Code.QUERY_INVALID, faults=tuple(faults))
    return Page(after, int(limit or LIMIT_DEFAULT))


def respond(
    call: Call, items: Iterable[object], *, next_after: str | None, **more: object
) -> web.Response:
    """Return a page; the Link header leads to the next one with the same filters."""
    body = codec.encode({"items": list(items), "next": next_after, **more})
    response = web.Response(body=body, content_type="application/json")
    if next_after is not None:
        target = call.request.rel_url.update_query(after=next_after)
        response.headers["Link"] = f'<{target}>; rel="next"'
    return response


async def by_id(
    call: Call,
    id_type: IdType[str],
    *,
    load: Load[R],
    id_of: Callable[[R], str],
    view: Callable[[R], object],
) -> web.Response:
    """Answer with a page of what the api keeps, oldest first; a cursor is an id.

    Raises:
        Refused: A parameter is out of range, or the cursor no id of this kind.
    """
    page = read(call)
    if page.after and not identifiers.is_id(id_type, page.after):
        raise bad_cursor()
    # One more than is shown tells whether there is a next page.
    found = await load(
        call.parts.store.database.reader(call.tenant_id),
        call.tenant_id,
        after=page.after,
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    return respond(
        call,
        [view(row) for row in shown],
        next_after=id_of(shown[-1]) if len(found) > page.limit else None,
    )


def bad_cursor() -> Refused:
    """Return the refusal of a cursor that no page gave."""
    fault = Fault("after", "Give the `next` of the page before.")
    return Refused(Code.QUERY_INVALID, faults=(fault,))
