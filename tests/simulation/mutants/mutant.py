"""A mutant: the shipped code without one of its guards, for as long as a play lasts.

A guard is a function, a method or a constant that somebody looks up by its name each
time. It is replaced in this process and put back afterwards.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from tests.fakes.database import catalogue, schema
from tests.fakes.database.catalogue import Modelled
from tests.simulation.features import Features


class Change(NamedTuple):
    """One attribute of a module or a class, and what takes its place."""

    owner: Any
    name: str
    instead: Callable[[Any], Any]
    """Given what is there, returns what is to be there."""

    @property
    def place(self) -> str:
        """Return what is changed, for a person to find."""
        return f"{self.owner.__name__}.{self.name}"


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """The code without one guard."""

    name: str
    hazards: tuple[int, ...]
    """Rows of the catalogue that the guard stands against."""
    removes: str
    """What is missing then, in a sentence."""
    changes: tuple[Change, ...]
    """More than one where a second guard would hide that the first is gone."""
    hidden_by: str = ""
    """Which second guard is gone too, and why it hides the first."""
    needs: tuple[str, ...] = ()
    """Features without which nobody does what the guard is against."""

    is_of_calls: bool = False
    """The pace and the tokens (I10, I13) may show it; any other change of what happens
    when may only have them go wrong by chance."""

    def lacking(self, features: Features) -> tuple[str, ...]:
        """Return the features that it needs and a simulation does not have."""
        return tuple(name for name in self.needs if not getattr(features, name))

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Have the guard gone as long as the block lasts.

        Raises:
            LookupError: There is no such guard, so that nothing would be tried.
        """
        with contextlib.ExitStack() as undoing:
            for change in self.changes:
                undoing.enter_context(_changed(change))
            yield


def always(value: Any) -> Callable[[Any], Any]:
    """Replace a function by one that always returns this."""
    return lambda _there: lambda *_args, **_options: value


def always_later(value: Any) -> Callable[[Any], Any]:
    """Replace a coroutine function by one that always returns this."""

    async def instead(*_args: Any, **_options: Any) -> Any:
        return value

    return lambda _there: instead


def constant(value: Any) -> Callable[[Any], Any]:
    """Replace a constant."""
    return lambda _there: value


def query(name: str, function: Callable[..., Any]) -> Change:
    """Have the database in memory run something else for a query of that name."""

    def instead(there: Callable[[str], dict[str, Modelled]]) -> Callable[[str], Any]:
        if not any(name in there(service) for service in schema.SERVICES):
            raise LookupError(f"there is no query {name}")

        def of_service(service: str) -> dict[str, Modelled]:
            known = there(service)
            if (told := known.get(name)) is None:
                return dict(known)
            return known | {name: dataclasses.replace(told, function=function)}

        return of_service

    return Change(catalogue, "of_service", instead)


@contextlib.contextmanager
def _changed(change: Change) -> Iterator[None]:
    held = vars(change.owner)
    if change.name not in held:
        raise LookupError(f"there is no {change.place}")
    there = held[change.name]
    instead = change.instead(there)
    if instead is there or (not callable(there) and instead == there):
        raise LookupError(f"{change.place} would stay what it is")
    setattr(change.owner, change.name, instead)
    try:
        yield
    finally:
        setattr(change.owner, change.name, there)
