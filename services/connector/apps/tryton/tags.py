"""Categories of parties, which are tags: a name, behind those of what it is under."""

from collections.abc import Iterable
from typing import Final

from services.connector.apps.tryton import rpc
from services.connector.apps.tryton.wire import Category
from services.connector.port import Operation

_MODEL: Final = "model.party.category"
_PAGE: Final = 1000
_PAGES_MAX: Final = 50


class Tags:
    """Knows the categories of one database."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def forget(self) -> None:
        """Read them again when one is to be given: perhaps one is gone."""
        self._ids = {}

    def ids_of(self, names: Iterable[str]) -> Operation[list[int] | None]:
        """Return the categories of these names, made if missing; None: it cannot be."""
        found: list[int] = []
        is_fresh = False
        for name in names:
            if name not in self._ids and not is_fresh:
                yield from self._read()
                is_fresh = True
            if name not in self._ids:
                made = yield from self._make(name)
                if made is None:
                    return None
                self._ids[name] = made
            found.append(self._ids[name])
        return found

    def _read(self) -> Operation[None]:
        last = 0
        self._ids = {}
        for _ in range(_PAGES_MAX):
            domain = [["id", ">", last], ["active", "=", True]]
            done = yield from rpc.search(
                _MODEL, domain, limit=_PAGE, fields=("rec_name",)
            )
            page = done.decode(list[Category])
            self._ids |= {one.rec_name: one.id for one in page if one.rec_name}
            if len(page) < _PAGE:
                return
            last = page[-1].id

    def _make(self, name: str) -> Operation[int | None]:
        if not name.strip() or "\x00" in name:
            return None
        # Not a write that must not be repeated: a name is taken once, so that a second
        # try is refused, and the next turn finds what the first one made.
        done = yield from rpc.call(f"{_MODEL}.create", [{"name": name}])
        if isinstance(done, rpc.Refusal):
            return None
        (made,) = done.decode(tuple[int])
        return made
