"""New identifiers: UUIDv7 (RFC 9562) text behind the type's prefix."""

import random
import re
import uuid
from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast

from proto.ids import PREFIXES
from services.chassis.clock import Clock

T = TypeVar("T", bound=str)

IdType: TypeAlias = Callable[[str], T]
"""A NewType over str, such as ``proto.ids.LinkId``."""

_RANDOM_BITS = 74
_UUID7 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


def is_id(id_type: IdType[T], text: str) -> bool:
    """Tell whether a text has the form of an identifier of a type."""
    prefix, _, value = text.partition("_")
    is_prefixed = prefix == PREFIXES[cast("type[str]", id_type)]
    return is_prefixed and _UUID7.fullmatch(value) is not None


class Identifiers:
    """Makes identifiers from an injected clock and source of randomness."""

    def __init__(self, clock: Clock, source: random.Random | None = None) -> None:
        self._clock = clock
        self._source = source or random.SystemRandom()

    def new(self, id_type: IdType[T]) -> T:
        """Return a new identifier of a type from ``proto.ids``."""
        return id_type(f"{PREFIXES[cast('type[str]', id_type)]}_{self.uuid()}")

    def uuid(self) -> uuid.UUID:
        """Return a UUIDv7: 48 bits of milliseconds, then randomness."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        noise = self._source.getrandbits(_RANDOM_BITS)
        value = (milliseconds & ((1 << 48) - 1)) << 80
        value |= 0x7 << 76
        value |= (noise >> 62) << 64
        value |= 0b10 << 62
        value |= noise & ((1 << 62) - 1)
        return uuid.UUID(int=value)
