"""Which addresses of Postgres and NATS a service starts with, and which it refuses."""

from pathlib import Path

import pytest

from services.chassis import peers
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration

NEAR = "postgresql://tandem_auth@127.0.0.1/tandem"
FAR = "postgresql://tandem_auth@db.example/tandem"


def settings(**changes: object) -> Settings:
    usual = {"database_url": NEAR, "nats_url": "nats://127.0.0.1:4222"}
    return Settings(**(usual | changes))  # type: ignore[arg-type]


def faults(**changes: object) -> list[str]:
    with pytest.raises(BadConfiguration) as refused:
        peers.of(settings(**changes), service="auth")
    return refused.value.faults


@pytest.mark.parametrize(
    "url",
    [
        NEAR,
        NEAR + "?sslmode=disable",
        "postgresql://tandem_auth:word@localhost:5432/tandem",
        "postgres://tandem_auth@[::1]:5432/tandem",
        "postgresql://tandem_auth@/tandem?host=/run/postgresql",
        "postgresql://tandem_auth@%2Frun%2Fpostgresql/tandem",
        "postgresql://tandem_auth@127.0.0.1,localhost/tandem",
        FAR + "?sslmode=disable",
    ],
)
def test_on_this_machine_or_where_it_is_allowed_by_name_tls_is_as_is_said(url):
    found = peers.of(
        settings(database_url=url, unencrypted=("db.example",)), service="auth"
    )
    assert found.database == (url, None, None)


@pytest.mark.parametrize(
    "url",
    [
        FAR,
        FAR + "?sslmode=verify-full",
        NEAR + "?sslmode=verify-full",
        "postgresql://tandem_auth@10.0.0.1/tandem",
        "postgresql://tandem_auth@127.0.0.1,db.example/tandem",
        "postgresql://tandem_auth@/tandem?host=/run/postgresql,db.example",
        # Not written like an address of this machine, although it is one.
        "postgresql://tandem_auth@127.1/tandem",
        # A name that only begins like one.
        "postgresql://tandem_auth@localhost.example/tandem",
        "postgresql://tandem_auth@127.0.0.1.example/tandem",
    ],
)
def test_anywhere_else_tls_is_meant_without_being_said(url):
    found = peers.of(settings(database_url=url), service="auth")
    assert found.database.papers == (None, None, None)
    also = settings(migration_database_url=url)
    assert peers.of(also, service="auth").migration.papers == (None, None, None)


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
@pytest.mark.parametrize("name", ["database", "migration_database"])
def test_less_than_that_is_refused_by_name(mode, name):
    (fault,) = faults(**{f"{name}_url": f"{FAR}?sslmode={mode}"})
    assert fault.startswith(f"AUTH_{name.upper()}_URL: sslmode={mode} ")
    assert "AUTH_UNENCRYPTED" in fault


def test_what_would_not_be_heeded_is_refused():
    (fault,) = faults(database_url=f"{FAR}?sslcrl=/x&ssl_min_protocol_version=TLSv1")
    assert "sslcrl, ssl_min_protocol_version" in fault or "sslcrl" in fault


@pytest.mark.parametrize(
    "url",
    [
        FAR.replace("auth@", "auth:word@"),
        FAR + "?password=word",
        FAR.replace("auth@", "auth:@"),
    ],
)
def test_no_password_stands_in_an_address_elsewhere(url):
    (fault,) = faults(database_url=url)
    assert "AUTH_DATABASE_PASSWORD_FILE" in fault
    assert "word@" not in fault


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tandem",
        "https://db.example/tandem",
        "postgresql:///tandem",
        # One reader takes db.example for the host, another one 127.0.0.1.
        "postgresql://a@db.example@127.0.0.1/tandem",
        "postgresql://[::1/tandem",
    ],
)
def test_what_is_no_address_of_postgres_is_refused(url):
    (fault,) = faults(database_url=url or "x")
    assert fault.startswith("AUTH_DATABASE_URL is no address like postgresql://")


@pytest.mark.parametrize(
    ("url", "is_tls"),
    [
        ("nats://127.0.0.1:4222", False),
        ("nats://localhost", False),
        ("nats://[::1]:4222", False),
        ("nats://bus.example:4222", False),
        ("tls://elsewhere.example:4222", True),
    ],
)
def test_nats_elsewhere_is_called_with_tls(url, is_tls):
    found = peers.of(
        settings(nats_url=url, unencrypted=("bus.example",)), service="auth"
    )
    assert (found.bus.papers is not None) == is_tls


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nats://bus.example:4222", "has to begin with tls://"),
        ("nats://127.1:4222", "has to begin with tls://"),
        ("tls://auth:word@bus.example:4222", "AUTH_NATS_SEED_FILE"),
        ("ws://127.0.0.1:4222", "is no address like tls://"),
        ("127.0.0.1:4222", "is no address like tls://"),
        ("tls://", "is no address like tls://"),
    ],
)
def test_any_other_address_of_nats_is_refused(url, words):
    (fault,) = faults(nats_url=url)
    assert fault.startswith("AUTH_NATS_URL ")
    assert words in fault
    assert "word" not in fault.replace("words", "")


def test_files_that_cannot_be_used_are_told_at_once(tmp_path: Path):
    nothing, wrong = tmp_path / "nothing", tmp_path / "wrong"
    wrong.write_text("no certificate")
    assert "AUTH_PEER_KEY_FILE need each other" in faults(peer_key_file=wrong)[0]
    (fault,) = faults(peer_authority_file=nothing)
    assert fault.endswith("cannot be used: No such file or directory")
    assert faults(peer_certificate_file=wrong, peer_key_file=wrong)
    assert faults(database_url=f"{FAR}?sslrootcert={wrong}")
    assert faults(database_url=f"{FAR}?sslcert={wrong}")
    (fault,) = faults(database_password_file=nothing)
    assert fault.startswith("AUTH_DATABASE_PASSWORD_FILE: ")


def test_every_fault_is_told_at_once():
    found = faults(
        database_url=FAR + "?sslmode=require",
        migration_database_url=FAR + "?sslmode=allow",
        nats_url="nats://bus.example",
    )
    assert len(found) == 3
