"""OAuth decisions: addresses, PKCE, and what a token endpoint's answer means."""

import datetime
import json
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from proto.ids import AccountId
from proto.places import AddressFacts
from services.auth import oauth
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why

NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
REGISTRATION = Registration(
    client_id="our id",
    client_secret="secret",
    client_auth="basic",
    authorise_url="https://vendor.example/authorize",
    token_url="https://vendor.example/token",
    api_url="",
    scopes=("contact_data", "offline_access"),
    issuer="",
    sends_issuer=False,
)


def seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)


def test_the_challenge_is_that_of_rfc_7636():
    """Appendix B of the RFC."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert oauth.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    ("base", "kept"),
    [
        ("https://vendor.example/authorize", {}),
        ("https://vendor.example/authorize?prompt=consent", {"prompt": ["consent"]}),
        ("https://vendor.example/authorize?a=1&b=%26#part", {"a": ["1"], "b": ["&"]}),
    ],
)
def test_a_person_is_sent_with_everything_the_app_needs(
    base: str, kept: dict[str, list[str]]
):
    url = oauth.authorise_url(
        msgspec.structs.replace(REGISTRATION, authorise_url=base),
        redirect_uri="https://us.example/callback?x=1&y=2",
        state="a state & more",
        verifier="verifier",
    )
    parts = urlsplit(url)
    assert url.startswith("https://vendor.example/authorize?")
    assert parse_qs(parts.query) == kept | {
        "response_type": ["code"],
        "client_id": ["our id"],
        "redirect_uri": ["https://us.example/callback?x=1&y=2"],
        "scope": ["contact_data offline_access"],
        "state": ["a state & more"],
        "code_challenge": [oauth.challenge("verifier")],
        "code_challenge_method": ["S256"],
    }
    assert "secret" not in url
    assert "verifier" not in url


def test_an_app_whose_clients_have_their_scopes_is_asked_for_none():
    """Even an empty wish would be one to an app that reads the parameter."""
    url = oauth.authorise_url(
        msgspec.structs.replace(REGISTRATION, scopes=()),
        redirect_uri="https://us.example/callback",
        state="state",
        verifier="verifier",
    )
    asked = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert "scope" not in asked
    assert asked["state"] == ["state"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"access_token": "a"}, TokenGrant(access_token="a")),
        (
            {
                "access_token": "a",
                "refresh_token": "r",
                "expires_in": 3600,
                "scope": "b a",
                "token_type": "Bearer",
                "unheard_of": {"deep": [1]},
            },
            TokenGrant(
                access_token="a",
                refresh_token="r",
                lifetime_s=3600,
                scopes=("b", "a"),
            ),
        ),
        (
            # Where tokens do not expire, some apps say so like this.
            {"access_token": "a", "expires_in": 0, "scope": None},
            TokenGrant(access_token="a"),
        ),
        (
            {"access_token": "a", "refresh_token": None, "expires_in": "1800"},
            TokenGrant(access_token="a", lifetime_s=1800),
        ),
        (
            {"access_token": "a", "expires_in": 1e300, "scope": ["a", "b"]},
            TokenGrant(
                access_token="a", lifetime_s=oauth.LIFETIME_S_MAX, scopes=("a", "b")
            ),
        ),
        ({"access_token": "a", "expires_in": "soon"}, TokenGrant(access_token="a")),
        ({"access_token": "a", "expires_in": "nan"}, TokenGrant(access_token="a")),
        ({"access_token": "a", "expires_in": -5}, TokenGrant(access_token="a")),
    ],
)
def test_tokens_are_read_however_an_app_writes_them(
    fields: dict[str, object], expected: TokenGrant
):
    """What an app has rotated must not be lost to a field beside the tokens."""
    assert oauth.read_answer(200, json.dumps(fields).encode()) == expected


@pytest.mark.parametrize(
    ("status", "body", "why", "reason"),
    [
        (400, b'{"error": "invalid_grant"}', Why.REFUSED, "invalid_grant"),
        (200, b'{"error": "invalid_grant"}', Why.REFUSED, "invalid_grant"),
        (401, b'{"error": "invalid_grant"}', Why.REFUSED, "invalid_grant"),
        (403, b'{"error": "access_denied"}', Why.DENIED, "access_denied"),
        (401, b'{"error": "invalid_client"}', Why.CLIENT_REFUSED, "invalid_client"),
        (
            400,
            b'{"error": "unauthorized_client"}',
            Why.CLIENT_REFUSED,
            "unauthorized_client",
        ),
        (400, b'{"error": "invalid_scope"}', Why.NOT_TAKEN, "invalid_scope"),
        (400, b'{"error": "invalid_request"}', Why.NOT_TAKEN, "invalid_request"),
        (400, b'{"error": "server_error"}', Why.FAILED, "server_error"),
        (200, b'{"error": "server_error"}', Why.FAILED, "server_error"),
        (
            400,
            b'{"error": "temporarily_unavailable"}',
            Why.NOT_TAKEN,
            "temporarily_unavailable",
        ),
        (400, b'{"error": "our words"}', Why.NOT_TAKEN, "status 400"),
        (400, b'{"status": "BAD_REFRESH_TOKEN"}', Why.NOT_TAKEN, "status 400"),
        (400, b'{"error": {"code": 7}}', Why.NOT_TAKEN, "unreadable, status 400"),
        (403, b'{"message": "Forbidden"}', Why.NOT_TAKEN, "status 403"),
        (401, b"{}", Why.NOT_TAKEN, "status 401"),
        (403, b"<html>blocked</html>", Why.NOT_TAKEN, "unreadable, status 403"),
        (429, b'{"error": "invalid_grant"}', Why.NOT_TAKEN, "status 429"),
        (500, b'{"access_token": "a"}', Why.FAILED, "status 500"),
        (502, b"<html>bad gateway</html>", Why.FAILED, "status 502"),
        (504, b"", Why.FAILED, "status 504"),
        (503, b"", Why.NOT_TAKEN, "status 503"),
        (302, b"", Why.NOT_TAKEN, "status 302"),
        (404, b"{}", Why.NOT_TAKEN, "status 404"),
        (200, b"<html>hello</html>", Why.LOST, "unreadable, status 200"),
        (200, b'{"access_token": "a', Why.LOST, "unreadable, status 200"),
        (200, b"[" * 5000, Why.LOST, "unreadable, status 200"),
        (200, b'{"access_token": "' + b"a" * 70_000, Why.LOST, "unreadable"),
        (200, b"{}", Why.LOST, "no token"),
        (200, b'{"access_token": ""}', Why.LOST, "no token"),
        (200, b'{"access_token": 7}', Why.LOST, "unreadable"),
        (200, b"\xff\xfe", Why.LOST, "unreadable"),
    ],
)
def test_an_answer_without_tokens_is_told_apart(
    status: int, body: bytes, why: Why, reason: str
):
    """Hazard 110: refused, not served, failed at and not known are four things.

    Only ``invalid_grant`` is a refusal. Once every error that was not known counted as
    one, so that a gateway's 403 or an app's ``temporarily_unavailable``, seen twice a
    minute apart, lost accounts whose refresh tokens were good.
    """
    answer = oauth.read_answer(status, body)
    assert isinstance(answer, NoGrant)
    assert answer.why is why
    assert answer.reason.startswith(reason)


@pytest.mark.parametrize(
    ("lifetime_s", "refresh_token", "spread", "renew_s"),
    [
        (86_400.0, "r", 0.0, 86_400 - 120),
        (86_400.0, "r", 0.5, 86_400 - 150),
        (240.0, "r", 0.0, 120),
        (240.0, "r", 1.0, 120),
        (60.0, "r", 0.0, 30),
        (60.0, "", 0.5, 60),
        (None, "r", 0.5, None),
    ],
)
def test_a_token_is_renewed_ahead_of_its_end(
    lifetime_s: float | None, refresh_token: str, spread: float, renew_s: float | None
):
    grant = TokenGrant(
        access_token="a", refresh_token=refresh_token, lifetime_s=lifetime_s
    )
    expected = None if renew_s is None else NOON + seconds(renew_s)
    assert grant.renew_at(NOON, margin_s=120, spread=spread) == expected
    ends_at = None if lifetime_s is None else NOON + seconds(lifetime_s)
    assert grant.expires_at(NOON) == ends_at


def test_accounts_of_one_moment_are_renewed_at_moments_of_their_own():
    """A thousand tokens given together would otherwise be renewed together."""
    grant = TokenGrant(access_token="a", refresh_token="r", lifetime_s=86_400.0)
    spreads = [oauth.spread(AccountId(f"acct_{n}"), version=1) for n in range(1_000)]
    due = {grant.renew_at(NOON, margin_s=120, spread=each) for each in spreads}
    assert len(due) > 990
    assert min(due) >= NOON + seconds(86_400 - 180)
    assert max(due) <= NOON + seconds(86_400 - 120)
    tenths = [int(each * 10) for each in spreads]
    assert all(60 < tenths.count(tenth) < 140 for tenth in range(10))
    again = oauth.spread(AccountId("acct_7"), version=1)
    assert again == spreads[7]
    assert again != oauth.spread(AccountId("acct_7"), version=2)


@pytest.mark.parametrize(
    ("issuer", "sends_issuer", "told", "is_right"),
    [
        ("https://a.example", False, "https://a.example", True),
        ("https://a.example", False, "https://b.example", False),
        ("https://a.example", False, "https://a.example/", False),
        ("https://a.example", False, "", True),
        ("https://a.example", True, "https://a.example", True),
        ("https://a.example", True, "", False),
        ("", False, "https://a.example", True),
        ("", False, "", True),
    ],
)
def test_the_issuer_of_a_callback_is_the_apps(
    issuer: str, sends_issuer: bool, told: str, is_right: bool
):
    """RFC 9207 section 2.4: what an app always says must not be left out."""
    registration = msgspec.structs.replace(
        REGISTRATION, issuer=issuer, sends_issuer=sends_issuer
    )
    assert oauth.is_issuer(told, registration) is is_right


@pytest.mark.parametrize(
    ("scopes", "refresh_token", "lacks"),
    [
        (("contact_data", "offline_access"), "r", []),
        (("offline_access", "contact_data", "more"), "r", []),
        # RFC 6749 section 5.1: whoever grants what was asked for need not say so.
        ((), "r", []),
        (("contact_data",), "r", []),
        (("contact_data",), "", ["offline_access"]),
        (("more",), "r", ["contact_data"]),
        (("more",), "", ["contact_data", "offline_access"]),
    ],
)
def test_a_missing_scope_is_named(
    scopes: tuple[str, ...], refresh_token: str, lacks: list[str]
):
    grant = TokenGrant(access_token="a", refresh_token=refresh_token, scopes=scopes)
    assert grant.lacks(REGISTRATION.scopes) == lacks


PLACE = AddressFacts(path="/where", member="api", hosts=("vendor.example",))


def test_where_an_account_is_is_asked_at_the_token_endpoints_server():
    client = msgspec.structs.replace(
        REGISTRATION, token_url="https://login.vendor.example:8443/oauth/token?a=1"
    )
    assert oauth.address_url(client, PLACE) == "https://login.vendor.example:8443/where"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            b'{"api": "https://us1.vendor.example", "dc": 1}',
            "https://us1.vendor.example",
        ),
        (b'{"api": 7}', ""),
        (b'{"dc": "us1"}', ""),
        (b"[]", ""),
        (b"<html>", ""),
        (b'{"api": "' + b"a" * oauth.TOKEN_ANSWER_BYTES_MAX + b'"}', ""),
    ],
)
def test_an_answer_names_an_address_or_none(body: bytes, expected: str):
    assert oauth.read_address(body, PLACE) == expected
