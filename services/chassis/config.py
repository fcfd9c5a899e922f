"""Settings: one frozen Struct per service, read once from ``<SERVICE>_*`` variables.

The only reader of the environment. Secrets come from files, so a setting that is
secret is a path here.
"""

import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from services.chassis.errors import BadConfiguration


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs."""

    database_url: str
    """As the service's own role, which owns no table."""
    migration_database_url: str = ""
    """As the role that owns the schema; used by ``migrate`` only."""
    nats_url: str
    nats_seed_file: Path | None = None
    """The service's nkey seed; without it the server must need no login."""
    nats_public_replicas: int = 1
    """How many servers keep each public stream; 3 where NATS is a cluster."""
    http_host: str = "127.0.0.1"
    http_port: int = 0
    """Health and metrics; 0 takes a free port."""
    log_level: str = "info"
    database_connections_max: int = 10
    start_timeout_s: float = 60.0
    """How long to wait at start for Postgres and NATS."""
    stop_timeout_s: float = 20.0
    """How long work in hand may take to end at SIGTERM."""


S = TypeVar("S", bound=Settings)

PORT_MAX: Final = 65_535

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def load(
    into: type[S], prefix: str, *, environment: Mapping[str, str] | None = None
) -> S:
    """Return the settings of a service.

    Raises:
        BadConfiguration: Lists every variable that is missing or wrong.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(into):
        variable = f"{prefix}_{field.name.upper()}"
        text = environment.get(variable, "")
        if not text:
            if field.required:
                faults.append(f"{variable} is not set")
            continue
        try:
            values[field.name] = _parse(text, field.type)
        except ValueError as err:
            faults.append(f"{variable} {err}")
    if not 0 <= values.get("http_port", 0) <= PORT_MAX:
        # Some event loops take a larger number and listen somewhere else.
        faults.append(f"{prefix}_HTTP_PORT must be from 0 to {PORT_MAX}")
    if faults:
        raise BadConfiguration(faults)
    return into(**values)


def read_secret(path: Path) -> bytes:
    """Return a secret file's content without the line end.

    Raises:
        BadConfiguration: The file cannot be read or is empty.
    """
    try:
        content = path.read_bytes().strip()
    except OSError as err:
        reason = err.strerror or "unreadable"
        raise BadConfiguration([f"secret file {path}: {reason}"]) from err
    if not content:
        raise BadConfiguration([f"secret file {path} is empty"])
    return content


def _parse(text: str, kind: object) -> object:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
    if kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise ValueError("must be true or false")
        return text.lower() in _TRUE
    if kind is Path:
        return Path(text)
    if typing.get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind in (int, float):
        try:
            return int(text) if kind is int else float(text)
        except ValueError:
            raise ValueError("must be a number") from None
    return text
