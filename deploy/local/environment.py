"""What each service's process finds in its environment, in one place.

Settings that all services share come first, those of single services after; what
the caller of the supervisor adds wins over both.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.local import databases, keys, ports
from proto.subjects import SERVICES

APART = ("api",)
"""Services whose operators' routes have a port of their own."""
_OURS_ALONE = ("DATABASE_URL", "NATS_URL")


class Place(NamedTuple):
    """Where one installation's servers and secrets are."""

    admin_url: str
    passwords: Mapping[str, str]
    """By role; empty where the server trusts its local users."""
    nats_url: str
    keys: Path


def of_service(
    service: str, *, place: Place, http_port: int, operations_port: int = 0
) -> dict[str, str]:
    """Return the settings of one replica of a service."""
    shared = {
        "DATABASE_URL": _address(place, databases.service_role(service)),
        "NATS_URL": place.nats_url,
        "NATS_SEED_FILE": str(keys.nats_seed(place.keys, service)),
        "HTTP_HOST": ports.LOOPBACK,
        "HTTP_PORT": str(http_port),
    }
    if service in APART:
        shared["OPERATIONS_PORT"] = str(operations_port)
    shared |= _password("DATABASE", place=place, role=databases.service_role(service))
    own = _OWN.get(service, _nothing)(place)
    return {f"{service.upper()}_{name}": v for name, v in {**shared, **own}.items()}


def of_migration(service: str, *, place: Place) -> dict[str, str]:
    """Return the settings of a service's `migrate`, which alone acts as the owner."""
    owner = databases.owner_role(service)
    more = {
        "MIGRATION_DATABASE_URL": _address(place, owner),
        **_password("MIGRATION_DATABASE", place=place, role=owner),
    }
    return {
        **of_service(service, place=place, http_port=0),
        **{f"{service.upper()}_{name}": v for name, v in more.items()},
    }


def inherited() -> dict[str, str]:
    """Return our own environment without what is meant for us and not for services.

    Settings of services pass, so that a person can set one for a run.
    """
    kept = {name: v for name, v in os.environ.items() if name not in _OURS_ALONE}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def roles() -> list[str]:
    """Return the database roles of all services."""
    named = (databases.owner_role, databases.service_role)
    return [name(service) for service in SERVICES for name in named]


def _address(place: Place, role: str) -> str:
    return databases.address_for(place.admin_url, role=role)


def _password(name: str, *, place: Place, role: str) -> dict[str, str]:
    """Return the setting of a role's password, which stands in no address."""
    if role not in place.passwords:
        return {}
    return {f"{name}_PASSWORD_FILE": str(keys.password_file(place.keys, role))}


def _nothing(_place: Place) -> dict[str, str]:
    return {}


def _with_ring(service: str) -> Callable[[Place], dict[str, str]]:
    def settings(place: Place) -> dict[str, str]:
        return {"KEY_RING_FILE": str(keys.key_ring(place.keys, service))}

    return settings


_OWN: Mapping[str, Callable[[Place], dict[str, str]]] = {
    service: _with_ring(service) for service in ("auth", "reconciler", "api")
}
