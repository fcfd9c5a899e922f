"""Secrets come from files, which a vault can mount and replace (ASVS 13.3.1)."""

import re
import types
import typing
from pathlib import Path

import msgspec
import pytest

from services.api.config import Config as ApiConfig
from services.auth.config import Config as AuthConfig
from services.chassis.config import Settings
from services.connector.config import Config as ConnectorConfig
from services.reconciler.config import Config as ReconcilerConfig
from tests.tidy import cryptography
from tests.tidy.tree import read

SERVICES: dict[str, type[Settings]] = {
    "AUTH": AuthConfig,
    "CONNECTOR": ConnectorConfig,
    "RECONCILER": ReconcilerConfig,
    "API": ApiConfig,
}
TEXTS = {
    "database_url": "an address; a password in it is refused",
    "migration_database_url": "as database_url",
    "nats_url": "as database_url",
    "http_host": "where to listen",
    "operations_host": "where to listen",
    "push_host": "where to listen",
    "log_level": "a word",
    "public_url": "an address",
    "push_url": "an address",
    "proxies": "networks",
    "private_addresses": "networks and names",
    "authorise_hosts": "names",
    "allowed_hosts": "names",
    "unencrypted": "names",
    "oidc_issuer": "an address",
    "oidc_name": "shown to everybody",
    "oidc_client_id": "public (RFC 6749, 2.2)",
    "oidc_acr": "public",
    "oidc_amr": "public",
}
"""Every setting that a text is given for by value, with why it is no secret."""
SECRET = re.compile(r"secret|password|seed|ring|token|credential|(^|_)key(_|$)")
PUBLIC = re.compile(r"certificate|authority")
NO_SECRETS = {"keys_max": "a count", "refresh_margin_s": "seconds"}


def fields_of(settings: type[Settings]) -> dict[str, set[object]]:
    """Return each setting with the types that its value can have."""
    found = {}
    for field in msgspec.structs.fields(settings):
        kinds = {field.type}
        if isinstance(field.type, types.UnionType):
            kinds = set(typing.get_args(field.type))
        found[field.name] = kinds
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_each_secret_setting_is_a_file(service: str) -> None:
    for name, kinds in fields_of(SERVICES[service]).items():
        is_path = Path in kinds
        assert is_path is name.endswith("_file"), name
        if SECRET.search(name) and name not in NO_SECRETS:
            assert is_path, f"{name} is given by value"
        if str in kinds or tuple[str, ...] in kinds:
            assert name in TEXTS, f"{name}: say why it is no secret"


def test_the_page_has_every_secret_file() -> None:
    """Where each comes from and when it is read again, in docs/operations.md.

    Certificates are for everybody to see.
    """
    rows = cryptography.table(read("docs/operations.md").text, "Secrets from a vault")
    said = " ".join(row[0] for row in rows)
    for service, settings in SERVICES.items():
        for name in fields_of(settings):
            if name.endswith("_file") and not PUBLIC.search(name):
                shown = f"{service}_{name.upper()}"
                shared = f"`{name.upper()}` of "
                assert f"`{shown}`" in said or shared in said, shown
