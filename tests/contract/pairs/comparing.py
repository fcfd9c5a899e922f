"""Is a card what it should be? Values are compared by what they mean to people."""

import unicodedata
from collections.abc import Iterator

from proto.fields import Address, FieldKind, Item, Role, Value
from tests.contract.conformance.cards import Card
from tests.contract.conformance.shapes import Form, Shape
from tests.contract.pairs import carrying

NOTHING = "nothing"


def differences(*, wanted: Card, seen: Card, shape: Shape) -> Iterator[str]:
    """Yield what is otherwise than wanted, role by role; nothing else may be there."""
    for role in seen.keys() - shape.fields.keys():
        yield f"{role} is there, which the vendor does not hold"
    for role, form in shape.fields.items():
        if form.is_derived:
            continue
        want, have = wanted.get(role), seen.get(role)
        if _plain(want, role, form) != _plain(have, role, form):
            yield f"{role} is {_told(have)}, not {_told(want)}"


def _plain(value: Value, role: Role, form: Form) -> object:
    """Return a value without what makes no difference to anybody."""
    if isinstance(value, tuple):
        return [(_plain_item(item, form), _label(item, form)) for item in value]
    return _text(value, form) if isinstance(value, str) else value or None


def _plain_item(item: Item, form: Form) -> object:
    if isinstance(item.value, Address):
        return item.value
    return _text(item.value, form)


def _text(text: str, form: Form) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if form.kind is FieldKind.EMAIL:
        return text.lower()
    if form.kind is FieldKind.URL:
        return text.partition("://")[2] or text
    return carrying.digits(text) if form.kind is FieldKind.PHONE else text


def _label(item: Item, form: Form) -> str:
    """Return a label; what stands in for any other is as good as none."""
    return "" if form.labels and item.label == form.labels[-1] else item.label


def _told(value: Value) -> str:
    if isinstance(value, tuple):
        return "; ".join(
            f"{_told_item(item)} ({item.label or 'no label'})" for item in value
        )
    return NOTHING if value is None else repr(value)


def _told_item(item: Item) -> str:
    if isinstance(item.value, str):
        return repr(item.value)
    parts = (getattr(item.value, name) for name in item.value.__struct_fields__)
    return ", ".join(part for part in parts if part)
