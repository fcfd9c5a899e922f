"""Every key and algorithm is in docs/cryptography.md, and what is there is true."""

import msgspec
import pytest

from services.api.config import Config as ApiConfig
from services.api.proofs import oidc, passwords
from services.auth.config import Config as AuthConfig
from services.connector.config import Config as ConnectorConfig
from services.reconciler.config import Config as ReconcilerConfig
from tests.tidy import cryptography
from tests.tidy.cryptography import PAGE
from tests.tidy.tree import Source, read, sources

HEAD = "\n## Algorithms\n\n| for | algorithm | library | where |\n|---|---|---|---|\n"
SHARED = (
    "nats_seed_file",
    "database_url",
    "database_password_file",
    "migration_database_password_file",
    "peer_authority_file",
    "peer_certificate_file",
    "peer_key_file",
)
"""Secrets that each service has of its own; the page names one for all."""


def test_each_use_of_cryptography_is_in_the_inventory() -> None:
    modules = sources("services", "deploy", suffix=".py")
    assert len(modules) > 200
    assert cryptography.faults(read(PAGE).text, modules) == []


def test_each_secret_of_the_settings_has_a_life() -> None:
    keys = "".join(row[0] for row in cryptography.table(read(PAGE).text, "Keys"))
    for service, config in (
        ("auth", AuthConfig),
        ("api", ApiConfig),
        ("connector", ConnectorConfig),
        ("reconciler", ReconcilerConfig),
    ):
        for field in msgspec.structs.fields(config):
            if field.name.endswith("_file") or field.name == "database_url":
                name = "auth" if field.name in SHARED else service
                assert f"`{name}_{field.name}`".upper() in keys.upper()


def test_each_key_says_who_has_it_and_how_it_ends() -> None:
    rows = cryptography.table(read(PAGE).text, "Keys")
    assert len(rows) >= 9
    for row in rows:
        assert len(row) == 5
        assert all(row), row


def test_the_page_has_the_algorithms_of_the_code() -> None:
    said = cryptography.listed(read(PAGE).text)
    for name in oidc.ALGORITHMS:
        assert name in said["services/api/proofs/oidc.py"]
    parameters = passwords.PARAMETERS
    hashing = said["services/api/proofs/passwords.py"]
    assert f"{parameters.memory_cost // 1024} MiB" in hashing
    assert f"{parameters.time_cost} passes" in hashing
    assert f"{parameters.parallelism} lanes" in hashing


@pytest.mark.parametrize(
    ("row", "code", "fault"),
    [
        ("", "import hashlib\n", "uses hashlib"),
        ("| a | SHA-256 | hashlib | `services/x.py` |", "", "uses nothing"),
        ("| a | SHA-256 | hashlib | `services/y.py` |", "", "is not there"),
        (
            "| a | SHA-256 | hashlib | `services/x.py` |",
            "import hashlib\nhashlib.md5(b'')\n",
            "uses MD5",
        ),
        (
            "| a | SHA-256 | hashlib | `services/x.py` |",
            "import hashlib\nfrom cryptography import x509\nhashlib.sha256(b'')\n",
            "without cryptography",
        ),
    ],
)
def test_what_page_and_code_do_not_both_say_is_found(
    row: str, code: str, fault: str
) -> None:
    (found,) = cryptography.faults(HEAD + row, [Source("services/x.py", code)])
    assert fault in found
