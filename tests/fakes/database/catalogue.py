"""Which function stands for which named query."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, NoReturn

from services.chassis import queries
from tests.fakes.database import (
    auth,
    auth_credentials,
    chassis,
    connector,
    connector_claims,
    connector_writes,
    reconciler_accounts,
    reconciler_connections,
    reconciler_guards,
    reconciler_intents,
    reconciler_leftovers,
    reconciler_links,
    reconciler_missing,
    reconciler_observations,
    reconciler_queue,
    reconciler_sweeps,
)
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row

SERVICES: Final = Path(queries.__file__).parents[1]

MODULES: Final[dict[str, tuple[ModuleType, ...]]] = {
    "chassis": (chassis,),
    "auth": (auth, auth_credentials),
    "connector": (connector, connector_claims, connector_writes),
    "reconciler": (
        reconciler_accounts,
        reconciler_connections,
        reconciler_guards,
        reconciler_intents,
        reconciler_leftovers,
        reconciler_links,
        reconciler_missing,
        reconciler_observations,
        reconciler_queue,
        reconciler_sweeps,
    ),
}
"""A module's public functions are the queries of their names."""

LEFT_OUT: Final = {
    "has_migrations": "the tables in memory are those of the newest migration",
    "list_migrations": "the tables in memory are those of the newest migration",
    "check_role": "there are no roles in memory",
}
"""Queries without a function, each with the reason."""

Function = Callable[..., Awaitable[list[Row] | int]]


@dataclass(frozen=True)
class Modelled:
    """A query with the function that stands for it."""

    function: Function
    parameters: tuple[str, ...]

    def run(
        self, session: Session, values: Sequence[object]
    ) -> Awaitable[list[Row] | int]:
        """Run it on a session."""
        return self.function(session, **dict(zip(self.parameters, values, strict=True)))


@functools.cache
def of_service(service: str) -> dict[str, Modelled]:
    """Return everything that a service can run, by name."""
    return {
        name: Modelled(functions_of(owner)[name], template.parameters)
        for owner in ("chassis", service)
        for name, template in templates_of(owner).items()
        if name in functions_of(owner)
    }


def templates_of(owner: str) -> dict[str, queries.Template]:
    """Return the queries in the file of a service, or of the chassis."""
    return queries.load(SERVICES / owner / "sql" / "queries.sql")


@functools.cache
def functions_of(owner: str) -> dict[str, Function]:
    """Return the functions in the modules of a service, or of the chassis."""
    return {
        name: function
        for module in MODULES[owner]
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def missing(service: str, name: str) -> NoReturn:
    """Say which query nobody has modelled."""
    reason = LEFT_OUT.get(name, f"write it in {MODULES[service][0].__name__}")
    raise AssertionError(f"{service} runs {name}, which is not modelled: {reason}")
