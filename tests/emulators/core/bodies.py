"""Read request bodies; whatever is wrong with one is refused as the vendor does."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from tests.emulators.core.http import Refusal

T = TypeVar("T")


def reader(kind: type[T], refusal: Callable[[str], Refusal]) -> Callable[[bytes], T]:
    """Return a function that reads one kind of body.

    Args:
        refusal: Makes a refusal out of what is wrong with a body.
    """
    decode = msgspec.json.Decoder(kind).decode

    def read(body: bytes) -> T:
        try:
            return decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as err:
            raise refusal(str(err)) from err

    return read
