"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Annotated, Literal

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import TokenPolicy

CALLS_PER_MINUTE = 100
BATCH_SIZE_MAX = 50
ACCESS_TOKEN_LIFETIME_S = 43_199
"""A second less than twelve hours, as the guide's samples have it."""
REFRESH_TOKEN_LIFETIME_S = 10 * 365 * 86_400
"""No end of it is documented."""

Order = Literal["id", "oldest_change", "newest_change"]


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way round."""

    order: Order = "id"
    """What a listing is sorted by; the guide does not say."""
    empties: Literal["omitted", "null", "text"] = "omitted"
    """How a property without a value is shown."""
    batch_size_max: Annotated[int, msgspec.Meta(ge=1)] = BATCH_SIZE_MAX
    """More is asked for in vain: the page is shorter, without a word."""
    total: Literal["all", "batch", "untold"] = "all"
    """What ``meta.total`` counts; untold is -1, as it is in other collections."""
    reset: Literal["milliseconds", "epoch"] = "milliseconds"
    """What `X-RateLimit-Reset` counts."""


def _limits() -> Limits:
    return Limits(requests_per_window=CALLS_PER_MINUTE, window_s=60.0)


def _tokens() -> TokenPolicy:
    return TokenPolicy(
        access_token_lifetime_s=ACCESS_TOKEN_LIFETIME_S,
        refresh_token_lifetime_s=REFRESH_TOKEN_LIFETIME_S,
        is_rotating=False,
        is_single=True,
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    accounts: tuple[str, ...] = ("Robin Agent",)
    limits: Limits = msgspec.field(default_factory=_limits)
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
