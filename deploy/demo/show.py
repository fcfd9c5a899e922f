"""How the demo looks: sentences, a progress bar, the last table."""

from collections.abc import Callable
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.demo.story import Outcome
from deploy.local.supervisor import Supervisor

_CONSOLE: Final = Console(highlight=False)
_EVERY: Final = 10
"""Off a terminal, a line for each further tenth of the way."""
_ROWS: Final = (
    ("linked", "linked"),
    ("created in Constant Contact", "created_left"),
    ("created in the address book", "created_right"),
    ("updated in Constant Contact", "updated_left"),
    ("updated in the address book", "updated_right"),
    ("excluded (no email)", "excluded"),
    ("duplicates", "duplicate"),
    ("held", "held"),
    ("failed", "failed"),
)
_APPS: Final = {"constant_contact": "Constant Contact", "carddav": "the address book"}


def say(sentence: str) -> None:
    """Print a sentence."""
    _CONSOLE.print(sentence, markup=False, soft_wrap=True)


def progress() -> Callable[[dict[str, Any]], None]:
    """Return what shows a connection's status: a bar, or lines off a terminal."""
    return _bar() if _CONSOLE.is_terminal else _lines()


def table(outcome: Outcome) -> None:
    """Print the figures of the run."""
    counts = outcome.status.get("counts", {})
    shown = Table(title="First sync", title_justify="left", show_header=False)
    for label, name in _ROWS:
        shown.add_row(label, str(counts.get(name, 0)))
    for app, count in sorted(outcome.calls.items()):
        shown.add_row(f"calls to {_APPS.get(app, app)}", str(count))
    for what, seconds in outcome.seconds.items():
        shown.add_row(f"seconds, {what}", f"{seconds:.1f}")
    _CONSOLE.print(shown)
    agreement = outcome.agreement
    if agreement is None:
        return
    say(
        f"Asked both servers: {agreement.people} people are on both sides;"
        f" {len(agreement.missing_left)} missing left,"
        f" {len(agreement.missing_right)} missing right,"
        f" {len(agreement.doubled)} doubled, {len(agreement.different)} different."
    )
    for line in agreement.different[:_EVERY]:
        say(f"  different: {line}")


def addresses(system: Supervisor, key: str) -> None:
    """Print where everything is, for a person who wants to look around."""
    say("")
    say(f"REST API          {system.url('api')}")
    say(f"  key             {key}")
    say(f"Constant Contact  {system.url('constant_contact')}  (emulator)")
    say(f"Address book      {system.url('radicale')}  (Radicale)")
    say("Ctrl-C stops everything.")


def _share(status: dict[str, Any]) -> tuple[float, str]:
    """Return how far a first sync is, from 0 to 1, and what it is doing."""
    steps = status.get("progress", {})
    if status["state"] == "scanning":
        read = steps.get("scanned_left", 0) + steps.get("scanned_right", 0)
        return 0.0, f"reading, {read} so far"
    done = steps.get("done", 0)
    to_do = steps.get("to_plan", 0) + steps.get("to_write", 0)
    if status["state"] == "live":
        return 1.0, "live"
    left = steps.get("seconds_left")
    rest = f", about {left} s left" if left is not None else ""
    return done / max(done + to_do, 1), f"{done} written, {to_do} to do{rest}"


def _bar() -> Callable[[dict[str, Any]], None]:
    bar = Progress(
        BarColumn(40),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=_CONSOLE,
    )
    tasks: list[TaskID] = []

    def show(status: dict[str, Any]) -> None:
        share, text = _share(status)
        if not tasks:
            bar.start()
            tasks.append(bar.add_task(text, total=1.0))
        bar.update(tasks[0], completed=share, description=text)
        if status["state"] == "live":
            bar.stop()

    return show


def _lines() -> Callable[[dict[str, Any]], None]:
    said: list[tuple[str, int]] = []

    def show(status: dict[str, Any]) -> None:
        share, text = _share(status)
        step = (status["state"], int(share * _EVERY))
        if step not in said:
            said.append(step)
            say(f"  {share:4.0%}  {text}")

    return show
