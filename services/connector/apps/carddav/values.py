"""What text a card can hold at all, whichever property it is in."""

import re
from typing import Final

from proto.ids import FieldId

VALUE_CHARACTERS_MAX: Final = 100_000
# What XML cannot carry would make every answer with the card in it unreadable.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class BadValue(ValueError):
    """A value that no card can hold; carries the field, never the value."""

    def __init__(self, field_id: FieldId | None) -> None:
        super().__init__(field_id or "a tag")
        self.field_id = field_id
        """None for a tag, which is in no field."""


def clean(field_id: FieldId | None, text: str) -> str:
    """Return text without outer blanks and with one kind of line end.

    Raises:
        BadValue: It is too long, or has characters no card can hold.
    """
    if len(text) > VALUE_CHARACTERS_MAX or _UNWRITABLE.search(text):
        raise BadValue(field_id)
    return re.sub(r"\r\n?", "\n", text).strip()
