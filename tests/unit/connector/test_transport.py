"""The transport keeps to one origin, to its bounds, and sends a write once."""

import asyncio
import base64
import contextlib
import datetime
import gzip
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from aiohttp import web

from proto import codec
from proto.auth import CredentialKind, IssueToken, Token
from proto.connector import AuthMethod, Capabilities
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, TenantId
from services.chassis.addresses import Guard
from services.chassis.errors import BusUnavailable, CommandFailed
from services.connector import accounts, exchange, transport
from services.connector.accounts import AccountRef
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Limits, Manifest
from services.connector.pacing import Lane
from services.connector.port import ANSWER_BYTES_MAX, Answer, Call, Facts
from services.connector.registry import Entry, Registry
from services.connector.transport import Transport
from tests.fakes.clock import SkippingClock

APP = AppId("sample")
REF = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), APP)
READ = Call(method="GET", path="/x")
WRITE = Call(method="PUT", path="/x", body=b"{}", is_write=True)


class App:
    def __init__(self, _manifest: Manifest, facts: Facts) -> None:
        self.facts = facts

    def meaning_of(self, answer: Answer) -> CallFailed:
        if answer.headers.get("content-type", "").startswith("text/html"):
            return CallFailed(Meaning.BROKEN, "a page of something in between")
        meaning = {
            401: Meaning.UNAUTHORISED,
            429: Meaning.RATE_LIMITED,
            503: Meaning.UNAVAILABLE,
            404: Meaning.REFUSED,
        }.get(answer.status, Meaning.BROKEN)
        return CallFailed(meaning, f"status {answer.status}")


class Auth:
    def __init__(self, base_url: str) -> None:
        self.token = Token(
            kind=CredentialKind.BEARER, secret="s-1", base_url=base_url, version=1
        )
        self.asked: list[int] = []
        self.accepted_at: datetime.datetime | None = None
        self.error: Exception | None = None

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        assert isinstance(command, IssueToken)
        self.asked.append(command.version_min)
        self.accepted_at = command.accepted_at
        if self.error is not None:
            raise self.error
        if command.version_min > self.token.version:
            version = command.version_min
            self.token = msgspec.structs.replace(
                self.token, secret=f"s-{version}", version=version
            )
        return self.token


Responder = Callable[[web.Request], Any]


class Bench:
    """A transport and the server that it calls."""

    def __init__(self, auth: Auth, clock: SkippingClock, made: Transport) -> None:
        self.auth = auth
        self.clock = clock
        self.transport = made
        self.requests: list[web.Request] = []
        self.answers: list[Responder] = []

    async def drive(self, *calls: Call) -> Sequence[Answer]:
        def operation():
            found = []
            for call in calls:
                found.append((yield call))
            return found

        opened = await self.transport.open(REF)
        return await self.transport.drive(opened, operation(), lane=Lane.POLL)

    async def fails(self, *calls: Call) -> CallFailed:
        with pytest.raises(CallFailed) as failure:
            await self.drive(*calls)
        return failure.value

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        responder = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = responder(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer


@pytest.fixture
async def bench():
    holder: list[Bench] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        return await holder[0].handle(request)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    clock, auth = SkippingClock(), Auth(base_url)
    manifest = Manifest(
        app=APP,
        name="Sample",
        tier="bronze",
        auth_method=AuthMethod.OAUTH,
        limits=Limits(calls_per_second=100, timeout_s=1.0),
        capabilities=Capabilities(),
        headers={"X-Api": "3"},
        key_header="X-Key",
        key_prefix="v1 ",
    )
    async with exchange.session(Guard(("127.0.0.0/8",))) as session:
        made = Transport(
            session,
            Registry({APP: Entry(manifest, App)}),
            credentials=Credentials(auth, clock),
            settings=Config(database_url="", nats_url=""),
            clock=clock,
        )
        holder.append(Bench(auth, clock, made))
        yield holder[0]
    await runner.cleanup()


def ok(_request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


def status(number: int, **headers: str) -> Responder:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda _request: web.Response(status=number, headers=named)


async def hang(_request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


def cut(request: web.Request) -> web.Response:
    request.transport.close()
    return web.Response()


async def test_a_call_carries_the_token_and_the_manifests_headers(bench):
    bench.answers = [ok]
    query = (("email", "a+b@x.org"), ("n", "1"))
    (answer,) = await bench.drive(Call(method="GET", path="/x%2Fy", query=query))
    (request,) = bench.requests
    assert request.raw_path == "/v1/x%2Fy?email=a%2Bb%40x.org&n=1"
    assert request.headers["Authorization"] == "Bearer s-1"
    assert request.headers["X-Api"] == "3"
    assert answer.decode(dict[str, bool]) == {"ok": True}
    assert answer.headers["content-type"].startswith("application/json")


async def test_an_api_key_goes_where_the_manifest_says(bench):
    bench.answers = [ok]
    bench.auth.token = msgspec.structs.replace(
        bench.auth.token, kind=CredentialKind.API_KEY
    )
    await bench.drive(READ)
    headers = bench.requests[0].headers
    assert headers["X-Key"] == "v1 s-1"
    assert "Authorization" not in headers


async def test_a_password_goes_as_basic(bench):
    bench.answers = [ok]
    bench.auth.token = msgspec.structs.replace(
        bench.auth.token, kind=CredentialKind.BASIC, username="ana", secret="pä:ss"
    )
    await bench.drive(READ)
    header = bench.requests[0].headers["Authorization"]
    assert base64.b64decode(header.removeprefix("Basic ")).decode() == "ana:pä:ss"


async def test_tokens_are_asked_for_once_and_kept_for_a_minute(bench):
    bench.answers = [ok]
    await asyncio.gather(*(bench.drive(READ) for _ in range(20)))
    assert bench.auth.asked == [0]
    bench.clock.move(61.0)
    await bench.drive(READ)
    assert bench.auth.asked == [0, 0]


@pytest.mark.parametrize("call", [READ, WRITE])
@pytest.mark.parametrize("url", ["https://10.0.0.1/v1", "http://192.168.0.1/v1"])
async def test_a_private_address_is_not_called_and_a_write_there_not_in_doubt(
    bench, call, url
):
    """Hazard 114."""
    bench.auth.token = msgspec.structs.replace(bench.auth.token, base_url=url)
    failed = await bench.fails(call)
    assert failed.meaning is Meaning.ADDRESS_REFUSED
    assert failed.code is ErrorCode.ADDRESS_REFUSED


async def test_a_redirect_is_not_followed(bench):
    """Hazard 48."""
    bench.answers = [status(302, Location="http://127.0.0.1:1/")]
    failed = await bench.fails(READ)
    assert failed.meaning is Meaning.BROKEN
    assert len(bench.requests) == 1


@pytest.mark.parametrize(
    "call",
    [
        Call(method="GET", path="http://127.0.0.1:1/x"),
        Call(method="GET", path="https://example.org/x"),
        Call(method="GET", path=".example.org/x"),
        Call(method="GET", path="@example.org/x"),
        Call(method="GET", path="1/x", from_origin=True),
        Call(method="GET", path="//example.org/x\r\nX-A: b"),
        Call(method="GET", path="\\\\example.org", from_origin=True),
        Call(method="GET", path="x y"),
        Call(method="GET", path="file:///etc/passwd"),
    ],
)
async def test_no_other_origin_is_called(bench, call):
    """Hazard 114."""
    bench.answers = [ok]
    failed = await bench.fails(call)
    assert failed.meaning is Meaning.BROKEN
    assert bench.requests == []


async def test_links_of_the_own_origin_are_followed(bench):
    bench.answers = [ok]
    origin = bench.auth.token.base_url.removesuffix("/v1")
    await bench.drive(
        Call(method="GET", path=f"{origin}/v1/next?c=1"),
        Call(method="GET", path="/v1/next?c=2", from_origin=True),
    )
    assert [r.raw_path for r in bench.requests] == ["/v1/next?c=1", "/v1/next?c=2"]


@pytest.mark.parametrize("link", ["http://[::1", "http://[::g]/", "//[", "/\ud800"])
@pytest.mark.parametrize("from_origin", [True, False])
def test_a_link_that_is_no_address_is_the_apps_fault(link: str, from_origin: bool):
    """Links come from servers: what they cannot be read as once ended the turn."""
    call = Call(method="GET", path=link, from_origin=from_origin, query=(("a", "b"),))
    with contextlib.suppress(CallFailed):
        url = exchange.url_of(call, base_url="https://app.example/v1")
        assert str(url.origin()) == "https://app.example"


async def test_a_header_that_is_no_utf_8_can_be_kept(bench):
    """An entity tag with such a byte once could be encoded for nobody."""

    async def answer(request: web.Request) -> web.Response:
        request.transport.write(
            b'HTTP/1.1 200 OK\r\nETag: "a\xff"\r\nX-Name: \xc3\xa4\r\n'
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
        request.transport.close()
        return web.Response()

    bench.answers = [answer]
    (found,) = await bench.drive(READ)
    assert codec.decode(codec.encode(found), Answer).headers["etag"] == '"a\ufffd"'
    assert found.headers["x-name"] == "ä"


@pytest.mark.parametrize(
    "wait", ["Thu, 01 Jan 9999999999999999999999 00:00:00 GMT", "9" * 400, "x"]
)
def test_a_wait_that_is_no_time_is_none_or_long(wait: str):
    answer = Answer(status=429, headers={"retry-after": wait}, body=b"")
    now = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
    found = exchange.retry_after_s(answer, now=now)
    assert found is None or found > 0


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_endless_answer_is_cut_off(bench, encoding):
    """Hazard 127: also where little is sent and much comes out."""
    body = b"x" * (ANSWER_BYTES_MAX + 1)
    if encoding == "gzip":
        body = gzip.compress(body)
    headers = {"Content-Encoding": encoding}
    bench.answers = [lambda _: web.Response(body=body, headers=headers)]
    failed = await bench.fails(READ)
    assert failed.meaning is Meaning.BROKEN
    assert len(bench.requests) == 1


class Pieces:
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def feed(self, part: bytes, /) -> None:
        self.sizes.append(len(part))


TAKING = msgspec.structs.replace(READ, take=Pieces)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_what_is_taken_piece_by_piece_may_be_longer(bench, encoding):
    size = ANSWER_BYTES_MAX + 1
    body = gzip.compress(b"x" * size, 1) if encoding == "gzip" else b"x" * size
    headers = {"Content-Encoding": encoding}
    bench.answers = [lambda _: web.Response(body=body, headers=headers)]
    (answer,) = await bench.drive(TAKING)
    assert answer.body == b""
    assert sum(answer.taken.sizes) == size
    assert len(answer.taken.sizes) > 1


async def test_what_is_taken_has_an_end_as_well(bench, monkeypatch):
    monkeypatch.setattr(exchange, "TAKEN_BYTES_MAX", 100)
    bench.answers = [lambda _: web.Response(body=b"x" * 101)]
    assert (await bench.fails(TAKING)).meaning is Meaning.BROKEN


async def test_each_try_is_taken_by_itself(bench):
    """Of an answer that was cut off, nothing comes before the next one."""
    bench.answers = [cut, lambda _: web.Response(body=b"whole")]
    (answer,) = await bench.drive(TAKING)
    assert answer.taken.sizes == [5]


async def test_a_refusal_is_read_and_not_taken(bench):
    bench.answers = [lambda _: web.Response(status=409, body=b"why")]
    call = msgspec.structs.replace(TAKING, accepts=(409,))
    (answer,) = await bench.drive(call)
    assert (answer.body, answer.taken) == (b"why", None)


async def test_a_packed_answer_is_unpacked(bench):
    body = gzip.compress(b'{"a": 1}')
    headers = {"Content-Encoding": "gzip"}
    bench.answers = [lambda _: web.Response(body=body, headers=headers)]
    (answer,) = await bench.drive(READ)
    assert answer.decode(dict[str, int]) == {"a": 1}


@pytest.mark.parametrize("fault", [hang, cut])
async def test_a_read_without_an_answer_is_repeated_a_few_times(bench, fault):
    bench.answers = [fault]
    assert (await bench.fails(READ)).meaning is Meaning.NO_ANSWER
    assert len(bench.requests) == transport.READ_TRIES_MAX
    bench.answers = [fault, ok]
    await bench.drive(READ)


@pytest.mark.parametrize("fault", [hang, cut, status(500), status(502), status(504)])
async def test_a_write_without_an_answer_is_not_repeated(bench, fault):
    """Hazard 31; also on a connection that was used before."""
    bench.answers = [ok]
    await bench.drive(READ)
    bench.answers = [fault]
    assert (await bench.fails(WRITE)).meaning is Meaning.NO_ANSWER
    assert [request.method for request in bench.requests] == ["GET", "PUT"]


@pytest.mark.parametrize("call", [READ, WRITE])
async def test_a_closed_port_means_that_nothing_was_sent(bench, call):
    bench.auth.token = msgspec.structs.replace(
        bench.auth.token, base_url="http://127.0.0.1:1/v1"
    )
    assert (await bench.fails(call)).meaning is Meaning.UNREACHABLE


async def test_a_refused_token_is_refreshed_once(bench):
    bench.answers = [status(401), ok]
    await bench.drive(WRITE)
    assert bench.auth.asked == [0, 2]
    secrets = [request.headers["Authorization"] for request in bench.requests]
    assert secrets == ["Bearer s-1", "Bearer s-2"]
    bench.requests.clear()
    bench.answers = [status(401)]
    failed = await bench.fails(WRITE)
    assert failed.meaning is Meaning.UNAUTHORISED
    assert failed.code is ErrorCode.CREDENTIALS_REFUSED
    assert failed.retry is Retry.LATER
    assert len(bench.requests) == 2
    assert bench.auth.asked == [0, 2, 3, 4], "auth hears of the second refusal too"


async def test_auth_says_what_a_refusal_after_a_refresh_means(bench):
    """The account was once given up here, and nobody else was told."""
    bench.answers = [ok]
    await bench.drive(READ)
    accepted_at = bench.clock.now()
    bench.clock.move(30)
    for code, retry, meaning in (
        (ErrorCode.CREDENTIALS_REFUSED, Retry.LATER, Meaning.UNAUTHORISED),
        (ErrorCode.ACCOUNT_LOST, Retry.AFTER_REAUTH, Meaning.LOST),
    ):

        def refused(_request, code=code, retry=retry):
            bench.auth.error = CommandFailed(code, retry=retry)
            return web.Response(status=401)

        bench.auth.error = None
        bench.answers = [status(401), refused]
        failed = await bench.fails(READ)
        assert (failed.meaning, failed.code, failed.retry) == (meaning, code, retry)
        assert abs((bench.auth.accepted_at - accepted_at).total_seconds()) < 1


async def test_a_401_of_something_in_between_says_nothing_about_the_account(bench):
    """A portal's page once disconnected the account: nobody asked what it meant."""

    def portal(_request: web.Request) -> web.Response:
        return web.Response(status=401, text="<html>", content_type="text/html")

    bench.answers = [portal]
    assert (await bench.fails(READ)).meaning is Meaning.BROKEN
    assert bench.auth.asked == [0]
    bench.requests.clear()
    assert (await bench.fails(WRITE)).meaning is Meaning.BROKEN
    assert len(bench.requests) == 1
    assert bench.auth.asked == [0]


@pytest.mark.parametrize("number", [429, 503])
async def test_a_read_waits_as_long_as_the_app_asks(bench, number):
    bench.answers = [status(number, Retry_After="7"), ok]
    await bench.drive(READ)
    assert bench.clock.ahead_s == pytest.approx(7, abs=0.5)
    bench.answers = [status(number, Retry_After="7")]
    failed = await bench.fails(READ)
    assert failed.retry_after_s == 7
    assert len(bench.requests) == 2 + transport.READ_TRIES_MAX


async def test_a_long_pause_ends_the_turn_instead_of_being_waited_for(bench):
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    date = until.strftime("%a, %d %b %Y %H:%M:%S GMT")
    bench.answers = [status(429, Retry_After=date)]
    failed = await bench.fails(READ)
    assert 3_500 < failed.retry_after_s <= 3_600
    assert len(bench.requests) == 1


@pytest.mark.parametrize(
    ("asked_s", "heeded_s"), [(600, 600), (7_200, accounts.ASKED_S_MAX)]
)
async def test_no_call_is_made_while_the_app_wants_a_long_pause(
    bench, asked_s, heeded_s
):
    """It was called again after a minute, whatever it had asked for."""
    bench.answers = [status(429, Retry_After=str(asked_s)), ok]
    await bench.fails(WRITE)
    bench.clock.move(heeded_s - 130)
    for call in (READ, WRITE):
        failed = await bench.fails(call)
        assert failed.meaning is Meaning.RATE_LIMITED
        assert 129 < failed.retry_after_s <= 130
    assert len(bench.requests) == 1
    bench.clock.move(130)
    await bench.drive(READ)


@pytest.mark.parametrize("number", [429, 503])
async def test_a_write_is_handed_back_when_the_app_asks_for_a_pause(bench, number):
    bench.answers = [status(number)]
    failed = await bench.fails(WRITE)
    assert failed.meaning in (Meaning.RATE_LIMITED, Meaning.UNAVAILABLE)
    assert len(bench.requests) == 1


async def test_html_is_no_answer_to_work_with(bench):
    """Hazard 25."""
    bench.answers = [lambda _: web.Response(text="<html>", content_type="text/html")]
    (answer,) = await bench.drive(READ)
    with pytest.raises(CallFailed) as failure:
        answer.decode(dict[str, int])
    assert failure.value.meaning is Meaning.BROKEN


async def test_an_operation_sees_what_it_accepts_and_can_catch_the_rest(bench):
    bench.answers = [status(404)]
    accepting = msgspec.structs.replace(READ, accepts=(200, 404))
    (answer,) = await bench.drive(accepting)
    assert answer.status == 404

    def operation():
        try:
            yield READ
        except CallFailed as err:
            return err.meaning

    opened = await bench.transport.open(REF)
    meaning = await bench.transport.drive(opened, operation(), lane=Lane.POLL)
    assert meaning is Meaning.REFUSED


async def test_what_is_half_done_does_not_count_as_undone(bench):
    """A write of two calls whose second one is refused may have done something."""
    bench.answers = [ok, status(404)]
    assert (await bench.fails(WRITE, WRITE)).meaning is Meaning.NO_ANSWER
    bench.answers = [ok, status(404)]
    assert (await bench.fails(READ, WRITE)).meaning is Meaning.REFUSED


async def test_a_fault_in_an_app_is_a_broken_answer(bench):
    bench.answers = [ok]

    def faulty():
        yield READ
        return {}["missing"]

    opened = await bench.transport.open(REF)
    with pytest.raises(CallFailed) as failure:
        await bench.transport.drive(opened, faulty(), lane=Lane.POLL)
    assert failure.value.meaning is Meaning.BROKEN


async def test_an_operation_that_never_ends_is_ended(bench, monkeypatch):
    monkeypatch.setattr(transport, "OPERATION_CALLS_MAX", 5)
    bench.answers = [ok]
    assert (await bench.fails(*[READ] * 6)).meaning is Meaning.BROKEN
    assert len(bench.requests) == 5


@pytest.mark.parametrize(
    ("error", "meaning", "code"),
    [
        (
            CommandFailed(ErrorCode.ACCOUNT_LOST, retry=Retry.AFTER_REAUTH),
            Meaning.LOST,
            ErrorCode.ACCOUNT_LOST,
        ),
        (
            CommandFailed(ErrorCode.NOT_FOUND),
            Meaning.LOST,
            ErrorCode.ACCOUNT_LOST,
        ),
        (
            CommandFailed(ErrorCode.CREDENTIALS_REFUSED, retry=Retry.LATER),
            Meaning.UNAUTHORISED,
            ErrorCode.CREDENTIALS_REFUSED,
        ),
        (
            CommandFailed(ErrorCode.APP_UNREACHABLE, retry=Retry.LATER),
            Meaning.UNREACHABLE,
            ErrorCode.APP_UNREACHABLE,
        ),
        (
            CommandFailed(ErrorCode.CLIENT_MISSING),
            Meaning.FORBIDDEN,
            ErrorCode.CLIENT_MISSING,
        ),
        (
            BusUnavailable("TimeoutError"),
            Meaning.UNREACHABLE,
            ErrorCode.SERVICE_UNAVAILABLE,
        ),
    ],
)
async def test_no_token_means_no_call(bench, error, meaning, code):
    bench.auth.error = error
    failed = await bench.fails(READ)
    assert (failed.meaning, failed.code) == (meaning, code)
    assert bench.requests == []


async def test_the_days_calls_end(bench):
    bench.answers = [ok]
    await bench.drive(READ)
    budget = bench.transport.budget_of(REF)
    budget._calls_per_day = 2
    await bench.drive(*[READ])
    failed = await bench.fails(READ)
    assert failed.meaning is Meaning.QUOTA_EXHAUSTED
    assert failed.retry_after_s > 0
    assert len(bench.requests) == 2
