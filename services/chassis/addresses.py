"""Which hosts may be called, at which addresses: what an operator and the apps list.

Hosts of installed apps and those that an operator allows, where they are public; and
what an operator lists as private. It is decided for the very addresses that are
dialled, because a name can mean something else a moment later.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

from services.chassis.errors import AddressRefused

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

LOOK_UP_TIMEOUT_S: Final = 2.0
EVERYWHERE: Final = "*"
"""In a list of hosts: all that are public."""
_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")

# The registries of IANA for special purposes as of 2025, spelled out because
# `is_global` differs between versions of Python: multicast, for example, it calls
# global. https://www.iana.org/assignments/iana-ipv4-special-registry
_SPECIAL: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # Azure answers virtual machines here, on an address that looks public.
        "168.63.129.16/32",
        # Teredo and other protocols' own; documentation; 6to4, which leads to IPv4.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6; loopback, local and multicast are elsewhere."""
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Tell whether an address is somewhere on the internet, the same for everybody."""
    address = _meant(address)
    if isinstance(address, IPv6Address) and (
        address not in _UNICAST or address.scope_id is not None
    ):
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_url(text: str) -> bool:
    """Tell whether a text is a plain http or https address of a server."""
    if not text.isprintable() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        parts.scheme in _PORTS
        and bool(parts.hostname)
        and has_port
        and not any(sign in parts.netloc for sign in "@%")
        and not parts.fragment
    )


def faults(private: Iterable[str], *, variable: str) -> list[str]:
    """Return what is wrong with the addresses that an operator lists."""
    return [
        f"{variable}: {entry!r} is neither a network such as 10.0.0.0/8 nor a host name"
        for entry in private
        if _network(entry) is None and not _is_name(_plain(entry))
    ]


def faults_of_hosts(allowed: Iterable[str], *, variable: str) -> list[str]:
    """Return what is wrong with the hosts that an operator allows."""
    return [
        f"{variable}: {entry!r} is no host name, nor *.example.org for all below one,"
        f" nor {EVERYWHERE} for all"
        for entry in allowed
        if entry != EVERYWHERE and not _is_host(_plain(entry))
    ]


class Guard:
    """Decides which hosts may be called, and where.

    ``private`` lists networks and host names that may be although they are not public;
    ``allowed`` lists hosts that may be where they are public.
    """

    def __init__(
        self, private: Sequence[str] = (), *, allowed: Sequence[str] = (EVERYWHERE,)
    ) -> None:
        assert not faults(private, variable="private"), "settings refuse these"
        assert not faults_of_hosts(allowed, variable="allowed"), "and these"
        self._allowed = {_plain(entry) for entry in allowed}
        found = [(entry, _network(entry)) for entry in private]
        self._networks = [network for _, network in found if network is not None]
        self._names = {_plain(entry) for entry, network in found if network is None}

    def know(self, urls: Iterable[str]) -> None:
        """Allow the hosts of installed parts, by their addresses."""
        hosts = (urlsplit(url).hostname for url in urls)
        self._allowed |= {_plain(host) for host in hosts if host}

    def check(self, host: str, address: str, *, is_encrypted: bool = True) -> None:
        """Refuse to call a host at an address.

        Raises:
            AddressRefused: It is not allowed, not public, or not encrypted, and is not
                listed as private.
        """
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            raise AddressRefused(host, "is not written like an address") from None
        if _plain(host) in self._names or self._has(parsed):
            return
        if not is_public(parsed):
            raise AddressRefused(host, "is in a private network")
        if not is_encrypted:
            raise AddressRefused(host, "is not encrypted (http)")
        self._check_allowed(host)

    def check_name(self, host: str) -> None:
        """Refuse a name that nothing could allow, before anybody is asked for it.

        Raises:
            AddressRefused: No list has it, and it can be in no network that is listed.
        """
        if not self._networks and _plain(host) not in self._names:
            self._check_allowed(host)

    def check_literal(self, host: str, *, is_encrypted: bool) -> bool:
        """Refuse like ``check`` where a host is an address; tell whether it is one."""
        # Looser than what aiohttp dials without asking its resolver, never stricter.
        if ":" not in host and not host.replace(".", "").isdigit():
            return False
        self.check(host, host, is_encrypted=is_encrypted)
        return True

    def lists(self, host: str) -> bool:
        """Tell whether the operator lists a host, by its name or as an address."""
        try:
            return self._has(ipaddress.ip_address(host))
        except ValueError:
            return _plain(host) in self._names

    async def look_up(self, url: str, *, resolver: AbstractResolver) -> None:
        """Refuse a URL that could not be called now, to tell a person early.

        What protects is the check at each connection. A name that nobody knows yet
        passes, because the reason may be gone when it is called.

        Raises:
            AddressRefused: It leads where this guard lets nobody go.
        """
        parts = urlsplit(url)
        host, is_encrypted = parts.hostname or "", parts.scheme == "https"
        if self.check_literal(host, is_encrypted=is_encrypted):
            return
        self.check_name(host)
        found: list[ResolveResult] = []
        try:
            async with asyncio.timeout(LOOK_UP_TIMEOUT_S):
                port = parts.port or _PORTS[parts.scheme]
                found = await resolver.resolve(host, port, socket.AF_UNSPEC)
        except (OSError, TimeoutError, ValueError):
            pass
        for one in found:
            self.check(host, one["host"], is_encrypted=is_encrypted)

    def _check_allowed(self, host: str) -> None:
        name = _plain(host)
        ends = {f"*.{end}" for end in _ends(name)}
        if not self._allowed & {EVERYWHERE, name, *ends}:
            reason = "is not on the list of hosts that may be called"
            raise AddressRefused(host, reason, setting="ALLOWED_HOSTS")

    def _has(self, address: Address) -> bool:
        meant = _meant(address)
        return any(meant in network for network in self._networks)


class GuardedResolver(AbstractResolver):
    """Looks names up, and gives out only what may be called."""

    def __init__(self, guard: Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(self, host: str, *how: Any, **more: Any) -> list[ResolveResult]:
        """Return a name's addresses.

        Raises:
            AddressRefused: It, or one of them, may not be called; then none is.
        """
        self._guard.check_name(host)
        found = await self._inner.resolve(host, *how, **more)
        for one in found:
            self._guard.check(host, one["host"])
        return found

    async def close(self) -> None:
        """Release what the look-ups need."""
        await self._inner.close()


class GuardedConnector(aiohttp.TCPConnector):
    """Connects to what a guard allows, and to nothing else."""

    def __init__(
        self, guard: Guard, *, inner: AbstractResolver | None = None, **options: Any
    ) -> None:
        resolver = GuardedResolver(guard, inner or aiohttp.ThreadedResolver())
        super().__init__(resolver=resolver, **options)
        self._guard = guard

    async def connect(
        self, req: aiohttp.ClientRequest, *how: Any, **more: Any
    ) -> Connection:
        """Return a connection to where the guard lets this request go.

        Raises:
            AddressRefused: Nothing was sent.
        """
        host = req.url.raw_host or ""
        is_encrypted = req.url.scheme == "https"
        # Hosts that are addresses already never come to the resolver.
        self._guard.check_literal(host, is_encrypted=is_encrypted)
        connection = await super().connect(req, *how, **more)
        try:
            # The resolver knows no scheme, so that http shows here, before the request.
            self._guard.check(host, _peer(connection), is_encrypted=is_encrypted)
        except BaseException:
            connection.close()
            raise
        return connection


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _is_name(host: str) -> bool:
    # A last part of digits makes an address of it, or a mistyped one.
    last = host.rpartition(".")[2]
    return _NAME.fullmatch(host) is not None and not last.isdigit()


def _is_host(text: str) -> bool:
    """Tell whether a text is a name, an address, or stands for all below a name."""
    if text.startswith("*."):
        return "." in text[2:] and _is_name(text[2:])
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _is_name(text)
    return True


def _ends(name: str) -> list[str]:
    """Return the names that a name is below."""
    parts = name.split(".")
    return [".".join(parts[n:]) for n in range(1, len(parts))]


def _peer(connection: Connection) -> str:
    transport = connection.transport
    peer = transport and transport.get_extra_info("peername")
    if not peer:
        raise aiohttp.ClientConnectionError("the connection broke at once")
    return str(peer[0])
