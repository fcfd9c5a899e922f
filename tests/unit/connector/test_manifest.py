"""A manifest's form asks for what its method needs, and for no more."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from proto.auth import CredentialKind, Token
from services.chassis.addresses import Guard
from services.chassis.errors import AddressRefused
from services.connector import exchange, manifest

HEAD = """
app = "sample"
name = "Sample"
tier = "bronze"
auth_method = "{method}"
base_url = "{base_url}"
key_header = "X-Api-Key"
key_prefix = "key "
"""
REST = "[limits]\ncalls_per_second = 1.0\n[capabilities]\n"


def load(
    folder: Path, method: str, *names: str, base_url: str = "", secret: str = ""
) -> manifest.Manifest:
    tables = "".join(
        f'[[credential_fields]]\nname = "{name}"\nlabel = "L"\n'
        f"is_secret = {str(name == secret).lower()}\n"
        for name in names
    )
    path = folder / "manifest.toml"
    path.write_text(HEAD.format(method=method, base_url=base_url) + REST + tables)
    return manifest.load(path)


@pytest.mark.parametrize(
    ("method", "names", "base_url"),
    [
        ("oauth", "", "https://a.example"),
        ("password", "base_url username password", ""),
        ("password", "username password", "https://a.example"),
        ("api_key", "api_key", "https://a.example"),
        ("api_key", "base_url api_key", ""),
        ("bearer", "token", "https://a.example"),
    ],
)
def test_a_form_is_told_as_it_is(
    tmp_path: Path, method: str, names: str, base_url: str
):
    secret = names.rpartition(" ")[2]
    found = load(tmp_path, method, *names.split(), base_url=base_url, secret=secret)
    shown = found.as_app().credential_fields
    assert [field.name for field in shown] == names.split()
    assert [field.name for field in shown if field.is_secret] == names.split()[-1:]


@pytest.mark.parametrize(
    ("method", "names", "secret"),
    [
        ("oauth", "token", "token"),
        ("api_key", "", ""),
        ("api_key", "api_key username", "api_key"),
        ("api_key", "api_key api_key", "api_key"),
        ("api_key", "api_key", ""),
        ("api_key", "api_key base_url", "api_key"),
        ("bearer", "api_key", "api_key"),
        ("password", "password", "password"),
        ("password", "username password", "username"),
        ("password", "username password surprise", "password"),
    ],
)
def test_a_form_that_fits_its_method_badly_is_refused(
    tmp_path: Path, method: str, names: str, secret: str
):
    with pytest.raises(msgspec.ValidationError, match="credential_fields"):
        load(
            tmp_path,
            method,
            *names.split(),
            base_url="https://a.example",
            secret=secret,
        )


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (CredentialKind.API_KEY, ("X-Api-Key", "key s-1")),
        (CredentialKind.BEARER, ("Authorization", "Bearer s-1")),
        (CredentialKind.BASIC, ("Authorization", "Basic YW5hOnMtMQ==")),
    ],
)
def test_each_kind_of_credential_has_its_header(
    tmp_path: Path, kind: CredentialKind, wanted: tuple[str, str]
):
    found = load(
        tmp_path, "api_key", "api_key", base_url="https://a.example", secret="api_key"
    )
    token = Token(kind=kind, secret="s-1", username="ana", version=1)
    assert exchange.authorisation_of(token, manifest=found) == wanted


def test_a_limit_is_counted_by_a_client_where_there_is_one(tmp_path: Path):
    path = tmp_path / "manifest.toml"
    counted = REST.replace("[limits]\n", '[limits]\ncounted_by = "client"\n')
    path.write_text(HEAD.format(method="oauth", base_url="https://a.example") + counted)
    assert manifest.load(path).limits.counted_by is manifest.CountedBy.CLIENT
    path.write_text(
        HEAD.format(method="api_key", base_url="https://a.example")
        + counted
        + '[[credential_fields]]\nname = "api_key"\nlabel = "L"\nis_secret = true\n'
    )
    with pytest.raises(msgspec.ValidationError, match="counted by a client"):
        manifest.load(path)


def facts(**more: Any) -> dict[str, Any]:
    """Return the least that a manifest says."""
    least = {"calls_per_second": 1.0}
    told = {"app": "sample", "name": "Sample", "tier": "bronze", "auth_method": "oauth"}
    return {**told, "limits": least, "capabilities": {}, **more}


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("one.example", True),
        ("us1.accounts.example", True),
        ("accounts.example", True),
        ("a.told.example", True),
        ("told.example", True),
        ("x.one.example", False),
        ("evilaccounts.example", False),
        ("accounts.example.evil.example", False),
        ("elsewhere.example", False),
    ],
)
def test_the_hosts_that_accounts_may_be_at_are_those_of_the_manifest(
    host: str, may: bool
):
    """Also where each has an address of its own, or the app names one for each."""
    told = {"path": "/where", "member": "api", "hosts": ["told.example"]}
    oauth = {
        "authorise_url": "https://login.example/a",
        "token_url": "https://login.example/t",
        "scopes": [],
        "address": told,
    }
    more = facts(
        base_url="https://one.example/v1", hosts=["accounts.example"], oauth=oauth
    )
    guard = Guard(allowed=())
    guard.know(msgspec.convert(more, manifest.Manifest).urls())
    if may:
        guard.check(host, "8.8.8.8")
        return
    with pytest.raises(AddressRefused):
        guard.check(host, "8.8.8.8")


def test_a_manifest_without_an_address_names_no_host():
    assert msgspec.convert(facts(), manifest.Manifest).urls() == ()
