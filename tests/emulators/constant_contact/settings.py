"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits

REQUESTS_PER_SECOND = 4
REQUESTS_PER_DAY = 10_000


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make the other way round."""

    deletions_move_updated_at: bool = False
    """Whether deleting shows up in `updated_after`; the vendor does not say."""


def _limits() -> Limits:
    return Limits(
        requests_per_second=REQUESTS_PER_SECOND, requests_per_day=REQUESTS_PER_DAY
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    limits: Limits = msgspec.field(default_factory=_limits)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
