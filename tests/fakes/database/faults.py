"""What a database may do to those who use it; drawn from an injected randomness."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DatabaseFaults:
    """Chances, each of one statement or one transaction."""

    yields: float = 0.5
    """A statement lets others run first."""
    delays: float = 0.02
    """A statement takes a while."""
    delay_s_max: float = 0.05
    refusals: float = 0.0
    """A transaction cannot be opened."""
    failures: float = 0.0
    """A statement breaks the connection."""
    unknown_commits: float = 0.0
    """A commit is applied, and whoever asked for it is not told."""
    lost_commits: float = 0.0
    """A commit is not applied, and whoever asked for it learns as little."""


NO_FAULTS = DatabaseFaults()
