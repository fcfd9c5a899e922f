"""Read request bodies; whatever is wrong with one becomes a 400."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tests.emulators.dotloop.problems import invalid

T = TypeVar("T")


def reader(kind: type[T]) -> Callable[[bytes], T]:
    """Return a function that reads one kind of body."""
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
            raise invalid(f"Bad request: {err}") from err

    return read
