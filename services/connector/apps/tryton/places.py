"""Countries and their parts: ids for the server, names for everybody else."""

from typing import Final

from services.connector.apps.tryton import rpc
from services.connector.port import Operation

_COUNTRY: Final = "model.country.country"
_SUBDIVISION: Final = "model.country.subdivision"
_FOUND_MAX: Final = 10
Place = tuple[int | None, int | None]
"""A country and a part of it."""


class Places:
    """Knows the countries that were asked for."""

    def __init__(self) -> None:
        self._countries: dict[str, int | None] = {}
        self._parts: dict[tuple[int, str], int | None] = {}

    def find(self, country: str, region: str) -> Operation[Place | None]:
        """Return where this is; None if the server does not know it, or not as one."""
        if not country:
            return None if region else (None, None)
        country_id = yield from self._country(country)
        if country_id is None:
            return None
        if not region:
            return country_id, None
        part_id = yield from self._part(country_id, region)
        return None if part_id is None else (country_id, part_id)

    def _country(self, name: str) -> Operation[int | None]:
        if self._countries.get(name) is None:
            domain: list[object] = ["OR", ["name", "=", name], ["code", "=", name]]
            self._countries[name] = yield from _only(_COUNTRY, domain)
        return self._countries[name]

    def _part(self, country_id: int, name: str) -> Operation[int | None]:
        key = (country_id, name)
        if self._parts.get(key) is None:
            # A code is the country's, a line, and what people write of it.
            domain: list[object] = [
                ["country", "=", country_id],
                ["OR", ["name", "=", name], ["code", "=", name], _code(name)],
            ]
            self._parts[key] = yield from _only(_SUBDIVISION, domain)
        return self._parts[key]


def _code(name: str) -> list[str]:
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return ["code", "like", f"%-{escaped}"]


def _only(model: str, domain: list[object]) -> Operation[int | None]:
    """Return the only record that a domain finds; None for none or several."""
    done = yield from rpc.search(model, [domain], limit=_FOUND_MAX, fields=("id",))
    found = done.decode(list[dict[str, int]])
    return found[0].get("id") if len(found) == 1 else None
