"""Fields of members; members and records, both directions side by side."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET

from proto.fields import Field, FieldKind, Fields, Option, Role
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector import vendors
from services.connector.apps.mailchimp import values, wire
from services.connector.apps.mailchimp.audiences import Audience, MemberFields

EMAIL: Final = FieldId("email")
ARCHIVED: Final = "archived"
UNSUBSCRIBED: Final = "unsubscribed"
ROLES: Final = {
    "text.FNAME": Role.NAME_GIVEN,
    "text.LNAME": Role.NAME_FAMILY,
    "text.COMPANY": Role.COMPANY,
    "phone.PHONE": Role.PHONE,
    "address.ADDRESS": Role.ADDRESS,
    "month_day.BIRTHDAY": Role.BIRTHDAY,
}
"""Roles of the fields that an audience is made with."""
CONSENTS: Final = {
    "subscribed": Consent.SUBSCRIBED,
    UNSUBSCRIBED: Consent.UNSUBSCRIBED,
    "cleaned": Consent.SUPPRESSED,
}
"""Who is asked to confirm (pending) and who only buys (transactional) has agreed to
nothing, and refused nothing."""
_TIGHT: Final = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


class Body(NamedTuple):
    """What sets fields of a member."""

    email: str | None
    merge_fields: dict[str, values.Written]


def describe(fields: Iterable[MemberFields]) -> tuple[Field, ...]:
    """Return the fields of all audiences; one that several have, once.

    Its options are those of all of them; each audience takes its own alone.
    """
    found: dict[FieldId, list[wire.MergeField]] = {}
    for audience in fields:
        for field_id, one in audience.by_id.items():
            found.setdefault(field_id, []).append(one)
    return (
        Field(field_id=EMAIL, label="Email", kind=FieldKind.EMAIL, role=Role.EMAIL),
        *(_field(field_id, ones) for field_id, ones in found.items()),
    )


def read(member: wire.Member, *, list_id: str, fields: MemberFields) -> Record:
    """Return a member as a record."""
    found: Fields = {EMAIL: member.email_address or None}
    for field_id, tag, kind in fields.kinds:
        raw = member.merge_fields.get(tag)
        value = UNSET if raw is None else values.read(raw, kind)
        if value is not UNSET:
            found[field_id] = value
    is_archived = member.status == ARCHIVED
    return Record(
        record_id=record_id_of(list_id, member),
        modified_at=vendors.read_moment(member.last_changed),
        presence=Presence.DELETED if is_archived else Presence.LIVE,
        fields=found,
        containers=(ContainerId(list_id),),
        tags=tuple(tag.name for tag in member.tags),
        consent=CONSENTS.get(member.status, Consent.UNKNOWN),
    )


def write(asked: Fields, *, fields: MemberFields, is_new: bool) -> Body | FieldId:
    """Return what sets fields, or the first field that cannot be set so."""
    email: str | None = None
    found: dict[str, values.Written] = {}
    for field_id, value in asked.items():
        if field_id == EMAIL:
            if not isinstance(value, str) or not value:
                return EMAIL
            email = value
            continue
        one = fields.by_id.get(field_id)
        if one is None:
            return field_id
        written = values.write(value, one)
        if written is UNSET:
            return field_id
        # Nothing is to be emptied in a member who is not there yet.
        if written != "" or not is_new:
            found[one.tag] = written
    return Body(email, found)


def status_of(consent: Consent, audience: Audience) -> str:
    """Return the status of somebody new: the weakest that the consent allows.

    Without a clear one they are no receiver of campaigns. Where people have to confirm
    that they want mail, another app's word does not do that for them.
    """
    if is_tight(consent):
        return UNSUBSCRIBED
    if consent is Consent.SUBSCRIBED and not audience.asks_twice:
        return "subscribed"
    return "transactional"


def is_tight(consent: Consent) -> bool:
    """Say whether somebody may not be mailed."""
    return consent in _TIGHT


def record_id_of(list_id: str, member: wire.Member) -> RecordId:
    """Return a member's id: one person in two audiences is two members."""
    return RecordId(f"{list_id}/{member.contact_id}")


def with_tags(record: Record, tags: Iterable[str]) -> Record:
    """Return a record with other tags."""
    return msgspec.structs.replace(record, tags=tuple(tags))


def _field(field_id: FieldId, ones: list[wire.MergeField]) -> Field:
    kind = values.kind_of(ones[0])
    is_address = kind is FieldKind.ADDRESS
    choices = dict.fromkeys(each for one in ones for each in one.options.choices)
    return Field(
        field_id=field_id,
        label=ones[0].name or ones[0].tag,
        kind=kind,
        role=ROLES.get(field_id, Role.UNKNOWN),
        is_multiple=is_address,
        count_max=1 if is_address else 0,
        options=tuple(
            Option(option_id=each, label=each)
            for each in choices
            if kind is FieldKind.CHOICE
        ),
    )
