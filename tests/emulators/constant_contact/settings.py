"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits

REQUESTS_PER_SECOND = 4
REQUESTS_PER_DAY = 10_000
Seconds = Annotated[float, Meta(ge=0)]
Ending = Literal["completed", "cancelled", "failed", "timed_out"]


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make the other way round."""

    deletions_move_updated_at: bool = False
    """Whether deleting shows up in `updated_after`; the vendor does not say."""
    import_queue_s: Seconds = 0.0
    """How long an import waits before its first row is taken."""
    import_s: Seconds = 0.0
    """How long its rows take then, one after the other."""
    imports_end_as: Ending = "completed"
    imports_stop_after: int | None = None
    """So many rows are taken of an import, and no more; None: all."""


def _limits() -> Limits:
    return Limits(
        requests_per_second=REQUESTS_PER_SECOND, requests_per_day=REQUESTS_PER_DAY
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    limits: Limits = msgspec.field(default_factory=_limits)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
