"""A scenario on real Postgres and NATS; `make sim REAL=1 SEEDS=50` plays many."""

import functools
import os
import time
from pathlib import Path

import pytest

from tests.simulation.real import running
from tests.simulation.running import Played

SEED = 1


def note(seeds, tell, *, directory):
    """Play a seed in a tenth of a second, and note that."""
    for seed in seeds:
        time.sleep(0.1)
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
    playing = running.shared(work, range(50), workers=2)
    next(playing)
    playing.close()
    assert 1 <= len(list(tmp_path.iterdir())) < 10


def test_all_seeds_are_shared_among_the_processes(tmp_path: Path):
    work = functools.partial(note, directory=tmp_path)
    played = list(running.shared(work, range(6), workers=2))
    assert sorted(each.seed for each in played) == list(range(6))


def test_a_process_that_dies_is_told():
    """The other one went on to the end, and then nobody knew what was missing."""
    work = functools.partial(die, seed=2)
    with pytest.raises(RuntimeError, match="died"):
        list(running.shared(work, range(10), workers=2))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scenario_ends_well_on_real_servers():
    (played,) = running.many([SEED], workers=1)
    assert played.violations == ()
    assert played.write_count > 0
