"""What a listing of one state takes, and what it shows."""

from typing import Any, Final

from tests.emulators.campaign_monitor import problems, times
from tests.emulators.campaign_monitor.book import List, Subscriber
from tests.emulators.campaign_monitor.settings import Behaviour
from tests.emulators.core.http import Call, Reply, json_reply

SIZES: Final = (10, 1_000)
MALFORMED: Final = {"EmailAddress": 17, "State": None}


def shown(
    one: Subscriber, *, behaviour: Behaviour, is_tracking_told: bool
) -> dict[str, Any]:
    """Return a subscriber as answers show one; an empty field is not shown."""
    offset = behaviour.utc_offset_h
    found = {
        "EmailAddress": one.email,
        "Name": one.name,
        "Date": times.shown(one.changed_at, utc_offset_h=offset),
        "ListJoinedDate": times.shown(one.joined_at, utc_offset_h=offset),
        "State": one.state,
        "CustomFields": values_shown(one),
        "ReadsEmailWith": "",
    }
    return found | (
        {"ConsentToTrack": one.consent_to_track} if is_tracking_told else {}
    )


def values_shown(one: Subscriber) -> list[dict[str, str]]:
    """Return the values of custom fields as answers and pushes show them."""
    return [
        {"Key": name, "Value": text}
        for name, texts in one.values.items()
        for text in texts
    ]


def page(one: List, state: str, *, call: Call, behaviour: Behaviour) -> Reply:
    """Return one page of those in a state."""
    query = call.query()
    number = _number(query.get("page", "1"), code=problems.INVALID_PAGE)
    size = _number(query.get("pagesize", "1000"), code=problems.INVALID_SIZE)
    if not SIZES[0] <= size <= SIZES[1]:
        raise problems.refused(problems.INVALID_SIZE)
    found = _found(one, state, query=query, behaviour=behaviour)
    start = (number - 1) * size
    if call.is_under("empty_listing"):
        found, start = [], 0
    elif call.is_under("endless_listing"):
        found, start = [*found, *found[-1:] * size * number], 0
    elif start and start >= len(found) and behaviour.pages_end:
        raise problems.refused(problems.INVALID_PAGE)
    is_told = query.get("includetrackingpreference", "").lower() == "true"
    results = [
        shown(each, behaviour=behaviour, is_tracking_told=is_told)
        for each in found[start : start + size]
    ]
    if call.is_under("malformed_page"):
        results[:1] = [MALFORMED]
    return json_reply(
        {
            "Results": results,
            "ResultsOrderedBy": query.get("orderfield", "email"),
            "OrderDirection": query.get("orderdirection", "asc"),
            "PageNumber": number,
            "PageSize": size,
            "RecordsOnThisPage": len(results),
            "TotalNumberOfRecords": len(found),
            "NumberOfPages": -(-len(found) // size),
        }
    )


def _found(
    one: List, state: str, *, query: dict[str, str], behaviour: Behaviour
) -> list[Subscriber]:
    found = one.listed(state)
    if "date" in query:
        since = times.read(query["date"], utc_offset_h=behaviour.utc_offset_h)
        found = [each for each in found if each.changed_at >= since]
    field = query.get("orderfield", "email").lower()
    direction = query.get("orderdirection", "asc").lower()
    if field not in ("email", "name", "date"):
        raise problems.refused(problems.INVALID_ORDER)
    if direction not in ("asc", "desc"):
        raise problems.refused(problems.INVALID_DIRECTION)
    if field == "name":
        found = sorted(found, key=lambda each: each.name)
    elif field == "date":
        found = sorted(found, key=lambda each: each.changed_at)
    return found if direction == "asc" else found[::-1]


def _number(text: str, *, code: int) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) > 0):
        raise problems.refused(code)
    return int(text[:9])
