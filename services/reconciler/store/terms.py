"""What a connection is set to, decoded from its row and kept as long as it is used.

Every turn of the planner and every message loads the same bytes again. What they say
together with the accounts' fields takes longer to find out than to look up.
"""

import functools
from typing import Final

import msgspec

from proto import codec
from proto.reconciler import Settings
from services.reconciler.engine import mapping
from services.reconciler.engine.model import Config, SideConfig

COLUMNS: Final = ("settings", "renewed", "left_side", "right_side")
KEPT: Final = 128
"""Connections whose terms are remembered; a large account's may be 100 kB."""


class Terms(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The settings of a connection and its two sides, in one version."""

    version: int
    settings: Settings
    renewed: dict[str, int]
    left: SideConfig
    right: SideConfig

    @functools.cached_property
    def config(self) -> Config:
        """Return the settings as the engine takes them."""
        return mapping.config_of(
            left=self.left,
            right=self.right,
            settings=self.settings,
            version=self.version,
            renewed=self.renewed,
        )


@functools.lru_cache(KEPT)
def decoded(version: int, columns: tuple[bytes, ...]) -> Terms:
    """Return what a version and ``COLUMNS`` say; equal ones share one frozen value."""
    settings, renewed, left, right = columns
    return Terms(
        version=version,
        settings=codec.decode(settings, Settings),
        renewed=codec.decode(renewed, dict[str, int]),
        left=codec.decode(left, SideConfig),
        right=codec.decode(right, SideConfig),
    )
