"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Literal

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import TokenPolicy

CALLS_PER_MINUTE = 180
FULL_SYNCS_PER_MINUTE = 30
MINUTE_S = 60.0
TOKEN_LIFETIME_S = 3599
REFRESH_LIFETIME_S = 10 * 365 * 86_400


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make the other way round."""

    sync_lag_s: float = 0.0
    """How long listings go on showing what was there before a change."""
    checked_etag: Literal["person", "source", "both"] = "person"
    """Which tag of an update is compared; sources say either."""
    merges_leave_tombstones: bool = True
    """Who was merged away is also told as deleted."""
    previous_names_resolve: bool = True
    """Whoever asks for a former name gets the contact that has it no more."""
    missing_refuse_batches: bool = False
    """A batch of contacts of whom one is not there is a 404; else it tells of each."""
    batches_keep_order: bool = True
    """A batch tells of new contacts in the order in which they were sent."""
    quota_status: Literal[429, 403] = 429
    """What a call above a quota is answered with."""
    tells_pause: bool = False
    """That answer carries `Retry-After`."""


def _per_minute(count: int) -> Limits:
    return Limits(requests_per_window=count, window_s=MINUTE_S)


def _tokens() -> TokenPolicy:
    return TokenPolicy(
        access_token_lifetime_s=TOKEN_LIFETIME_S,
        refresh_token_lifetime_s=REFRESH_LIFETIME_S,
        is_rotating=False,
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with; quotas are those of one user."""

    accounts: tuple[str, ...] = ("ana@example.com",)
    limits: Limits = msgspec.field(
        default_factory=lambda: _per_minute(CALLS_PER_MINUTE)
    )
    """Of reads of people."""
    group_limits: Limits = msgspec.field(
        default_factory=lambda: _per_minute(CALLS_PER_MINUTE)
    )
    """Of reads of groups."""
    write_limits: Limits = msgspec.field(
        default_factory=lambda: _per_minute(CALLS_PER_MINUTE)
    )
    full_sync_limits: Limits = msgspec.field(
        default_factory=lambda: _per_minute(FULL_SYNCS_PER_MINUTE)
    )
    """Of first pages of a listing that is no sync."""
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
