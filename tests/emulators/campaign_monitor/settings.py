"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Annotated

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.oauth import TokenPolicy

TOKEN_LIFETIME_S = 1_209_600
REFRESH_LIFETIME_S = 10 * 365 * 86_400
"""No end of it is documented."""


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way round."""

    utc_offset_h: Annotated[float, msgspec.Meta(ge=-12, le=14)] = 10.0
    """The zone of the account, in which all times are told, without saying so."""
    keeps_omitted_name: bool = False
    """A change that does not name the name leaves it; else it empties it."""
    adds_options: bool = True
    """Options of a field of several that are named come on top of those held."""
    pages_end: bool = True
    """A page beyond the last one is error 800; else it shows nobody."""


def _tokens() -> TokenPolicy:
    return TokenPolicy(
        access_token_lifetime_s=TOKEN_LIFETIME_S,
        refresh_token_lifetime_s=REFRESH_LIFETIME_S,
        is_rotating=False,
    )


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
