"""What full comparisons have found that is logged as a warning, and counted.

Of what they log as an error, as drift, ``complaints`` tells.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from services.reconciler import comparing

_COUNTERS: Final = (comparing.UNHEEDED, comparing.DOUBLED)


def counts() -> dict[str, float]:
    """Return how often each was found by this process."""
    samples = [each.samples[0] for one in _COUNTERS for each in one.collect()]
    return {each.name: each.value for each in samples}


def since(before: Mapping[str, float]) -> Iterator[str]:
    """Say what was found since; vendors do here as they say, and nobody copies."""
    for name, count in counts().items():
        if count > before[name]:
            yield f"a comparison found: {name} {count - before[name]:g}"
