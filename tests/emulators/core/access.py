"""The authorize and token endpoints, as vendors that follow RFC 6749 share them."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import msgspec

from tests.emulators.core import consent
from tests.emulators.core.http import Call, Reply, html_reply, json_reply
from tests.emulators.core.oauth import (
    AuthorizationServer,
    Client,
    Grant,
    OAuthRefused,
    Request,
    Tokens,
)

Accounts = Callable[[], Iterable[tuple[str, str]]]
"""Returns id and name of each account that a person may log in to."""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """In which ways a vendor's endpoints differ from the RFC's plain ones."""

    scope_separator: str = " "
    default_scopes: frozenset[str] = frozenset()
    """Granted where the authorize request names none; empty: it has to."""
    response_types: tuple[str, ...] = ("code",)
    """What the authorize request may ask for; an empty one: nothing at all."""
    takes_secret_in_body: bool = False
    """The client's secret comes with the form instead of by Basic."""
    is_client_known_by_refresh_token: bool = False
    """A refresh needs no client's name and no secret."""
    repeats_refresh_token: bool = True
    """A refresh tells the refresh token again."""
    tells_scopes: bool = True
    refuses_with: int = 0
    """The status of every refusal of the token endpoint; 0: as the RFC has it."""
    goes_back: Callable[[Mapping[str, str]], bool] = lambda _form: True
    """Whether who denies, by this form, is sent back to the application."""
    more: Callable[[Grant], Mapping[str, object]] = lambda _grant: {}
    """What else the answer with tokens says."""


PLAIN = Dialect()


class _Denied(Exception):
    """The person goes back to the application with an error."""

    def __init__(self, redirect_uri: str, state: str, error: str) -> None:
        self.location = _with_query(redirect_uri, error=error, state=state)


class Access:
    """Serve one vendor's authorize and token endpoints."""

    def __init__(
        self,
        server: AuthorizationServer,
        *,
        vendor: str,
        scopes: frozenset[str],
        accounts: Accounts,
        dialect: Dialect = PLAIN,
    ) -> None:
        self._server = server
        self._dialect = dialect
        self._vendor = vendor
        self._scopes = scopes
        self._accounts = accounts

    def show_consent(self, call: Call) -> Reply:
        """Show who asks for what, with the accounts to choose from."""
        fields = call.query()
        try:
            request = self._read_request(fields)
        except OAuthRefused as refused:
            return self._refuse(refused)
        except _Denied as denied:
            return Reply(302, location=denied.location)
        return html_reply(
            consent.consent_page(
                vendor=self._vendor,
                application=request.client_id,
                accounts=self._accounts(),
                scopes=request.scopes,
                fields=fields,
            )
        )

    def decide(self, call: Call) -> Reply:
        """Take the person's decision and send them back to the application."""
        fields = call.form()
        try:
            request = self._read_request(fields)
        except OAuthRefused as refused:
            return self._refuse(refused)
        except _Denied as denied:
            return Reply(302, location=denied.location)
        account_id = fields.get("account_id", "")
        known = {known_id for known_id, _ in self._accounts()}
        if fields.get("decision") != "approve" or account_id not in known:
            if not self._dialect.goes_back(fields):
                reason = "You may close this."
                page = consent.refusal_page(vendor=self._vendor, reason=reason)
                return html_reply(page)
            location = _with_query(
                request.redirect_uri, error="access_denied", state=request.state
            )
            return Reply(302, location=location)
        code = self._server.issue_code(request, account_id)
        location = _with_query(request.redirect_uri, code=code, state=request.state)
        return Reply(302, location=location)

    def give_tokens(self, call: Call) -> Reply:
        """Exchange a code or renew with a refresh token."""
        fields = call.form()
        try:
            client = self._authenticate(call, fields)
            return json_reply(self._body(self._grant(client, fields), fields))
        except OAuthRefused as refused:
            body = {"error": refused.error, "error_description": refused.description}
            return json_reply(body, self._dialect.refuses_with or refused.status)

    def _grant(self, client: Client, fields: dict[str, str]) -> Tokens:
        match fields.get("grant_type"):
            case "authorization_code":
                return self._server.exchange(
                    client=client,
                    code=fields.get("code", ""),
                    redirect_uri=fields.get("redirect_uri", ""),
                    verifier=fields.get("code_verifier", ""),
                )
            case "refresh_token":
                return self._server.refresh(
                    client=client, refresh_token=fields.get("refresh_token", "")
                )
        raise OAuthRefused("unsupported_grant_type", "The grant type is not supported.")

    def _body(self, tokens: Tokens, fields: dict[str, str]) -> dict[str, object]:
        body: dict[str, object] = {
            "token_type": "Bearer",
            "expires_in": tokens.expires_in,
            "access_token": tokens.access_token,
        }
        if self._dialect.tells_scopes:
            separator = self._dialect.scope_separator
            body["scope"] = separator.join(sorted(tokens.scopes))
        is_refresh = fields.get("grant_type") == "refresh_token"
        if tokens.refresh_token is not None and (
            self._dialect.repeats_refresh_token or not is_refresh
        ):
            body["refresh_token"] = tokens.refresh_token
        grant = self._server.check(tokens.access_token)
        assert grant is not None
        return body | dict(self._dialect.more(grant))

    def _authenticate(self, call: Call, fields: dict[str, str]) -> Client:
        if (
            self._dialect.is_client_known_by_refresh_token
            and fields.get("grant_type") == "refresh_token"
        ):
            return self._server.client_of(fields.get("refresh_token", ""))
        client_id, secret = _read_basic(call.headers.get("Authorization", ""))
        if self._dialect.takes_secret_in_body and client_id is None:
            secret = fields.get("client_secret")
        client = self._server.clients.get(client_id or fields.get("client_id", ""))
        if client is None or client.client_secret != secret:
            raise OAuthRefused(
                "invalid_client", "Client authentication failed.", status=401
            )
        return client

    def _read_request(self, fields: dict[str, str]) -> Request:
        # Until client and redirect URI are known to belong together, an error is shown
        # here and not sent back, or this would be an open redirector.
        client = self._server.clients.get(fields.get("client_id", ""))
        if client is None:
            raise OAuthRefused("invalid_client", "The client is not registered.")
        redirect_uri = fields.get("redirect_uri", "")
        if redirect_uri not in client.redirect_uris:
            raise OAuthRefused(
                "invalid_request", "The redirect URI is not exactly a registered one."
            )
        state = fields.get("state", "")
        named = fields.get("scope", "").replace(self._dialect.scope_separator, " ")
        scopes = frozenset(named.split()) or self._dialect.default_scopes
        challenge = fields.get("code_challenge", "")
        if fields.get("response_type", "") not in self._dialect.response_types:
            raise _Denied(redirect_uri, state, "unsupported_response_type")
        if not scopes or not scopes <= self._scopes:
            raise _Denied(redirect_uri, state, "invalid_scope")
        if challenge and fields.get("code_challenge_method") != "S256":
            raise _Denied(redirect_uri, state, "invalid_request")
        return Request(
            client_id=client.client_id,
            redirect_uri=redirect_uri,
            scopes=scopes,
            state=state,
            code_challenge=challenge,
        )

    def _refuse(self, refused: OAuthRefused) -> Reply:
        page = consent.refusal_page(vendor=self._vendor, reason=refused.description)
        return html_reply(page, 400)


def _read_basic(header: str) -> tuple[str | None, str | None]:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None, None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return None, None
    client_id, _, secret = decoded.partition(":")
    return unquote(client_id), unquote(secret)


def _with_query(url: str, **fields: str) -> str:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    query += [(name, value) for name, value in fields.items() if value]
    return urlunsplit(parts._replace(query=urlencode(query)))
