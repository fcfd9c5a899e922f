"""No address that a person gives leads into a private network (S6, hazards 114, 115).

Everything goes through the sessions that the connector and auth really use. A listener
counts who connects, and an audit hook sees every address that Python dials at all, so
that an attempt at a network that is not there counts too.
"""

import asyncio
import contextlib
import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Final

import aiohttp
import msgspec
import pytest

from proto.auth import CredentialKind, IssueToken, Token
from proto.ids import AccountId, AppId, TenantId
from services.auth import checks, oauth
from services.auth import transport as auth_transport
from services.auth.oauth import NoGrant, Registration
from services.chassis import addresses
from services.chassis.addresses import Guard
from services.chassis.errors import AddressRefused, CommandFailed
from services.connector import exchange, registry
from services.connector.accounts import AccountRef
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.errors import CallFailed, Meaning
from services.connector.pacing import Lane
from services.connector.port import Answer, Call
from services.connector.transport import Transport
from tests.fakes.clock import SkippingClock
from tests.security.address_forms import EVERY

PUBLIC: Final = "93.184.215.14"
"""A public address; nothing here may dial it either, for want of a network."""
FRONT: Final = "127.0.0.2"
"""Stands for a public server: the operator of these tests lists it."""
ALLOWED: Final = Guard((f"{FRONT}/32",))
SECRET: Final = "canary-4b1d"
TIMEOUT_S: Final = 1.0
NOTHING: Final = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
REF: Final = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("carddav"))
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "loopback": ("127.0.0.1",),
    "loopback6": ("::1",),
    "mapped": ("::ffff:127.0.0.1",),
    "zone": ("fe80::1%lo",),
    "first": ("127.0.0.1", PUBLIC),
    "last": (PUBLIC, "127.0.0.1"),
    "mixed": (PUBLIC, "2606:4700::1111", "::1"),
    "office": ("10.0.0.1",),
    "multicast": ("224.0.0.1",),
    "metadata": ("169.254.169.254",),
    "127.0.0.1": ("127.0.0.1",),
}

Door = Callable[[str, Guard], Any]

_dialled: list[str] | None = None


def _note(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _dialled is not None:
        place = args[1]
        if isinstance(place, tuple):
            _dialled.append(str(place[0]))


sys.addaudithook(_note)


@pytest.fixture
def dialled() -> Iterator[list[str]]:
    """Every address that this process tries to connect to, from now on."""
    global _dialled
    _dialled = []
    yield _dialled
    _dialled = None


class Names:
    """What names mean, in the system's own look-up, which all resolvers end in."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[str, ...]]] = {}
        self.asked = 0
        self._real = socket.getaddrinfo

    def getaddrinfo(
        self, host: str, port: int, *args: Any, **more: Any
    ) -> list[tuple[Any, ...]]:
        """Answer for the tests' own names; spellings of numbers are the system's."""
        self.asked += 1
        plain = host.lower().rstrip(".")
        if not plain.endswith(".example"):
            if not plain.rpartition(".")[2][:1].isdigit() and "local" not in plain:
                raise socket.gaierror(socket.EAI_NONAME, "no network in tests")
            return self._real(host, port, *args, **more)
        left = self.answers.get(plain) or [
            NAMES.get(plain.removesuffix(".private.example"), ())
        ]
        found = left.pop(0) if len(left) > 1 else left[0]
        return [_info(address, port) for address in found]


def _info(text: str, port: int) -> tuple[Any, ...]:
    address, _, zone = text.partition("%")
    if ":" not in address:
        place: tuple[Any, ...] = (address, port)
        return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place
    place = (address, port, 0, 1 if zone else 0)
    return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.getaddrinfo)
    return found


class Listener:
    """An internal service: counts who connects, and keeps what it is sent."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.heard = b""
        self.answer = NOTHING

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.heard += await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def private() -> AsyncIterator[Listener]:
    """Listen where an internal service would, on every interface but the front's."""
    found = Listener()
    async with contextlib.AsyncExitStack() as stack:
        for host in ("127.0.0.1", own_address(), "::1"):
            with contextlib.suppress(OSError):
                server = await asyncio.start_server(found.serve, host, found.port)
                await stack.enter_async_context(server)
                found.port = server.sockets[0].getsockname()[1]
        yield found


@contextlib.asynccontextmanager
async def front(answer: bytes, *, port: int = 0) -> AsyncIterator[Listener]:
    """Run a server that may be called."""
    found = Listener()
    found.answer = answer
    async with await asyncio.start_server(found.serve, FRONT, port) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


def own_address() -> str:
    """Return an address of this machine that is not of its loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "10.0.0.1"
        own: str = probe.getsockname()[0]
    return "10.0.0.1" if addresses.is_public(ipaddress.ip_address(own)) else own


async def through_connector(url: str, guard: Guard) -> Answer | str:
    """Call an account's base address as the connector does."""
    try:
        call = Call(method="GET", path="/x", headers=(("Authorization", SECRET),))
        async with exchange.session(guard) as opened:
            return await exchange.exchange(
                opened,
                call,
                url=exchange.url_of(call, base_url=url),
                headers=dict(call.headers),
                timeout_s=TIMEOUT_S,
            )
    except (
        AddressRefused,
        CallFailed,
        exchange.NotSent,
        exchange.NoAnswer,
        ValueError,
    ) as err:
        return type(err).__name__


async def through_auth(url: str, guard: Guard) -> Answer | str:
    """Post a refresh token to a tenant's token endpoint as auth does."""
    registration = Registration(
        client_id="id",
        client_secret=SECRET,
        client_auth="basic",
        authorise_url="",
        token_url=url,
        api_url="",
        scopes=(),
        issuer="",
        sends_issuer=False,
    )
    async with auth_transport.open_endpoint(TIMEOUT_S, guard=guard) as endpoint:
        found = await endpoint.post(registration, oauth.refresh_form(SECRET))
    return found.reason if isinstance(found, NoGrant) else "granted"


async def through_a_trial(url: str, guard: Guard) -> Answer | str:
    """Open the page of a tenant's authorisation server as auth does."""
    async with auth_transport.open_endpoint(TIMEOUT_S, guard=guard) as endpoint:
        return "seen" if await endpoint.visit(url) else "not seen"


async def through_a_person(url: str, guard: Guard) -> Answer | str:
    """Check an address as a person gives it, store it, and then call it."""
    try:
        checks.require_address(url, "base_url")
    except CommandFailed as err:
        return err.code
    return await through_connector(checks.canonical(url), guard)


DOORS: Final[tuple[Door, ...]] = (
    through_connector,
    through_auth,
    through_a_trial,
    through_a_person,
)


@pytest.mark.parametrize("door", DOORS)
async def test_no_form_of_a_private_address_is_dialled(
    door: Door,
    private: Listener,
    names: Names,
    dialled: list[str],
    figures: dict[str, int],
):
    own = own_address()
    dialled.clear()
    for form in EVERY:
        url = form.format(port=private.port, own=own)
        found = await door(url, Guard())
        assert isinstance(found, str), form
        assert (dialled, private.connections) == ([], 0), form
    figures["forms"] = len(EVERY)
    figures["doors"] = len(DOORS)
    figures["connections"] = figures.get("connections", 0) + private.connections


@pytest.mark.parametrize("door", DOORS)
async def test_the_forms_are_no_idle_ones(
    door: Door, private: Listener, names: Names, dialled: list[str]
):
    """With everything allowed many of them arrive, so that nothing else holds them."""
    everywhere = Guard(("127.0.0.0/8", "0.0.0.0/8", "::/0"))
    own = own_address()
    forms = [form for form in EVERY if ":{port}" in form]
    await asyncio.gather(
        *(door(form.format(port=private.port, own=own), everywhere) for form in forms)
    )
    assert private.connections >= 20
    assert len(dialled) >= private.connections


@pytest.mark.parametrize("door", DOORS)
async def test_a_name_that_moved_is_judged_by_where_it_leads_when_it_is_dialled(
    door: Door, private: Listener, names: Names, dialled: list[str]
):
    """DNS rebinding: public when a person was told yes, private a moment later."""
    for target in ("127.0.0.1", "::1", "169.254.169.254", "10.0.0.1"):
        names.answers["moving.example"] = [(PUBLIC,), (target,)]
        url = f"https://moving.example:{private.port}/"
        await checks.require_callable(url, "base_url", guard=Guard())
        assert await door(url, Guard()) in ("AddressRefused", "not seen")
    assert (dialled, private.connections) == ([], 0)


async def test_what_is_remembered_of_a_name_is_what_was_judged(
    private: Listener, names: Names, dialled: list[str]
):
    """One session for days: a name that moves in between is judged anew."""
    names.answers["moving.example"] = [(FRONT,), ("127.0.0.1",)]
    call = Call(method="GET", path="/x")
    statuses = []
    async with exchange.session(ALLOWED) as opened:
        connector = opened.connector
        assert isinstance(connector, aiohttp.TCPConnector)
        async with front(NOTHING, port=private.port):
            url = f"http://moving.example:{private.port}/"
            for _ in range(3):
                reply = await exchange.exchange(
                    opened,
                    call,
                    url=exchange.url_of(call, base_url=url),
                    headers={},
                    timeout_s=TIMEOUT_S,
                )
                statuses.append(reply.status)
            # What time would do to it.
            connector.clear_dns_cache()
            for _ in range(3):
                with pytest.raises(AddressRefused):
                    await exchange.exchange(
                        opened,
                        call,
                        url=exchange.url_of(call, base_url=url),
                        headers={},
                        timeout_s=TIMEOUT_S,
                    )
    assert statuses == [204, 204, 204]
    assert set(dialled) == {FRONT}
    assert private.connections == 0


TARGETS: Final = (
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "//127.0.0.1:{port}/",
    "///127.0.0.1:{port}/",
    "\\\\127.0.0.1:{port}/",
    "/\\127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}\\",
    "http://[::1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://{front}@127.0.0.1:{port}/",
    "http://{front}:x@127.0.0.1:{port}/",
    "http://loopback.private.example:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/\t",
    " http://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}",
    "@127.0.0.1:{port}/",
    ":{port}@127.0.0.1:{port}/",
    "/..//127.0.0.1:{port}/",
)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
async def test_neither_service_follows_a_redirect(
    status: int, private: Listener, names: Names
):
    """Hazard 48: a public server sends the caller, with its secrets, inside."""
    for target in TARGETS:
        place = target.format(port=private.port, front=FRONT)
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\n"
        answer = (head + "Content-Length: 0\r\nConnection: close\r\n\r\n").encode()
        async with front(answer) as server:
            url = f"http://{FRONT}:{server.port}/"
            reply = await through_connector(url, ALLOWED)
            assert isinstance(reply, Answer)
            assert reply.status == status
            assert isinstance(await through_auth(url, ALLOWED), str)
            assert await through_a_trial(url, ALLOWED) == "seen"
            assert server.connections == 3
    assert private.connections == 0
    assert private.heard == b""


class Auth:
    """Gives out one token, as auth does."""

    def __init__(self, base_url: str) -> None:
        self._token = Token(
            kind=CredentialKind.BASIC,
            secret=SECRET,
            username="ana",
            base_url=base_url,
            version=1,
        )

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        assert isinstance(command, IssueToken)
        return self._token


def moved(target: str) -> bytes:
    """Answer a PROPFIND with a redirect."""
    return (
        f"HTTP/1.1 301 Moved\r\nLocation: {target}\r\n"
        "Content-Length: 0\r\nConnection: close\r\n\r\n"
    ).encode()


def linked(target: str) -> bytes:
    """Answer a PROPFIND with links that all lead to a target."""
    href = target.replace("&", "&amp;").replace("<", "&lt;")
    body = (
        '<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><response>'
        "<href>/</href><propstat><prop><current-user-principal>"
        f"<href>{href}</href></current-user-principal>"
        f"<C:addressbook-home-set><href>{href}</href></C:addressbook-home-set></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response></multistatus>"
    ).encode()
    head = (
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("way", [moved, linked])
async def test_no_link_that_an_address_book_hands_out_leads_inside(
    way: Callable[[str], bytes], private: Listener, names: Names, dialled: list[str]
):
    """Real transport and real app; the server that a person named is hostile."""
    for target in TARGETS:
        place = target.format(port=private.port, front=FRONT)
        async with front(way(place)) as server:
            url = f"http://{FRONT}:{server.port}"
            with contextlib.suppress(CallFailed):
                await verify(url, ALLOWED)
            assert server.connections >= 1
    assert private.connections == 0
    assert set(dialled) == {FRONT}


async def verify(base_url: str, guard: Guard) -> Sequence[str]:
    """Make the first call to an account, as when it is added."""
    clock = SkippingClock()
    async with exchange.session(guard) as opened:
        transport = Transport(
            opened,
            registry.load(),
            credentials=Credentials(Auth(base_url), clock),
            settings=Config(database_url="", nats_url=""),
            clock=clock,
        )
        account = await transport.open(REF)
        identity = await transport.drive(account, account.app.verify(), lane=Lane.POLL)
    return msgspec.structs.astuple(identity)


async def test_the_account_of_a_private_server_is_told_as_refused(
    private: Listener, names: Names, dialled: list[str]
):
    with pytest.raises(CallFailed) as failure:
        await verify(f"http://127.0.0.1:{private.port}", Guard())
    assert failure.value.meaning is Meaning.ADDRESS_REFUSED
    assert (dialled, private.connections) == ([], 0)
