"""A scenario on real Postgres and NATS; `make sim REAL=1 SEEDS=50` plays many."""

import pytest

from tests.simulation.real import running

SEED = 1


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scenario_ends_well_on_real_servers():
    (played,) = running.many([SEED], workers=1)
    assert played.violations == ()
    assert played.write_count > 0
