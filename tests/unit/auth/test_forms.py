"""A form is read by what the app's manifest asks for; the field at fault is named."""

from typing import Any

import pytest

from proto.auth import CredentialKind
from proto.connector import App, AuthMethod, Capabilities, CredentialField
from proto.ids import AppId
from services.auth import forms
from services.auth.sealing import AccountSecret
from services.chassis.errors import CommandFailed

DAV = ("base_url", "username", "password")
URL = "https://dav.example.org"


def app(method: AuthMethod, *names: str) -> App:
    return App(
        app=AppId("sample"),
        name="Sample",
        tier="bronze",
        auth_method=method,
        credential_fields=tuple(
            CredentialField(name=name, label=name) for name in names
        ),
        capabilities=Capabilities(),
    )


def fault(asked: App, **values: Any) -> CommandFailed:
    with pytest.raises(CommandFailed) as failure:
        forms.read(asked, values)
    return failure.value


@pytest.mark.parametrize("names", [DAV, ()])
def test_user_and_password_at_an_address_of_their_own(names: tuple[str, ...]):
    """A connector of before tells no form; its password apps take what they took."""
    values = {"base_url": f"{URL}:443/", "username": "ana", "password": " p w "}
    filled = forms.read(app(AuthMethod.PASSWORD, *names), values)
    assert filled.base_url == URL
    assert filled.given.kind is CredentialKind.BASIC
    assert filled.given.username == "ana"
    assert filled.given.secret == AccountSecret(password=" p w ")


@pytest.mark.parametrize(
    ("method", "name", "kind"),
    [
        (AuthMethod.API_KEY, "api_key", CredentialKind.API_KEY),
        (AuthMethod.BEARER, "token", CredentialKind.BEARER),
    ],
)
def test_a_key_and_a_token_are_the_one_secret(
    method: AuthMethod, name: str, kind: CredentialKind
):
    filled = forms.read(app(method, name), {name: " k-1\r\n"})
    assert (filled.base_url, filled.given.username) == ("", "")
    assert filled.given.kind is kind
    assert filled.given.secret == AccountSecret(access_token="k-1")
    for bad in ("k 1", "k\r\nX: y", "k\x00", "ключ", " "):
        assert fault(app(method, name), **{name: bad}).field == name


@pytest.mark.parametrize(
    ("method", "names", "values", "field"),
    [
        (AuthMethod.API_KEY, ("api_key",), {}, "api_key"),
        (AuthMethod.API_KEY, ("api_key",), {"api_key": ""}, "api_key"),
        (AuthMethod.API_KEY, ("api_key",), {"api_key": "k", "token": "t"}, "token"),
        (AuthMethod.API_KEY, ("api_key",), {"password": "k"}, "password"),
        (
            AuthMethod.API_KEY,
            ("api_key",),
            {"api_key": "k", "base_url": URL},
            "base_url",
        ),
        (AuthMethod.BEARER, ("base_url", "token"), {"token": "t"}, "base_url"),
        (AuthMethod.PASSWORD, DAV, {"base_url": URL, "username": "a"}, "password"),
        (AuthMethod.OAUTH, (), {"token": "t"}, "app"),
        (AuthMethod.UNKNOWN, (), {"token": "t"}, "app"),
    ],
)
def test_what_is_missing_or_not_asked_for_is_named(
    method: AuthMethod, names: tuple[str, ...], values: dict[str, str], field: str
):
    assert fault(app(method, *names), **values).field == field


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://a@b", "x"])
def test_an_address_that_is_none_is_refused(url: str):
    values = {"base_url": url, "username": "ana", "password": "p"}
    assert fault(app(AuthMethod.PASSWORD, *DAV), **values).field == "base_url"
