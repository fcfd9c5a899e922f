"""Settings of the api, read from ``API_*``."""

import ipaddress
from urllib.parse import urlsplit

from services.chassis.config import Count, Seconds, Settings
from services.chassis.errors import BadConfiguration


class Config(Settings, frozen=True, kw_only=True):
    """What the api needs besides what every service needs."""

    public_url: str = ""
    """Where people's browsers reach this service, without a path. Empty: the
    address it listens on, which serves one machine."""
    requests_per_minute_max: Count = 600
    """How many requests one API key, or one browser's address, may make."""
    command_timeout_s: Seconds = 10.0
    """How long another service may take to answer."""
    app_timeout_s: Seconds = 45.0
    """The same for commands that call an app."""
    authorisations_open_max: Count = 100
    """How many authorisations of one tenant may wait for a person at one time."""
    keys_max: Count = 100
    """How many API keys of one tenant may be valid at one time."""


def base_url(settings: Config) -> str:
    """Return the address that browsers and vendors are given, without a last slash.

    Raises:
        BadConfiguration: It cannot be known, or is not safe to use.
    """
    if not settings.public_url:
        if settings.http_port == 0:
            raise BadConfiguration(
                ["API_PUBLIC_URL is not set, and API_HTTP_PORT does not fix a port"]
            )
        return f"http://{settings.http_host}:{settings.http_port}"
    parts = urlsplit(settings.public_url)
    if (
        parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or "@" in (parts.netloc)
    ):
        raise BadConfiguration(
            ["API_PUBLIC_URL must be a scheme and a host, and a port if need be"]
        )
    is_safe = parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    )
    if not is_safe or not parts.hostname:
        raise BadConfiguration(
            ["API_PUBLIC_URL must be https; http is for addresses of this machine"]
        )
    return f"{parts.scheme}://{parts.netloc}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
