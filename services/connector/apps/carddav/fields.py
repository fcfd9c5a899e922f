"""The fields of a card and their roles; card to Record and back, side by side."""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Presence, Record
from services.connector.apps.carddav import (
    cards,
    dates,
    items,
    names,
    tags,
    values,
)
from services.connector.apps.carddav.cards import Card, Line
from services.connector.apps.carddav.values import BadValue

PRODUCT = "-//Tandem//CardDAV//EN"
_NAMES = {FieldId(f"{part}_name"): part for part in names.PARTS}
EMAILS: Final = FieldId("emails")
_ITEMS = {
    EMAILS: items.EMAILS,
    FieldId("phones"): items.PHONES,
    FieldId("addresses"): items.ADDRESSES,
    FieldId("websites"): items.WEBSITES,
}
_TEXTS = {FieldId("job_title"): "TITLE", FieldId("note"): "NOTE"}
_DATES = {
    FieldId("birthday"): ("BDAY",),
    FieldId("anniversary"): ("ANNIVERSARY", "X-ANNIVERSARY"),
}
_COMPANY = FieldId("company")
_FULL_NAME = FieldId("full_name")

_APPLE_ANNIVERSARY = "_$!<anniversary>!$_"
_MARKER = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII
)
"""A UUIDv7 as we write it. Other programs call their cards by other kinds of names."""
_PLACES = ("home", "work", items.OTHER)

FIELDS: Final = (
    Field(
        field_id=_FULL_NAME,
        label="Full name",
        kind=FieldKind.TEXT,
        role=Role.NAME_FULL,
        # It follows the parts of the name, which are what is written.
        is_writable=False,
    ),
    *(
        Field(field_id=FieldId(name), label=label, kind=FieldKind.TEXT, role=role)
        for name, label, role in (
            ("given_name", "First name", Role.NAME_GIVEN),
            ("family_name", "Last name", Role.NAME_FAMILY),
            ("middle_name", "Middle name", Role.NAME_MIDDLE),
            ("prefix_name", "Name prefix", Role.NAME_PREFIX),
            ("suffix_name", "Name suffix", Role.NAME_SUFFIX),
        )
    ),
    Field(
        field_id=EMAILS,
        label="Email",
        kind=FieldKind.EMAIL,
        role=Role.EMAIL,
        is_multiple=True,
        labels=_PLACES,
    ),
    Field(
        field_id=FieldId("phones"),
        label="Phone",
        kind=FieldKind.PHONE,
        role=Role.PHONE,
        is_multiple=True,
        labels=("mobile", "home", "work", "fax", items.OTHER),
    ),
    Field(
        field_id=FieldId("addresses"),
        label="Address",
        kind=FieldKind.ADDRESS,
        role=Role.ADDRESS,
        is_multiple=True,
        labels=_PLACES,
    ),
    Field(field_id=_COMPANY, label="Company", kind=FieldKind.TEXT, role=Role.COMPANY),
    Field(
        field_id=FieldId("job_title"),
        label="Job title",
        kind=FieldKind.TEXT,
        role=Role.JOB_TITLE,
    ),
    Field(
        field_id=FieldId("birthday"),
        label="Birthday",
        kind=FieldKind.DATE,
        role=Role.BIRTHDAY,
        is_year_optional=True,
    ),
    Field(
        field_id=FieldId("anniversary"),
        label="Anniversary",
        kind=FieldKind.DATE,
        role=Role.ANNIVERSARY,
        is_year_optional=True,
    ),
    Field(
        field_id=FieldId("websites"),
        label="Website",
        kind=FieldKind.URL,
        role=Role.WEBSITE,
        is_multiple=True,
        labels=_PLACES,
    ),
    Field(field_id=FieldId("note"), label="Note", kind=FieldKind.TEXT, role=Role.NOTE),
)


def is_group(card: Card) -> bool:
    """Tell whether a card is a list of other cards and no person."""
    return any(
        line.value.strip().lower() == "group"
        for line in card.lines
        if line.key in ("KIND", "X-ADDRESSBOOKSERVER-KIND")
    )


def uid(card: Card) -> str:
    """Return what the card calls itself."""
    line = card.first("UID")
    text = cards.unescape(line.value).strip() if line else ""
    return text.removeprefix("urn:uuid:")


def marker(card: Card) -> str:
    """Return our mark on a card: what it calls itself, if we can have named it so."""
    name = uid(card)
    return name if _MARKER.fullmatch(name) else ""


def record(record_id: RecordId, *, etag: str, card: Card | None) -> Record:
    """Return a live card as a record; without fields where it is no contact."""
    contact = None if card is None or is_group(card) else card
    return Record(
        record_id=record_id,
        version=etag,
        marker="" if contact is None else marker(contact),
        fields={} if contact is None else read(contact),
        containers=(ContainerId(record_id.rpartition("/")[0] + "/"),),
        tags=() if card is None else tags.read(card),
    )


def missing(record_id: RecordId) -> Record:
    """Return the record of a card that is not found; that alone proves nothing."""
    return Record(record_id=record_id, presence=Presence.MISSING)


def removed(record_id: RecordId) -> Record:
    """Return the record of a card of which the server says that it was removed."""
    return Record(record_id=record_id, presence=Presence.DELETED)


def read(card: Card) -> Fields:
    """Return every field of a card; a date that is no day is left out."""
    found: Fields = {_FULL_NAME: names.full(card).strip() or None}
    parts = names.read(card)
    found.update({field: parts[part] or None for field, part in _NAMES.items()})
    found.update({f: items.read(card, kind) for f, kind in _ITEMS.items()})
    for field, key in _TEXTS.items():
        line = card.first(key)
        found[field] = (cards.unescape(line.value) if line else "").strip() or None
    company = card.first("ORG")
    raw = cards.split(company.value, ";")[0] if company else ""
    found[_COMPANY] = cards.unescape(raw).strip() or None
    for field in _DATES:
        line = _date_line(card, field)
        day = dates.read(line) if line else None
        if day or not line:
            found[field] = day
    return found


def write(card: Card, changes: Fields) -> None:
    """Set exactly these fields of a card.

    Raises:
        BadValue: A value is of another kind, or has characters no card can hold;
            the card may be half changed then.
    """
    style = names.style(card)
    current = read(card)
    parts = {}
    for field, value in changes.items():
        checked = _checked(field, value)
        if field in current and current[field] == checked:
            continue
        if field in _NAMES:
            parts[_NAMES[field]] = _as_text(checked)
        elif field in _ITEMS:
            items.write(card, _ITEMS[field], items=_as_items(checked))
        elif field in _DATES:
            _write_date(card, field=field, day=_as_text(checked))
        elif field == _COMPANY:
            _write_company(card, _as_text(checked))
        else:
            _write_text(card, key=_TEXTS[field], text=_as_text(checked))
    names.write(card, parts)
    names.refresh(card, style)


def create(marker: str, changes: Fields) -> Card:
    """Return a new card with these fields, called by our marker.

    Raises:
        BadValue: As for ``write``.
    """
    start = {
        "VERSION": "3.0",
        "PRODID": PRODUCT,
        "UID": cards.escape(marker),
        "N": ";;;;",
        "FN": "",
    }
    card = Card([Line(name=name, value=value) for name, value in start.items()])
    write(card, changes)
    return card


def _write_text(card: Card, *, key: str, text: str) -> None:
    line = card.first(key)
    if text:
        card.put((line or Line(name=key)).having(value=cards.escape(text)))
    elif line:
        card.drop(lambda other: other is line)


def _write_company(card: Card, text: str) -> None:
    """Set the first part of ORG; the departments behind it stay."""
    line = card.first("ORG") or Line(name="ORG")
    departments = cards.split(line.value, ";")[1:]
    if text or any(departments):
        value = ";".join([cards.escape(text), *departments])
        card.put(line.having(value=value))
    else:
        card.drop(lambda other: other is line)


def _write_date(card: Card, *, field: FieldId, day: str) -> None:
    line = _date_line(card, field)
    if not day:
        card.drop(lambda other: other is line)
    elif line:
        place = next(i for i, other in enumerate(card.lines) if other is line)
        card.lines[place] = dates.written(line, day, card=card)
    else:
        key = _DATES[field][0 if card.version == "4.0" else -1]
        card.put(dates.written(Line(name=key), day, card=card))


def _date_line(card: Card, field: FieldId) -> Line | None:
    """Return the line that holds a date, in whichever way the card has it."""
    found = (card.first(key) for key in _DATES[field])
    line = next((line for line in found if line), None)
    if line or field != FieldId("anniversary"):
        return line
    labels = card.companions(items.APPLE_LABEL)
    for _, dated in card.all("X-ABDATE"):
        label = labels.get(dated.group.lower())
        if label and label.value.strip().lower() == _APPLE_ANNIVERSARY:
            return dated
    return None


def _checked(field: FieldId, value: Value) -> Value:
    """Return a value as a card can hold it; empty ones are None."""
    if field in _ITEMS:
        return _checked_items(field, value)
    is_known = field in _NAMES or field in _TEXTS or field in _DATES
    if not is_known and field != _COMPANY:
        raise BadValue(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadValue(field)
    text = values.clean(field, value)
    if text and field in _DATES and not dates.is_date(text):
        raise BadValue(field)
    return text or None


def _checked_items(field: FieldId, value: Value) -> Value:
    if value is None:
        return None
    if not isinstance(value, tuple):
        raise BadValue(field)
    kind = Address if _ITEMS[field] is items.ADDRESSES else str
    found = []
    for item in value:
        if not isinstance(item.value, kind):
            raise BadValue(field)
        if isinstance(item.value, str):
            clean: str | Address = values.clean(field, item.value)
        else:
            parts: Mapping[str, str] = msgspec.structs.asdict(item.value)
            clean = Address(**{k: values.clean(field, v) for k, v in parts.items()})
        if clean not in ("", Address()):
            found.append(Item(value=clean, label=item.label))
    return tuple(found) or None


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _as_items(value: Value) -> tuple[Item, ...]:
    return value if isinstance(value, tuple) else ()
