"""Whole contacts as the vendor takes them, for a create and for an update.

A PUT empties every core property that it leaves out and keeps every sub-resource
that it leaves out, so an update resends the first and of the second only changes.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from proto import codec
from proto.fields import Fields
from proto.ids import ContainerId, FieldId
from proto.record import Consent, Memberships
from services.connector.apps.constant_contact import custom, fields, wire
from services.connector.port import ANSWER_BYTES_MAX, Change, NewRecord

SUB_RESOURCES = (
    "phone_numbers",
    "street_addresses",
    "custom_fields",
    "list_memberships",
    "taggings",
    "notes",
)

MEMBERS = ("list_memberships", "taggings")
"""What a contact is in and carries, as ids."""

_NOT_RESENT = {
    *SUB_RESOURCES,
    "contact_id",
    "created_at",
    "updated_at",
    "deleted_at",
    "create_source",
    "update_source",
    "email_address",
    "sms_channel",
}
"""Kept by the vendor when left out, set by it, or built anew. All else in a contact
is resent as it was, also what is not known here, or it would be emptied."""

Body = dict[str, object]


def create_body(
    new: NewRecord, definitions: custom.Definitions, *, taggings: Sequence[str] = ()
) -> Body | FieldId:
    """Return the body that creates a contact, or the field that has no form."""
    # Nothing is to be emptied in a contact that does not exist yet.
    values: Fields = {
        field_id: value
        for field_id, value in new.fields.items()
        if value not in (None, "", ())
    }
    body = _changes({}, values=values, definitions=definitions)
    if not isinstance(body, dict):
        return body
    if isinstance(email := values.get(fields.EMAIL), str):
        permission = fields.write_consent(new.consent)
        body["email_address"] = {"address": email, "permission_to_send": permission}
    if new.containers:
        body["list_memberships"] = list(new.containers)
    if taggings:
        body["taggings"] = list(taggings)
    return body | {"create_source": "Account"}


def update_body(
    contact: wire.Contact,
    *,
    raw: bytes,
    change: Change,
    members: Body,
    definitions: custom.Definitions,
) -> Body | FieldId:
    """Return the body that makes a change, or the field that has no form.

    ``members`` are the changed ones of a contact's lists and tags, each whole.
    """
    values = change.fields
    properties = codec.decode(raw, dict[str, msgspec.Raw], bytes_max=ANSWER_BYTES_MAX)
    body: Body = {
        name: value
        for name, value in properties.items()
        if name not in _NOT_RESENT
        and not name.startswith("_")
        and bytes(value) != b"null"
    }
    if not (contact.birthday_month and contact.birthday_day):
        # One without the other is refused, even if it was shown so.
        body.pop("birthday_month", None)
        body.pop("birthday_day", None)
    entries = contact.custom_fields or ()
    changes = _changes(
        {entry.custom_field_id: _resent_entry(entry) for entry in entries},
        values=values,
        definitions=definitions,
        known=contact,
    )
    if not isinstance(changes, dict):
        return changes
    email = values.get(fields.EMAIL, UNSET)
    if email in (None, ""):
        # The opt-out is kept with the address; without it, it would be forgotten.
        return fields.EMAIL
    if is_unsubscribing(contact, change) and email is UNSET and not has_email(contact):
        # There is nothing that this could be said of.
        return fields.EMAIL
    address = _resent_email(contact.email_address, email, consent=change.consent)
    if address:
        body["email_address"] = address
    if channel := _resent_channel(contact.sms_channel):
        body["sms_channel"] = channel
    # Who refuses mail must stay out until they come back by themselves, and only an
    # opt-out of the contact's own is kept so by the vendor.
    source = "Contact" if is_unsubscribing(contact, change) else "Account"
    body |= changes | members | {"update_source": source}
    # Leaving a property out empties it; a null is nothing that the contract knows.
    return {name: value for name, value in body.items() if value is not None}


def is_unsubscribing(contact: wire.Contact, change: Change) -> bool:
    """Tell whether a change takes the permission to mail a contact away."""
    email = contact.email_address
    known = email.permission_to_send if email else None
    return fields.tightened(known, change.consent) != known


def has_email(contact: wire.Contact) -> bool:
    """Tell whether a contact has an address."""
    return contact.email_address is not None and bool(contact.email_address.address)


def changed_lists(
    contact: wire.Contact, memberships: Memberships
) -> tuple[ContainerId, ...]:
    """Return a contact's lists, with some more and without some others."""
    held = map(ContainerId, contact.list_memberships or ())
    kept = [each for each in held if each not in memberships.containers_remove]
    return tuple(dict.fromkeys((*kept, *memberships.containers_add)))


def completed(
    answered: wire.Contact, *, before: wire.Contact, written: Mapping[str, object]
) -> wire.Contact:
    """Fill in what an update's answer does not show.

    That is what the update did not touch, and lists and tags as they were written:
    without them a contact would seem to have left everything that it is in.
    """
    kept = {
        name: getattr(before, name)
        for name in before.__struct_fields__
        if name in SUB_RESOURCES
        and name not in written
        and getattr(answered, name) is UNSET
    }
    kept |= {
        name: written[name]
        for name in MEMBERS
        if name in written and getattr(answered, name) is UNSET
    }
    return msgspec.structs.replace(answered, **kept)


def _changes(
    entries: Mapping[str, Body],
    *,
    values: Fields,
    definitions: custom.Definitions,
    known: wire.Contact | None = None,
) -> Body | FieldId:
    """Return all changed properties but the email, or the field that has no form.

    ``entries`` are the contact's custom values: the array replaces them all.
    """
    body: Body = {}
    changed = dict(entries)
    for field_id, value in values.items():
        if field_id == fields.EMAIL:
            if value is not None and not isinstance(value, str):
                return field_id
        elif definition := definitions.get(field_id.removeprefix(custom.ID_PREFIX)):
            number = definition.custom_field_id
            entry = custom.write(definition, value)
            if entry is UNSET:
                return field_id
            changed.pop(number, None)
            if entry is not None:
                changed[number] = entry
            body["custom_fields"] = list(changed.values())
        else:
            written = fields.write(field_id, value, known=known)
            if written is UNSET:
                return field_id
            body |= written
    return body


def _resent_email(
    known: wire.EmailAddress | None, address: object, *, consent: Consent
) -> Body | None:
    """Return the address with the permission exactly as it is, or taken away."""
    if known is None or not known.address:
        if address is UNSET:
            return None
        permission = fields.tightened(fields.WEAKEST_PERMISSION, consent)
        return {"address": address, "permission_to_send": permission}
    kept = {
        "address": known.address if address is UNSET else address,
        "permission_to_send": fields.tightened(known.permission_to_send, consent),
        "opt_out_reason": known.opt_out_reason,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _resent_entry(entry: wire.CustomValue) -> Body:
    body: Body = {"custom_field_id": entry.custom_field_id}
    if entry.value is not None:
        body["value"] = entry.value
    if entry.choice_ids is not None:
        body["choice_ids"] = list(entry.choice_ids)
    return body


def _resent_channel(channel: wire.SmsChannel | None) -> Body | None:
    """Return the number for text messages in the form in which it is written."""
    if channel is None or not channel.sms_address:
        return None
    consents = [
        {
            "sms_consent_permission": consent.sms_consent_permission,
            "consent_type": consent.consent_type,
        }
        for consent in channel.sms_channel_consents or ()
        if consent.sms_consent_permission and consent.consent_type
    ]
    return {
        "full_sms_address": (channel.dial_code or "") + channel.sms_address,
        "sms_channel_consents": consents,
    }
