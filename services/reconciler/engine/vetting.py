"""Which rules two apps allow: their conditions on one side, their actions on the other.

Pointers are those inside of a side's rules.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from proto.fields import FieldKind
from proto.ids import ContainerId, FieldId
from proto.record import Consent
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.reconciler.engine import conditions, refusals, texts
from services.reconciler.engine.config import SideConfig
from services.reconciler.engine.refusals import Objection, Refusal

RULES_MAX: Final = 50
CONDITIONS_MAX: Final = 20
ACTIONS_MAX: Final = 20
RULE_ID_LENGTH_MAX: Final = 100

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


class Terms(NamedTuple):
    """What the rules of a side are held against."""

    source: SideConfig
    """The side that conditions look at."""
    target: SideConfig
    """The side that actions change."""
    source_containers: frozenset[ContainerId]
    """The containers that the account lists; none where it does not tell."""
    target_containers: frozenset[ContainerId]
    mapped: frozenset[FieldId]
    """Fields of the target that mappings keep."""


def of_rules(given: tuple[Rule, ...], terms: Terms) -> Iterator[Refusal]:
    """Return what cannot be of a side's rules, in their order."""
    if len(given) > RULES_MAX:
        yield refusals.of(Objection.TOO_MANY, f"A side has {RULES_MAX} rules at most.")
        return
    taken: set[str] = set()
    for index, rule in enumerate(given):
        found = (*_of_id(rule.rule_id, taken), *_of_rule(rule, terms))
        yield from refusals.under(f"/{index}", found)
        taken.add(rule.rule_id)


def _of_id(rule_id: str, taken: set[str]) -> Iterator[Refusal]:
    if rule_id in taken:
        yield refusals.of(
            Objection.TAKEN,
            "Another rule of this side has this id. Give each its own.",
            at="/rule_id",
        )
        return
    found = texts.of_text(rule_id, what="an id", length_max=RULE_ID_LENGTH_MAX)
    yield from refusals.under("/rule_id", found)


def _of_rule(rule: Rule, terms: Terms) -> Iterator[Refusal]:
    for name, count, count_max in (
        ("conditions", len(rule.conditions), CONDITIONS_MAX),
        ("actions", len(rule.actions), ACTIONS_MAX),
    ):
        if count > count_max:
            sentence = f"A rule has {count_max} {name} at most."
            yield refusals.of(Objection.TOO_MANY, sentence, at=f"/{name}")
            return
    for index, condition in enumerate(rule.conditions):
        yield from refusals.under(
            f"/conditions/{index}", _of_condition(condition, terms)
        )
    for index, action in enumerate(rule.actions):
        yield from refusals.under(f"/actions/{index}", _of_action(action, terms))


def _of_condition(condition: Condition, terms: Terms) -> Iterator[Refusal]:
    operator, value = condition.operator, condition.value
    if operator is Operator.UNKNOWN:
        yield refusals.of(
            Objection.UNKNOWN_WORD, "There is no such operator.", at="/operator"
        )
        return
    if not _can_ask(operator, terms):
        sentence = "The app does not tell this of its contacts. Leave this out."
        yield refusals.of(Objection.NOT_OFFERED, sentence, at="/operator")
        return
    if operator in conditions.ON_FIELDS:
        yield from _of_field_condition(condition, terms.source)
    else:
        yield from _unused(condition.field_id, at="/field_id")
    if operator in _WITHOUT_VALUE:
        yield from _unused(value, at="/value")
    elif operator in _IN_CONTAINERS:
        yield from refusals.under(
            "/value", texts.of_container(value, terms.source_containers)
        )
    elif operator in _ON_TAGS:
        yield from refusals.under("/value", texts.of_tag(value))
    elif operator is Operator.CONSENT_IS and value not in _LEVELS:
        sentence = f"Give one of {', '.join(_LEVELS)}."
        yield refusals.of(Objection.UNKNOWN_WORD, sentence, at="/value")


def _can_ask(operator: Operator, terms: Terms) -> bool:
    able = terms.source.capabilities
    if operator in _IN_CONTAINERS:
        # Whether records can be moved is another matter.
        return bool(terms.source_containers) or able.can_change_containers
    if operator in _ON_TAGS:
        return able.can_tag
    if operator is Operator.CONSENT_IS:
        return able.has_consent
    return operator is not Operator.IS_DELETED or able.detects_deletions


def _of_field_condition(condition: Condition, side: SideConfig) -> Iterator[Refusal]:
    operator, value = condition.operator, condition.value
    field = side.by_id.get(condition.field_id)
    if field is None:
        yield _no_field(condition.field_id)
        return
    if field.kind not in _FITTING[operator]:
        sentence = "This operator does not go with fields of this kind. Choose another."
        yield refusals.of(Objection.WRONG_KIND, sentence, at="/operator")
        return
    if operator in _WITHOUT_VALUE:
        return
    if not value.strip():
        sentence = "Give what to compare with, or ask for `is_empty`."
        yield refusals.of(Objection.MISSING, sentence, at="/value")
    elif operator in _OF_PARTS:
        found = texts.of_text(value, what="a text", length_max=texts.VALUE_LENGTH_MAX)
        yield from refusals.under("/value", found)
    else:
        compared = msgspec.structs.replace(
            field,
            is_multiple=False,
            # A day without a year is neither before nor after one with it.
            is_year_optional=field.is_year_optional and operator not in _OF_TIME,
        )
        yield from refusals.under("/value", texts.of_value(value, compared))


def _of_action(action: Action, terms: Terms) -> Iterator[Refusal]:
    kind, able = action.kind, terms.target.capabilities
    if kind is ActionKind.UNKNOWN:
        yield refusals.of(
            Objection.UNKNOWN_WORD, "There is no such action.", at="/kind"
        )
        return
    if kind is ActionKind.SET_FIELD:
        yield from _of_setting(action, terms)
        return
    is_tag = kind in _TAGGING
    if not (able.can_tag if is_tag else able.can_change_containers):
        sentence = "The app cannot do this. Leave it out."
        yield refusals.of(Objection.NOT_OFFERED, sentence, at="/kind")
        return
    yield from _unused(action.field_id, at="/field_id")
    yield from refusals.under(
        "/value",
        texts.of_tag(action.value)
        if is_tag
        else texts.of_container(action.value, terms.target_containers),
    )


def _of_setting(action: Action, terms: Terms) -> Iterator[Refusal]:
    field = terms.target.by_id.get(action.field_id)
    if field is None:
        yield _no_field(action.field_id)
        return
    for is_so, reason, sentence in (
        (
            not field.is_writable,
            Objection.READ_ONLY,
            "The app lets nobody write this field. Choose another.",
        ),
        (
            field.is_multiple,
            Objection.SEVERAL_VALUES,
            "This field holds several values, which a rule cannot set. Choose another.",
        ),
        (
            field.field_id in terms.mapped,
            Objection.MAPPED,
            "A field mapping keeps this field. Switch that off first, or choose"
            " another field.",
        ),
    ):
        if is_so:
            yield refusals.of(reason, sentence, at="/field_id")
            return
    if action.value or field.kind is FieldKind.BOOLEAN:
        yield from refusals.under("/value", texts.of_value(action.value, field))


def _no_field(field_id: str) -> Refusal:
    if not field_id:
        return refusals.of(Objection.MISSING, "Give a field's id.", at="/field_id")
    sentence = "The account has no such field. Give the id of one that it describes."
    return refusals.of(Objection.UNKNOWN_FIELD, sentence, at="/field_id")


def _unused(given: str, *, at: str) -> Iterator[Refusal]:
    if given:
        sentence = "This has no effect here. Leave it out."
        yield refusals.of(Objection.UNUSED, sentence, at=at)
