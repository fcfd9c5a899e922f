"""What listings take, and how persons are shown."""

import datetime
import itertools
import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tests.emulators.core import paging
from tests.emulators.core.clock import stamp
from tests.emulators.core.http import Call, Refusal
from tests.emulators.pipedrive import problems
from tests.emulators.pipedrive.account import Account, Person
from tests.emulators.pipedrive.bodies import Entry

LIMITS: Final = (100, 500)
IDS_MAX: Final = 100
CUSTOM_MAX: Final = 15
MARKETING: Final = "marketing_status"
_SORTS: Final = {"id": "id", "update_time": "updated_at", "add_time": "added_at"}


class Position(msgspec.Struct, frozen=True):
    """Behind whom a listing goes on."""

    value: float
    person_id: int


def shown(
    person: Person, account: Account, *, more: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a person as answers show one; what is empty is left out."""
    first, _, last = person.name.partition(" ")
    told: dict[str, Any] = {"name": person.name, "first_name": first, "last_name": last}
    found = {
        "id": person.id,
        **{key: text for key, text in told.items() if text},
        "owner_id": person.owner_id,
        "add_time": stamp(int(person.added_at)),
        "update_time": stamp(int(person.updated_at)),
        "emails": _entries(person.emails),
        "phones": _entries(person.phones),
        "is_deleted": person.is_deleted,
        "visible_to": 7,
        "label_ids": person.label_ids,
        "custom_fields": {code: person.custom.get(code) for code in account.custom},
    }
    if account.behaviour.has_contact_sync:
        found |= person.synced
    if MARKETING in more and account.behaviour.has_campaigns:
        found[MARKETING] = person.marketing_status
    return found


def page(call: Call, account: Account) -> tuple[list[Person], str | None]:
    """Return the persons of a page, and the cursor of the next one."""
    query = call.query()
    limit = _number(query.get("limit", str(LIMITS[0])), name="limit")
    if not 1 <= limit <= LIMITS[1]:
        raise problems.invalid("limit: must be from 1 to 500")
    name = query.get("sort_by", "id")
    if name not in _SORTS:
        raise problems.invalid("sort_by: unknown field")
    field = _SORTS[name]
    since, until = query.get("updated_since"), query.get("updated_until")
    between = (
        _moment(since) if since else -math.inf,
        _moment(until) if until else math.inf,
    )
    position = _position(query)
    is_falling = query.get("sort_direction", "asc") == "desc"
    is_by_id = field == "id" and not is_falling
    rows = (
        one
        for one in _wanted(query, account, after=position if is_by_id else None)
        if _is_listed(one, query, between=between)
        and (account.behaviour.lists_deleted or not one.is_deleted)
    )
    if is_by_id:
        # A scan looks at no more persons than it shows.
        found = list(itertools.islice(rows, limit + 1))
    else:
        found = sorted(rows, key=lambda one: (getattr(one, field), one.id))
        if is_falling:
            found.reverse()
        if position is not None:
            place = (position.value, position.person_id)
            found = [one for one in found if (getattr(one, field), one.id) > place]
    after = None
    if len(found) > limit:
        last = found[limit - 1]
        after = paging.encode_cursor(Position(getattr(last, field), last.id))
    return found[:limit], after


def optional(call: Call, account: Account) -> frozenset[str]:
    """Return what a call asks for that is not shown by itself."""
    query = call.query()
    asked = frozenset(filter(None, query.get("include_fields", "").split(",")))
    if MARKETING in asked and not account.behaviour.has_campaigns:
        raise problems.invalid("include_fields: marketing_status is not available")
    if len(query.get("custom_fields", "").split(",")) > CUSTOM_MAX:
        raise problems.invalid("custom_fields: at most 15 keys")
    return asked


def _wanted(
    query: dict[str, str], account: Account, *, after: Position | None
) -> Iterator[Person]:
    """Yield who is asked for, by id."""
    last_id = after.person_id if after is not None else -1
    if "ids" not in query:
        return (account.persons[one] for one in account.numbers.after(last_id))
    ids = [_number(text, name="ids") for text in query["ids"].split(",")]
    if len(ids) > IDS_MAX:
        raise problems.invalid("ids: at most 100")
    there = (one for one in sorted(set(ids)) if one in account.persons)
    return (account.persons[one] for one in there if one > last_id)


def _is_listed(
    person: Person, query: dict[str, str], *, between: tuple[float, float]
) -> bool:
    is_special = "ids" in query or "updated_since" in query
    if person.is_deleted and not is_special:
        return False
    return between[0] <= int(person.updated_at) < between[1]


def _position(query: dict[str, str]) -> Position | None:
    """Return behind whom the page begins."""
    cursor = query.get("cursor")
    if not cursor:
        return None
    try:
        return paging.decode_cursor(cursor, Position)
    except paging.CursorInvalid as err:
        raise problems.invalid("cursor: is not valid") from err


def _entries(entries: list[Entry]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(one) for one in entries]


def _number(text: str, *, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise problems.invalid(f"{name}: a number is expected")
    return int(text[:18])


def _moment(text: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as err:
        raise _no_moment() from err
    if moment.tzinfo is None:
        raise _no_moment()
    return moment.timestamp()


def _no_moment() -> Refusal:
    return problems.invalid("updated_since: RFC 3339 is expected")
