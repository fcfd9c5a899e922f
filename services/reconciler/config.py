"""The reconciler's settings, read from ``RECONCILER_*`` variables."""

from services.chassis.config import Settings


class Config(Settings, frozen=True, kw_only=True):
    """What an operator can set; every wait and every amount has its limit here."""

    settle_s: float = 5.0
    """The least time after an unknown outcome before anybody looks; an app may ask
    for more."""
    write_age_s: float = 900.0
    """A write that was not begun this long after its decision is not begun at all."""
    answer_s: float = 1_200.0
    """Without any answer in this time a write is looked up; longer than the age, so
    that a write that is looked up cannot begin afterwards."""
    lease_s: float = 10.0
    """How long a replica may be silent before another one plans its connection; too
    short costs a batch that is decided twice, and never a write."""
    batch_records: int = 500
    """Records planned in one transaction."""
    batches_max: int = 20
    """Batches of one connection before the others get their turn."""
    open_intents_max: int = 2_000
    """Writes on their way for one connection; more would grow old in the queue."""
    idle_s: float = 1.0
    """How often a replica with nothing to do looks for due connections."""
    sweep_s: float = 5.0
    """How often retries, looks and leftovers are searched for."""
