"""Shows the states of all parts: a table on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from deploy.local.keeper import Keeper, Report, State

_WIDTH_IN_FILES = 200
_COLOURS = {
    State.READY: "green",
    State.STARTING: "yellow",
    State.NOT_READY: "yellow",
    State.STOPPING: "yellow",
    State.DIED: "red",
    State.DOWN: "dim",
}


class Screen:
    """Where a person sees what the supervisor does."""

    def __init__(self) -> None:
        self._console = console()
        self._keepers: Mapping[str, Keeper] = {}
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Show the table, where there is a terminal."""
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._table,
                console=self._console,
                # Drawn at each change: a thread of its own would be there when
                # children are forked.
                auto_refresh=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()

    def watch(self, keepers: Mapping[str, Keeper]) -> None:
        """Take the parts whose states the table shows."""
        self._keepers = keepers

    def hear(self, report: Report) -> None:
        """Show a change: in the table, and as a line where there is none."""
        if report.said:
            self.say(f"{report.name} {report.said}")
        elif self._live is None:
            where = ""
            if report.state is State.READY:
                part = self._keepers[report.name].part
                where = f" at {part.url} (process {part.pid})"
            self.say(f"{report.name}: {report.state}{where}")
        if self._live is not None:
            self._live.refresh()

    def say(self, text: str) -> None:
        """Print one line, above the table if there is one."""
        self._console.print(text, markup=False)
        sys.stdout.flush()

    def _table(self) -> Table:
        rows = {
            name: {
                "state": keeper.state,
                "pid": keeper.part.pid,
                "url": keeper.part.url,
                "restarts": keeper.restart_count,
            }
            for name, keeper in self._keepers.items()
        }
        return table(rows)


def console() -> Console:
    """Return a console that cuts nothing off where there is no terminal."""
    width = None if sys.stdout.isatty() else _WIDTH_IN_FILES
    return Console(highlight=False, soft_wrap=True, width=width)


def table(processes: Mapping[str, Mapping[str, Any]]) -> Table:
    """Lay out states as rows, as `up` and `status` show them."""
    made = Table(box=None, pad_edge=False)
    for title in ("part", "state", "process", "restarts"):
        made.add_column(title, no_wrap=True)
    made.add_column("address", overflow="fold")
    for name, process in processes.items():
        state = str(process["state"])
        colour = _COLOURS.get(State(state), "default")
        pid = str(process["pid"] or "-")
        count = str(process["restarts"])
        made.add_row(
            name, f"[{colour}]{state}[/{colour}]", pid, count, str(process["url"])
        )
    return made
