"""The reconciler's settings, read from ``RECONCILER_*`` variables."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from services.chassis.config import Count, Seconds, Settings
from services.chassis.errors import BadConfiguration


class Config(Settings, frozen=True, kw_only=True):
    """What an operator can set; every wait and every amount has its limit here."""

    key_ring_file: Path | None = None
    """The keys that who was erased is hashed with; without them nobody is erased."""
    settle_s: Seconds = 5.0
    """The least time after an unknown outcome before anybody looks; an app may ask
    for more."""
    write_age_s: Seconds = 900.0
    """A write that was not begun this long after its decision is not begun at all."""
    answer_s: Seconds = 1_200.0
    """Without any answer in this time a write is looked up; longer than the age, so
    that a write that is looked up cannot begin afterwards."""
    lease_s: Seconds = 10.0
    """How long a replica may be silent before another one plans its connection; too
    short costs a batch that is decided twice, and never a write."""
    batch_records: Count = 500
    """Records planned in one transaction."""
    batches_max: Count = 20
    """Batches of one connection before the others get their turn."""
    open_intents_max: Count = 2_000
    """Writes on their way for one connection; more would grow old in the queue."""
    idle_s: Seconds = 1.0
    """How often a replica with nothing to do looks for due connections."""
    sweep_s: Seconds = 5.0
    """How often retries and looks are searched for."""
    leftovers_every_s: Seconds = 30.0
    """How often what no connection is left for is taken away; a dozen statements."""
    history_days: Annotated[int, Meta(ge=1, le=3_650)] = 400
    """How long what was written, and what gave way to it, can be looked up: a year and
    a month, so that what happens once a year can be compared."""
    compare_every_s: Seconds = 86_400.0
    """How often both sides of a live connection are compared in full."""
    compare_check_s: Seconds = 60.0
    """How often connections are searched for whose comparison is due."""

    @property
    def open_s(self) -> float:
        """Return how long after its decision a create is waited for at most."""
        return self.write_age_s + self.answer_s

    def __post_init__(self) -> None:
        """Refuse what can never work."""
        if self.answer_s <= self.write_age_s:
            raise BadConfiguration(
                ["RECONCILER_ANSWER_S must be more than RECONCILER_WRITE_AGE_S"]
            )
