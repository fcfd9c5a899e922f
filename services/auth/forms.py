"""What a person gave for an account, read by the form of the app's manifest.

Pure: nothing is stored or called here. Whether it is right, a call of the app says.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from proto.auth import CredentialKind
from proto.connector import SECRET_NAMES, App, AuthMethod, CredentialField
from proto.errors import ErrorCode
from services.auth import checks
from services.auth.sealing import AccountSecret, GivenCredential
from services.chassis.errors import CommandFailed

_KINDS: Final = {
    AuthMethod.PASSWORD: CredentialKind.BASIC,
    AuthMethod.API_KEY: CredentialKind.API_KEY,
    AuthMethod.BEARER: CredentialKind.BEARER,
}
_FORM_OF_BEFORE: Final = tuple(
    CredentialField(name=name, label=name)
    for name in ("base_url", "username", "password")
)
"""What password apps ask for by the word of a connector that tells no forms yet."""


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """A form that holds what it asks for."""

    given: GivenCredential
    base_url: str = ""
    """In its one spelling; empty where the app is at an address of its own."""


def read(app: App, values: Mapping[str, str]) -> Filled:
    """Return what the values of a form mean.

    Raises:
        CommandFailed: The app takes no form, or a value is missing, unknown, or of a
            kind that could not be sent; the field is named.
    """
    if app.auth_method not in SECRET_NAMES:
        raise CommandFailed(
            ErrorCode.INVALID,
            f"{app.name} is authorised in a browser:"
            " POST /v1/accounts/authorisations begins it.",
            field="app",
        )
    names = [field.name for field in app.credential_fields or _FORM_OF_BEFORE]
    for name in values:
        if name not in names:
            raise CommandFailed(
                ErrorCode.INVALID,
                f"{app.name} does not ask for {name}, but for: {', '.join(names)}.",
                field=name,
            )
    for name in names:
        checks.require(values.get(name, ""), name)
    if base_url := values.get("base_url", ""):
        checks.require_address(base_url, "base_url")
    if username := values.get("username", ""):
        checks.require_username(username, "username")
    return Filled(
        given=GivenCredential(
            kind=_KINDS[app.auth_method],
            secret=_secret(app.auth_method, values),
            username=username,
        ),
        base_url=checks.canonical(base_url) if base_url else "",
    )


def _secret(method: AuthMethod, values: Mapping[str, str]) -> AccountSecret:
    name = SECRET_NAMES[method]
    text = values[name]
    if method is AuthMethod.PASSWORD:
        return AccountSecret(password=text)
    # People copy them with a line end, which ends a header.
    text = text.strip()
    if not (text and text.isascii() and text.isprintable() and " " not in text):
        raise CommandFailed(
            ErrorCode.INVALID,
            f"{name} must be as the app showed it: one word of plain characters.",
            field=name,
        )
    return AccountSecret(access_token=text)
