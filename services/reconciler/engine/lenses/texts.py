"""Values of other kinds as text, one way.

A number is written as a plain decimal, yes and no as these words, a choice by its
label, a day as ``YYYY-MM-DD`` (``--MM-DD`` without a year), a moment as RFC 3339 in
UTC. No text is ever read back as such a value.
"""

from typing import Final

from proto.fields import Field, FieldKind, Fields, Value
from services.reconciler.engine import canon
from services.reconciler.engine.lenses.atoms import (
    WHOLE,
    Atom,
    Atoms,
    Ends,
    Target,
)
from services.reconciler.engine.model import Reason

_UNSAYABLE: Final = "\x1f"
"""Begins the normal form of a value that has no text."""


def changes(ends: Ends) -> Atoms:
    """Return the text of the new value, if it is another than that of the old one."""
    field = ends.end.fields[0]
    value = ends.new.get(field.field_id)
    was, now = _form(field, ends.old.get(field.field_id)), _form(field, value)
    learned = ends.forms[ends.end.side].get(field.field_id)
    if learned and field.kind is FieldKind.TEXT:
        was, now = learned.get(was, was), learned.get(now, now)
    if was == now:
        return {}
    return {WHOLE: Atom(now, text_of(field, value) if now else None, was)}


def put(target: Target) -> Fields:
    """Return the text; what has none changes nothing."""
    field_id, atom = target.end.ids[0], target.atoms[WHOLE]
    if atom.canon.startswith(_UNSAYABLE):
        return {field_id: target.onto.get(field_id)}
    return {field_id: atom.text}


def reason_against(target: Target) -> Reason | None:
    """Say why a value cannot be told as text."""
    if not target.atoms[WHOLE].canon.startswith(_UNSAYABLE):
        return None
    is_choice = target.opposite.fields[0].kind is FieldKind.CHOICE
    return Reason.NOT_AN_OPTION if is_choice else Reason.BAD_VALUE


def text_of(field: Field, value: Value) -> str | None:
    """Return the text form of a value; None if it is not one of the field's kind."""
    if value is None:
        return ""
    if field.kind is FieldKind.BOOLEAN:
        return ("yes" if value else "no") if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if field.kind is FieldKind.CHOICE:
        labels = (o.label for o in field.options if o.option_id == value)
        return next(labels, None) if value else ""
    return value if field.kind is FieldKind.TEXT else canon.of(field.kind, value)


def _form(field: Field, value: Value) -> str:
    text = text_of(field, value)
    if text is None:
        return _UNSAYABLE + canon.of(field.kind, value)
    return canon.text(text)
