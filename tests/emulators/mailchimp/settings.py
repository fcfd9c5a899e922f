"""What an emulator starts with, and how it behaves where the vendor leaves doubt."""

from typing import Annotated, Literal

import msgspec

from tests.emulators.core import settings
from tests.emulators.core.oauth import TokenPolicy

CONNECTIONS_MAX = 10
TAGS_SHOWN_MAX = 50
TOKEN_LIFETIME_S = 100 * 365 * 86_400
"""Tokens do not expire."""


class Connections(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many calls of an emulator may be under way at once; None: any number."""

    simultaneous_max: Annotated[int, msgspec.Meta(ge=0)] | None = CONNECTIONS_MAX
    refusal: Literal["problem", "bare_429", "bare_403"] = "bare_429"
    """How one too many is answered; the last two without a word."""


class Behaviour(settings.Behaviour, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way round."""

    since: Literal["after", "from"] = "after"
    """Whether filters of time leave out their own second or take it in."""
    batch_ids: bool = False
    """A batch's answer has ``contact_id``, which its description has not."""


def _tokens() -> TokenPolicy:
    return TokenPolicy(access_token_lifetime_s=TOKEN_LIFETIME_S, is_rotating=False)


class Settings(settings.Settings, kw_only=True):
    """What an emulator starts with."""

    connections: Connections = msgspec.field(default_factory=Connections)
    tokens: TokenPolicy = msgspec.field(default_factory=_tokens)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
