"""Which contacts a query means: pick the narrowest index, then check what is left."""

from collections.abc import Iterator

import msgspec

from tests.emulators.constant_contact.book import BUCKETS, DELETED, ContactBook, Entry
from tests.emulators.constant_contact.listing import Place
from tests.emulators.constant_contact.problems import invalid
from tests.emulators.constant_contact.values import bound, is_uuid
from tests.emulators.constant_contact.wire import SUB_RESOURCES
from tests.emulators.core.indexes import TimeIndex, merged_after

LIMIT_MAX = 500
LISTS_MAX = 25
TAGS_MAX = 50
PARAMETERS = frozenset(
    "status email lists segment_id tags updated_after updated_before created_after"
    " created_before optout_after optout_before include sms_status include_count"
    " limit".split()
)
_STATUSES = (
    "all",
    "active",
    "deleted",
    "not_set",
    "pending_confirmation",
    "temp_hold",
    "unsubscribed",
)
_SMS_STATUSES = ("all", "explicit", "unsubscribed", "pending_confirmation", "not_set")
_ACTIVE = frozenset({"explicit", "implicit"})
_LIVING = frozenset(BUCKETS) - {DELETED}
_ALL = frozenset(BUCKETS)

Bounds = tuple[str | None, str | None]
_UNBOUNDED: Bounds = (None, None)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, checked."""

    buckets: frozenset[str]
    email: str | None
    list_ids: frozenset[str]
    tag_ids: frozenset[str]
    sms_statuses: frozenset[str]
    updated: Bounds
    created: Bounds
    opted_out: Bounds
    include: frozenset[str]
    has_count: bool
    limit: int


def read_query(place: Place) -> Query:
    """Check every parameter of a listing of contacts."""
    if "segment_id" in place.query:
        raise invalid("segment_id does not have a valid value")
    sms_statuses = frozenset(place.choices("sms_status", _SMS_STATUSES))
    return Query(
        buckets=_buckets(place.choices("status", _STATUSES)),
        email=place.query.get("email"),
        list_ids=_ids(place, "lists", count_max=LISTS_MAX),
        tag_ids=_ids(place, "tags", count_max=TAGS_MAX),
        sms_statuses=frozenset() if "all" in sms_statuses else sms_statuses,
        updated=_bounds(place, "updated"),
        created=_bounds(place, "created"),
        opted_out=_bounds(place, "optout"),
        include=frozenset(place.choices("include", SUB_RESOURCES)),
        has_count=place.flag("include_count"),
        limit=place.limit(LIMIT_MAX),
    )


def page(
    book: ContactBook, query: Query, place: Place
) -> tuple[list[Entry], tuple[str, int] | None]:
    """Return one page and, if there is more, the position of its last contact."""
    found: list[Entry] = []
    last = (place.stamp, place.number)
    for position in _candidates(book, query, place):
        entry = book.entries[position[1]]
        if not _matches(entry, query):
            continue
        if len(found) == query.limit:
            return found, last
        found.append(entry)
        last = position
    return found, None


def count(book: ContactBook, query: Query) -> int:
    """Return how many contacts a query means in all."""
    is_by_status_alone = (
        query.email is None
        and not (query.list_ids or query.tag_ids or query.sms_statuses)
        and query.updated == query.created == query.opted_out == _UNBOUNDED
    )
    if is_by_status_alone:
        return sum(len(book.buckets[name]) for name in query.buckets)
    everything = _candidates(book, query, Place(path="", query={}))
    return sum(_matches(book.entries[number], query) for _, number in everything)


def _candidates(
    book: ContactBook, query: Query, place: Place
) -> Iterator[tuple[str, int]]:
    if query.email is not None:
        entry = book.find_email(query.email)
        return iter([("", entry.number)] if entry else [])
    for index, bounds in (
        (book.opted_out, query.opted_out),
        (book.updated, query.updated),
        (book.created, query.created),
    ):
        if bounds != _UNBOUNDED:
            return _by_time(index, bounds, place)
    if query.list_ids:
        indexes = [book.in_list(list_id) for list_id in query.list_ids]
    elif query.tag_ids:
        indexes = [book.tagged(tag_id) for tag_id in query.tag_ids]
    else:
        indexes = [book.buckets[name] for name in query.buckets]
    return (("", number) for number in merged_after(indexes, place.number))


def _by_time(
    index: TimeIndex, bounds: Bounds, place: Place
) -> Iterator[tuple[str, int]]:
    after, before = bounds
    position = (place.stamp, place.number) if place.stamp else None
    return index.between(after=after, before=before, position=position)


def _matches(entry: Entry, query: Query) -> bool:
    keys = entry.keys
    return (
        keys.bucket in query.buckets
        and (not query.list_ids or not query.list_ids.isdisjoint(keys.list_ids))
        and (not query.tag_ids or not query.tag_ids.isdisjoint(keys.tag_ids))
        and _is_inside(keys.updated_at, query.updated)
        and _is_inside(keys.created_at, query.created)
        and _is_inside(keys.opt_out_date, query.opted_out)
        and (not query.sms_statuses or _has_sms_status(entry, query.sms_statuses))
    )


def _is_inside(stamp: str | None, bounds: Bounds) -> bool:
    if bounds is _UNBOUNDED:
        return True
    after, before = bounds
    return (
        stamp is not None
        and (after is None or stamp > after)
        and (before is None or stamp < before)
    )


def _has_sms_status(entry: Entry, statuses: frozenset[str]) -> bool:
    channel = entry.contact.sms_channel
    if channel is None:
        return "not_set" in statuses
    return any(
        consent.sms_consent_permission in statuses
        for consent in channel.sms_channel_consents
    )


def _buckets(statuses: tuple[str, ...]) -> frozenset[str]:
    if not statuses:
        return _LIVING
    if "all" in statuses:
        return _ALL
    found = frozenset(statuses)
    return found - {"active"} | _ACTIVE if "active" in found else found


def _bounds(place: Place, name: str) -> Bounds:
    after = place.query.get(f"{name}_after")
    before = place.query.get(f"{name}_before")
    if after is None and before is None:
        return _UNBOUNDED
    if after is not None:
        after = bound(after, name=f"{name}_after", is_lower=True)
    if before is not None:
        before = bound(before, name=f"{name}_before", is_lower=False)
    return after, before


def _ids(place: Place, name: str, *, count_max: int) -> frozenset[str]:
    ids = place.words(name, count_max=count_max)
    if not all(map(is_uuid, ids)):
        raise invalid(f"{name} does not have a valid value")
    return frozenset(ids)
