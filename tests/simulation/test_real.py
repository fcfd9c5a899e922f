"""A scenario on real Postgres and NATS; `make sim REAL=1 SEEDS=50` plays many."""

import functools
import hashlib
import os
from pathlib import Path

import pytest

from tests.simulation.real import running, sharing
from tests.simulation.running import Played

SEED = 1
ROUNDS = 200_000


def note(seeds, tell, *, directory):
    """Take about as long as a small seed does, and note that."""
    for seed in seeds:
        hashlib.pbkdf2_hmac("sha256", b"seed", b"salt", ROUNDS)
        (directory / str(seed)).touch()
        tell(Played(seed=seed))


def die(seeds, tell, *, seed):
    """Do not outlive one of the seeds."""
    for each in seeds:
        if each == seed:
            os._exit(3)
        tell(Played(seed=each))


def test_who_leaves_early_does_not_wait_for_all_the_seeds_left(tmp_path: Path):
    """To stop at the first failure once took as long as to play everything."""
    work = functools.partial(note, directory=tmp_path)
    playing = sharing.shared(work, range(50), workers=2)
    next(playing)
    playing.close()
    assert 1 <= len(list(tmp_path.iterdir())) < 10


def test_all_seeds_are_shared_among_the_processes(tmp_path: Path):
    work = functools.partial(note, directory=tmp_path)
    played = list(sharing.shared(work, range(6), workers=2))
    assert sorted(each.seed for each in played) == list(range(6))


def test_a_process_that_dies_is_told():
    """The other one once played all that was left, or waited for a lock for ever."""
    work = functools.partial(die, seed=2)
    with pytest.raises(RuntimeError, match="died"):
        list(sharing.shared(work, range(10), workers=2))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scenario_ends_well_on_real_servers():
    (played,) = running.many([SEED], workers=1)
    assert played.violations == ()
    assert played.write_count > 0
