"""How strongly a row can be held, what goes together, and how long one waits."""

from dataclasses import dataclass
from typing import Final

from services.chassis.database import LOCK_TIMEOUT_MS

KEY_SHARE: Final = 1
SHARE: Final = 2
NO_KEY_UPDATE: Final = 3
UPDATE: Final = 4
"""The modes of a row lock, weakest first."""

STRONGEST_BESIDE: Final = {
    KEY_SHARE: NO_KEY_UPDATE,
    SHARE: SHARE,
    NO_KEY_UPDATE: KEY_SHARE,
    UPDATE: 0,
}
"""The strongest mode that another session may hold beside each."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a session waits."""

    lock_s: float = LOCK_TIMEOUT_MS / 1000
    deadlock_s: float = 1.0
    """Until it looks whether those that it waits for wait for it."""
