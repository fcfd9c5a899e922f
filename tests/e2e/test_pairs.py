"""A few pairs of apps, two-way on the real services; `make apps PAIRS=1` plays all."""

import pytest

from tests.contract.conformance import stages
from tests.contract.pairs import matrix
from tests.contract.pairs.matrix import Outcome, Pair

PAIRS = matrix.few_of(stages.load())

pytestmark = pytest.mark.xdist_group("pairs")


@pytest.fixture(scope="module")
def outcomes() -> dict[Pair, Outcome]:
    """Play them all, at one time."""
    return {one.pair: one for one in matrix.play(PAIRS)}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_two_apps_converge_and_then_rest(pair, outcomes):
    """Behaviours 6, 13, 14, 16, 18, 20, 28, 36 and 39, for apps of all shapes."""
    assert outcomes[pair].faults == ()
