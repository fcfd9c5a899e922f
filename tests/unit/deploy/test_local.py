"""What the local system writes, keeps secret and tells its services."""

import json
import os
import random
from base64 import b64decode
from collections import deque
from pathlib import Path

import pytest

from deploy.local import children, environment, keys, ports
from deploy.local.errors import CannotStart
from deploy.local.keeper import LOG_BYTES_MAX, bound_log
from deploy.local.layout import Layout
from deploy.local.programs import Options, replicas_of
from deploy.local.supervisor import Supervisor
from proto.subjects import SERVICES


def _place(directory: Path, **passwords: str) -> environment.Place:
    return environment.Place(
        admin_url="postgresql://admin:secret@db.example:5433/tandem?sslmode=require",
        passwords=passwords,
        nats_url="nats://bus.example:4222",
        keys=directory,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_only_what_is_its_own(tmp_path: Path, service: str):
    """No administrator's address, no owner's role, no other service's key."""
    settings = environment.of_service(service, place=_place(tmp_path), http_port=8080)
    prefix = service.upper()
    assert all(name.startswith(f"{prefix}_") for name in settings)
    assert settings[f"{prefix}_HTTP_PORT"] == "8080"
    assert settings[f"{prefix}_NATS_URL"] == "nats://bus.example:4222"
    assert settings[f"{prefix}_NATS_SEED_FILE"].endswith(f"nats-{service}.seed")
    assert settings[f"{prefix}_DATABASE_URL"] == (
        f"postgresql://tandem_{service}@db.example:5433/tandem?sslmode=require"
    )
    assert "owner" not in str(settings)
    assert "secret" not in str(settings)


def test_migrations_alone_act_as_the_owner(tmp_path: Path):
    """The role that may alter tables is out of reach of a running service."""
    place = _place(tmp_path, tandem_auth_owner="a/b", tandem_auth="c@d")
    settings = environment.of_migration("auth", place=place)
    owner_url = settings["AUTH_MIGRATION_DATABASE_URL"]
    assert owner_url.startswith("postgresql://tandem_auth_owner@db.example:5433/")
    assert settings["AUTH_DATABASE_URL"].startswith("postgresql://tandem_auth@")
    files = {name: v for name, v in settings.items() if name.endswith("PASSWORD_FILE")}
    assert files == {
        "AUTH_DATABASE_PASSWORD_FILE": str(tmp_path / "tandem_auth.password"),
        "AUTH_MIGRATION_DATABASE_PASSWORD_FILE": str(
            tmp_path / "tandem_auth_owner.password"
        ),
    }
    assert "a/b" not in settings.values()
    serving = environment.of_service("auth", place=place, http_port=1)
    assert "owner" not in str(serving)


def test_only_auth_gets_the_keys_that_encrypt_tokens(tmp_path: Path):
    """Each ring is on the path of one service; the reconciler has another one."""
    told = {
        service: str(
            environment.of_service(service, place=_place(tmp_path), http_port=1)
        )
        for service in SERVICES
    }
    for ring in ("auth-key-ring", "reconciler-key-ring"):
        having = [service for service, settings in told.items() if ring in settings]
        assert having == [ring.removesuffix("-key-ring")]


def test_services_do_not_inherit_the_administrators_address(monkeypatch):
    """DATABASE_URL is for the installer; settings of services pass."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://admin:secret@db/x")
    monkeypatch.setenv("API_LOG_LEVEL", "debug")
    inherited = environment.inherited()
    assert "DATABASE_URL" not in inherited
    assert inherited["API_LOG_LEVEL"] == "debug"


def test_secrets_are_made_once_and_for_their_owner_alone(tmp_path: Path):
    """A key made anew would make everything encrypted before unreadable."""
    directory = tmp_path / "keys"
    ring = keys.key_ring(directory, "auth")
    first = ring.read_text()
    assert keys.key_ring(directory, "auth").read_text() == first
    assert keys.key_ring(directory, "reconciler").read_text() != first
    content = json.loads(first)
    assert len(b64decode(content["keys"][content["active"]])) == 32
    seed = keys.nats_seed(directory, "auth")
    assert keys.nats_public_key(seed).startswith("U")
    assert keys.password(directory, "x") == keys.password(directory, "x")
    assert keys.password(directory, "x") != keys.password(directory, "y")
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert directory.stat().st_mode & 0o777 == 0o700


def test_an_installation_is_held_by_one_at_a_time(tmp_path: Path):
    """And is free again afterwards, whatever was written into the lock file."""
    layout = Layout(tmp_path / "new")
    assert layout.holder() is None
    with layout.locked():
        assert layout.holder() == os.getpid()
        with pytest.raises(CannotStart, match="already runs"), layout.locked():
            pass
    assert layout.holder() is None
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\xff"])
def test_a_damaged_state_file_is_as_good_as_none(tmp_path: Path, text: str):
    """It is written anew at the next change."""
    layout = Layout(tmp_path)
    layout.state.write_bytes(text.encode("latin-1"))
    assert layout.read_state() == {}


def test_ports_are_not_those_that_clients_are_given():
    """A client of a server that is down must not be handed that server's port."""
    lowest_of_clients = int(
        Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    )
    assert all(ports.free_port() < lowest_of_clients for _ in range(20))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that are drawn from now on, all of them free."""
    draws: list[int] = []
    monkeypatch.setattr(ports, "_given", deque(maxlen=9))
    monkeypatch.setattr(ports, "is_free", lambda _port: True)
    monkeypatch.setattr(random, "randint", lambda *_range: draws.pop(0))
    return draws


def test_no_port_is_chosen_for_two(drawn: list[int]):
    """The first may not listen yet when the second is chosen."""
    drawn += [15_001, 15_001, 15_002]
    assert [ports.free_port(), ports.free_port()] == [15_001, 15_002]


def test_the_port_of_a_program_that_is_yet_to_start_is_nobody_elses(
    tmp_path: Path, drawn: list[int]
):
    """It had it in the run before."""
    system = Supervisor(Layout(tmp_path), Options())
    system._ports = {"auth": 15_001}
    drawn += [15_001, 15_002]
    assert [system._port("api"), system._port("auth")] == [15_002, 15_001]


def test_replicas_are_numbered_from_the_second_on():
    """The first keeps the service's name, as most have no other."""
    options = Options(replicas={"connector": 3, "api": 0})
    assert replicas_of(options) == [
        ("auth", "auth"),
        ("connector", "connector"),
        ("connector-2", "connector"),
        ("connector-3", "connector"),
        ("reconciler", "reconciler"),
    ]


def test_a_log_that_grew_too_long_is_moved_aside(tmp_path: Path):
    """What the process writes next goes to the end of the same, empty file."""
    path = tmp_path / "auth.log"
    with path.open("ab") as log:
        os.truncate(path, LOG_BYTES_MAX + 1)
        bound_log(path)
        log.write(b"next\n")
    assert path.read_bytes() == b"next\n"
    assert (tmp_path / "auth.log.1").stat().st_size == LOG_BYTES_MAX + 1


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path):
    """Also of a log that is not there, or holds what is no text."""
    path = tmp_path / "x.log"
    assert children.tail(path, 2) == ""
    path.write_bytes(b"one\n\xfftwo\nthree\n")
    assert children.tail(path, 2) == "\N{REPLACEMENT CHARACTER}two\nthree"
