"""Settings: one frozen Struct per service, read once from ``<SERVICE>_*`` variables.

The only reader of the environment. Secrets come from files, so a setting that is
secret is a path here.
"""

import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from services.chassis.errors import BadConfiguration

PORT_MAX: Final = 65_535
_YEAR_S: Final = 366 * 86_400

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=_YEAR_S)]
# Some event loops take a larger number and listen somewhere else.
Port = Annotated[int, Meta(ge=0, le=PORT_MAX)]
SecondsOrNone = Annotated[float, Meta(ge=0, le=_YEAR_S)]
"""Seconds that may be none at all."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service needs."""

    database_url: str
    """As the service's own role, which owns no table."""
    database_password_file: Path | None = None
    """Its role's password, where it has one; read for each connection."""
    migration_database_url: str = ""
    """As the role that owns the schema; used by ``migrate`` only."""
    migration_database_password_file: Path | None = None
    nats_url: str
    nats_seed_file: Path | None = None
    """The service's nkey seed; without it the server must need no login, or know the
    service by its certificate. Read for each connection."""
    peer_authority_file: Path | None = None
    """Who alone may vouch for Postgres and NATS; without it whom the system trusts."""
    peer_certificate_file: Path | None = None
    """What proves this service to them; read for each connection, as is its key."""
    peer_key_file: Path | None = None
    unencrypted: tuple[str, ...] = ()
    """Hosts of Postgres and NATS, and own addresses to listen on, that need no TLS
    although they are not of this machine alone: the network itself is encrypted."""
    nats_public_replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    """How many servers keep each public stream; 3 where NATS is a cluster."""
    http_host: str = "127.0.0.1"
    http_port: Port = 0
    """Health and metrics, or what a service offers instead; 0 takes a free port."""
    http_connections_max: Count = 500
    """How many clients may be connected; the one that has kept us waiting longest makes
    room for one more."""
    log_level: str = "info"
    database_connections_max: Count = 10
    start_timeout_s: Seconds = 60.0
    """How long to wait at start for Postgres and NATS."""
    outbox_idle_s: Seconds = 1.0
    """How often the outbox is searched for what is due to be sent again."""
    replay_idle_s: Seconds = 5.0
    """How soon a dead letter is handled again that an operator asks for."""
    stop_timeout_s: SecondsOrNone = 20.0
    """How long work in hand may take to end at SIGTERM."""

    def plain_hosts(self) -> dict[str, str]:
        """Return, by setting, where the service listens without TLS."""
        return {"HTTP_HOST": self.http_host}


S = TypeVar("S", bound=Settings)

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


def load(
    into: type[S], prefix: str, *, environment: Mapping[str, str] | None = None
) -> S:
    """Return the settings of a service.

    A number's bounds are those of its field's type.

    Raises:
        BadConfiguration: Lists every variable that is missing or wrong.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    faults: list[str] = []
    is_whole = True
    for field in msgspec.structs.fields(into):
        variable = f"{prefix}_{field.name.upper()}"
        text = environment.get(variable, "")
        if not text:
            if field.required:
                faults.append(f"{variable} is not set")
                is_whole = False
            continue
        try:
            values[field.name] = _parse(text, field.type)
        except ValueError as err:
            faults.append(f"{variable} {err}")
    settings = None
    if is_whole:
        try:
            # What is wrong counts as not given here, so that faults of settings
            # among each other are told in the same breath.
            settings = into(**values)
        except BadConfiguration as err:
            faults += err.faults
    if faults or settings is None:
        raise BadConfiguration(faults)
    return settings


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
    if typing.get_origin(kind) is Annotated:
        kind, bounds = typing.get_args(kind)
        value = _parse(text, kind)
        try:
            msgspec.convert(value, Annotated[kind, bounds])
        except msgspec.ValidationError:
            raise ValueError(f"must be {_spoken(bounds)}") from None
        return value
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
            number = int(text) if kind is int else float(text)
        except ValueError:
            raise ValueError("must be a number") from None
        if not math.isfinite(number):
            raise ValueError("must be a number")
        return number
    return text


def _spoken(bounds: Meta) -> str:
    """Return a number's bounds in words."""
    if bounds.ge is not None:
        high = f" to {bounds.le}" if bounds.le is not None else " on"
        return f"from {bounds.ge}{high}"
    high = f" and at most {bounds.le}" if bounds.le is not None else ""
    return f"more than {bounds.gt}{high}"
