"""What every emulator starts with; a vendor's settings add defaults of its own."""

from typing import TypeVar

import msgspec

from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Client, TokenPolicy

S = TypeVar("S", bound="Settings")
NO_LIMIT = {
    "requests_per_second": None,
    "requests_per_window": None,
    "requests_per_day": None,
}


class Behaviour(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Choices that a test may make another way, where a vendor leaves doubt."""


def _client() -> Client:
    return Client(
        client_id="emulated-client",
        client_secret="emulated-secret",
        redirect_uris=("http://127.0.0.1/callback",),
    )


class Settings(msgspec.Struct, kw_only=True):
    """What an emulator starts with.

    Its administration shows and changes each part that is a struct.
    """

    clients: tuple[Client, ...] = msgspec.field(default_factory=lambda: (_client(),))
    accounts: tuple[str, ...] = ("Main Street Bakery",)
    limits: Limits = msgspec.field(default_factory=Limits)
    tokens: TokenPolicy = msgspec.field(default_factory=TokenPolicy)
    behaviour: Behaviour = msgspec.field(default_factory=Behaviour)
    seed: int = 1

    def sections(self) -> dict[str, msgspec.Struct]:
        """Return the parts that can be changed while the emulator runs."""
        parts = {name: getattr(self, name) for name in self.__struct_fields__}
        return {
            name: part
            for name, part in parts.items()
            if isinstance(part, msgspec.Struct)
        }


def unlimited(settings: S) -> S:
    """Return settings under which every call is admitted."""
    freed = {
        name: msgspec.structs.replace(part, **NO_LIMIT)
        for name, part in settings.sections().items()
        if isinstance(part, Limits)
    }
    return msgspec.structs.replace(settings, **freed)
