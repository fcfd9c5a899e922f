"""Where a request comes from, also behind proxies of the operator's own.

Anyone can send ``X-Forwarded-For``: it is read from its end, and only as far as the
networks go that the operator lists.
"""

import ipaddress
from collections.abc import Sequence

from aiohttp import web

_CHARS_MAX = 64


def faults(proxies: Sequence[str]) -> list[str]:
    """Return what is wrong with the networks that an operator lists."""
    found = []
    for entry in proxies:
        try:
            ipaddress.ip_network(entry)
        except ValueError:
            found.append(f"API_PROXIES: {entry!r} is no network such as 10.0.0.0/8")
    return found


def remote_of(request: web.Request, proxies: Sequence[str]) -> str:
    """Return the address of the last one on the way that is no proxy of ours."""
    networks = [ipaddress.ip_network(entry) for entry in proxies]
    remote = request.remote or ""
    lines = ",".join(request.headers.getall("X-Forwarded-For", []))
    for step in reversed([step.strip() for step in lines.split(",")] if lines else []):
        if not _is_among(remote, networks):
            break
        try:
            remote = str(ipaddress.ip_address(step))
        except ValueError:
            break
    return remote[:_CHARS_MAX]


def _is_among(
    remote: str,
    networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network],
) -> bool:
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return False
    return any(address in network for network in networks)
