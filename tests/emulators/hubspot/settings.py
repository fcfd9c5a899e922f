"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import TokenPolicy

REQUESTS_PER_WINDOW = 110
WINDOW_S = 10.0
REQUESTS_PER_DAY = 250_000
SEARCHES_PER_SECOND = 5
TOKEN_LIFETIME_S = 1800
REFRESH_LIFETIME_S = 10 * 365 * 86_400


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make the other way round."""

    search_lag_s: float = 0.0
    """How long a search goes on showing what was there before a change."""
    search_shows_present: bool = False
    """What a search finds by what it was, it shows as it is."""
    empty_is_null: bool = False
    """A property that was asked for and is empty is null; else it is left out."""
    merges_make_new_ids: bool = True
    """What two contacts were merged into has an id of its own."""
    merged_ids_resolve: bool = True
    """Whoever asks for a contact that was merged away gets the one it is part of."""
    has_multi_status: bool = True
    """A batch whose inputs all carry trace ids is answered input by input."""
    listless_are_left_out: bool = False
    """Of several contacts whose lists are asked for, who is on none is not told of."""


def _limits() -> Limits:
    return Limits(
        requests_per_window=REQUESTS_PER_WINDOW,
        window_s=WINDOW_S,
        requests_per_day=REQUESTS_PER_DAY,
    )


def _search_limits() -> Limits:
    return Limits(requests_per_second=SEARCHES_PER_SECOND)


def _tokens() -> TokenPolicy:
    return TokenPolicy(
        access_token_lifetime_s=TOKEN_LIFETIME_S,
        refresh_token_lifetime_s=REFRESH_LIFETIME_S,
        is_rotating=False,
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    limits: Limits = msgspec.field(default_factory=_limits)
    search_limits: Limits = msgspec.field(default_factory=_search_limits)
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
