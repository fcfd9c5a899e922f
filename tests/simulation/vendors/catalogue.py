"""The connector's catalogue of the made-up vendors: a manifest and a class for each."""

from collections.abc import Iterable

from proto.connector import AuthMethod, OAuthFacts
from services.connector.manifest import Limits, Manifest
from services.connector.registry import Entry, Registry
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.app import SimApp
from tests.simulation.vendors.ways import TIMEOUT_S


def registry(vendors: Iterable[Vendor]) -> Registry:
    """Return the catalogue."""
    return Registry({vendor.ways.app: entry(vendor) for vendor in vendors})


def entry(vendor: Vendor) -> Entry:
    """Return what the connector knows of a vendor."""

    class App(SimApp):
        ways = vendor.ways

    return Entry(manifest(vendor), App)


def manifest(vendor: Vendor) -> Manifest:
    """Return a vendor's facts."""
    ways = vendor.ways
    origin = f"https://{vendor.host}"
    return Manifest(
        app=ways.app,
        name=ways.app.title(),
        tier="bronze",
        base_url=f"{origin}/api",
        auth_method=AuthMethod.OAUTH,
        oauth=OAuthFacts(
            authorise_url=f"{origin}/oauth/authorize",
            token_url=f"{origin}/oauth/token",
            scopes=("people",),
            client_auth="body",
            rotates_refresh_tokens=ways.rotates_tokens,
        ),
        limits=Limits(
            calls_per_second=ways.calls_per_second,
            page_size=ways.page_size,
            timeout_s=TIMEOUT_S,
        ),
        capabilities=ways.capabilities(),
    )
