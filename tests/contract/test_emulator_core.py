"""What emulators share can be as their vendors are: windows, tokens, dialects."""

import msgspec
import pytest

from tests.emulators.core.access import Access, Dialect
from tests.emulators.core.clock import Clock
from tests.emulators.core.http import Call
from tests.emulators.core.indexes import NumberIndex
from tests.emulators.core.limits import Limiter, Limits, Verdict
from tests.emulators.core.oauth import (
    AuthorizationServer,
    Client,
    Grant,
    OAuthRefused,
    Request,
    TokenPolicy,
)

REDIRECT = "http://127.0.0.1/callback"
CLIENT = Client(client_id="c", client_secret="s", redirect_uris=(REDIRECT,))
GRANT = Grant(client_id="c", account_id="a", scopes=frozenset({"contacts"}))


@pytest.fixture
def clock():
    made = Clock()
    made.freeze(1_000_000.0)
    return made


def server_of(clock, **policy):
    made = AuthorizationServer(
        clock, seed=1, policy=TokenPolicy(**policy), offline_scope=""
    )
    made.register(CLIENT)
    return made


def access_of(server, **dialect):
    return Access(
        server,
        vendor="V",
        scopes=frozenset({"contacts", "lists"}),
        accounts=lambda: [("a", "A")],
        dialect=Dialect(**dialect),
    )


def post(form):
    body = "&".join(f"{name}={text}" for name, text in form.items())
    return Call(method="POST", target="/token", headers={}, body=body.encode())


def told(reply):
    return msgspec.json.decode(reply.body)


def test_a_window_slides(clock):
    limiter = Limiter(clock, Limits(requests_per_window=3, window_s=10.0))
    for _ in range(3):
        assert limiter.admit("a") is Verdict.ADMITTED
        clock.advance(2.0)
    assert limiter.admit("a") is Verdict.THROTTLED
    assert limiter.admit("b") is Verdict.ADMITTED
    assert limiter.remaining("a") == 0
    assert limiter.resets_in_s("a") == pytest.approx(4.0)
    clock.advance(4.0)
    assert limiter.remaining("a") == 1
    assert limiter.admit("a") is Verdict.ADMITTED
    assert limiter.admit("a") is Verdict.THROTTLED


def test_the_second_and_the_window_count_apart(clock):
    limits = Limits(requests_per_second=2, requests_per_window=3, window_s=60.0)
    limiter = Limiter(clock, limits)
    verdicts = [limiter.admit("a") for _ in range(3)]
    assert verdicts == [Verdict.ADMITTED, Verdict.ADMITTED, Verdict.THROTTLED]
    clock.advance(1.5)
    assert limiter.admit("a") is Verdict.ADMITTED
    assert limiter.admit("a") is Verdict.THROTTLED, "refused calls do not count"
    assert Limiter(clock, Limits()).remaining("a") is None


def test_a_new_access_token_kills_the_one_before_where_there_is_one_alone(clock):
    server = server_of(clock, is_single=True, is_rotating=False)
    first = server.issue(GRANT)
    other = server.issue(msgspec.structs.replace(GRANT, account_id="b"))
    second = server.refresh(client=CLIENT, refresh_token=first.refresh_token)
    assert second.refresh_token == first.refresh_token
    assert server.check(first.access_token) is None
    assert server.check(second.access_token) == GRANT
    assert server.check(other.access_token) is not None


def test_a_refresh_can_do_without_a_client(clock):
    server = server_of(clock, is_rotating=False)
    tokens = server.issue(GRANT)
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    assert access_of(server).give_tokens(post(form)).status == 401
    access = access_of(server, is_client_known_by_refresh_token=True)
    assert access.give_tokens(post(form)).status == 200
    refused = access.give_tokens(post(form | {"refresh_token": "x"}))
    assert (refused.status, told(refused)["error"]) == (400, "invalid_grant")


def test_an_answer_says_what_the_vendor_says(clock):
    server = server_of(clock)
    access = access_of(
        server,
        tells_scopes=False,
        repeats_refresh_token=False,
        more=lambda grant: {"api_domain": f"https://{grant.account_id}.example"},
    )
    tokens = server.issue(GRANT)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "client_id": "c",
        "client_secret": "s",
    }
    assert access.give_tokens(post(form)).status == 401, "the secret is by Basic"
    call = post(form)
    call.headers = {"Authorization": "Basic Yzpz"}
    body = told(access.give_tokens(call))
    assert set(body) == {"token_type", "expires_in", "access_token", "api_domain"}


def test_a_secret_comes_where_the_vendor_takes_it(clock):
    server = server_of(clock, is_rotating=False)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": server.issue(GRANT).refresh_token,
        "client_id": "c",
    }
    access = access_of(server, takes_secret_in_body=True)
    assert access.give_tokens(post(form | {"client_secret": "s"})).status == 200
    assert access.give_tokens(post(form | {"client_secret": "x"})).status == 401
    assert access.give_tokens(post(form)).status == 401


def test_scopes_are_written_as_the_vendor_has_them(clock):
    server = server_of(clock)
    access = access_of(
        server,
        scope_separator=",",
        response_types=("", "code"),
        default_scopes=frozenset({"lists"}),
    )
    for scope, expected in (
        ("contacts,lists", "<li>contacts</li>"),
        ("", "<li>lists</li>"),
    ):
        query = f"client_id=c&redirect_uri={REDIRECT}&scope={scope}"
        call = Call(method="GET", target=f"/authorize?{query}", headers={}, body=b"")
        assert expected in access.show_consent(call).body.decode()
    strict = access_of(server)
    assert strict.show_consent(call).status == 302


def test_a_refresh_token_needs_its_scope_where_there_is_one(clock):
    server = AuthorizationServer(clock, seed=1, policy=TokenPolicy())
    server.register(CLIENT)
    assert server.issue(GRANT).refresh_token is None
    with pytest.raises(OAuthRefused):
        server.client_of("nobody's")
    request = Request(client_id="c", redirect_uri=REDIRECT, scopes=GRANT.scopes)
    assert server.issue_code(request, "a")


def test_numbers_behind_one_are_told_in_order_also_behind_one_that_is_gone():
    index = NumberIndex()
    for number in (3, 1, 7, 5):
        index.add(number)
    index.discard(3)
    assert [*index.all_after(0)] == [1, 5, 7]
    assert [*index.all_after(3)] == [5, 7] == [*index.after(3)]
    assert [*index.all_after(7)] == []
