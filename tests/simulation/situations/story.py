"""A simulation that is over, as the situations are read from it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from proto.connector import WriteKind
from proto.ids import AppId
from proto.reconciler import SIDES, Side
from tests.simulation.crashes import Crashes
from tests.simulation.errands import Errands
from tests.simulation.invariants import aftermath
from tests.simulation.invariants.truth import LinkRow, Truth
from tests.simulation.ledger import Entry, Key, Ledger, Who
from tests.simulation.scenario import Scenario
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.line import Line

Found = Iterable[tuple[str, bool]]
"""Situations by their codes, and whether each was there; a code may come again."""


class Played(Protocol):
    """What is looked at of a simulation that is over."""

    scenario: Scenario
    ledger: Ledger
    vendors: Mapping[AppId, Vendor]
    lines: list[Line]
    crashes: Crashes
    errands: Errands
    world: Any


class Window(NamedTuple):
    """The time in which a write of a link was open, by the clock of who decided it."""

    is_create: bool
    target: Key | None
    opened_at: float
    closed_at: float


class Story:
    """What happened, and what is left in Tandem's tables."""

    def __init__(self, played: Played, truth: Truth) -> None:
        self.played = played
        self.truth = truth
        self.rows = played.world.database.rows
        self.links = aftermath.links_of(self.rows)
        self.calls: Counter[str] = Counter()
        """What happened to calls, at all vendors together."""
        for line in played.lines:
            self.calls += line.counts
        self._owned = {each.connection_id: each for each in truth.owned}
        self._windows: dict[Key, list[Window]] = {}
        self._of_intent: dict[str, Window] = {}
        self._read_windows()

    @property
    def entries(self) -> list[Entry]:
        """Return everything that happened to anybody's records."""
        return self.played.ledger.entries

    def key(self, row: LinkRow, side: Side) -> Key | None:
        """Return the record at one side of a link."""
        record_id = row.record_id(side)
        owned = self._owned.get(row.connection_id)
        if record_id is None or owned is None:
            return None
        return owned.place(side), record_id

    def open_writes(self, key: Key, at: float) -> Iterator[Window]:
        """Yield the writes that were open for a record or its partner at a time."""
        for window in self._windows.get(key, ()):
            if window.opened_at < at < window.closed_at:
                yield window

    def is_cut(self) -> bool:
        """Say whether a process died that had yet to write down what a vendor did."""
        for cut in self.played.crashes.cuts:
            window = self._of_intent.get(cut.intent_id)
            if window is None or window.target is None:
                continue
            for entry in self.truth.ledger.of(window.target):
                is_ours = entry.who is Who.TANDEM
                if is_ours and window.opened_at < entry.at <= cut.at:
                    return True
        return False

    def _read_windows(self) -> None:
        links = {row.link_id: row for row in self.links}
        skew_s = self.played.scenario.troubles.skew_s_max
        for row in self.rows("reconciler.intents"):
            link = links.get(row["link_id"])
            if link is None or row["closed_at"] is None:
                continue
            window = Window(
                is_create=row["kind"] == WriteKind.CREATE,
                target=self.key(link, Side(row["side"])),
                opened_at=row["decided_at"].timestamp() + skew_s,
                closed_at=row["closed_at"].timestamp() - skew_s,
            )
            self._of_intent[row["intent_id"]] = window
            for side in SIDES:
                key = self.key(link, side)
                if key is not None:
                    self._windows.setdefault(key, []).append(window)
