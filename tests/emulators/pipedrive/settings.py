"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Literal

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import TokenPolicy

CALLS_PER_WINDOW = 20
WINDOW_S = 2.0
TOKENS_PER_DAY = 30_000
ACCESS_TOKEN_LIFETIME_S = 3_600
REFRESH_TOKEN_LIFETIME_S = 60 * 86_400


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way round."""

    has_campaigns: bool = True
    """The company mails by the vendor, and persons have a marketing status."""
    has_contact_sync: bool = False
    """Persons have a job title, a birthday, notes and a postal address."""
    needs_name: bool = False
    """Nobody can be without a name."""
    lists_deleted: bool = False
    """A listing by time of change or by ids shows who was deleted, too."""
    creates_with: Literal[200, 201] = 200
    """The status of the answer to a POST."""
    search_lag_s: float = 0.0
    """How long a search does not know of somebody new."""


def _limits() -> Limits:
    return Limits(requests_per_window=CALLS_PER_WINDOW, window_s=WINDOW_S)


def _budget() -> Limits:
    return Limits(requests_per_day=TOKENS_PER_DAY)


def _tokens() -> TokenPolicy:
    return TokenPolicy(
        access_token_lifetime_s=ACCESS_TOKEN_LIFETIME_S,
        refresh_token_lifetime_s=REFRESH_TOKEN_LIFETIME_S,
        is_rotating=True,
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    limits: Limits = msgspec.field(default_factory=_limits)
    budget: Limits = msgspec.field(default_factory=_budget)
    """Tokens of a company and day; each call costs some."""
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
