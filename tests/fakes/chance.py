"""Whether what may go wrong does, drawn from an injected randomness."""

import random


class Fickle:
    """Something to which things happen now and then."""

    source: random.Random

    def happens(self, share: float) -> bool:
        """Tell whether something that happens so often happens now.

        What never happens draws nothing, so that a fault that is not configured
        changes nothing else.
        """
        return share > 0.0 and self.source.random() < share
