"""Where a person's addresses may lead: nowhere that is not public, however written.

Requirement S6 and hazards 48, 114 and 115: a listener on this machine stands for an
internal host, and has to see no connection at all.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from services.chassis import addresses
from services.chassis.addresses import Guard, GuardedConnector
from services.chassis.errors import AddressRefused
from tests.security.address_forms import LOOPBACK

PUBLIC = "93.184.215.14"
LOCAL = ("127.0.0.0/8",)


class Answers(AbstractResolver):
    """A resolver that says what it is told to, one answer after the other."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: int = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


class Listener:
    """A server on this machine that counts who connects."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Listen on both families, as an internal service would."""
    found = Listener()
    async with contextlib.AsyncExitStack() as stack:
        server = await asyncio.start_server(found.serve, "0.0.0.0", 0)
        await stack.enter_async_context(server)
        found.port = server.sockets[0].getsockname()[1]
        with contextlib.suppress(OSError):
            other = await asyncio.start_server(found.serve, "::1", found.port)
            await stack.enter_async_context(other)
        yield found


async def status_of(
    url: str | URL,
    guard: Guard,
    *,
    inner: AbstractResolver | None = None,
    allow_redirects: bool = False,
) -> int | str:
    """Return the status of a GET, or the name of the error it ended with."""
    connector = GuardedConnector(guard, inner=inner)
    timeout = aiohttp.ClientTimeout(total=3, sock_connect=0.2)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        try:
            async with session.get(url, allow_redirects=allow_redirects) as answer:
                return answer.status
        except (
            AddressRefused,
            aiohttp.ClientError,
            OSError,
            ValueError,
        ) as err:
            return type(err).__name__


@pytest.mark.parametrize("form", LOOPBACK)
@pytest.mark.parametrize("is_encoded", [False, True])
async def test_no_way_of_writing_it_reaches_a_private_host(
    form: str, is_encoded: bool, listener: Listener
):
    """S6; as auth gives URLs to the client, and as the connector does."""
    text = form.format(port=listener.port)
    with contextlib.suppress(ValueError):
        url = URL(text, encoded=True) if is_encoded else text
        assert isinstance(await status_of(url, Guard()), str)
    assert listener.connections == 0


async def test_a_client_that_may_go_anywhere_does_reach_it(listener: Listener):
    """The forms above are no idle ones: without a guard many of them arrive."""
    everywhere = Guard(("0.0.0.0/0", "::/0"))
    reached = 0
    for form in LOOPBACK:
        before = listener.connections
        await status_of(form.format(port=listener.port), everywhere)
        reached += listener.connections > before
    assert reached >= 15


@pytest.mark.parametrize(
    ("form", "private"),
    [
        ("http://127.0.0.1:{port}/", ("127.0.0.0/8",)),
        ("http://127.0.0.1:{port}/", ("127.0.0.1",)),
        ("http://127.0.0.1:{port}/", ("10.0.0.0/8", "127.0.0.1/32")),
        ("http://[::ffff:127.0.0.1]:{port}/", ("127.0.0.0/8",)),
        ("http://localhost:{port}/", ("127.0.0.0/8", "::1")),
        ("http://localhost:{port}/", ("localhost",)),
        ("http://LocalHost:{port}/", ("LOCALHOST.",)),
    ],
)
async def test_what_an_operator_lists_may_be_called_even_without_tls(
    form: str, private: tuple[str, ...], listener: Listener
):
    url = form.format(port=listener.port)
    assert await status_of(url, Guard(private)) == 204
    assert listener.connections == 1


async def test_a_listed_name_opens_no_other_way_to_its_address(listener: Listener):
    guard = Guard(("nas.example",))
    inner = Answers(("127.0.0.1",))
    for host in ("127.0.0.1", "other.example", "nas.example.evil.example"):
        url = f"http://{host}:{listener.port}/"
        assert await status_of(url, guard, inner=inner) == "AddressRefused"
    assert listener.connections == 0
    url = f"http://nas.example:{listener.port}/"
    assert await status_of(url, guard, inner=inner) == 204


async def test_a_name_that_moves_to_a_private_address_is_not_followed_there(
    listener: Listener,
):
    """DNS rebinding: public when it was looked at, private when it is called."""
    inner = Answers((PUBLIC,), ("127.0.0.1",))
    guard = Guard()
    url = f"https://rebinding.example:{listener.port}/"
    await guard.look_up(url, resolver=inner)
    for _ in range(3):
        assert await status_of(url, guard, inner=inner) == "AddressRefused"
    assert inner.asked == 4
    with pytest.raises(AddressRefused):
        await guard.look_up(url, resolver=inner)
    assert listener.connections == 0


async def test_a_name_moves_between_two_calls_of_one_session(listener: Listener):
    """What is remembered of look-ups is what was checked."""
    inner = Answers(("127.0.0.2",), ("127.0.0.1",))
    connector = GuardedConnector(Guard(("127.0.0.2/32",)), inner=inner, ttl_dns_cache=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url = f"http://rebinding.example:{listener.port}/"
        async with session.get(url) as answer:
            assert answer.status == 204
        for _ in range(2):
            with pytest.raises(AddressRefused):
                await session.get(url)
    assert listener.connections == 1


async def test_one_private_address_among_public_ones_refuses_the_name(
    listener: Listener,
):
    for answer in ((PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC), (PUBLIC, "::1")):
        url = f"https://mixed.example:{listener.port}/"
        found = await status_of(url, Guard(), inner=Answers(answer))
        assert found == "AddressRefused"
    assert listener.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/", "http://localhost:{port}/"]
)
async def test_a_redirect_leads_to_no_private_host(
    status: int, target: str, listener: Listener
):
    """Ours follow none; even one that is followed is checked again (hazard 48)."""
    front = Listener()
    location = target.format(port=listener.port)
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n"
    front.answer = (head + "Content-Length: 0\r\nConnection: close\r\n\r\n").encode()
    async with await asyncio.start_server(front.serve, "127.0.0.3", 0) as server:
        url = f"http://127.0.0.3:{server.sockets[0].getsockname()[1]}/"
        guard = Guard(("127.0.0.3/32",))
        assert await status_of(url, guard) == status
        found = await status_of(url, guard, allow_redirects=True)
    assert found == "AddressRefused"
    assert front.connections == 2
    assert listener.connections == 0


async def test_without_tls_nothing_is_sent_to_a_name_that_is_not_listed(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
):
    """A public host stands here as a loopback address that counts as public."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.close()

    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        inner = Answers(("127.0.0.1",))
        url = f"http://plain.example:{port}/"
        assert await status_of(url, Guard(), inner=inner) == "AddressRefused"
        async with asyncio.timeout(5):
            while not heard:
                await asyncio.sleep(0.01)
        literal = f"http://127.0.0.1:{port}/"
        assert await status_of(literal, Guard()) == "AddressRefused"
    assert heard == [b""]


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0", "0.255.255.255", "10.0.0.1", "10.255.255.255", "100.64.0.1",
        "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.255",
        "168.63.129.16", "169.254.0.1", "169.254.169.254", "169.254.170.2",
        "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
        "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
        "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::2", "::127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:8.8.8.8",
        "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8",
        "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1",
        "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::",
        "2002:808:808::1", "3fff::1", "4000::1", "5f00::1", "fc00::1",
        "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fe80::1%eth0",
        "2606:4700::1111%eth0", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
    ],
)  # fmt: skip
def test_an_address_for_something_special_is_not_public(text: str):
    assert not addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15",
        "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255",
        "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", PUBLIC,
        "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111",
        "2a00::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    ],
)  # fmt: skip
def test_the_neighbours_of_special_addresses_are_public(text: str):
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "http://10.1.2.3:8080/x", "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/", "http://8.8.8.8/",
        "https://2130706433/", "https://127.1/", "https://localhost/",
    ],
)  # fmt: skip
async def test_a_person_is_told_early(url: str):
    with pytest.raises(AddressRefused):
        await Guard().look_up(url, resolver=aiohttp.ThreadedResolver())


async def test_what_may_be_called_or_is_not_known_yet_passes_the_early_look():
    class Nobody(Answers):
        async def resolve(self, host: str, port: int = 0, family: int = 0):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

    await Guard().look_up("https://vendor.example/", resolver=Nobody(()))
    await Guard().look_up("https://8.8.8.8/", resolver=Nobody(()))
    await Guard().look_up("https://a.example/", resolver=Answers((PUBLIC, "1.1.1.1")))
    await Guard(("10.0.0.0/8",)).look_up(
        "http://nas.example:5232/", resolver=Answers(("10.1.2.3",))
    )
    await Guard(("nas.lan",)).look_up(
        "http://NAS.lan/", resolver=Answers(("192.168.1.9",))
    )
    with pytest.raises(AddressRefused, match="not encrypted"):
        await Guard(LOCAL).look_up("http://a.example/", resolver=Answers((PUBLIC,)))


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "1", "*.lan", "http://nas.lan",
        "nas.lan:5232", "nas lan", "nas..lan", "büro.lan", "-nas.lan", "[::1]", "::g",
        "10.0.0.0-10.0.0.9",
    ],
)  # fmt: skip
def test_a_list_with_something_else_in_it_is_refused_by_name(entry: str):
    good = ("10.0.0.0/8", "fd00::/8", "127.0.0.1", "::1", "nas.lan", "NAS_2.lan.")
    assert addresses.faults(good, variable="X") == []
    (fault,) = addresses.faults((*good, entry), variable="X_PRIVATE_ADDRESSES")
    assert "X_PRIVATE_ADDRESSES" in fault
    assert repr(entry) in fault


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://dav.example.org/path?x=1", True),
        ("HTTPS://dav.example.org", True),
        ("http://127.0.0.1:5232", True),
        ("https://[::1]:1", True),
        ("https://büro.example/kontakte", True),
        ("https://x:0", False),
        ("https://x:99999", False),
        ("https://x y", False),
        ("https://user@x", False),
        ("https://user:password@x", False),
        ("https://@x", False),
        ("https://x/#part", False),
        ("https://x\\@y/", False),
        ("https://%6cocalhost/", False),
        ("https://[fe80::1%25eth0]/", False),
        ("https://", False),
        ("https:///x", False),
        ("http://:80/", False),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("gopher://x/", False),
        ("ftp://x", False),
        ("//x", False),
        ("x", False),
        ("https://[", False),
        ("https://x\n", False),
        ("https://x/\t", False),
        ("", False),
    ],
)
def test_web_addresses_are_told_from_other_texts(url: str, is_good: bool):
    assert addresses.is_url(url) is is_good
