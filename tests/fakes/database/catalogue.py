"""Which function stands for which named query."""

import functools
import inspect
from collections.abc import Awaitable, Callable
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
    connector_limits,
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
    reconciler_suppressions,
    reconciler_sweeps,
)
from tests.fakes.database.tables import Row

SERVICES: Final = Path(queries.__file__).parents[1]

MODULES: Final[dict[str, tuple[ModuleType, ...]]] = {
    "chassis": (chassis,),
    "auth": (auth, auth_credentials),
    "connector": (connector, connector_claims, connector_limits, connector_writes),
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
        reconciler_suppressions,
        reconciler_sweeps,
    ),
}
"""A module's public functions are the queries of their names."""

LEFT_OUT: Final = {
    "has_migrations": "the tables in memory are those of the newest migration",
    "list_migrations": "the tables in memory are those of the newest migration",
    "check_role": "there are no roles in memory",
    **dict.fromkeys(
        queries.load(SERVICES / "chassis" / "sql" / "erasure_queries.sql")
        | queries.load(SERVICES / "connector" / "sql" / "erasure_queries.sql")
        | queries.load(SERVICES / "reconciler" / "sql" / "erasure_queries.sql"),
        "nobody is erased in memory; whoever was is left out there, too",
    ),
    **dict.fromkeys(
        queries.load(SERVICES / "reconciler" / "sql" / "export_queries.sql"),
        "nothing is exported from memory",
    ),
}
"""Queries without a function, each with the reason."""

FOR_ALL_TENANTS: Final = {
    "chassis": frozenset(
        {
            *("add_to_outbox", "claim_outbox", "close_outbox", "hasten_outbox"),
            *("count_outbox", "remember_message", "forget_messages"),
            *("spare_attempts", "end_attempts", "forget_attempts"),
            *("add_dead_letter", "forget_dead_letters", "count_dead_letters"),
            *("list_dead_letters", "replay_dead_letters", "take_dead_letter"),
            *("drop_dead_letter", "keep_dead_letter"),
            *("check_database", "has_migrations", "check_role"),
            *("page_outbox", "redact_outbox", "drop_from_outbox", "count_of_subject"),
            *("page_dead_letters", "redact_dead_letter", "erase_dead_letter"),
        }
    ),
    "auth": frozenset(
        {
            *("drop_stale", "drop_pending", "count_sealed"),
            *("page_old_credentials", "rewrap_credentials"),
            *("page_old_app_clients", "rewrap_app_clients"),
            *("page_old_authorisations", "rewrap_authorisations"),
        }
    ),
    "connector": frozenset(
        {
            *("claim_due", "claim_writing", "renew_leases", "release_lease"),
            *("add_calls", "hold_lease", "count_waiting", "prune_writes"),
            *("erase_writes", "make_due", "make_due_after_push"),
            *("note_limit", "lease_limit", "renew_limits", "release_limit"),
            *("add_shared_calls", "prune_limits"),
        }
    ),
    "reconciler": frozenset(
        {
            *("load_connection", "lock_connection", "lock_connections_of_account"),
            *("list_connections", "find_scanned", "find_needed_accounts"),
            *("claim_connection", "find_unverified", "lock_unverified"),
            *("forget_epochs", "lock_claim", "make_due", "claim_missing"),
            *("find_controls", "count_live", "mark_records", "clear_dirty"),
            *("count_dirty", "count_gone_dirty", "find_links_around"),
            *("count_two_sided", "lock_unswept"),
            *("find_swept", "claim_looks", "retry_links", "purge_links"),
            *("purge_dirty", "purge_intents", "purge_losses", "purge_connections"),
            *("purge_observations", "purge_emails", "purge_scan_parts"),
            *("purge_scans", "purge_accounts", "claim_erasure"),
            *("list_suppression_keys", "draw_fence", "is_past_fence"),
            *("erase_dirty", "end_leases", "erase_observations"),
            *("forget_history", "forget_erasures", "look_at_all"),
            *("export_parents", "export_connections"),
        }
    ),
    "api": frozenset(
        {
            *("add_tenant", "find_tenant", "count_keys", "find_key", "note_key_use"),
            *("count_open_authorisations", "open_authorisation"),
            *("find_authorisation_by_state", "forget_authorisations"),
            *("list_tenants", "find_people_to_sign_in", "find_session"),
            *("find_invitation", "find_people_of_identity", "count_owners"),
            *("has_person", "has_session", "count_people", "forget_sessions"),
            *("end_session", "end_sessions", "end_oldest_sessions"),
            *("take_guess", "return_guess", "forget_guesses"),
            *("add_oidc_sign_in", "take_oidc_sign_in", "forget_oidc_sign_ins"),
            *("has_identity", "find_reset", "take_reset", "drop_reset"),
            *("forget_resets", "forget_invitations", "export_tenant"),
            *("read_policy", "find_half_session", "take_half_session"),
            *("end_half_sessions", "end_oldest_half_sessions", "drop_enrolment"),
            *("forget_half_sessions", "forget_enrolments", "list_factor_keys"),
            *("page_old_factors", "reseal_factor"),
        }
    ),
}
"""What Postgres lets a transaction of all tenants run: tests/security compares."""

Function = Callable[..., Awaitable[list[Row] | int]]


@dataclass(frozen=True)
class Modelled:
    """A query with the function that stands for it."""

    function: Function
    parameters: tuple[str, ...]


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
    found: dict[str, queries.Template] = {}
    for path in sorted((SERVICES / owner / "sql").glob("*queries.sql")):
        found |= queries.load(path)
    return found


@functools.cache
def functions_of(owner: str) -> dict[str, Function]:
    """Return the functions in the modules of a service, or of the chassis."""
    return {
        name: function
        for module in MODULES[owner]
        for name, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def check_for_all(service: str, name: str) -> None:
    """Refuse what Postgres refuses to a transaction that serves all tenants."""
    is_allowed = name in FOR_ALL_TENANTS["chassis"] or name in FOR_ALL_TENANTS[service]
    assert is_allowed, f"{service} may not run {name} for all tenants"


def missing(service: str, name: str) -> NoReturn:
    """Say which query nobody has modelled."""
    reason = LEFT_OUT.get(name, f"write it in {MODULES[service][0].__name__}")
    raise AssertionError(f"{service} runs {name}, which is not modelled: {reason}")
