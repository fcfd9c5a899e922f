"""What an app's trash gives back, which is not always all that was there.

Some apps keep no values of some fields in it; and whoever has somebody back goes on
editing at once.
"""

import random
from collections.abc import Callable
from typing import Final

from proto.fields import Role
from tests.simulation.vendors.book import Book, Holder

LOSSY: Final = 0.4
"""The share of those who come back without some of their values."""
LOSS: Final = 0.5
"""The share of values that they then lack."""
EDITED: Final = 0.2
"""The share of those who are edited as soon as they are back."""

Edit = Callable[[Role], object]
"""Enters something new in a field of who is back."""


class Trash:
    """What is brought back from it, drawn from a randomness of its own."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def restore(self, book: Book, holder: Holder, *, edit: Edit) -> None:
        """Bring somebody back.

        Raises:
            EmailTaken: Somebody else has the address by now.
        """
        book.restore(holder.record_id, without=self._lost(book, holder))
        if self._source.random() >= EDITED:
            return
        roles = [role for role in book.ways.roles if role is not Role.EMAIL]
        role = self._source.choice(roles)
        if self._source.random() < 0.5:
            edit(role)
        else:
            book.edit(holder.record_id, {book.ways.name_of(role): None})

    def _lost(self, book: Book, holder: Holder) -> list[str]:
        if self._source.random() >= LOSSY:
            return []
        return [
            name
            for name, value in sorted(holder.now.fields.items())
            if value and name != book.ways.email_name and self._source.random() < LOSS
        ]
