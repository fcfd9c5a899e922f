"""How Postgres and NATS are reached: with TLS, unless they are on this machine.

An address elsewhere is called with TLS whether it says so or not, the server has to
prove the name that is called, and no password stands in it. Hosts in a network that is
encrypted itself can be left out of that, each by its name.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from services.chassis import addresses, config, tls
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration
from services.chassis.tls import Papers

_POSTGRES: Final = ("postgresql", "postgres")
_FULL: Final = "verify-full"
_READ: Final = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})


class Door(NamedTuple):
    """An address and what is needed to come in there."""

    url: str
    papers: Papers | None = None
    """None: TLS is as the address says."""
    password_file: Path | None = None


class Peers(NamedTuple):
    """The doors of one service."""

    database: Door
    migration: Door
    """As the owner of the schema."""
    bus: Door


def of(settings: Settings, *, service: str) -> Peers:
    """Return how a service's peers are reached.

    Raises:
        BadConfiguration: An address would have something read along, or a file is not
            what it should be; every fault is listed.
    """
    if faults := [*_faults(settings, prefix=service.upper())]:
        raise BadConfiguration(faults)
    is_apart = bool(settings.migration_database_url)
    owner_url = settings.migration_database_url or settings.database_url
    owner_file = settings.migration_database_password_file
    return Peers(
        database=_door(
            settings,
            settings.database_url,
            password_file=settings.database_password_file,
        ),
        migration=_door(
            settings,
            owner_url,
            password_file=owner_file if is_apart else settings.database_password_file,
        ),
        bus=_bus(settings),
    )


def _door(settings: Settings, url: str, *, password_file: Path | None = None) -> Door:
    parts, query = _parts(url)
    is_full = query.get("sslmode") == _FULL
    if _is_near(_hosts(parts, query), settings.unencrypted) and not is_full:
        return Door(url, password_file=password_file)
    usual = _papers(settings)
    own = (query.get("sslrootcert"), query.get("sslcert"), query.get("sslkey"))
    authority, certificate, key = (Path(path) if path else None for path in own)
    papers = Papers(
        authority or usual.authority_file,
        certificate or usual.certificate_file,
        # A key belongs to its own certificate, never to the other one.
        key if certificate else usual.key_file,
    )
    return Door(url, papers=papers, password_file=password_file)


def _bus(settings: Settings) -> Door:
    is_tls = urlsplit(settings.nats_url).scheme == "tls"
    return Door(settings.nats_url, papers=_papers(settings) if is_tls else None)


def _papers(settings: Settings) -> Papers:
    return Papers(
        settings.peer_authority_file,
        settings.peer_certificate_file,
        settings.peer_key_file,
    )


def _faults(settings: Settings, *, prefix: str) -> Iterator[str]:
    addressed = [
        (settings.database_url, "DATABASE", settings.database_password_file),
        (
            settings.migration_database_url,
            "MIGRATION_DATABASE",
            settings.migration_database_password_file,
        ),
    ]
    for url, name, password_file in addressed:
        if url:
            yield from _of_database(
                url, settings, prefix=prefix, name=name, password_file=password_file
            )
    yield from _of_bus(settings, prefix=prefix)
    papers = _papers(settings)
    if (papers.certificate_file is None) != (papers.key_file is None):
        yield (
            f"{prefix}_PEER_CERTIFICATE_FILE and {prefix}_PEER_KEY_FILE need each other"
        )
    elif any(papers):
        yield from _of_papers(
            papers, f"{prefix}_PEER_AUTHORITY_FILE, _CERTIFICATE_FILE or _KEY_FILE"
        )


def _of_database(
    url: str, settings: Settings, *, prefix: str, name: str, password_file: Path | None
) -> Iterator[str]:
    variable = f"{prefix}_{name}_URL"
    try:
        parts, query = _parts(url)
        hosts = _hosts(parts, query)
    except ValueError:
        parts, query, hosts = SplitResult("", "", "", "", ""), {}, []
    if parts.scheme not in _POSTGRES or not hosts:
        yield (
            f"{variable} is no address like postgresql://user@host:5432/database, or"
            " like postgresql:///database?host=/run/postgresql"
        )
        return
    has_password = "password" in query or ":" in parts.netloc.rpartition("@")[0]
    if has_password and password_file is not None:
        yield f"{variable} has a password, and so has {prefix}_{name}_PASSWORD_FILE"
    if password_file is not None:
        yield from _of_secret(password_file, f"{prefix}_{name}_PASSWORD_FILE")
    mode = query.get("sslmode", "")
    if _is_near(hosts, settings.unencrypted):
        if mode != _FULL:
            return
    elif has_password:
        yield (
            f"{variable} has a password in it: prove who this service is by"
            f" {prefix}_PEER_CERTIFICATE_FILE, or put the password into the file of"
            f" {prefix}_{name}_PASSWORD_FILE, where it can be replaced"
        )
    if mode not in ("", _FULL):
        yield (
            f"{variable}: sslmode={mode} does not make sure who answers; leave it out,"
            f" for {_FULL} is meant anyway. {_unless(prefix)}"
        )
    unread = sorted(key for key in query if key.startswith("ssl") and key not in _READ)
    if unread:
        yield f"{variable}: {', '.join(unread)} would not be heeded; leave it out"
    elif bool(query.get("sslcert")) != bool(query.get("sslkey")):
        yield f"{variable}: sslcert and sslkey need each other"
    elif any(query.get(key) for key in _READ - {"sslmode"}):
        door = _door(settings, url)
        assert door.papers is not None, "an address elsewhere has papers"
        yield from _of_papers(
            door.papers, f"{variable}: sslrootcert, sslcert or sslkey"
        )


def _of_bus(settings: Settings, *, prefix: str) -> Iterator[str]:
    variable = f"{prefix}_NATS_URL"
    try:
        parts = urlsplit(settings.nats_url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = SplitResult("", "", "", "", ""), ""
    if parts.scheme not in ("nats", "tls") or not host:
        yield f"{variable} is no address like tls://host:4222 or nats://127.0.0.1:4222"
        return
    if _is_near([host], settings.unencrypted):
        return
    if parts.scheme != "tls":
        yield f"{variable} has to begin with tls://. {_unless(prefix)}"
    if "@" in parts.netloc:
        yield (
            f"{variable} has a user in it: name {prefix}_NATS_SEED_FILE or"
            f" {prefix}_PEER_CERTIFICATE_FILE instead"
        )


def _unless(prefix: str) -> str:
    return (
        f"Only if the network in between is encrypted by itself, list the host in"
        f" {prefix}_UNENCRYPTED"
    )


def _of_papers(papers: Papers, name: str) -> Iterator[str]:
    try:
        papers.context()
    except OSError as err:
        yield f"{name} cannot be used: {tls.reason_of(err)}"


def _of_secret(path: Path, variable: str) -> Iterator[str]:
    try:
        config.read_secret(path)
    except BadConfiguration as err:
        yield from (f"{variable}: {fault}" for fault in err.faults)


def _parts(url: str) -> tuple[SplitResult, dict[str, str]]:
    """Return the parts of an address and its query, as the driver reads them.

    Raises:
        ValueError: It is no address, or one that two readers take for two.
    """
    parts = urlsplit(url)
    if parts.netloc.count("@") > 1:
        raise ValueError("two ends of the user's name")
    query = parse_qs(parts.query, keep_blank_values=True)
    return parts, {key: values[-1] for key, values in query.items()}


def _hosts(parts: SplitResult, query: dict[str, str]) -> list[str]:
    """Return where a connection may go: names, addresses and folders of sockets."""
    spec = parts.netloc.rpartition("@")[2]
    listed = spec.split(",") if spec else query.get("host", "").split(",")
    return [_host(each) for each in listed if each]


def _host(text: str) -> str:
    if text.startswith("/"):
        return text
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return unquote(text.partition(":")[0])


def _is_near(hosts: Collection[str], unencrypted: Collection[str]) -> bool:
    """Tell whether nobody else can read along on the way to any of these hosts."""
    return all(
        host.startswith("/") or addresses.is_loopback(host) or host in unencrypted
        for host in hosts
    )
