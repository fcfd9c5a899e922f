"""Faults on request: which calls go wrong, how, how often; drawn from a seed."""

import random
from typing import Annotated, Literal

import msgspec

Kind = Literal[
    "latency",
    "timeout",
    "late",
    "applied_but_lost",
    "status",
    "html",
    "truncated_json",
    "empty_listing",
    "endless_listing",
    "malformed_page",
]
DELAY_S_MAX = 600.0
RULES_MAX = 100


class Fault(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """A rule that makes some calls go wrong."""

    kind: Kind
    method: str | None = None
    """Only calls with this method; None means any."""
    path: str = "/"
    """Only calls whose path template starts so."""
    account_id: str | None = None
    """Only calls of this vendor account; None means any."""
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """How many calls it still hits; None means until it is removed."""
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many matching calls pass unharmed first."""
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=DELAY_S_MAX)] = 1.0
    """How long `latency`, `timeout` and `late` wait."""
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    """What `status` and `html` answer with; unless told, 500 and 200."""
    fired: int = 0
    """How many calls it has hit."""


class Faults:
    """Hold the rules and draw at most one fault for a call, the oldest rule first."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.rules: list[Fault] = []

    def add(self, rule: Fault) -> None:
        """Put a rule into force; the number of rules is bounded."""
        if len(self.rules) >= RULES_MAX:
            del self.rules[0]
        self.rules.append(rule)

    def clear(self) -> None:
        """Let everything work again."""
        self.rules.clear()

    def reseed(self, seed: int) -> None:
        """Start the draws again from a seed."""
        self._random.seed(seed)

    def draw(
        self, *, method: str, template: str, account_id: str | None
    ) -> Fault | None:
        """Return the fault that hits this call, if any."""
        for rule in self.rules:
            if rule.method not in (None, method) or not template.startswith(rule.path):
                continue
            if rule.account_id not in (None, account_id) or rule.count == 0:
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.probability < 1 and self._random.random() >= rule.probability:
                continue
            if rule.count is not None:
                rule.count -= 1
            rule.fired += 1
            return rule
        return None
