"""What auth asks of texts that come from outside."""

import contextlib
import ipaddress
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from proto.errors import ErrorCode
from services.chassis import addresses
from services.chassis.addresses import Guard
from services.chassis.errors import AddressRefused, CommandFailed

TEXT_LENGTH_MAX: Final = 2_048
_USUAL_PORTS: Final = {"http": 80, "https": 443}


def require(text: str, field: str) -> None:
    """Refuse a text that is empty, too long, or that Postgres cannot hold."""
    if not text or len(text) > TEXT_LENGTH_MAX or "\0" in text:
        raise CommandFailed(
            ErrorCode.INVALID,
            f"{field} must have 1 to {TEXT_LENGTH_MAX} characters.",
            field=field,
        )


def require_username(username: str, field: str) -> None:
    """Refuse a user name that HTTP's Basic scheme cannot carry (RFC 7617)."""
    if ":" in username:
        raise CommandFailed(
            ErrorCode.INVALID, f"{field} must not contain a colon.", field=field
        )


def require_address(address: str, field: str) -> None:
    """Refuse what is not an http or https address of a server."""
    if len(address) > TEXT_LENGTH_MAX or not addresses.is_url(address):
        raise CommandFailed(
            ErrorCode.INVALID,
            f"{field} must be an http or https address without a user name.",
            field=field,
        )


def canonical(address: str) -> str:
    """Return a checked address as it is stored: one way, however people spell it."""
    parts = urlsplit(address)
    query = f"?{parts.query}" if parts.query else ""
    return f"{origin(address)}{parts.path.rstrip('/')}{query}"


def origin(address: str) -> str:
    """Return which server a checked address is at; empty for none."""
    if not address:
        return ""
    parts = urlsplit(address)
    host = (parts.hostname or "").removesuffix(".")
    if ":" in host:
        with contextlib.suppress(ValueError):
            host = ipaddress.ip_address(host).compressed
        host = f"[{host}]"
    else:
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode()
    is_usual = parts.port in (None, _USUAL_PORTS[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{parts.port}")


def require_page_of(
    app_url: str, address: str, *, field: str, hosts: Collection[str], guard: Guard
) -> None:
    """Refuse to send browsers anywhere but to an app, or where the operator lists.

    Our own link leads there, so people take it for a place that we vouch for.
    """
    host = urlsplit(address).hostname or ""
    if guard.lists(host):
        return
    own = urlsplit(app_url).hostname or ""
    is_known = host == own or host in hosts
    if not is_known or urlsplit(address).scheme != "https":
        raise CommandFailed(
            ErrorCode.ADDRESS_REFUSED,
            f"{field} must be an https address at {own}. If people are meant to be sent"
            " to this one, whoever runs Tandem can list its host in"
            " AUTH_AUTHORISE_HOSTS.",
            field=field,
        )


def is_api_of(address: str, *, hosts: Collection[str], guard: Guard) -> bool:
    """Say whether an address that an app told is the app's, or one that is listed.

    Every token of the account is sent there, so an app's word is not enough.
    """
    if len(address) > TEXT_LENGTH_MAX or not addresses.is_url(address):
        return False
    host = (urlsplit(address).hostname or "").removesuffix(".")
    if guard.lists(host):
        return True
    is_own = any(host == own or host.endswith(f".{own}") for own in hosts)
    return is_own and urlsplit(address).scheme == "https"


async def require_callable(address: str, field: str, *, guard: Guard) -> None:
    """Refuse an address that leads where nobody may be called."""
    try:
        await guard.look_up(address, resolver=aiohttp.ThreadedResolver())
    except AddressRefused as err:
        raise CommandFailed(
            ErrorCode.ADDRESS_REFUSED,
            f"{field} {err.reason}. Use the app's own address, or another https one"
            " that is listed; if it is meant, whoever runs Tandem can list it in"
            f" AUTH_{err.setting} and CONNECTOR_{err.setting}.",
            field=field,
        ) from err
