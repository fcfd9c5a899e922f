"""How many examples a property tries: some in each run, many under ``deep``."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

LENS_DEEP = 20_000
STRINGS_DEEP = 100_000

_TIMEOUT_DEEP_S = 3_600

Test = Callable[..., Any]


def tries(count: int, *, deep: int = LENS_DEEP) -> Callable[[Test], Test]:
    """Have a property try so many examples; under the profile ``deep`` more."""
    is_deep = settings.get_current_profile_name() == "deep"
    limits = settings(
        max_examples=deep if is_deep else count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )

    def decorated(test: Test) -> Test:
        found = limits(test)
        return pytest.mark.timeout(_TIMEOUT_DEEP_S)(found) if is_deep else found

    return decorated
