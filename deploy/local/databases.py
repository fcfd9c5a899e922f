"""Roles and schemas of the services, in the embedded or in any other Postgres.

`admin.sql` does the work. Only its caller, the installer, holds an administrator's
address; services are given addresses of their own two roles.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.local.errors import CannotStart

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 60.0
OLDEST_VERSION = 15
_SALT_BYTES = 16
_ITERATIONS = 4096
"""As Postgres itself does it."""
_ADMIN_SQL = Path(__file__).parent.parent / "postgres" / "admin.sql"


def owner_role(service: str) -> str:
    """Return the role that owns a service's schema and runs its migrations."""
    return f"tandem_{service}_owner"


def service_role(service: str) -> str:
    """Return the role that a service works under."""
    return f"tandem_{service}"


def address_for(admin_url: str, *, role: str) -> str:
    """Return the address of the administrator's database for another role."""
    parts = urlsplit(admin_url)
    user = quote(role, safe="")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}@{host}"))


async def prepare(admin_url: str, *, passwords: dict[str, str] | None = None) -> None:
    """Create the roles and schemas that are missing; set passwords if given."""
    try:
        connection = await asyncpg.connect(admin_url, timeout=CONNECT_TIMEOUT_S)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as err:
        raise _unreachable(admin_url, err) from err
    try:
        _check_version(connection)
        sql = await asyncio.to_thread(_ADMIN_SQL.read_text)
        async with connection.transaction():
            await connection.execute(sql, timeout=STATEMENT_TIMEOUT_S)
            for role, password in (passwords or {}).items():
                await _set_password(connection, role=role, password=password)
    except asyncpg.InsufficientPrivilegeError as err:
        raise CannotStart(
            part="Postgres",
            reason=f"DATABASE_URL's role may not prepare the database: {err.args[0]}.",
            remedy=(
                "Give the address of a role that owns the database and may create"
                " roles (CREATEROLE)."
            ),
        ) from err
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def _set_password(
    connection: "asyncpg.Connection[asyncpg.Record]", *, role: str, password: str
) -> None:
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)",
        role,
        _verifier(password),
    )
    await connection.execute(statement, timeout=STATEMENT_TIMEOUT_S)


def _verifier(password: str) -> str:
    """Return what Postgres keeps of a password (RFC 5802), so that no log shows it."""
    salt = secrets.token_bytes(_SALT_BYTES)
    normal = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", normal, salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored, server, mixed = (
        base64.b64encode(part).decode()
        for part in (
            hashlib.sha256(client_key).digest(),
            hmac.digest(salted, b"Server Key", "sha256"),
            salt,
        )
    )
    return f"SCRAM-SHA-256${_ITERATIONS}:{mixed}${stored}:{server}"


def _check_version(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_VERSION:
        raise CannotStart(
            part="Postgres",
            reason=f"the server is version {version.major}.{version.minor}.",
            remedy=f"Use Postgres {OLDEST_VERSION} or newer.",
        )


def _unreachable(admin_url: str, err: Exception) -> CannotStart:
    where = _without_password(admin_url)
    said = str(err) or "no answer in time"
    return CannotStart(
        part="Postgres",
        reason=f"DATABASE_URL ({where}) cannot be reached: {said}.",
        remedy=(
            "Check that the server runs and that the address, the role and the"
            " password are right, or unset DATABASE_URL to use an embedded server."
        ),
    )


def _without_password(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "not an address"
    return urlunsplit(("postgresql", host, parts.path, "", ""))
