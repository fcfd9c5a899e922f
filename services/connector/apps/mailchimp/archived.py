"""Whom the audiences of an account have archived, as far as we looked.

For creates: the vendor brings back whoever is archived, with the status that is sent,
so that an opt-out would be gone as well. Addresses are kept as numbers that only this
process can make of them; where two are alike, somebody is asked for who is not there.
"""

from collections.abc import Sequence
from typing import Final

from services.connector.apps.mailchimp import listings, wire
from services.connector.apps.mailchimp.cursors import Progress, Stage
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Operation

NUMBERS_MAX: Final = 100_000
"""Of all audiences of an account, about 8 MB; beyond it everybody is asked for."""
LOOKS_MAX: Final = 3
"""A look of several pages is followed by another: what it showed first is too old."""
NEVER: Final = 1_000_000
"""More calls than anybody would make."""
_PARTS: Final = ("id", "contact_id", "last_changed")


class _Known:
    """What was seen of one audience."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.progress: Progress | None = None
        """Where the next look goes on; None: it begins with the first page."""
        self.calls = 1
        """So many the next look is expected to take."""


class Archive:
    """Knows the archived members of one account since they were first listed."""

    def __init__(self, *, page_size: int) -> None:
        self._page_size = page_size
        self._known: dict[str, _Known] = {}

    def is_worth(self, list_id: str, count: int) -> bool:
        """Say whether a look costs less than to ask for so many one by one."""
        known = self._known.get(list_id)
        return (known.calls if known else 1) < count

    def suspects(self, list_id: str, hashes: Sequence[str]) -> Operation[Sequence[str]]:
        """Return those of some addresses that have to be asked for one by one.

        These are all of them where a listing would take more calls. Of the rest nobody
        is archived, as of a moment ago.
        """
        known = self._known.setdefault(list_id, _Known())
        if not (yield from self._look(list_id, known, calls_max=len(hashes) - 1)):
            return hashes
        return [each for each in hashes if hash(each) in known.numbers]

    def _look(self, list_id: str, known: _Known, *, calls_max: int) -> Operation[bool]:
        """Bring it up to date; return whether it is."""
        left = calls_max
        for _ in range(LOOKS_MAX):
            if known.calls > left:
                return False
            calls = yield from self._list(list_id, known, calls_max=left)
            if calls == 1:
                return True
            if calls is None:
                return False
            left -= calls
        return False

    def _list(
        self, list_id: str, known: _Known, *, calls_max: int
    ) -> Operation[int | None]:
        """List who was archived since the last look.

        Returns:
            How many pages it took; None: it was not worth to go through them.
        """
        progress = known.progress or Progress(stage=Stage.ARCHIVED, lists=(list_id,))
        for number in range(1, calls_max + 1):
            page = yield from listings.read(
                progress,
                limit=self._page_size,
                parts=_PARTS,
                into=wire.Members[wire.Named],
            )
            if page is None:
                raise CallFailed(Meaning.BROKEN, "an audience is gone")
            if number == 1 and not self._is_short(
                known, page.total, calls_max=calls_max
            ):
                return None
            known.numbers |= {hash(one.id) for one in page.rows}
            progress = page.progress
            if progress.offset >= page.total:
                known.calls = 1
                known.progress = Progress(
                    stage=Stage.ARCHIVED,
                    lists=(list_id,),
                    known=(list_id,),
                    since=progress.began,
                )
                return number
        return None

    def _is_short(self, known: _Known, total: int, *, calls_max: int) -> bool:
        """Tell whether a listing is worth going through, by its first page."""
        held = sum(len(one.numbers) for one in self._known.values())
        if held + total > NUMBERS_MAX:
            known.numbers, known.progress, known.calls = set(), None, NEVER
            return False
        # A page begins with somebody of the last one, and several are looked after.
        pages = -(-total // max(1, self._page_size - 1)) or 1
        known.calls = pages if pages == 1 else pages + 1
        return known.calls <= calls_max
