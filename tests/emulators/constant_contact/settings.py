"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

import msgspec

from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Client, TokenPolicy

REQUESTS_PER_SECOND = 4
REQUESTS_PER_DAY = 10_000


class Behaviour(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make the other way round."""

    deletions_move_updated_at: bool = False
    """Whether deleting shows up in `updated_after`; the vendor does not say."""


def _limits() -> Limits:
    return Limits(
        requests_per_second=REQUESTS_PER_SECOND, requests_per_day=REQUESTS_PER_DAY
    )


def _client() -> Client:
    return Client(
        client_id="emulated-client",
        client_secret="emulated-secret",
        redirect_uris=("http://127.0.0.1/callback",),
    )


class Settings(msgspec.Struct, kw_only=True):
    """What an emulator starts with."""

    clients: tuple[Client, ...] = msgspec.field(default_factory=lambda: (_client(),))
    accounts: tuple[str, ...] = ("Main Street Bakery",)
    limits: Limits = msgspec.field(default_factory=_limits)
    tokens: TokenPolicy = msgspec.field(default_factory=TokenPolicy)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
    seed: int = 1
