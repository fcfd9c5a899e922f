"""Which creates go to the app in one call. Pure: it parts them, and sends nothing."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from proto.connector import WriteKind
from services.connector import remainder
from services.connector.accounts import OpenWrite
from services.connector.port import NewRecord, Selective
from services.connector.transport import OpenAccount

T = TypeVar("T")


def cut(items: Sequence[T], *, size: int) -> list[Sequence[T]]:
    """Return items in their order, so many at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def batches(opened: OpenAccount, news: Sequence[NewRecord]) -> list[Sequence[int]]:
    """Return in which calls creates go, by their places: each of them once.

    What an app wants to have alone, or names twice, goes alone.
    """
    size = max(1, opened.manifest.capabilities.create_batch)
    app = opened.app
    if size == 1 or not isinstance(app, Selective):
        return cut(range(len(news)), size=size)
    left = set(range(len(news)))
    found: list[Sequence[int]] = []
    for group in app.together(news):
        own = [place for place in dict.fromkeys(group) if place in left]
        left -= set(own)
        found += cut(own, size=size)
    return [*found, *([place] for place in sorted(left))]


def alone(opened: OpenAccount, writes: Sequence[OpenWrite]) -> Collection[int]:
    """Return the places of creates that cost a call each, whatever the app takes."""
    if not isinstance(opened.app, Selective):
        return ()
    places = [
        place
        for place, item in enumerate(writes)
        if item.write.kind is WriteKind.CREATE
    ]
    news = [remainder.of_create(writes[place].write) for place in places]
    return {places[own[0]] for own in batches(opened, news) if len(own) == 1}
