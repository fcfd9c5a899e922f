"""Which rules two apps allow: their conditions on one side, their actions on the other.

Pointers are those inside of a side's rules.
"""

import datetime
from collections.abc import Iterator
from typing import Final

import msgspec

from proto.fields import Field, FieldKind
from proto.ids import ContainerId
from proto.record import Consent
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.reconciler.engine import conditions, guards
from services.reconciler.engine.config import SideConfig
from services.reconciler.engine.model import Reason
from services.reconciler.engine.refusals import Objection, Refusal, under

RULES_MAX: Final = 50
CONDITIONS_MAX: Final = 20
ACTIONS_MAX: Final = 20
RULE_ID_LENGTH_MAX: Final = 100
VALUE_LENGTH_MAX: Final = 1_000
TAG_LENGTH_MAX: Final = 255

_TEXTS: Final = (
    FieldKind.TEXT,
    FieldKind.EMAIL,
    FieldKind.PHONE,
    FieldKind.URL,
)
_DAYS: Final = (FieldKind.DATE, FieldKind.MONTH_DAY, FieldKind.DATETIME)
_WHOLE: Final = (
    *_TEXTS,
    *_DAYS,
    FieldKind.NUMBER,
    FieldKind.BOOLEAN,
    FieldKind.CHOICE,
)
_FITTING: Final = {
    Operator.IS: _WHOLE,
    Operator.IS_NOT: _WHOLE,
    Operator.CONTAINS: (*_TEXTS, FieldKind.ADDRESS),
    Operator.STARTS_WITH: (*_TEXTS, FieldKind.ADDRESS),
    Operator.BEFORE: _DAYS,
    Operator.AFTER: _DAYS,
    Operator.LESS: (FieldKind.NUMBER,),
    Operator.MORE: (FieldKind.NUMBER,),
    Operator.IS_EMPTY: tuple(FieldKind),
    Operator.IS_NOT_EMPTY: tuple(FieldKind),
}
"""Which kinds of field an operator goes with."""

_OF_PARTS: Final = (Operator.CONTAINS, Operator.STARTS_WITH)
_OF_TIME: Final = (Operator.BEFORE, Operator.AFTER)
_IN_CONTAINERS: Final = (Operator.IN_CONTAINER, Operator.NOT_IN_CONTAINER)
_ON_TAGS: Final = (Operator.HAS_TAG, Operator.LACKS_TAG)
_WITHOUT_VALUE: Final = (
    Operator.IS_EMPTY,
    Operator.IS_NOT_EMPTY,
    Operator.EXISTS_ON_OTHER_SIDE,
    Operator.IS_DELETED,
)
_TAGGING: Final = (ActionKind.ADD_TAG, ActionKind.REMOVE_TAG)
_LEVELS: Final = (Consent.SUBSCRIBED, Consent.UNSUBSCRIBED, Consent.SUPPRESSED)

_OBJECTIONS: Final = {
    Reason.TOO_LONG: Objection.TOO_LONG,
    Reason.BAD_TEXT: Objection.BAD_TEXT,
    Reason.NOT_AN_OPTION: Objection.NOT_AN_OPTION,
}
_SENTENCES: Final = {
    Objection.TOO_LONG: "This is too long. Shorten it.",
    Objection.BAD_TEXT: "This has a character that cannot be stored. Take it out.",
    Objection.NOT_AN_OPTION: "This is none of the field's options. Give the id of one.",
}
_HINTS: Final = {
    FieldKind.BOOLEAN: "Give `true` or `false`.",
    FieldKind.NUMBER: "Give a number, such as -12.50.",
    FieldKind.DATE: "Give a day, as YYYY-MM-DD.",
    FieldKind.MONTH_DAY: "Give a day without its year, as --MM-DD.",
    FieldKind.DATETIME: "Give a time in UTC, as 2026-01-31T12:00:00Z.",
    FieldKind.EMAIL: "Give an email address.",
}


class Vetting:
    """Looks at the rules of one side, given both."""

    def __init__(
        self,
        *,
        source: SideConfig,
        target: SideConfig,
        source_containers: frozenset[ContainerId],
        target_containers: frozenset[ContainerId],
        mapped: frozenset[str],
    ) -> None:
        self._source = source
        self._target = target
        self._source_containers = source_containers
        self._target_containers = target_containers
        self._mapped = mapped

    def rules(self, given: tuple[Rule, ...]) -> Iterator[Refusal]:
        """Return what cannot be of a side's rules, in their order."""
        if len(given) > RULES_MAX:
            yield _refusal(
                "", Objection.TOO_MANY, f"A side has {RULES_MAX} rules at most."
            )
            return
        taken: set[str] = set()
        for index, rule in enumerate(given):
            yield from under(f"/{index}", self._rule(rule, taken=taken))
            taken.add(rule.rule_id)

    def _rule(self, rule: Rule, *, taken: set[str]) -> Iterator[Refusal]:
        yield from under("/rule_id", _rule_id(rule.rule_id, taken=taken))
        for name, count, count_max in (
            ("conditions", len(rule.conditions), CONDITIONS_MAX),
            ("actions", len(rule.actions), ACTIONS_MAX),
        ):
            if count > count_max:
                yield _refusal(
                    f"/{name}",
                    Objection.TOO_MANY,
                    f"A rule has {count_max} {name} at most.",
                )
                return
        for index, condition in enumerate(rule.conditions):
            yield from under(f"/conditions/{index}", self._condition(condition))
        for index, action in enumerate(rule.actions):
            yield from under(f"/actions/{index}", self._action(action))
