"""How many examples a property tries: some in each run, many under ``deep``.

Under ``deep`` the run ends with how many each tried that were not refused: a count
asked for is not yet a count run.
"""

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

PLANNER_DEEP: Final = 50_000
LENS_DEEP: Final = 20_000
STRINGS_DEEP: Final = 100_000
LIVES_DEEP: Final = 10_000

_TIMEOUT_DEEP_S: Final = 7_200

Test = Callable[..., Any]

counts: Counter[str] = Counter()
"""Examples tried so far by the name of their property; kept under ``deep`` alone."""


def is_deep() -> bool:
    """Say whether this run tries many."""
    return settings.get_current_profile_name() == "deep"


def limits(count: int, *, deep: int, may_filter: bool = True, **more: Any) -> settings:
    """Return the settings of a property that tries so many; under ``deep`` more.

    Args:
        may_filter: It may throw away most of what it draws.
    """
    filtering = [HealthCheck.filter_too_much] if may_filter else []
    return settings(
        max_examples=deep if is_deep() else count,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, *filtering],
        **more,
    )


def patient(test: Test) -> Test:
    """Have a test take its time under ``deep``."""
    return pytest.mark.timeout(_TIMEOUT_DEEP_S)(test) if is_deep() else test


def tries(
    count: int, *, deep: int = LENS_DEEP, may_filter: bool = True
) -> Callable[[Test], Test]:
    """Have a property try so many examples; under the profile ``deep`` more."""

    def decorated(test: Test) -> Test:
        if is_deep():
            inner = test.hypothesis  # type: ignore[attr-defined]
            inner.inner_test = _counted(inner.inner_test)
        return patient(limits(count, deep=deep, may_filter=may_filter)(test))

    return decorated


def summary() -> list[str]:
    """Return a line for each property with what it tried."""
    return [f"{count:>9,} examples  {name}" for name, count in sorted(counts.items())]


def _counted(test: Test) -> Test:
    @functools.wraps(test)
    def counted(*args: Any, **more: Any) -> None:
        test(*args, **more)
        counts[test.__name__] += 1

    return counted
