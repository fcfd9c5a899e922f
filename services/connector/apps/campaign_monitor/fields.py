"""The fields of subscribers; vendor JSON <-> Record, both directions side by side.

Each list defines its custom fields by itself. Those with one key and one type are one
field, on whatever lists; a subscriber shows those of its list alone.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET

from proto.fields import Field, FieldKind, Fields, Option, Role
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector.apps.campaign_monitor import values, wire

EMAIL = FieldId("EmailAddress")
NAME = FieldId("Name")
NO_KEY: Final = "[]"
"""The key of fields whose names have no letters that it could be made of: no entry can
name one of them."""
_STANDARD: Final = (
    Field(field_id=EMAIL, label="Email", kind=FieldKind.EMAIL, role=Role.EMAIL),
    Field(field_id=NAME, label="Name", kind=FieldKind.TEXT, role=Role.NAME_FULL),
)
_CONSENTS: Final = {
    "active": Consent.SUBSCRIBED,
    "unconfirmed": Consent.UNKNOWN,
    "unsubscribed": Consent.UNSUBSCRIBED,
    "bounced": Consent.SUPPRESSED,
    "spam": Consent.SUPPRESSED,
    "suppressed": Consent.SUPPRESSED,
}
_TIGHT: Final = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)
_DELETED: Final = "deleted"
_RECORD_ID = re.compile(r"([^\s/]+)/([^\s@]+@[^\s@]+)\Z")
_ID_LENGTH_MAX: Final = 300

Definitions = Mapping[FieldId, wire.Definition]
"""A list's custom fields."""


def definitions_of(found: Iterable[wire.Definition]) -> Definitions:
    """Return a list's custom fields by our ids."""
    return {_id_of(one): one for one in found}


def describe(lists: Iterable[Definitions]) -> tuple[Field, ...]:
    """Return the fields of an account: each list may have options of its own."""
    known: dict[FieldId, list[wire.Definition]] = {}
    for definitions in lists:
        for field_id, one in definitions.items():
            known.setdefault(field_id, []).append(one)
    labels = [same[0].field_name for same in known.values()]
    custom = []
    for field_id, same in known.items():
        first = same[0]
        is_alone = labels.count(first.field_name) == 1
        label = first.field_name or field_id
        kind = values.KINDS.get(first.data_type, FieldKind.TEXT)
        options = dict.fromkeys(text for one in same for text in one.field_options)
        custom.append(
            Field(
                field_id=field_id,
                label=label if is_alone else f"{label} ({first.data_type})",
                kind=kind,
                is_multiple=first.data_type == values.SEVERAL,
                is_writable=first.data_type in values.KINDS and first.key != NO_KEY,
                length_max=values.LENGTH_MAX if kind is FieldKind.TEXT else 0,
                options=tuple(
                    Option(option_id=text, label=text)
                    for text in options
                    if kind is FieldKind.CHOICE
                ),
            )
        )
    return (*_STANDARD, *custom)


def record_id_of(list_id: str, email: str) -> RecordId:
    """Return the id of a subscriber: there is none but the list and the address."""
    return RecordId(f"{list_id}/{email.lower()}")


def parts_of(record_id: RecordId) -> tuple[str, str] | None:
    """Return the list and the address of an id; None if it is not one of ours."""
    found = _RECORD_ID.match(record_id)
    if found is None or len(record_id) > _ID_LENGTH_MAX:
        return None
    return found[1], found[2]


def read(
    subscriber: wire.Subscriber, *, list_id: str, definitions: Definitions
) -> Record:
    """Return a subscriber as a record."""
    texts = texts_of(subscriber)
    found: Fields = {
        EMAIL: subscriber.email_address or None,
        NAME: subscriber.name or None,
    }
    for field_id, one in definitions.items():
        value = values.read(one, texts.get(_place(one.field_name), ()))
        if value is not UNSET:
            found[field_id] = value
    is_deleted = subscriber.state.lower() == _DELETED
    # No times: they are told in the zone of a setting that people change, and on what
    # is edited none moves.
    return Record(
        record_id=record_id_of(list_id, subscriber.email_address),
        presence=Presence.DELETED if is_deleted else Presence.LIVE,
        fields=found,
        containers=(ContainerId(list_id),),
        consent=read_consent(subscriber),
    )


def write(
    asked: Fields, *, definitions: Definitions, before: wire.Subscriber | None
) -> dict[str, Any] | FieldId:
    """Return the properties that set these fields, or the field that has no form."""
    held = texts_of(before) if before else {}
    body: dict[str, Any] = {"CustomFields": []}
    for field_id, value in asked.items():
        if field_id in (EMAIL, NAME):
            if not isinstance(value, str | None) or (field_id == EMAIL and not value):
                return field_id
            body[field_id] = value or ""
            continue
        one = definitions.get(field_id)
        if one is None or one.key == NO_KEY:
            return field_id
        own = held.get(_place(one.field_name), ())
        entries = values.write(one, value, before=own)
        if entries is None:
            return field_id
        if before is not None or value:
            body["CustomFields"] += entries
    return body


def written(
    asked: Fields, *, definitions: Definitions, before: wire.Subscriber
) -> wire.Subscriber:
    """Return somebody as a write left them: no answer to one shows that."""
    held = texts_of(before)
    for field_id, one in definitions.items():
        if field_id in asked:
            held[_place(one.field_name)] = _texts(asked[field_id])
    return wire.Subscriber(
        email_address=str(asked.get(EMAIL, before.email_address)),
        state=before.state,
        name=str(asked[NAME] or "") if NAME in asked else before.name,
        custom_fields=tuple(
            wire.Value(key=key, value=text)
            for key, texts in held.items()
            for text in texts
        ),
    )


def texts_of(subscriber: wire.Subscriber) -> dict[str, list[str]]:
    """Return the texts of each custom field, by the name of the field."""
    found: dict[str, list[str]] = {}
    for one in subscriber.custom_fields:
        if one.value is not None:
            found.setdefault(_place(one.key), []).append(one.value)
    return found


def is_known(subscriber: wire.Subscriber, definitions: Definitions) -> bool:
    """Say whether all custom fields of a subscriber are defined as far as we know."""
    places = {_place(one.field_name) for one in definitions.values()}
    return all(_place(one.key) in places for one in subscriber.custom_fields)


def read_consent(subscriber: wire.Subscriber) -> Consent:
    """Return what a state means; one that we do not know allows nothing."""
    state = subscriber.state.lower()
    if state == _DELETED:
        return Consent.UNKNOWN
    return _CONSENTS.get(state, Consent.UNSUBSCRIBED)


def is_tight(consent: Consent) -> bool:
    """Say whether somebody may not be mailed."""
    return consent in _TIGHT


def _id_of(one: wire.Definition) -> FieldId:
    name = one.field_name if one.key == NO_KEY else one.key.strip("[]")
    return FieldId(f"{one.data_type}:{name}")


def _place(name: str) -> str:
    """Return a field's name in comparable form.

    Values come under the name; samples of the reference have some under the key.
    """
    return name.strip("[]").replace(" ", "").lower()


def _texts(value: object) -> list[str]:
    if isinstance(value, tuple):
        return [str(item.value) for item in value]
    return [str(value)] if value else []
