"""Opaque cursors: a small value as URL-safe text, refused when it was tampered with."""

import base64
import binascii
from typing import TypeVar

import msgspec

T = TypeVar("T")


class CursorInvalid(Exception):
    """The text is no cursor that this emulator gave out."""


def encode_cursor(value: object) -> str:
    """Write a value as a cursor."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decode_cursor(text: str, kind: type[T]) -> T:
    """Read a cursor back as the given type."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, RecursionError) as err:
        raise CursorInvalid(text) from err
