"""Whether a record fulfils what a rule asks. What is not known of it, it does not."""

from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from proto.fields import Field, FieldKind, Item, Value
from proto.record import Presence, Record
from proto.rules import Condition, Operator, Rule
from services.reconciler.engine import canon
from services.reconciler.engine.config import SideConfig

ON_FIELDS: Final = frozenset(
    {
        Operator.IS,
        Operator.IS_NOT,
        Operator.CONTAINS,
        Operator.STARTS_WITH,
        Operator.IS_EMPTY,
        Operator.IS_NOT_EMPTY,
        Operator.BEFORE,
        Operator.AFTER,
        Operator.LESS,
        Operator.MORE,
    }
)
"""Operators that look at a field."""


_LIVE: Final = Presence.LIVE


class Subject(msgspec.Struct, frozen=True):
    """A record as conditions look at it."""

    record: Record
    side: SideConfig
    has_counterpart: bool


def fulfils(rule: Rule, subject: Subject) -> bool:
    """Say whether a record fulfils all conditions of a rule.

    A deleted record fulfils only a rule that asks for deleted ones.
    """
    if subject.record.presence is not _LIVE and not asks_for_deleted(rule):
        return False
    for condition in rule.conditions:  # noqa: SIM110
        # Without a generator for each rule and record.
        if not holds(condition, subject):
            return False
    return True


def asks_for_deleted(rule: Rule) -> bool:
    """Say whether a rule is about contacts that were deleted."""
    return any(each.operator is Operator.IS_DELETED for each in rule.conditions)


def asks_for_counterpart(rule: Rule) -> bool:
    """Say whether a rule only ever updates contacts that exist on both sides."""
    return any(
        each.operator is Operator.EXISTS_ON_OTHER_SIDE for each in rule.conditions
    )


def holds(condition: Condition, subject: Subject) -> bool:
    """Say whether one condition is so of a record."""
    record = subject.record
    if condition.operator not in ON_FIELDS:
        return _holds_of_record(condition, subject)
    field = subject.side.by_id.get(condition.field_id)
    if field is None or condition.field_id not in record.fields:
        return False
    texts = _texts(record.fields[condition.field_id])
    asks = _OF_TEXTS.get(condition.operator)
    if asks is not None:
        return asks(texts, condition.value)
    return _compares(condition, field, texts=texts)


def _holds_of_record(condition: Condition, subject: Subject) -> bool:
    record, wanted = subject.record, condition.value
    match condition.operator:
        case Operator.IN_CONTAINER:
            return wanted in record.containers
        case Operator.NOT_IN_CONTAINER:
            return wanted not in record.containers
        case Operator.HAS_TAG:
            return wanted in record.tags
        case Operator.LACKS_TAG:
            return wanted not in record.tags
        case Operator.CONSENT_IS:
            return record.consent.value == wanted
        case Operator.EXISTS_ON_OTHER_SIDE:
            return subject.has_counterpart
        case Operator.IS_DELETED:
            return record.presence is Presence.DELETED
    return False


def _is_empty(texts: list[str], _wanted: str) -> bool:
    return not texts


def _is_not_empty(texts: list[str], _wanted: str) -> bool:
    return bool(texts)


def _contains(texts: list[str], wanted: str) -> bool:
    part = _part(wanted)
    for text in texts:  # noqa: SIM110
        if part in _part(text):
            return True
    return False


def _starts_with(texts: list[str], wanted: str) -> bool:
    part = _part(wanted)
    for text in texts:  # noqa: SIM110
        if _part(text).startswith(part):
            return True
    return False


_OF_TEXTS: Final = {
    Operator.IS_EMPTY: _is_empty,
    Operator.IS_NOT_EMPTY: _is_not_empty,
    Operator.CONTAINS: _contains,
    Operator.STARTS_WITH: _starts_with,
}
"""What operators ask that do not look at normal forms."""


def _compares(condition: Condition, field: Field, *, texts: list[str]) -> bool:
    """Say whether normal forms compare as they should."""
    forms = [_form(field.kind, text) for text in texts]
    wanted = _form(field.kind, condition.value)
    match condition.operator:
        case Operator.IS:
            return wanted in forms
        case Operator.IS_NOT:
            return wanted not in forms
        case Operator.BEFORE:
            return any(_is_alike(form, wanted) and form < wanted for form in forms)
        case Operator.AFTER:
            return any(_is_alike(form, wanted) and form > wanted for form in forms)
    return any(_is_beyond(form, condition.operator, wanted=wanted) for form in forms)


def _is_beyond(form: str, operator: Operator, *, wanted: str) -> bool:
    number, bound = decimal(form), decimal(wanted)
    if number is None or bound is None:
        return False
    return number < bound if operator is Operator.LESS else number > bound


def _is_alike(day: str, other: str) -> bool:
    """Say whether both days have a year or none: others have no order."""
    return day.startswith("--") is other.startswith("--")


def decimal(text: str) -> Decimal | None:
    """Return a text as a number, or None if it is none or not a finite one."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _form(kind: FieldKind, text: str) -> str:
    return canon.of(kind, text).casefold()


def _part(text: str) -> str:
    return canon.text(text).casefold()


def _texts(value: Value) -> list[str]:
    """Return the texts that a value has, without empty ones."""
    if isinstance(value, str):
        text = value.strip()
        return [text] if text else []
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [text for item in value if (text := _text_of(item))]


def _text_of(item: Item) -> str:
    if isinstance(item.value, str):
        return item.value.strip()
    part = item.value
    parts = (part.street, part.city, part.region, part.postal_code, part.country)
    return ", ".join(each for each in parts if each.strip())
