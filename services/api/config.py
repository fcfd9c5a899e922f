"""Settings of the api, read from ``API_*``."""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta

from services.api import remotes
from services.chassis import addresses, certificates
from services.chassis.certificates import Certificate, Files
from services.chassis.config import Count, Port, Seconds, SecondsOrNone, Settings
from services.chassis.errors import BadConfiguration


class Config(Settings, frozen=True, kw_only=True):
    """What the api needs besides what every service needs."""

    key_ring_file: Path
    """The keys that second factors are sealed with; see ``chassis.keyring``."""
    public_url: str = ""
    """Where people's browsers reach this service, without a path. Empty: the
    address it listens on, if that is one of this machine alone."""
    tls_certificate_file: Path | None = None
    """The certificate for that address, with its chain; without it what speaks TLS is
    in front. It is read anew when it changes, as is its key."""
    tls_key_file: Path | None = None
    tls_authority_file: Path | None = None
    """Whom clients trust, if that is not whom everybody trusts."""
    redirect_port: Port | None = None
    """A port without TLS, which sends who opens a page to the public address and
    refuses all else; none: there is no such port."""
    operations_host: str = "127.0.0.1"
    operations_port: Port = 0
    """Health and metrics, apart from what the public reaches; 0 takes a free port."""
    requests_per_minute_max: Count = 600
    """How many requests one API key, or one browser's address, may make."""
    command_timeout_s: Seconds = 10.0
    """How long another service may take to answer."""
    app_timeout_s: Seconds = 75.0
    """The same for commands that call an app: longer than those who call it wait, who
    say more about it than that nobody answered."""
    authorisations_open_max: Count = 100
    """How many authorisations of one tenant may wait for a person at one time."""
    keys_max: Count = 100
    """How many API keys of one tenant may be valid at one time."""
    people_max: Count = 1_000
    """How many people one tenant may have, with those who are invited."""
    invitation_s: Seconds = 7 * 86_400.0
    """How long an invitation can be accepted."""
    session_idle_s: Seconds = 12 * 3600.0
    """After how long without a request a person has to sign in again."""
    session_max_s: Seconds = 7 * 86_400.0
    """The same, however busy they are."""
    second_factor_required: bool = True
    """Whether people of new tenants need a second factor; owners can change that."""
    proxies: tuple[str, ...] = ()
    """Networks of the operator's own proxies, whose `X-Forwarded-For` is believed."""

    oidc_issuer: str = ""
    """The provider of OpenID Connect that people may sign in at, as it names itself."""
    oidc_name: str = "single sign-on"
    """What the sign-in page calls it."""
    oidc_client_id: str = ""
    oidc_client_secret_file: Path | None = None
    oidc_session_max_s: Seconds = 86_400.0
    """How long a session lasts at most that began at the provider."""
    oidc_auth_age_s: SecondsOrNone = 0.0
    """How long ago somebody may have proved to the provider who they are; the session
    ends when it is longer. 0: the provider is not asked, and decides alone."""
    oidc_acr: tuple[str, ...] = ()
    """Classes (`acr`) of which the provider has to name one, or nobody is let in: those
    that it reaches by two factors."""
    oidc_amr: tuple[str, ...] = ()
    """Methods (`amr`) of which it has to name one, such as `mfa`."""
    oidc_rsa_bits_min: Annotated[int, Meta(ge=2_048, le=16_384)] = 3_072
    """How long a provider's RSA key has to be; shorter ones sign nobody in. 2048 is 112
    bits of security, and what many providers have; 3072 is 128."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts besides that of ``oidc_issuer`` that the provider may name for its keys and
    tokens: names, ``*.example.org`` for all below one, or ``*`` for all."""
    private_addresses: tuple[str, ...] = ()
    """Networks and host names that the provider may be in although not public."""

    def __post_init__(self) -> None:
        """Refuse what can never work."""
        faults = faults_of_url(self.public_url) if self.public_url else []
        faults += remotes.faults(self.proxies)
        variable = "API_PRIVATE_ADDRESSES"
        faults += addresses.faults(self.private_addresses, variable=variable)
        variable = "API_ALLOWED_HOSTS"
        faults += addresses.faults_of_hosts(self.allowed_hosts, variable=variable)
        faults += faults_of_oidc(self)
        faults += certificates.faults(
            self.tls_certificate_file,
            self.tls_key_file,
            url=self.public_url,
            prefix="API_TLS",
        )
        if self.redirect_port is not None and self.tls_certificate_file is None:
            faults.append("API_REDIRECT_PORT is set, and API_TLS_CERTIFICATE_FILE not")
        if faults:
            raise BadConfiguration(faults)

    def plain_hosts(self) -> dict[str, str]:
        """Return, by setting, where the api listens without TLS.

        What the port that redirects hears in clear is refused.
        """
        own = {} if self.tls_certificate_file else {"HTTP_HOST": self.http_host}
        return {**own, "OPERATIONS_HOST": self.operations_host}


def certificate(settings: Config) -> Certificate | None:
    """Return what is shown to clients; None where something in front does that.

    Raises:
        BadConfiguration: They would not take it.
    """
    if settings.tls_certificate_file is None or settings.tls_key_file is None:
        return None
    return Certificate(
        Files(
            settings.tls_certificate_file,
            settings.tls_key_file,
            host=urlsplit(settings.public_url).hostname or "",
            authority_file=settings.tls_authority_file,
            prefix="API_TLS",
        )
    )


def base_url(settings: Config) -> str:
    """Return the address that browsers and vendors are given, without a last slash.

    Raises:
        BadConfiguration: It is not given, and where we listen does not tell it.
    """
    if settings.public_url:
        parts = urlsplit(settings.public_url)
        return f"{parts.scheme}://{parts.netloc}"
    host, port = settings.http_host, settings.http_port
    faults = []
    if port == 0:
        faults.append(
            "API_PUBLIC_URL is not set, and API_HTTP_PORT does not fix a port"
        )
    if not addresses.is_loopback(host):
        faults.append(
            "API_PUBLIC_URL is not set, and API_HTTP_HOST is not of this machine alone:"
            " give the https address under which browsers reach it"
        )
    if faults:
        raise BadConfiguration(faults)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def faults_of_url(url: str) -> list[str]:
    """Return why an address cannot be the one that browsers are given."""
    if not addresses.is_url(url):
        return ["API_PUBLIC_URL must be an address such as https://tandem.example.org"]
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query:
        return ["API_PUBLIC_URL must be a scheme and a host, and a port if need be"]
    if parts.scheme != "https" and not addresses.is_loopback(parts.hostname or ""):
        return ["API_PUBLIC_URL must be https; http is for addresses of this machine"]
    return []


def faults_of_oidc(settings: Config) -> list[str]:
    """Return what is missing or wrong of the provider that people sign in at."""
    issuer = settings.oidc_issuer
    if not issuer:
        return []
    faults = []
    parts = urlsplit(issuer) if addresses.is_url(issuer) else None
    is_safe = parts and (
        parts.scheme == "https" or addresses.is_loopback(parts.hostname or "")
    )
    if parts is None or not is_safe or parts.query:
        faults.append(
            "API_OIDC_ISSUER must be an address such as https://id.example.org"
        )
    if not settings.oidc_client_id:
        faults.append("API_OIDC_CLIENT_ID is not set")
    if settings.oidc_client_secret_file is None:
        faults.append("API_OIDC_CLIENT_SECRET_FILE is not set")
    return faults
