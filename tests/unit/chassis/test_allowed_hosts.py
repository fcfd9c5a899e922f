"""Nothing is called but what is listed, and that is decided where calls are made."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from services.chassis import addresses
from services.chassis.addresses import Guard
from services.chassis.errors import AddressRefused
from tests.unit.chassis.test_addresses import PUBLIC, Answers, Listener, status_of

INSTALLED = "https://api.vendor.example/v3"


def guarded(*allowed: str, private: tuple[str, ...] = ()) -> Guard:
    guard = Guard(private, allowed=allowed)
    guard.know([INSTALLED, "", "https://login.vendor.example/token?x"])
    return guard


def is_allowed(guard: Guard, host: str) -> bool:
    try:
        guard.check(host, PUBLIC)
    except AddressRefused as err:
        return err.setting != "ALLOWED_HOSTS"
    return True


@pytest.mark.parametrize(
    ("allowed", "host", "may"),
    [
        ((), "api.vendor.example", True),
        ((), "login.vendor.example", True),
        ((), "API.Vendor.example.", True),
        ((), "vendor.example", False),
        ((), "www.api.vendor.example", False),
        ((), "api.vendor.example.evil.example", False),
        ((), "evil.example", False),
        (("dav.example",), "dav.example", True),
        (("DAV.example.",), "dav.example", True),
        (("dav.example",), "x.dav.example", False),
        (("*.dav.example",), "x.dav.example", True),
        (("*.dav.example",), "x.y.dav.example", True),
        (("*.dav.example",), "dav.example", False),
        (("*.dav.example",), "xdav.example", False),
        (("*.dav.example",), "dav.example.evil.example", False),
        (("*",), "evil.example", True),
        (("*",), PUBLIC, True),
        ((), PUBLIC, False),
        ((PUBLIC,), PUBLIC, True),
        # What is listed is what the name says, not where it leads.
        ((PUBLIC,), "evil.example", False),
    ],
)
def test_a_host_is_called_if_it_is_listed(
    allowed: tuple[str, ...], host: str, may: bool
) -> None:
    assert is_allowed(guarded(*allowed), host) is may


def test_what_is_private_is_listed_as_such_alone() -> None:
    """A name for everything opens no private network, and the other way round."""
    with pytest.raises(AddressRefused) as refused:
        guarded("*").check("nas.example", "10.0.0.1")
    assert refused.value.setting == "PRIVATE_ADDRESSES"
    guard = guarded(private=("10.0.0.0/8", "nas.example"))
    guard.check("nas.example", PUBLIC)
    guard.check("anything.example", "10.0.0.1")
    assert not is_allowed(guard, "anything.example")


@pytest.mark.parametrize(
    "entry", ["**", "*.", "*.org", "a.*.example", "*dav.example", "https://x.example"]
)
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    (fault,) = addresses.faults_of_hosts(
        ["*", "a.example", "*.b.example", "192.0.2.1", "::1", entry], variable="X_HOSTS"
    )
    assert fault.startswith(f"X_HOSTS: {entry!r} ")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found = Listener()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


async def test_a_host_that_is_not_listed_is_neither_looked_up_nor_dialled(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public host stands here as a loopback address that counts as public."""
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    inner = Answers(("127.0.0.1",))
    for host in ("evil.example", "127.0.0.1", "x.api.vendor.example"):
        url = f"https://{host}:{listener.port}/"
        assert await status_of(url, guarded(), inner=inner) == "AddressRefused"
        with pytest.raises(AddressRefused):
            await guarded().look_up(url, resolver=inner)
    assert (inner.asked, listener.connections) == (0, 0)
    # The control: what is listed is dialled, and fails only because it has no TLS.
    url = f"https://api.vendor.example:{listener.port}/"
    found = await status_of(url, guarded(), inner=inner)
    assert isinstance(found, str)
    assert found != "AddressRefused"
    async with asyncio.timeout(5):
        while not listener.connections:
            await asyncio.sleep(0.01)
    assert inner.asked == 1


async def test_with_private_networks_names_are_judged_by_where_they_lead(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = guarded(private=("127.0.0.0/8",))
    inner = Answers(("127.0.0.1",))
    url = f"http://nas.example:{listener.port}/"
    assert await status_of(url, guard, inner=inner) == 204
    monkeypatch.setattr(addresses, "is_public", lambda _address: True)
    elsewhere = Answers(("127.0.0.1", "127.0.0.1"))
    guard = guarded(private=("10.0.0.0/8",))
    url = f"https://nas.example:{listener.port}/"
    assert await status_of(url, guard, inner=elsewhere) == "AddressRefused"
    assert listener.connections == 1


async def test_a_name_that_nobody_knows_yet_is_told_early_too() -> None:
    class Nobody(Answers):
        async def resolve(self, *_where: object) -> list[object]:  # type: ignore[override]
            raise OSError

    resolver: aiohttp.abc.AbstractResolver = Nobody(())
    with pytest.raises(AddressRefused):
        await guarded().look_up("https://evil.example/", resolver=resolver)
    await guarded().look_up(INSTALLED, resolver=resolver)
