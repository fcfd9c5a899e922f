"""Telephone numbers, of which a record may hold several.

A vendor keeps one of them, or a list with labels, or single fields for some labels.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from proto.fields import Item, Role, Value

SLOTS: Final = {
    Role.PHONE_MOBILE: "mobile",
    Role.PHONE_WORK: "work",
    Role.PHONE: "",
}
"""Single fields and the label of the number that each holds."""
NUMBERS: Final = frozenset(SLOTS)


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """How a vendor keeps the numbers of ``Role.PHONE``; one alone by itself."""

    is_list: bool = False
    labels: tuple[str, ...] = ()
    """That it takes, the last one for any other; none: whatever there is."""
    count_max: int = 0
    """0: as many as there are."""

    def label(self, asked: str) -> str:
        """Return what becomes of a label."""
        if not self.labels or asked in self.labels:
            return asked
        return self.labels[-1]

    def takes(self, value: Value) -> bool:
        """Say whether the vendor takes a value as its list."""
        if not isinstance(value, tuple):
            return value is None
        if self.count_max and len(value) > self.count_max:
            return False
        return all(self.label(item.label) == item.label for item in value)

    def fitted(self, value: Value) -> Value:
        """Return of what somebody enters as much as can be entered here."""
        if not self.is_list:
            return text_of(value) if isinstance(value, tuple) else value
        items = (Item(value=value),) if isinstance(value, str) else value
        if not isinstance(items, tuple):
            return None
        return tuple(
            msgspec.structs.replace(item, label=self.label(item.label))
            for item in items[: self.count_max or None]
        )


def text_of(value: Value) -> str | None:
    """Return a single value, or the first of several."""
    texts = texts_of(value)
    return texts[0] if texts else None


def texts_of(value: Value) -> list[str]:
    """Return every text of a value."""
    if isinstance(value, tuple):
        return [item.value for item in value if isinstance(item.value, str)]
    return [value] if isinstance(value, str) else []


def with_texts(value: tuple[Item, ...], change: Callable[[str], str]) -> Value:
    """Return items with their texts changed."""
    return tuple(
        msgspec.structs.replace(item, value=change(item.value))
        if isinstance(item.value, str)
        else item
        for item in value
    )
