"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Annotated, Literal

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import TokenPolicy

CALLS_PER_SECOND = 5
KEY_LIFETIME_S = 100 * 365 * 86_400
"""Keys do not expire."""


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way round."""

    lists_touch: bool = False
    """A change of a list's status moves ``udate``; in a sample it does not."""
    tags_touch: bool = True
    """A tag that is given or taken moves ``udate``."""
    updated_after: Literal["moment", "day", "later_day"] = "moment"
    """Whether the filter goes by the second or, as described, by the days of the
    account's zone: from that day on, or strictly after it."""
    offset_h: Annotated[int, msgspec.Meta(ge=-12, le=14)] = -5
    """How many hours the account's clock is before UTC."""


def _limits() -> Limits:
    return Limits(requests_per_second=CALLS_PER_SECOND)


def _tokens() -> TokenPolicy:
    return TokenPolicy(access_token_lifetime_s=KEY_LIFETIME_S, is_rotating=False)


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    limits: Limits = msgspec.field(default_factory=_limits)
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
