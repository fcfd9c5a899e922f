"""Bytes to Struct and back, for outside bytes too.

Decoding never raises anything but ``Undecodable``: msgspec reports deep nesting
as RecursionError, which a handler would otherwise take for its own fault.
"""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

MESSAGE_BYTES_MAX = 1024 * 1024
"""Larger messages are refused before they are looked at."""

_QUOTED = re.compile(r"^(Invalid (?:enum )?value) .*?( - at `[^`]*`)?$", re.DOTALL)
"""What msgspec says with the value itself, of enumerations and of tags."""

_encoder = msgspec.json.Encoder()
_decoders: dict[object, msgspec.json.Decoder[object]] = {}


class Undecodable(ValueError):
    """Bytes that are not what they should be; ``reason`` never quotes a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def encode(value: object) -> bytes:
    """Return the JSON bytes of a Struct or of plain values."""
    return _encoder.encode(value)


def decode(data: bytes, into: type[T], *, bytes_max: int = MESSAGE_BYTES_MAX) -> T:
    """Return ``data`` as a value of type ``into``.

    Raises:
        Undecodable: Too large, not JSON, nested too deep, or of another shape.
    """
    if len(data) > bytes_max:
        raise Undecodable(f"larger than {bytes_max} bytes")
    decoder = _decoders.get(into)
    if decoder is None:
        decoder = _decoders[into] = msgspec.json.Decoder(into)
    try:
        return decoder.decode(data)  # type: ignore[return-value]
    except msgspec.ValidationError as err:
        raise Undecodable(_QUOTED.sub(r"\1\2", str(err))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise Undecodable(f"not valid JSON: {err}") from None
    except RecursionError:
        raise Undecodable("nested too deep") from None
